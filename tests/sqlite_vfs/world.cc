#include "sqlite_vfs/world.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>

#include "pagevault/base/result.h"

namespace pagevault::testing {
namespace {

thread_local Actor* current_actor = nullptr;

constexpr std::uint64_t kLockByte = kGiB;
constexpr std::uint64_t kLowLockByte = 64 * kKiB;  // A page begins there, whatever their size.

void move_lock_byte(std::uint64_t offset) {
  sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, static_cast<unsigned>(offset));
}

MemoryVfs::Medium pick_medium(Scheduler& scheduler) {
  static constexpr std::array<int, 4> kCharacteristics = {
      0, SQLITE_IOCAP_POWERSAFE_OVERWRITE, SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL,
      SQLITE_IOCAP_ATOMIC512 | SQLITE_IOCAP_POWERSAFE_OVERWRITE};
  return {.sector_size = scheduler.random(2) == 0 ? 512 : 4096,
          .characteristics = kCharacteristics[scheduler.random(kCharacteristics.size())]};
}

}  // namespace

World::World(std::uint64_t seed)
    : scheduler_(seed),
      lock_byte_(scheduler_.random(3) == 0 ? kLowLockByte : kLockByte),
      vfs_(disk_, *this) {
  move_lock_byte(lock_byte_);
  vfs_.set_medium(pick_medium(scheduler_));
  create_database();
}

World::~World() { move_lock_byte(kLockByte); }

void World::create_database() {
  static constexpr std::array<int, 10> kPageSizes = {512,  512,  512,  1024, 1024,
                                                     2048, 4096, 4096, 8192, 65536};
  static constexpr std::array<const char*, 8> kModes = {"delete", "truncate", "persist", "wal",
                                                        "wal",    "wal",      "wal",     "wal"};
  Connection db(kDatabase);
  const auto run = [&](const std::string& sql) {
    const int code = db.exec(sql);
    if (code != SQLITE_OK) std::fprintf(stderr, "%s: %s\n", sql.c_str(), db.message().c_str());
    PV_CHECK(code == SQLITE_OK);
  };
  run(fmt::format("PRAGMA page_size = {}", kPageSizes[scheduler_.random() % kPageSizes.size()]));
  run(fmt::format("PRAGMA auto_vacuum = {}", scheduler_.random(3)));
  run(fmt::format("PRAGMA journal_mode = {}", kModes[scheduler_.random() % kModes.size()]));
  run("CREATE TABLE item(id INTEGER PRIMARY KEY, tag INTEGER, body BLOB)");
  run("CREATE INDEX item_tag ON item(tag)");
  run("CREATE TABLE ledger(epoch INTEGER, items INTEGER, sum INTEGER)");
  run("INSERT INTO ledger VALUES(0, 0, 0)");
}

Actor& World::spawn(std::function<void(Actor&)> body) {
  Actor& actor = *actors_.emplace_back(std::make_unique<Actor>());
  scheduler_.spawn([&actor, body = std::move(body)] {
    current_actor = &actor;
    body(actor);
  });
  return actor;
}

std::unique_ptr<File> World::raw_file(const std::string& name, std::uint64_t pause_odds) {
  auto node = disk_.find(name);
  if (node == nullptr) return nullptr;
  return std::make_unique<RawFile>(std::move(node), name, [this, pause_odds]() -> std::size_t {
    scheduler_.point(1000);
    if (random() % pause_odds == 0) pause();
    // Mostly whole blocks, now and then a torn page.
    return random() % 4 != 0 ? std::size_t{1} << 20 : 1 + random() % 3000;
  });
}

void World::pause() {
  for (std::uint64_t turns = random() % 40; turns > 0; --turns) scheduler_.yield();
}

VfsProcess& World::process() { return current_actor == nullptr ? preparer_ : *current_actor; }

bool World::dies_at(const VfsCall& call) {
  scheduler_.point(static_cast<std::uint64_t>(call.op) * 16 +
                   static_cast<std::uint64_t>(call.file));
  if (current_actor == nullptr || --current_actor->calls_left > 0) return false;
  ++counts_.deaths;
  return true;
}

void World::after_death() {
  if (current_actor->successor) current_actor->successor();
  scheduler_.park();
}

std::string check_image(ByteView image, std::int64_t& epoch) {
  Connection db = Connection::of_image(image);
  const auto verdict = db.text("PRAGMA integrity_check(3)");
  if (!verdict) return "cannot be read: " + db.message();
  if (*verdict != "ok") return *verdict;
  const auto found = db.number("SELECT epoch FROM ledger");
  const auto agrees = db.number(
      "SELECT items = (SELECT count(*) FROM item) AND"
      " sum = (SELECT total(id + tag + length(body)) FROM item) FROM ledger");
  if (!found || !agrees) return "ledger cannot be read: " + db.message();
  epoch = *found;
  return *agrees == 1 ? "" : fmt::format("ledger of epoch {} does not agree", epoch);
}

}  // namespace pagevault::testing
