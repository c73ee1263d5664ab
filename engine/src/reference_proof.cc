#include "reference_proof.h"

namespace pagevault::engine {

namespace {

Result<bool> ids_are_present(repo::WriteSession& session, const std::vector<ChunkId>& ids) {
  for (const ChunkId& id : ids) {
    if (id.is_zero()) continue;  // A span that is one hole.
    PV_TRY_ASSIGN(const bool present, session.is_present(id));
    if (!present) return false;
  }
  return true;
}

Result<bool> chunks_are_present(repo::WriteSession& session, const repo::SpanNode& node) {
  for (const repo::Extent& extent : node) {
    if (extent.hole) continue;
    PV_TRY_ASSIGN(const bool present, session.is_present(extent.chunk));
    if (!present) return false;
  }
  return true;
}

}  // namespace

Result<bool> references_are_present(repo::WriteSession& session, repo::ChunkReader& reader,
                                    const repo::MapRoot& map, std::uint64_t length) {
  PV_TRY_ASSIGN(const bool roots, ids_are_present(session, map.ids));
  if (!roots) return false;
  MapReader spans(reader, map, length);
  for (std::uint64_t span = 0; span < spans.spans(); ++span) {
    const auto id = spans.node_id(span);
    const auto node = spans.span(span);
    if (!id || !node) return false;
    PV_TRY_ASSIGN(const bool itself, ids_are_present(session, {*id}));
    PV_TRY_ASSIGN(const bool chunks, chunks_are_present(session, *node));
    if (!itself || !chunks) return false;
  }
  return true;
}

}  // namespace pagevault::engine
