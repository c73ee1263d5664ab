// An application that commits small transactions to a SQLite database in WAL mode at a steady rate,
// and says what that cost it. bench/live_snapshots runs it beside snapshots.
//
//   live_writer DATABASE [--rate PER_SECOND | --unlimited] [--seconds N] [--commits FILE]
//
// Each transaction inserts a transfer with the next number, adds its amount to an account and, if
// the database has the table `events` of bench/compare's, updates one of its rows at random. So
// whatever a reader sees, the balances add up to the amounts, and the numbers have no gap.
//
// As an application leaves it: synchronous = NORMAL, a passive checkpoint at each commit that
// leaves 1000 frames or more in the WAL. The checkpoint is SQLite's own, called here so that it can
// be timed.
//
// Prints "writing" after the first commit, and at the end (--seconds, SIGTERM, SIGINT) one line of
// JSON. --commits: for each transaction three numbers of 64 bits: when it began and was committed,
// in nanoseconds of CLOCK_MONOTONIC, and the frames that were then in the WAL.

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;  // In nanoseconds, like all times here.
constexpr int kCheckpointFrames = 1000;           // SQLite's own default.
constexpr int kBusyMilliseconds = 10'000;
constexpr std::uint32_t kAccounts = 1000;
constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS live_accounts(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS live_transfers(number INTEGER PRIMARY KEY, account INTEGER NOT "
    "NULL, amount INTEGER NOT NULL);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
    "INSERT OR IGNORE INTO live_accounts SELECT i, 0 FROM n;";

struct Arguments {
  std::string database;
  std::string commits_path;   // Or empty.
  std::uint64_t rate = 1000;  // Per second; 0: as fast as it can.
  std::uint64_t seconds = 0;  // 0: until a signal.
};

// From before the transaction is due until it is committed.
struct Commit {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t wal_frames = 0;
};

// The WAL needed a checkpoint from `wanted` on; the attempt that finished it is the last.
struct Checkpoint {
  std::uint64_t wanted = 0;
  std::uint64_t last_attempt = 0;
  std::uint64_t finished = 0;  // 0: not yet.
  std::uint64_t attempts = 0;
  int wal_frames = 0;
};

struct Second {
  std::uint64_t commits = 0;
  std::uint64_t wal_frames_max = 0;
};

volatile std::sig_atomic_t stop_wanted = 0;

void want_stop(int /*signal*/) { stop_wanted = 1; }

std::uint64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kSecond +
         static_cast<std::uint64_t>(time.tv_nsec);
}

void sleep_until(std::uint64_t due) {
  const timespec time{static_cast<time_t>(due / kSecond), static_cast<long>(due % kSecond)};
  // A signal ends the sleep early, and then the program.
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
}

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

void require(sqlite3* db, int result) {
  if (result != SQLITE_OK && result != SQLITE_ROW && result != SQLITE_DONE) {
    throw std::runtime_error(fmt::format("{} ({})", sqlite3_errmsg(db), result));
  }
}

class Statement {
 public:
  Statement(sqlite3* db, std::string_view sql) : db_(db) {
    sqlite3_stmt* statement = nullptr;
    require(db,
            sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &statement, nullptr));
    statement_.reset(statement);
  }

  // The first column of the first row; 0 without one.
  std::int64_t run(std::initializer_list<std::int64_t> values = {}) {
    int index = 0;
    for (const std::int64_t value : values) {
      require(db_, sqlite3_bind_int64(statement_.get(), ++index, value));
    }
    const int result = sqlite3_step(statement_.get());
    const std::int64_t first = result == SQLITE_ROW ? sqlite3_column_int64(statement_.get(), 0) : 0;
    require(db_, result);
    require(db_, sqlite3_reset(statement_.get()));
    return first;
  }

 private:
  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> statement_;
};

// Does what SQLite's automatic checkpoint does, and remembers when.
class Checkpointer {
 public:
  void after_commit(sqlite3* db, int wal_frames) {
    wal_frames_ = wal_frames;
    if (wal_frames < kCheckpointFrames) return;
    const std::uint64_t begin = now();
    if (!under_way()) checkpoints_.push_back({.wanted = begin});
    Checkpoint& current = checkpoints_.back();
    current.last_attempt = begin;
    current.attempts += 1;
    int log = 0;
    int checkpointed = 0;
    const int result =
        sqlite3_wal_checkpoint_v2(db, nullptr, SQLITE_CHECKPOINT_PASSIVE, &log, &checkpointed);
    if (result != SQLITE_BUSY) require(db, result);
    current.wal_frames = log;
    if (result == SQLITE_OK && checkpointed == log) current.finished = now();
  }

