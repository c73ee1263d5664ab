#include "delta_bases.h"

#include <algorithm>
#include <map>

namespace pagevault::repo {

Result<std::optional<BlobLocation>> DeltaBases::place_of(BlobType type, const ChunkId& id) const {
  PV_TRY_ASSIGN(const auto places, reader_->index().find(id));
  const auto found = std::ranges::find_if(places, [&](const BlobLocation& place) {
    return place.entry.type == type && !is_lost_(place.pack.id);
  });
  return found == places.end() ? std::nullopt : std::optional(*found);
}

Result<std::optional<BlobLocation>> DeltaBases::base_for(const Wanted& wanted) const {
  if (wanted.predecessor.is_zero()) return std::optional<BlobLocation>();
  PV_TRY_ASSIGN(auto place, place_of(wanted.type, wanted.predecessor));
  if (place && place->entry.encoding == Encoding::ZstdDelta) {
    PV_TRY_ASSIGN(place, place_of(wanted.type, place->entry.base));
  }
  // A delta in one pack may be plain in another; what is found first counts.
  if (place && place->entry.encoding == Encoding::ZstdDelta) place.reset();
  return place;
}

// Those that the reader has no plain bytes of, in one batch.
void DeltaBases::read(std::vector<Candidate>& candidates) const {
  std::vector<BlobLocation> places;
  for (Candidate& each : candidates) {
    each.plain = reader_->cached_base(each.place.entry.id);
    if (!each.plain) places.push_back(each.place);
  }
  if (places.empty()) return;
  Env& env = reader_->repository().env();
  const std::int64_t begun = env.monotonic_ns();
  const auto batch = BlobBatch::fetch(*reader_, places);
  policy_->add_reading(env.monotonic_ns() - begun);
  for (Candidate& each : candidates) {
    if (each.plain) continue;
    if (auto decoded = batch->decode_base(each.place.entry.id)) each.plain = std::move(*decoded);
  }
}

// Which of them are what their ids say. Gates are quickest; hashing several at once costs a third
// of hashing each alone.
std::vector<bool> DeltaBases::prove(std::span<const Candidate> candidates,
                                    std::span<const Wanted> wanted) const {
  const KeySet& keys = reader_->repository().keys();
  std::vector<bool> sound(candidates.size());
  std::map<BlobType, std::vector<std::size_t>> hashed;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& each = candidates[i];
    const Wanted& of = wanted[each.index];
    if (!each.plain) continue;
    if (of.gate && of.predecessor == each.place.entry.id) {
      sound[i] = chunker::gate_of(keys.gate(), *each.plain) == *of.gate;
    } else {
      hashed[of.type].push_back(i);
    }
  }
  for (const auto& [type, which] : hashed) {
    std::vector<chunker::IdRequest> ids;
    for (const std::size_t i : which) ids.push_back({*candidates[i].plain});
    keys.chunk_ids(type, ids);
    for (std::size_t k = 0; k < which.size(); ++k) {
      sound[which[k]] = ids[k].id == candidates[which[k]].place.entry.id;
    }
  }
  return sound;
}

Result<std::vector<DeltaBase>> DeltaBases::fetch(std::span<const Wanted> wanted) const {
  std::vector<DeltaBase> out(wanted.size());
  if (!policy_->reads_bases()) return out;
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    PV_TRY_ASSIGN(const auto place, base_for(wanted[i]));
    if (place) candidates.push_back({.index = i, .place = *place, .plain = nullptr});
  }
  read(candidates);
  const std::vector<bool> sound = prove(candidates, wanted);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    DeltaBase& base = out[candidates[i].index];
    base.unreadable = !sound[i];
    if (!sound[i]) continue;
    base.entry = candidates[i].place.entry;
    base.plain = std::move(candidates[i].plain);
  }
  return out;
}

}  // namespace pagevault::repo
