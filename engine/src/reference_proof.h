// Proof that what a parent's map refers to may be referenced again (I6).

#pragma once

#include "pagevault/engine/tree.h"
#include "pagevault/repo/write_session.h"

namespace pagevault::engine {

/// True when every node list, node and chunk of the stream is present in the sense of WriteSession:
/// known to the index, in a pack that the store listed. False also when a node cannot be read. A
/// parent's snapshot alone proves nothing: its packs or index objects may be lost (F2.4, F5.4).
/// Errors: of the index.
Result<bool> references_are_present(repo::WriteSession& session, repo::ChunkReader& reader,
                                    const repo::MapRoot& map, std::uint64_t length);

}  // namespace pagevault::engine