  int wal_frames() const { return wal_frames_; }
  const std::vector<Checkpoint>& checkpoints() const { return checkpoints_; }

 private:
  bool under_way() const { return !checkpoints_.empty() && checkpoints_.back().finished == 0; }

  std::vector<Checkpoint> checkpoints_;
  int wal_frames_ = 0;
};

// Exceptions must not pass through SQLite, which is C: it reports the failed checkpoint at the
// commit.
int wal_hook(void* checkpointer, sqlite3* db, const char* /*name*/, int wal_frames) {
  try {
    static_cast<Checkpointer*>(checkpointer)->after_commit(db, wal_frames);
    return SQLITE_OK;
  } catch (const std::exception&) {
    return SQLITE_ERROR;
  }
}

class Application {
 public:
  explicit Application(const std::string& path) {
    sqlite3* db = nullptr;
    const int result = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr);
    db_.reset(db);
    require(db, result);
    require(db, sqlite3_busy_timeout(db, kBusyMilliseconds));
    execute("PRAGMA journal_mode = wal; PRAGMA synchronous = normal");
    execute(kTables);
    sqlite3_wal_hook(db, wal_hook, &checkpointer_);
    prepare();
  }

  std::uint64_t next_number() const { return number_ + 1; }
  const Checkpointer& checkpointer() const { return checkpointer_; }

  void commit_one() {
    const auto number = static_cast<std::int64_t>(++number_);
    const auto account = static_cast<std::int64_t>(1 + random_() % kAccounts);
    const auto amount = static_cast<std::int64_t>(random_() % 10'000) - 5'000;
    begin_->run();
    insert_->run({number, account, amount});
    update_->run({amount, account});
    if (touch_) touch_->run({number, static_cast<std::int64_t>(1 + random_() % events_)});
    commit_->run();
  }

 private:
  void execute(const char* sql) {
    require(db_.get(), sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr));
  }

  void prepare() {
    sqlite3* db = db_.get();
    number_ =
        static_cast<std::uint64_t>(Statement(db, "SELECT max(number) FROM live_transfers").run());
    begin_.emplace(db, "BEGIN IMMEDIATE");
    insert_.emplace(db, "INSERT INTO live_transfers VALUES(?, ?, ?)");
    update_.emplace(db, "UPDATE live_accounts SET balance = balance + ? WHERE id = ?");
    commit_.emplace(db, "COMMIT");
    if (Statement(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'events'").run() == 0)
      return;
    events_ = static_cast<std::uint64_t>(Statement(db, "SELECT max(id) FROM events").run());
    if (events_ > 0) touch_.emplace(db, "UPDATE events SET updated = ? WHERE id = ?");
  }

  Checkpointer checkpointer_;                   // Outlives the database, which calls it.
  std::unique_ptr<sqlite3, CloseDatabase> db_;  // Outlives its statements.
  std::optional<Statement> begin_, insert_, update_, touch_, commit_;
  std::uint64_t number_ = 0;  // Of the newest transfer.
  std::uint64_t events_ = 0;
  std::mt19937 random_{1};
};

// What the commits were like, in memory and in the file.
class CommitLog {
 public:
  explicit CommitLog(const std::string& path) {
    if (path.empty()) return;
    file_.reset(std::fopen(path.c_str(), "wb"));
    if (!file_) throw std::system_error(errno, std::generic_category(), path);
  }

  void add(const Commit& commit) {
    if (latencies_.empty()) start_ = commit.begin;
    latencies_.push_back(commit.end - commit.begin);
    const std::size_t second = (commit.end - start_) / kSecond;
    if (seconds_.size() <= second) seconds_.resize(second + 1);
    seconds_[second].commits += 1;
    seconds_[second].wal_frames_max = std::max(seconds_[second].wal_frames_max, commit.wal_frames);
    const std::array<std::uint64_t, 3> record{commit.begin, commit.end, commit.wal_frames};
    if (file_ && std::fwrite(record.data(), sizeof(record), 1, file_.get()) != 1) {
      throw std::system_error(errno, std::generic_category(), "the file of commits");
    }
  }

  void flush() {
    if (file_ && std::fflush(file_.get()) != 0) {
      throw std::system_error(errno, std::generic_category(), "the file of commits");
    }
  }

  const std::deque<std::uint64_t>& latencies() const { return latencies_; }
  const std::vector<Second>& seconds() const { return seconds_; }

 private:
  File file_;
  std::uint64_t start_ = 0;
  std::deque<std::uint64_t> latencies_;  // Never moved as it grows, which would take milliseconds.
  std::vector<Second> seconds_;
};

// A transaction that had to wait for earlier ones began when it was due, so that one long commit
// counts for all that it held up.
void write_until_stopped(Application& application, CommitLog& log, const Arguments& arguments) {
  const std::uint64_t start = now();
  const std::uint64_t end =
      arguments.seconds == 0 ? UINT64_MAX : start + arguments.seconds * kSecond;
  for (std::uint64_t i = 0; stop_wanted == 0; ++i) {
    Commit commit{.begin = now()};
    if (arguments.rate > 0) {
      const std::uint64_t due = start + i * kSecond / arguments.rate;
      if (due > commit.begin) sleep_until(due);
      commit.begin = due;
    }
    if (std::max(commit.begin, now()) >= end) break;
    application.commit_one();
    commit.end = now();
    commit.wal_frames = static_cast<std::uint64_t>(application.checkpointer().wal_frames());
    log.add(commit);
    if (i == 0) {
      fmt::print("writing\n");
      std::fflush(stdout);
    }
  }
  log.flush();
}

std::string latency_json(const std::deque<std::uint64_t>& latencies) {
  std::vector<std::uint64_t> sorted(latencies.begin(), latencies.end());
  std::ranges::sort(sorted);
  const auto at = [&](double share) {
    if (sorted.empty()) return 0.0;
    const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
    return static_cast<double>(sorted[index]) / 1000;
  };
  return fmt::format(R"({{"p50":{:.1f},"p99":{:.1f},"max":{:.1f}}})", at(0.5), at(0.99), at(1));
}

template <class Items, class Show>
std::string list_json(const Items& items, Show show) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ',';
    out += show(item);
  }
  return out + "]";
}

