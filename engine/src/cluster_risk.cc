#include "cluster_risk.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

// A summary covers what one checkpoint interval wrote; its limit is the format's, not a guess.
constexpr std::uint64_t kSummaryBytesMax = kGiB;

struct Found {
  std::string name;
  pgsupport::WalRange range;
};

Status add_forks(Dir& dir, const std::string& name, RiskySummaries& out) {
  PV_TRY_ASSIGN(const auto file, dir.open_file(name, OpenMode::Read));
  PV_TRY_ASSIGN(const FileInfo info, file->info());
  if (info.size > kSummaryBytesMax) return Error(ErrorCode::Corrupt, file->path() + ": too long");
  Bytes bytes(info.size);
  PV_TRY_ASSIGN(const std::size_t got, file->read_at(0, bytes));
  PV_TRY_ASSIGN(const auto limits,
                pgsupport::read_limit_blocks(ByteView(bytes).first(got)).context(file->path()));
  for (const auto& limit : limits) {
    if (pgsupport::is_at_risk(limit)) out.forks.insert(limit.fork);
  }
  return ok();
}

}  // namespace

pgsupport::RelationFork fork_of(const pgsupport::RelationFile& file) {
  return {.tablespace = file.tablespace,
          .database = file.database,
          .relation = file.relation,
          .fork = file.fork};
}

Result<RiskySummaries> read_summaries(Env& env, const std::string& folder,
                                      const pgsupport::WalRange& interval) {
  PV_TRY_ASSIGN(const auto dir, env.open_dir(folder));
  PV_TRY_ASSIGN(const auto names, dir->list());
  std::vector<Found> found;
  for (const DirEntry& entry : names) {
    const auto range = pgsupport::parse_wal_summary_name(entry.name);
    if (range && range->end > interval.start && range->start < interval.end) {
      found.push_back({entry.name, *range});
    }
  }
  std::ranges::sort(found, {}, [](const Found& one) { return one.range.start; });
  RiskySummaries out;
  pgsupport::Lsn covered = interval.start;
  for (const Found& one : found) {
    PV_TRY(add_forks(*dir, one.name, out));
    // A folder may also hold summaries of the timeline left behind, or of one given up.
    const bool counts = one.range.timeline == interval.timeline && one.range.start <= covered;
    if (counts) covered = std::max(covered, one.range.end);
  }
  out.complete = covered >= interval.end;
  return out;
}

}  // namespace pagevault::engine
