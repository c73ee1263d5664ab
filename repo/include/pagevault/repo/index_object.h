// Index objects: which packs hold which chunks; the truth that caches are built from.
// docs/format.md, 3 "Index object".

#pragma once

#include <array>
#include <vector>

#include "pagevault/repo/blob.h"

namespace pagevault::repo {

using IndexId = Digest256<struct IndexIdTag>;

struct IndexObject {
  std::vector<PackDirectory> packs;
  std::vector<IndexId> replaces;
};

Bytes encode_index_object(const IndexObject& index);
/// Errors: Corrupt, Unsupported. Allocates in proportion to the input only.
Result<IndexObject> decode_index_object(ByteView body);

}  // namespace pagevault::repo
