#include "delta_bases.h"

#include <algorithm>

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

Result<std::vector<DeltaBase>> DeltaBases::fetch(std::span<const Wanted> wanted) const {
  std::vector<DeltaBase> out(wanted.size());
  if (!policy_->reads_bases()) return out;
  std::vector<BlobLocation> places;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    PV_TRY_ASSIGN(const auto place, base_for(wanted[i]));
    if (!place) continue;
    out[i].entry = place->entry;
    out[i].cached = reader_->cached_base(place->entry.id);
    if (!out[i].cached) places.push_back(*place);
  }
  if (places.empty()) return out;
  Env& env = reader_->repository().env();
  const std::int64_t begun = env.monotonic_ns();
  const auto batch = BlobBatch::fetch(*reader_, places);
  policy_->add_reading(env.monotonic_ns() - begun);
  for (DeltaBase& base : out) {
    if (!base.entry.id.is_zero() && !base.cached) base.batch = batch;
  }
  return out;
}

}  // namespace pagevault::repo
