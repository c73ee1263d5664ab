// Opens packs: header, directory, blobs. Untrusted input. docs/format.md, 4.

#pragma once

#include <functional>

#include "pagevault/repo/blob.h"
#include "pagevault/repo/key_set.h"
#include "pagevault/repo/store.h"

namespace pagevault::repo {

/// The key of a pack whose header has `header` (160 bytes). Errors: Corrupt, Unsupported,
/// AuthFailed when the commitment does not fit, or salt and id differ.
Result<Aead> open_pack_header(const KeySet& keys, const PackId& id, ByteView header,
                              PackInfo& info);

/// Encoded bytes of one blob into `out` (sealed.size() - 16). Errors: AuthFailed.
Status unseal_blob(const Aead& aead, const RepositoryId& repository, const BlobLocation& where,
                   ByteView sealed, MutableBytes out);

/// Reads header, trailer and directory of a pack. Does not read the blobs. Errors: NotFound, Io,
/// Corrupt, AuthFailed, Unsupported.
Result<PackDirectory> read_pack_directory(Store& store, const KeySet& keys,
                                          const RepositoryId& repository, const PackId& id);

/// The same from a whole pack in memory, checksum, padding and trailer included.
Result<PackDirectory> parse_pack(const KeySet& keys, const RepositoryId& repository,
                                 const PackId& id, ByteView pack);

/// Calls `visit(location)` for each blob in order with its offset.
void for_each_blob(const PackDirectory& pack,
                   const std::function<void(const BlobLocation&)>& visit);

}  // namespace pagevault::repo
