#include "sqlite_vfs/writer.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <optional>

namespace pagevault::testing {
namespace {

class Writer {
 public:
  Writer(World& world, Actor& self, WriterRole role, unsigned operations)
      : world_(world), self_(self), role_(role), left_(operations) {}

  void run();
  unsigned operations_left() const { return left_; }

 private:
  struct Operation {
    void (Writer::*run)();
    std::array<std::uint64_t, 3> weights;  // Of each WriterRole.
  };
  static const std::array<Operation, 10> kOperations;

  const Operation& pick();
  std::uint64_t random(std::uint64_t below) { return world_.scheduler().random(below); }
  template <std::size_t N>
  const char* any(const std::array<const char*, N>& of) {
    return of[random(N)];
  }
  int exec(const std::string& sql);
  void connect();

  void insert() { transaction(insertion(10)); }
  void insert_many() { transaction(insertion(60)); }
  void update();
  void remove();
  void change_schema();
  void vacuum();
  void incremental_vacuum();
  void change_page_size();
  void switch_journal();
  void checkpoint();

  std::string insertion(std::uint64_t rows_max);
  void transaction(const std::string& sql);

  World& world_;
  Actor& self_;
  WriterRole role_;
  unsigned left_;
  int patience_ = 0;
  std::optional<Connection> db_;
};

const std::array<Writer::Operation, 10> Writer::kOperations = {{
    {&Writer::insert, {20, 20, 20}},
    {&Writer::insert_many, {6, 6, 3}},
    {&Writer::update, {16, 16, 16}},
    {&Writer::remove, {10, 10, 4}},
    {&Writer::change_schema, {4, 4, 0}},
    {&Writer::vacuum, {3, 3, 0}},
    {&Writer::incremental_vacuum, {4, 4, 0}},
    {&Writer::change_page_size, {2, 0, 0}},
    {&Writer::switch_journal, {6, 0, 0}},
    {&Writer::checkpoint, {16, 16, 12}},
}};

const Writer::Operation& Writer::pick() {
  const auto weight = [this](const Operation& o) {
    return o.weights[static_cast<std::size_t>(role_)];
  };
  std::uint64_t sum = 0;
  for (const Operation& o : kOperations) sum += weight(o);
  std::uint64_t ticket = random(sum);
  for (const Operation& o : kOperations) {
    if (ticket < weight(o)) return o;
    ticket -= weight(o);
  }
  return kOperations.front();
}

void Writer::run() {
  connect();
  while (!self_.dead && !world_.stopped() && left_ > 0) {
    --left_;
    // The last connection that leaves makes a checkpoint and removes the log.
    if (random(12) == 0) connect();
    (this->*pick().run)();
  }
}

void Writer::connect() {
  db_.reset();
  db_.emplace(World::kDatabase);
  patience_ = 3 + static_cast<int>(random(20));
  sqlite3_busy_handler(
      db_->raw(),
      [](void* self, int count) {
        auto& writer = *static_cast<Writer*>(self);
        writer.world_.wait_a_little();
        return !writer.self_.dead && count < writer.patience_ ? 1 : 0;
      },
      this);
  // A small cache spills uncommitted pages: into the log beyond what is valid, or into the file.
  exec(fmt::format("PRAGMA cache_size = {}", random(3) == 0 ? 2 : 100));
  exec(fmt::format("PRAGMA synchronous = {}", random(3)));
  exec(fmt::format("PRAGMA wal_autocheckpoint = {}", random(3) == 0 ? 1000 : 2 + random(30)));
  if (random(4) == 0) exec("PRAGMA journal_size_limit = 0");
}

int Writer::exec(const std::string& sql) {
  if (self_.dead) return SQLITE_IOERR;
  const int code = db_->exec(sql);
  if (code == SQLITE_BUSY) ++world_.counts().busy;
  return code;
}

void Writer::transaction(const std::string& sql) {
  if (exec("BEGIN IMMEDIATE") != SQLITE_OK) return;
  Progress& progress = world_.progress();
  const std::int64_t epoch = ++progress.attempted;
  ++progress.changes_begun;
  const bool whole =
      exec(sql) == SQLITE_OK &&
      exec(fmt::format("UPDATE ledger SET epoch = {}, (items, sum) ="
                       " (SELECT count(*), total(id + tag + length(body)) FROM item)",
                       epoch)) == SQLITE_OK;
  if (whole && random(8) != 0 && exec("COMMIT") == SQLITE_OK) {
    progress.acknowledged = epoch;
    ++world_.counts().commits;
  } else {
    exec("ROLLBACK");
  }
}

std::string Writer::insertion(std::uint64_t rows_max) {
  static constexpr std::array<const char*, 3> kLengths = {"30", "300", "3000"};
  return fmt::format(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
      " INSERT INTO item(tag, body) SELECT abs(random() % 100), randomblob(1 + abs(random() % {}))"
      " FROM n",
      1 + random(rows_max), any(kLengths));
}

void Writer::update() {
  transaction(
      fmt::format("UPDATE item SET tag = {}, body = randomblob(length(body)) WHERE id % {}"
                  " = {}",
                  random(100), 7, random(7)));
}

void Writer::remove() {
  transaction(fmt::format("DELETE FROM item WHERE tag BETWEEN {0} AND {0} + {1}", random(100),
                          random(2) == 0 ? 10 : 60));
}

void Writer::change_schema() {
  static constexpr std::array<const char*, 4> kChanges = {
      "CREATE TABLE IF NOT EXISTS copy AS SELECT * FROM item", "DROP TABLE IF EXISTS copy",
      "CREATE INDEX IF NOT EXISTS item_body ON item(body)", "DROP INDEX IF EXISTS item_body"};
  transaction(any(kChanges));
}

void Writer::vacuum() {
  ++world_.progress().changes_begun;
  if (exec("VACUUM") == SQLITE_OK) ++world_.counts().vacuums;
}

void Writer::incremental_vacuum() {
  ++world_.progress().changes_begun;
  exec(fmt::format("PRAGMA incremental_vacuum({})", 1 + random(10)));
}

// Only a database without a log can change its page size.
void Writer::change_page_size() {
  static constexpr std::array<const char*, 7> kSizes = {"512",  "1024", "2048", "4096",
                                                        "8192", "512",  "65536"};
  const auto mode = db_->text("PRAGMA journal_mode");
  const auto before = db_->number("PRAGMA page_size");
  ++world_.progress().changes_begun;
  exec("PRAGMA journal_mode = delete");
  exec(fmt::format("PRAGMA page_size = {}", any(kSizes)));
  exec("VACUUM");
  if (self_.dead || !mode) return;
  if (db_->number("PRAGMA page_size") != before) ++world_.counts().page_size_changes;
  exec("PRAGMA journal_mode = " + *mode);
}

void Writer::switch_journal() {
  static constexpr std::array<const char*, 7> kModes = {"delete", "truncate", "persist", "wal",
                                                        "wal",    "wal",      "wal"};
  const auto before = db_->text("PRAGMA journal_mode");
  ++world_.progress().changes_begun;
  const std::string wanted = any(kModes);
  if (before != wanted && db_->text("PRAGMA journal_mode = " + wanted) == wanted) {
    ++world_.counts().journal_switches;
  }
}

void Writer::checkpoint() {
  static constexpr std::array<const char*, 4> kKinds = {"PASSIVE", "FULL", "RESTART", "TRUNCATE"};
  if (exec(fmt::format("PRAGMA wal_checkpoint({})", any(kKinds))) == SQLITE_OK) {
    ++world_.counts().checkpoints;
  }
}

}  // namespace

void spawn_writer(World& world, WriterRole role, unsigned operations_max) {
  world.spawn([&world, role, operations_max](Actor& self) {
    if (role != WriterRole::Second && world.scheduler().random(2) == 0) {
      self.calls_left = 1 + world.scheduler().random(world.scheduler().random(2) == 0 ? 300 : 3000);
    }
    Writer writer(world, self, role, operations_max);
    self.successor = [&] { spawn_writer(world, role, writer.operations_left()); };
    writer.run();
  });
}

}  // namespace pagevault::testing
