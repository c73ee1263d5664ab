#include "damage_map.h"

#include <algorithm>

namespace pagevault::engine {

bool DamageMap::is_bad(const repo::BlobLocation& place) const {
  if (packs_.contains(place.pack.id)) return true;
  const auto found = blobs_.find(place.entry.id);
  return found != blobs_.end() && std::find(found->second.begin(), found->second.end(),
                                            place.pack.id) != found->second.end();
}

Result<std::string> DamageMap::problem_of(repo::ChunkIndex& index, const ChunkId& chunk) const {
  if (empty()) {
    PV_TRY_ASSIGN(const bool known, index.contains(chunk));
    return std::string(known ? "" : "chunk " + chunk.hex(8) + " is in no index");
  }
  PV_TRY_ASSIGN(const auto places, index.find(chunk));
  if (places.empty()) return "chunk " + chunk.hex(8) + " is in no index";
  const bool all_bad =
      std::all_of(places.begin(), places.end(), [&](const auto& place) { return is_bad(place); });
  if (!all_bad) return std::string();
  return "chunk " + chunk.hex(8) + " is damaged or missing in pack " + places[0].pack.id.hex(8);
}

}  // namespace pagevault::engine
