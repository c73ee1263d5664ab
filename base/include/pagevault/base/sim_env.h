// The simulator: an Env whose files, clock and randomness live in memory and follow a seed.
//
// Engine and repo tests run on it to enumerate faults: an error at the k-th call, a kill at the
// k-th call, power loss that loses, keeps or tears whatever was not synced, a full or read-only
// file system, damaged objects, sources that change while they are read. Two runs with the same
// seed, calls and faults give the same bytes.
//
// Durability model: a regular file has its durable content (last File::sync) and its current one;
// a directory has its durable names (last Dir::sync) and the changes since. power_loss decides per
// 512-byte sector and per change of a name what survives. Weaker than any common file system on
// purpose: File::sync says nothing about names, Dir::sync nothing about content or about the name
// of the directory itself, and changes need not survive in their order.
//
// Single-threaded; for tests only. Handles, queues and executors die before their SimEnv.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pagevault/base/env.h"

namespace pagevault {

namespace sim {
class Machine;
struct Saved;
}  // namespace sim

/// What a fallible call does, for choosing which ones a fault counts.
enum class SimCallKind : std::uint8_t {
  Read,   ///< read_at, info, stat, list, opening what exists, ...
  Write,  ///< write_at, truncate, preallocate.
  Sync,   ///< File::sync, File::close, Dir::sync.
  Name,   ///< Creating, linking, removing, renaming, metadata.
};

struct SimCallKinds {
  bool read = true;
  bool write = true;
  bool sync = true;
  bool name = true;
};

/// One fallible call, as `on_call` sees it before it runs.
struct SimCall {
  SimCallKind kind = SimCallKind::Read;
  std::string_view operation;  ///< "open", "read", "write", "rename", ...
  std::string_view path;       ///< Of the handle; name operations have the name appended.
  std::uint64_t number = 0;    ///< Value of calls() before this one.
};

/// Whether a failing call has done its work all the same, as after a lost reply (F3.2).
enum class SimEffect : std::uint8_t { NotDone, Done };

/// An error to come.
struct SimFault {
  std::uint64_t call = 0;  ///< 0: the next call of `kinds`, 1: the one after, ...
  ErrorCode code = ErrorCode::Io;
  bool permanent = false;  ///< Also every later call of `kinds`, until clear_faults.
  SimCallKinds kinds = {};
  SimEffect effect = SimEffect::NotDone;  ///< Reads fail the same either way.
};

/// What a power loss keeps of what was not synced.
enum class SimKeep : std::uint8_t { BySeed, Nothing, Everything };

struct SimPowerLoss {
  std::uint64_t seed = 0;
  SimKeep names = SimKeep::BySeed;
  SimKeep content = SimKeep::BySeed;
};

struct SimOptions {
  std::uint64_t seed = 1;
  std::int64_t start_ns = 1'700'000'000'000'000'000;  ///< Wall clock at the start.
  std::int64_t step_ns = 1'000;                       ///< Every call takes this long.
  std::string host_name = "simhost";
  unsigned processors = 2;
};

/// The whole machine at one moment: disk, clock and random stream. Copies are cheap, they share
/// all content.
class SimDisk {
 private:
  friend class SimEnv;
  // Shared by the copies of this value; never changes.
  std::shared_ptr<const sim::Saved> saved_;
};

class SimEnv final : public Env {
 public:
  explicit SimEnv(SimOptions options = {});
  ~SimEnv() override;

  // ---- Env. "/" exists; relative paths begin there.
  Result<std::unique_ptr<Dir>> open_dir(const std::string& path) override;
  std::int64_t now_ns() override;
  std::int64_t monotonic_ns() override;
  /// Both clocks jump to the deadline at once; see on_wait.
  Status wait_until(std::int64_t deadline_ns, const CancelToken& cancel) override;
  /// From the seed: test only, of no cryptographic worth.
  void random(MutableBytes out) override;
  /// Runs every task inside submit; threads() == 0.
  std::unique_ptr<Executor> make_executor(unsigned threads, std::size_t queue_max) override;
  /// Operations take effect when they complete, in an order drawn from the seed.
  std::unique_ptr<IoQueue> make_io_queue(unsigned depth) override;
  unsigned processors() override;
  std::string io_description() override;
  std::string user_name(std::uint32_t uid) override;
  std::string group_name(std::uint32_t gid) override;
  std::optional<std::uint32_t> user_id(const std::string& name) override;
  std::optional<std::uint32_t> group_id(const std::string& name) override;
  std::string host_name() override;
  std::uint32_t process_id() override;
  bool process_exists(std::uint32_t process_id) override;

