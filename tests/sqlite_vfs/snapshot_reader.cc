#include "sqlite_vfs/snapshot_reader.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <bit>

#include "pagevault/base/codec.h"
#include "sqlite_transaction.h"

namespace pagevault::testing {
namespace {

using sqlitesupport::DatabaseImage;
using sqlitesupport::DatabaseState;
using sqlitesupport::JournalMode;
using sqlitesupport::ReadTransaction;

// The connection inside a transaction has the image that ours must equal: nobody else can be made
// to see the same (Debian's SQLite is built without snapshots).
thread_local sqlite3* last_opened = nullptr;

int note_opened(sqlite3* db, const char**, const sqlite3_api_routines*) {
  last_opened = db;
  return SQLITE_OK;
}

void watch_connections() {
  // SQLite's interface wants another type of function than it calls.
  const int result = sqlite3_auto_extension(std::bit_cast<void (*)()>(&note_opened));
  PV_CHECK(result == SQLITE_OK);
}

std::uint64_t count_if(bool happened) { return happened ? 1 : 0; }

// Number (from 1) of the first page in which they differ; 0: none.
std::uint64_t first_difference(ByteView a, ByteView b, std::uint64_t page_size) {
  const std::size_t length = std::min(a.size(), b.size());
  const auto found =
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(length), b.begin());
  const auto at = static_cast<std::uint64_t>(found.first - a.begin());
  return at == length && a.size() == b.size() ? 0 : at / page_size + 1;
}

std::string describe(const DatabaseState& state) {
  std::string out = fmt::format("{} pages of {}", state.page_count, state.page_size);
  if (!state.wal) return out + ", no log";
  return out + fmt::format(", log {:08x}{:08x} of {} frames{}", state.wal->salt[0],
                           state.wal->salt[1], state.wal->frames,
                           state.wal_is_in_file ? ", in file" : "");
}

// Those of `all` that lie outside `ranges`, cut to `length`.
std::vector<ByteRange> outside(const std::vector<ByteRange>& ranges, std::uint64_t length) {
  std::vector<ByteRange> out;
  std::uint64_t at = 0;
  for (const ByteRange& range : ranges) {
    if (range.offset >= length) break;
    if (range.offset > at) out.push_back({at, range.offset - at});
    at = range.offset + range.length;
  }
  if (at < length) out.push_back({at, length - at});
  return out;
}

}  // namespace

void SnapshotReader::spawn() {
  watch_connections();
  Actor& actor = world_.spawn([this](Actor&) {
    while (left_ > 0) {
      --left_;
      world_.pause();
      take();
    }
    world_.stop();
  });
  actor.may_write = false;
}

void SnapshotReader::take() {
  const Progress before = world_.progress();
  ++counts_.begins;
  sqlitesupport::SqliteTransactionSource source;
  auto transaction = source.begin(World::kDatabase);
  if (!transaction) {
    const bool locked = transaction.error().code() == ErrorCode::Locked;
    ++counts_.refused;
    if (!locked) fail("begin: " + transaction.error().message());
    return;
  }
  const Progress begun = world_.progress();
  const VfsCounts files = world_.vfs().counts();
  const DatabaseState state = (*transaction)->state();
  Snapshot now;
  const Status done = read_within(**transaction, now);
  const Status ended = (*transaction)->end();
  if (!done || !ended) {
    fail((done ? ended : done).error().message() + " (" + describe(state) + ")");
    return;
  }
  const VfsCounts& files_now = world_.vfs().counts();
  counts_.commits_during += count_if(world_.progress().acknowledged > begun.acknowledged);
  counts_.restarts_during += count_if(files_now.wal_restarts > files.wal_restarts);
  counts_.truncations_during += count_if(files_now.wal_truncations > files.wal_truncations);
  counts_.writes_during += count_if(files_now.database_writes > files.database_writes);
  count_kind(state);
  std::int64_t epoch = 0;
  const std::string problem = check_image(now.image, epoch);
  if (!problem.empty()) fail(problem + " (" + describe(state) + ")");
  if (problem.empty() && (epoch < before.acknowledged || epoch > begun.attempted)) {
    fail(fmt::format("epoch {} where {}..{} may be seen", epoch, before.acknowledged,
                     begun.attempted));
  }
  if (acknowledged_when_current_ && *acknowledged_when_current_ > epoch) {
    fail(fmt::format("called current after epoch {}, though {} was committed", epoch,
                     *acknowledged_when_current_));
  }
  previous_ = std::move(now);
}

Status SnapshotReader::read_within(ReadTransaction& transaction, Snapshot& now) {
  sqlite3* const connection = last_opened;
  const DatabaseState state = transaction.state();
  now.position = state.wal;
  now.page_size = state.page_size;
  Bytes by_sqlite;
  if (random(2) == 0) world_.pause();
  const bool sqlite_first = random(2) == 0;
  if (sqlite_first) by_sqlite = image_of(connection);
  PV_TRY_ASSIGN(now.image, read_image(state));
  PV_TRY(read_increment(state, now));
  PV_TRY(ask_whether_current(transaction));
  if (!sqlite_first) by_sqlite = image_of(connection);
  const std::size_t failures_before = failures_.size();
  compare(now, by_sqlite);
  compare_state(state, by_sqlite);
  if (failures_.size() > failures_before) fail(describe(state));
  return ok();
}

