#include "cluster_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "human_numbers.h"
#include "pagevault/pgsupport/lsn.h"

namespace pagevault::cli {
namespace {

constexpr std::size_t kDoubtsNamed = 100;

std::string lsn_text(std::uint64_t lsn) { return to_text(pgsupport::Lsn{lsn}); }

std::string text_of(const repo::PostgresDoubt& doubt) {
  using Kind = repo::PostgresDoubt::Kind;
  switch (doubt.kind) {
    case Kind::DamagedPages:
      return fmt::format("{}: {} did not have their checksum when they were backed up", doubt.path,
                         human_plural(doubt.count, "page"));
    case Kind::TruncatedInParentInterval:
      return fmt::format(
          "{}: truncated between this backup and the one before: PostgreSQL may have left blocks "
          "out of its incremental; compare its rows, or use a full backup",
          doubt.path);
    case Kind::DamagedFile:
      return fmt::format("{}: did not have the checksum of its manifest when it was backed up",
                         doubt.path);
  }
  return doubt.path;
}

}  // namespace

std::vector<std::string> doubt_texts(const repo::PostgresRecord& record) {
  std::vector<std::string> out;
  const std::size_t named = std::min(record.doubts.size(), kDoubtsNamed);
  for (std::size_t i = 0; i < named; ++i) out.push_back(text_of(record.doubts[i]));
  const std::uint64_t more = record.doubts.size() - named + record.doubts_more;
  if (more > 0) out.push_back(fmt::format("and {} of this kind", human_plural(more, "more doubt")));
  return out;
}

std::string missing_wal_text(const repo::PostgresRecord& record) {
  if (record.wal_included) return {};
  std::string ranges;
  for (const repo::PostgresWalRange& range : record.wal_ranges) {
    ranges += fmt::format("{}timeline {} from {} to {}", ranges.empty() ? "" : ", ", range.timeline,
                          lsn_text(range.start), lsn_text(range.end));
  }
  if (ranges.empty()) {
    ranges = fmt::format("timeline {} from {} on", record.timeline, lsn_text(record.start_lsn));
  }
  return fmt::format(
      "the snapshot has not all the WAL it needs: recovery fetches {} from your archive "
      "(--recovery-option restore_command=...)",
      ranges);
}

}  // namespace pagevault::cli
