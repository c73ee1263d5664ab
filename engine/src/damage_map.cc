#include "damage_map.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

// A delta is made of a base, whose base is a dictionary at most.
constexpr unsigned kBaseDepthMax = 2;

}  // namespace

bool DamageMap::is_bad(const repo::BlobLocation& place) const {
  if (packs_.contains(place.pack.id)) return true;
  const auto found = blobs_.find(place.entry.id);
  return found != blobs_.end() && std::find(found->second.begin(), found->second.end(),
                                            place.pack.id) != found->second.end();
}

Result<std::string> DamageMap::problem_of(repo::ChunkIndex& index, const ChunkId& chunk) const {
  return problem_of(index, chunk, 0);
}

Result<std::string> DamageMap::problem_of(repo::ChunkIndex& index, const ChunkId& chunk,
                                          unsigned depth) const {
  PV_TRY_ASSIGN(const auto places, index.find(chunk));
  if (places.empty()) return "chunk " + chunk.hex(8) + " is in no index";
  std::string first;
  for (const repo::BlobLocation& place : places) {
    PV_TRY_ASSIGN(std::string problem, problem_at(index, place, depth));
    if (problem.empty()) return problem;
    if (first.empty()) first = std::move(problem);
  }
  return first;
}

Result<std::string> DamageMap::problem_at(repo::ChunkIndex& index, const repo::BlobLocation& place,
                                          unsigned depth) const {
  const std::string what = "chunk " + place.entry.id.hex(8);
  if (is_bad(place)) return what + " is damaged or missing in pack " + place.pack.id.hex(8);
  if (!repo::has_base(place.entry.encoding)) return std::string();
  if (depth == kBaseDepthMax) return what + " is a delta of deltas";
  PV_TRY_ASSIGN(const std::string problem, problem_of(index, place.entry.base, depth + 1));
  return problem.empty() ? problem : what + " is a delta: " + problem;
}

}  // namespace pagevault::engine
