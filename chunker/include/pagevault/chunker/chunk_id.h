// The identity of a chunk: BLAKE2b-256 of its plaintext, keyed per role, so that ids say nothing to
// someone without the key and data and metadata never share one (docs/format.md, section 5).

#pragma once

#include "pagevault/base/bytes.h"
#include "pagevault/base/digest.h"
#include "pagevault/base/secret.h"

namespace pagevault::chunker {

struct DataIdKeyRole;
struct MetaIdKeyRole;
/// K_data_id and K_meta_id of docs/format.md, section 2.
using DataIdKey = SecretKey<DataIdKeyRole>;
using MetaIdKey = SecretKey<MetaIdKeyRole>;

/// Never fails, thread-safe. About 1 GB/s.
ChunkId chunk_id(const DataIdKey& key, ByteView plain);
ChunkId chunk_id(const MetaIdKey& key, ByteView plain);

}  // namespace pagevault::chunker
