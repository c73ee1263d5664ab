// How a transaction's exact place in the write-ahead log is found, and why the file and the log may
// then be read by somebody else. Facts from SQLite's wal.c (3.7 to 3.51) and walformat.html.
//
// SQLite keeps the place (mxFrame, salts) of a transaction to itself unless it was compiled with
// snapshots, which Debian's is not. But the index of the log starts with the very header that a
// transaction copies when it begins. So, as with a seqlock: read that header, let SQLite take its
// lock, read it again. SQLite itself compares header and copy after it has the lock and starts over
// when they differ; when ours is the same before and after, so is its. Each commit counts a number
// in the header up, so it never comes back.
//
// All memory of the index is reached through SQLite's own mapping (xShmMap), and the file through
// its own descriptor: a raw one, once closed, would drop the connection's locks (F8.11).
//
// While the transaction lasts it holds one of two kinds of shared locks, and:
//  1. Lock 0 is taken when the database file holds all frames (backfilled == mxFrame). A checkpoint
//     needs this lock alone to write to the file: the file does not change. But a writer may start
//     the log again: it must not be read.
//  2. Lock i > 0, with its mark m <= mxFrame. A writer that starts the log again, and a checkpoint
//     that does, need all of these alone: frames 1..mxFrame stay. A checkpoint stops at m: only
//     pages with a frame up to mxFrame change in the file, and those are read from the log. It cuts
//     the file only after it has written every frame there is, so only to our length.
//     Pages beyond mxFrame's length never get written: their frames come later than m.
//
// We cannot see which kind it is, and need not: if, between the lock and the second look at the
// header, backfilled == mxFrame, then under lock 0 that is rule 1, and under lock i nothing is left
// that a checkpoint might write (everything up to m is there, more is forbidden): the file alone is
// the image either way. If backfilled < mxFrame it cannot be lock 0: backfilled falls only when the
// log starts again, after its header has changed, which the second look would have seen. That is
// why backfilled is read before the header.
//
// In rollback mode the SHARED lock keeps every writer from the file until the transaction ends.

#include "sqlite_transaction.h"

#include <fmt/format.h>

#include <array>

#include "pagevault/sqlitesupport/database_header.h"
#include "pagevault/sqlitesupport/wal_index_header.h"
#include "sqlite_connection.h"

namespace pagevault::sqlitesupport {
namespace {

constexpr int kTriesMax = 1000;
constexpr int kIndexRegionBytes = 32768;  // Of xShmMap; the head is in the first.
constexpr std::size_t kHeadWords = kWalIndexHeadBytes / 4;
constexpr std::size_t kHeaderCopyWords = 12;
// Of a database without a page: the default since 3.12.
constexpr std::uint32_t kPageSizeOfEmpty = 4096;

// The database file of a connection, by SQLite's own descriptor.
class DatabaseFile {
 public:
  explicit DatabaseFile(const SqliteConnection& connection) : db_(connection.handle()) {
    sqlite3_file_control(db_, "main", SQLITE_FCNTL_FILE_POINTER, &file_);
    PV_CHECK(file_ != nullptr && file_->pMethods != nullptr);
  }

  Result<std::uint64_t> size() const {
    sqlite3_int64 bytes = 0;
    const int result = file_->pMethods->xFileSize(file_, &bytes);
    if (result != SQLITE_OK) return sqlite_error(nullptr, result);
    return static_cast<std::uint64_t>(bytes);
  }

  Result<DatabaseHeader> header() const {
    std::array<std::byte, kHeaderBytes> bytes{};
    const int result = file_->pMethods->xRead(file_, bytes.data(), int{kHeaderBytes}, 0);
    if (result != SQLITE_OK && result != SQLITE_IOERR_SHORT_READ) {
      return sqlite_error(nullptr, result);
    }
    const auto header = parse_database_header(bytes);
    if (header) return *header;
    return Error(ErrorCode::InvalidArgument, "not a SQLite database, or an encrypted one");
  }

  // Of the connection's index, which must be in use. Nothing when SQLite could only make one in its
  // own memory.
  Result<const volatile std::uint32_t*> index_head() const {
    volatile void* region = nullptr;
    const int result = file_->pMethods->iVersion < 2
                           ? SQLITE_CANTOPEN
                           : file_->pMethods->xShmMap(file_, 0, kIndexRegionBytes, 0, &region);
    // SQLITE_READONLY: mapped, but only to be read, as it belongs to somebody else.
    const bool mapped = result == SQLITE_OK || result == SQLITE_READONLY;
    if (!mapped) return sqlite_error(nullptr, result);
    if (region == nullptr) return Error(ErrorCode::Io, "the log's index is not there");
    return static_cast<const volatile std::uint32_t*>(region);
  }

  void barrier() const { file_->pMethods->xShmBarrier(file_); }

  // Under its name is another file now, or none.
  bool was_replaced() const {
    int moved = 0;
    sqlite3_file_control(db_, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved != 0;
  }

 private:
  sqlite3* db_;
  sqlite3_file* file_ = nullptr;
};

// Whole words, as SQLite stores them; the order is argued at the top.
std::optional<WalIndexHead> read_head(const volatile std::uint32_t* from,
                                      const DatabaseFile& file) {
  std::array<std::uint32_t, kHeadWords> words;
  for (std::size_t i = 2 * kHeaderCopyWords; i < kHeadWords; ++i) words[i] = from[i];
  file.barrier();
  for (std::size_t i = 0; i < kHeaderCopyWords; ++i) words[i] = from[i];
  file.barrier();
  for (std::size_t i = kHeaderCopyWords; i < 2 * kHeaderCopyWords; ++i) words[i] = from[i];
  return parse_wal_index_head(std::as_bytes(std::span(words)));
}

std::optional<WalPosition> position_of(const WalIndexHeader& header) {
  const bool has_header = header.salt != std::array<std::uint32_t, 2>{};
  if (!has_header) return std::nullopt;
  WalPosition position{.salt = header.salt, .frames = header.frames};
  if (header.frames > 0) position.checksum = header.checksum;
  return position;
}

class SqliteTransaction final : public ReadTransaction {
 public:
  explicit SqliteTransaction(SqliteConnection connection)
      : connection_(std::move(connection)), file_(connection_) {}

