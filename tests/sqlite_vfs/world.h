// One scenario: a database on a MemoryDisk, processes that change it in every way SQLite knows and
// die now and then, and readers, all interleaved as one seed says.
//
// Every transaction of a writer leaves a note in the database that must agree with the rest of it
// (Ledger), so that a mixture of two states shows even where it is a well-formed database.

#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sqlite_vfs/connection.h"
#include "sqlite_vfs/memory_disk.h"
#include "sqlite_vfs/memory_vfs.h"
#include "sqlite_vfs/raw_file.h"
#include "sqlite_vfs/scheduler.h"

namespace pagevault::testing {

/// A process of a scenario.
struct Actor : VfsProcess {
  /// Dies at this call of the VFS, counted down.
  std::uint64_t calls_left = std::numeric_limits<std::uint64_t>::max();
  /// Runs instead of it when it died.
  std::function<void()> successor;
};

/// What writers did, in numbers.
struct WriterCounts {
  std::uint64_t commits = 0;
  std::uint64_t busy = 0;  ///< Operations given up for others' locks.
  std::uint64_t checkpoints = 0;
  std::uint64_t vacuums = 0;
  std::uint64_t page_size_changes = 0;
  std::uint64_t journal_switches = 0;
  std::uint64_t deaths = 0;
};

/// How far the writers are: what a reader may and must see. Transactions are numbered in the order
/// of their write locks.
struct Progress {
  std::int64_t attempted = 0;       ///< The last that may have been committed.
  std::int64_t acknowledged = 0;    ///< The last of which SQLite said so.
  std::uint64_t changes_begun = 0;  ///< Anything that may change the file, VACUUM and the like too.
};

class World final : public VfsHost {
 public:
  static constexpr const char* kDatabase = "/db";

  /// Makes the database: page size, journal mode, auto-vacuum, medium and the place of the page
  /// that is never used, since Windows locks bytes in it (at 1 GiB, or where small databases have
  /// it), as the seed says. That place is SQLite's for the whole process.
  explicit World(std::uint64_t seed);
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Scheduler& scheduler() { return scheduler_; }
  MemoryDisk& disk() { return disk_; }
  MemoryVfs& vfs() { return vfs_; }
  Progress& progress() { return progress_; }
  WriterCounts& counts() { return counts_; }

  /// Offset of the lock byte: what its page holds is nobody's business.
  std::uint64_t lock_byte() const { return lock_byte_; }

  /// Adds a process that runs `body`.
  Actor& spawn(std::function<void(Actor&)> body);
  void run() { scheduler_.run(); }
  /// Readers say so when the writers may stop.
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

  /// Lets others do much while the caller stands still.
  void pause();

  /// A file as raw readers see it, torn at the places the seed says; nullptr when it is not there.
  /// One piece in `pause_odds` is read after a pause.
  std::unique_ptr<File> raw_file(const std::string& name, std::uint64_t pause_odds = 16);

  // VfsHost:
  VfsProcess& process() override;
  bool dies_at(const VfsCall& call) override;
  void after_death() override;
  void wait_a_little() override { scheduler_.yield(); }
  std::uint64_t random() override { return scheduler_.random(); }

 private:
  void create_database();

  Scheduler scheduler_;
  std::uint64_t lock_byte_;
  MemoryDisk disk_;
  std::vector<std::unique_ptr<Actor>> actors_;
  Actor preparer_;
  MemoryVfs vfs_;
  Progress progress_;
  WriterCounts counts_;
  bool stopped_ = false;
};

/// Why `image` is not one state of the database between two transactions; empty when it is. `epoch`
/// gets the number of the transaction it is of.
std::string check_image(ByteView image, std::int64_t& epoch);

}  // namespace pagevault::testing