  // ---- Faults.
  /// Fallible calls so far, failed ones included.
  std::uint64_t calls() const;
  /// Arms a fault; several may be armed. A write that fails so has written a part; a sync that
  /// fails so has dropped the dirty state, and no later sync brings that content to the disk.
  void fail_call(const SimFault& fault);
  void fail_call(std::uint64_t call, ErrorCode code) { fail_call({.call = call, .code = code}); }
  /// Faults that struck so far; unchanged after a run means it made fewer calls than `call`.
  std::uint64_t faults_fired() const;
  /// Disarms faults and a crash to come.
  void clear_faults();

  /// The call with this number (0: the next) and all after it answer Io "simulated crash" and
  /// change nothing, until process_restart, power_loss or load.
  void crash_at_call(std::uint64_t call);
  bool crashed() const;
  /// After kill -9: everything written is still there, nothing more is durable than before. All
  /// handles are dead (Io). Disarms faults; the next process has another process_id.
  void process_restart();
  /// After the plug was pulled: as process_restart, and what was not synced survives as `loss`
  /// says. With BySeed the seed also picks the manner: nothing, everything, an ordered prefix of
  /// the name changes or an independent choice for each (renames then also half done: both names);
  /// for content old, new, zero or stale sectors and any size between.
  void power_loss(const SimPowerLoss& loss);
  void power_loss(std::uint64_t seed) { power_loss(SimPowerLoss{.seed = seed}); }

  /// Syncs answer ok and make nothing durable (F2.4).
  void set_sync_lies(bool lies);
  /// Bytes the file system holds; writes and preallocate beyond give NoSpace.
  void set_capacity(std::uint64_t bytes);
  /// Every change gives Io "read-only file system".
  void set_read_only(bool read_only);
  /// open_file, open_dir and list of `path` give Io "permission denied". It must exist.
  void set_denied(const std::string& path, bool denied);
  /// Reads of `path` that touch `range` give Io; a range of length 0 heals the file.
  void set_unreadable(const std::string& path, ByteRange range);
  /// Another process has a record lock on `range` of `path`; of length 0: none any more.
  void set_locked(const std::string& path, ByteRange range);
  /// Another process of this number runs, or no longer does.
  void set_process(std::uint32_t process_id, bool runs);
  /// Runs before each fallible call; may use the helpers below, or the Env as a second client whose
  /// calls are counted but not seen by the hook. Empty: none.
  void on_call(std::function<void(const SimCall&)> hook);

  /// Runs as each wait begins, and may change files, let time pass or cancel: what the rest of the
  /// world does while this program sleeps. Empty: none.
  void on_wait(std::function<void(std::int64_t deadline_ns)> hook);

  /// Changes what list answers, e.g. drops or repeats entries (F4.6). Empty: none.
  void on_list(std::function<void(const std::string& path, std::vector<DirEntry>& entries)> hook);

  /// Moves the wall clock, also backwards; the monotonic clock does not notice.
  void shift_clock(std::int64_t by_ns);
  /// Lets time pass on both clocks.
  void advance_time(std::int64_t by_ns);
  /// What the storage's times are ahead of now_ns.
  void set_storage_clock_offset(std::int64_t by_ns);
  /// Restarts every random choice.
  void reseed(std::uint64_t seed);

  // ---- The machine as a value. load kills all handles, clears the crash and disarms faults;
  // capacity, read-only mode and the hook stay.
  SimDisk save() const;
  void load(const SimDisk& disk);

  // ---- Helpers for tests. Not calls: never counted, never failed, durable at once. Paths are
  // absolute, the last component is not followed. A missing path aborts unless said otherwise.
  void make_dirs(const std::string& path);  ///< And its parents; existing ones are kept.
  /// Creates or replaces the content (same inode), parents included. Mode 0644.
  void write_file(const std::string& path, ByteView bytes);
  void write_file(const std::string& path, std::string_view text);
  void append_file(const std::string& path, ByteView bytes);
  std::optional<Bytes> read_file(const std::string& path) const;  ///< Nothing when missing.
  bool exists(const std::string& path) const;
  std::uint64_t file_size(const std::string& path) const;
  /// Absolute paths of all regular files below `root`, sorted.
  std::vector<std::string> list_files(const std::string& root = "/") const;
  void flip_bit(const std::string& path, std::uint64_t bit);  ///< Keeps size and times.
  void truncate(const std::string& path, std::uint64_t size);
  void swap_files(const std::string& a, const std::string& b);
  void remove(const std::string& path);  ///< A directory with everything below.

 private:
  std::unique_ptr<sim::Machine> machine_;
  SimOptions options_;
  std::set<std::uint32_t> processes_;  // Others that run.
  std::function<void(std::int64_t)> wait_hook_;
};

}  // namespace pagevault