Result<Bytes> SnapshotReader::read_image(const DatabaseState& state) {
  const auto wal = world_.raw_file(std::string(World::kDatabase) + "-wal");
  PV_TRY_ASSIGN(const DatabaseImage image, DatabaseImage::open(state, wal.get(), {}));
  Bytes out(image.length());
  std::vector<ByteRange> blocks;
  const std::uint64_t block = (1 + random(6)) * state.page_size;
  for (std::uint64_t at = 0; at < out.size(); at += block) {
    blocks.push_back({at, std::min(block, out.size() - at)});
  }
  if (random(2) == 0) std::reverse(blocks.begin(), blocks.end());
  for (const ByteRange& range : blocks) PV_TRY(read_range(image, range, out));
  blank_lock_page(out, state.page_size);
  return out;
}

// SQLite never reads it and shows it as zeros; the file may hold anything there.
void SnapshotReader::blank_lock_page(Bytes& image, std::uint32_t page_size) {
  if (image.size() <= world_.lock_byte()) return;
  ++counts_.lock_pages;
  std::fill_n(image.begin() + static_cast<std::ptrdiff_t>(world_.lock_byte()), page_size,
              std::byte{0});
}

// As far as `into` goes; it is zero there.
Status SnapshotReader::read_range(const DatabaseImage& image, ByteRange range, Bytes& into) {
  const auto file = world_.raw_file(World::kDatabase);
  const MutableBytes part = MutableBytes(into).subspan(range.offset, range.length);
  PV_TRY(file->read_at(range.offset, part));
  if (random(16) == 0) world_.pause();
  const Bytes from_file = to_bytes(part);
  PV_TRY(image.overlay(range.offset, part));
  counts_.pages_from_log += count_if(!equal_bytes(from_file, part));
  return ok();
}

// What has changed since the previous snapshot, from the log alone, must make it this one.
Status SnapshotReader::read_increment(const DatabaseState& state, const Snapshot& now) {
  if (!previous_ || !previous_->position || previous_->page_size != state.page_size) return ok();
  // A log that is in the file may start again between any two of the few reads there are.
  const auto wal = world_.raw_file(std::string(World::kDatabase) + "-wal", 3);
  const auto options = random(2) == 0 ? DatabaseImage::Options{.since = previous_->position}
                                      : DatabaseImage::Options{};
  PV_TRY_ASSIGN(const DatabaseImage image, DatabaseImage::open(state, wal.get(), options));
  const auto ranges = image.changed_since(*previous_->position);
  if (!ranges) {
    ++counts_.increments_unknown;
    return ok();
  }
  ++counts_.increments;
  Bytes built = previous_->image;
  const std::uint64_t kept = std::min<std::uint64_t>(built.size(), image.length());
  built.resize(image.length());
  for (const ByteRange& range : *ranges) {
    if (range.offset + range.length > built.size()) {
      fail("a changed range goes beyond the image");
      return ok();
    }
    std::fill_n(built.begin() + static_cast<std::ptrdiff_t>(range.offset), range.length,
                std::byte{0});
    PV_TRY(read_range(image, range, built));
  }
  blank_lock_page(built, state.page_size);
  for (const ByteRange& range : outside(*ranges, kept)) {
    counts_.pages_unchanged += range.length / state.page_size;
  }
  const std::uint64_t page = first_difference(built, now.image, state.page_size);
  if (page != 0) fail(fmt::format("page {} changed, which the log did not tell", page));
  return ok();
}

void SnapshotReader::compare(const Snapshot& now, ByteView by_sqlite) {
  if (by_sqlite.empty()) return fail("SQLite itself cannot read the image");
  counts_.pages += by_sqlite.size() / now.page_size;
  const std::uint64_t page = first_difference(now.image, by_sqlite, now.page_size);
  if (page == 0) return;
  fail(fmt::format("page {} of {} is not the one SQLite sees (of {})", page,
                   now.image.size() / now.page_size, by_sqlite.size() / now.page_size));
}

void SnapshotReader::compare_state(const DatabaseState& state, ByteView by_sqlite) {
  if (by_sqlite.size() < 100) return;
  const auto field = [&](std::size_t offset) { return load_be32(by_sqlite.subspan(offset)); };
  if (state.schema_cookie != field(40)) fail("schema cookie of another state");
  if (state.user_version != field(60)) fail("user version of another state");
  if (state.application_id != field(68)) fail("application id of another state");
  // With a log the file's header may have an older one; positions in the log are used instead.
  if (state.journal == JournalMode::Rollback && state.change_counter != field(24)) {
    fail(fmt::format("change counter {}, of the image {}", state.change_counter, field(24)));
  }
}

void SnapshotReader::count_kind(const DatabaseState& state) {
  if (state.journal == JournalMode::Rollback) {
    ++counts_.rollback;
  } else if (state.wal_is_in_file) {
    ++counts_.log_in_file;
  } else {
    ++counts_.log;
  }
}

Status SnapshotReader::ask_whether_current(ReadTransaction& transaction) {
  acknowledged_when_current_.reset();
  const std::int64_t acknowledged = world_.progress().acknowledged;
  PV_TRY_ASSIGN(const bool current, transaction.is_current());
  ++(current ? counts_.current : counts_.overtaken);
  if (current) acknowledged_when_current_ = acknowledged;
  return ok();
}

}  // namespace pagevault::testing