void print_summary(const CommitLog& log, std::uint64_t first, const Checkpointer& checkpointer) {
  const std::string seconds = list_json(log.seconds(), [](const Second& second) {
    return fmt::format(R"({{"commits":{},"wal_frames_max":{}}})", second.commits,
                       second.wal_frames_max);
  });
  const std::string checkpoints = list_json(checkpointer.checkpoints(), [](const Checkpoint& one) {
    return fmt::format(
        R"({{"wanted_ns":{},"last_attempt_ns":{},"finished_ns":{},"attempts":{},"wal_frames":{}}})",
        one.wanted, one.last_attempt, one.finished, one.attempts, one.wal_frames);
  });
  fmt::print(R"({{"first":{},"commits":{},"latency_us":{},"seconds":{},"checkpoints":{}}})"
             "\n",
             first, log.latencies().size(), latency_json(log.latencies()), seconds, checkpoints);
}

std::optional<Arguments> parse(std::span<char*> words) {
  Arguments arguments;
  std::vector<std::string> paths;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const bool more = i + 1 < words.size();
    if (word == "--unlimited") {
      arguments.rate = 0;
    } else if (word == "--rate" && more) {
      arguments.rate = std::strtoull(words[++i], nullptr, 10);
      if (arguments.rate == 0) return std::nullopt;
    } else if (word == "--seconds" && more) {
      arguments.seconds = std::strtoull(words[++i], nullptr, 10);
    } else if (word == "--commits" && more) {
      arguments.commits_path = words[++i];
    } else {
      paths.emplace_back(word);
    }
  }
  if (paths.size() != 1 || paths[0].starts_with("-")) return std::nullopt;
  arguments.database = paths[0];
  return arguments;
}

void run(const Arguments& arguments) {
  std::signal(SIGTERM, want_stop);
  std::signal(SIGINT, want_stop);
  Application application(arguments.database);
  CommitLog log(arguments.commits_path);
  const std::uint64_t first = application.next_number();
  write_until_stopped(application, log, arguments);
  print_summary(log, first, application.checkpointer());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto arguments = parse({argv, static_cast<std::size_t>(argc)});
    if (!arguments) {
      fmt::print(stderr,
                 "usage: live_writer DATABASE [--rate PER_SECOND | --unlimited] [--seconds N] "
                 "[--commits FILE]\n");
      return 2;
    }
    run(*arguments);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "live_writer: {}\n", error.what());
    return 1;
  }
}