  Status begin(const std::function<void()>& between);
  const DatabaseState& state() const override { return state_; }
  Result<bool> is_current() override;
  Status end() override;

 private:
  Result<bool> try_begin(const std::function<void()>& between);
  Result<bool> locate_in_log(const std::optional<WalIndexHead>& before);
  Status describe();

  SqliteConnection connection_;
  DatabaseFile file_;  // Of connection_.
  DatabaseState state_;
  const volatile std::uint32_t* index_ = nullptr;  // The head of the log's index, in WAL mode.
  WalIndexHeader header_;                          // In WAL mode.
  bool empty_ = false;
  bool ended_ = false;
};

Status SqliteTransaction::begin(const std::function<void()>& between) {
  PV_TRY_ASSIGN(const std::uint64_t size, file_.size());
  if (size == 0) {
    // No page, no lock: empty at this moment. SQLite is not asked, as it would remove a log it
    // finds beside.
    empty_ = true;
    state_.page_size = kPageSizeOfEmpty;
    return ok();
  }
  // Before SQLite looks for a log: beside what is no database it would still make an index.
  PV_TRY(file_.header());
  for (int tries = 0; tries < kTriesMax; ++tries) {
    PV_TRY_ASSIGN(const bool begun, try_begin(between));
    if (begun) return describe();
    PV_TRY(connection_.run("ROLLBACK"));
  }
  return Error(
      ErrorCode::Locked,
      fmt::format("writers left no moment to begin a read transaction ({} tries)", kTriesMax));
}

// False: not this time, roll back.
Result<bool> SqliteTransaction::try_begin(const std::function<void()>& between) {
  std::optional<WalIndexHead> before;
  if (index_ != nullptr) before = read_head(index_, file_);
  PV_TRY(connection_.run("BEGIN"));
  // Takes the lock and reads no more than the header: a damaged schema can be saved, too (F8.12).
  PV_TRY_ASSIGN(const std::int64_t cookie, connection_.integer("PRAGMA schema_version"));
  state_.schema_cookie = static_cast<std::uint32_t>(cookie);
  PV_TRY_ASSIGN(const std::string mode, connection_.text("PRAGMA journal_mode"));
  if (mode != "wal") return true;
  if (between) between();
  state_.journal = JournalMode::Wal;
  return locate_in_log(before);
}

Result<bool> SqliteTransaction::locate_in_log(const std::optional<WalIndexHead>& before) {
  if (index_ == nullptr) {
    // From now on the connection holds a lock that keeps the database in WAL mode.
    PV_TRY_ASSIGN(index_, file_.index_head());
    return false;
  }
  const std::optional<WalIndexHead> after = read_head(index_, file_);
  if (!before || !after || before->header != after->header) return false;
  header_ = after->header;
  state_.wal = position_of(header_);
  state_.wal_is_in_file = after->backfilled >= header_.frames;
  return true;
}

Status SqliteTransaction::describe() {
  PV_TRY_ASSIGN(const std::int64_t page_size, connection_.integer("PRAGMA page_size"));
  PV_TRY_ASSIGN(const std::int64_t page_count, connection_.integer("PRAGMA page_count"));
  PV_TRY_ASSIGN(const std::int64_t user, connection_.integer("PRAGMA user_version"));
  PV_TRY_ASSIGN(const std::int64_t application, connection_.integer("PRAGMA application_id"));
  PV_TRY_ASSIGN(const DatabaseHeader header, file_.header());
  state_.page_size = static_cast<std::uint32_t>(page_size);
  state_.page_count = static_cast<std::uint32_t>(page_count);
  state_.user_version = static_cast<std::uint32_t>(user);
  state_.application_id = static_cast<std::uint32_t>(application);
  state_.change_counter = header.change_counter;
  return ok();
}

Result<bool> SqliteTransaction::is_current() {
  if (ended_) return false;
  if (empty_) {
    PV_TRY_ASSIGN(const std::uint64_t size, file_.size());
    return size == 0;
  }
  if (index_ == nullptr) return true;  // The SHARED lock.
  const auto head = read_head(index_, file_);
  return head && head->header == header_;
}

Status SqliteTransaction::end() {
  if (ended_) return ok();
  ended_ = true;
  const bool was_replaced = file_.was_replaced();
  const Status committed = empty_ ? ok() : connection_.run("COMMIT");
  Status closed = connection_.close();
  if (was_replaced) {
    return Error(ErrorCode::Io, "the database was replaced or removed while it was read");
  }
  PV_TRY(committed);
  return closed;
}

}  // namespace

Result<std::unique_ptr<ReadTransaction>> SqliteTransactionSource::begin(const std::string& path) {
  if (path.empty() || path[0] != '/' || path.find('\0') != std::string::npos) {
    return Error(ErrorCode::InvalidArgument, fmt::format("{}: not an absolute path", path));
  }
  auto connection = SqliteConnection::open(path);
  if (!connection) return connection.error().with_context(path);
  auto transaction = std::make_unique<SqliteTransaction>(std::move(*connection));
  PV_TRY(transaction->begin(between_).context(path));
  return std::unique_ptr<ReadTransaction>(std::move(transaction));
}

std::string SqliteTransactionSource::sqlite_version() { return sqlite3_libversion(); }

}  // namespace pagevault::sqlitesupport
