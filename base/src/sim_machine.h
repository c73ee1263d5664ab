// The simulated machine: one disk, its clock, random streams, armed faults and what is open.
// Every fallible call of a handle passes begin(), which counts it and decides whether it fails.

#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pagevault/base/sim_env.h"
#include "sim_disk.h"
#include "sim_rng.h"

namespace pagevault::sim {

/// What SimEnv::save keeps.
struct Saved {
  Disk disk;
  Rng random;
  Rng choices;
  std::int64_t monotonic_ns;
  std::int64_t wall_offset_ns;
};

/// Shared by all handles of one SimEnv, which owns it and outlives them.
class Machine {
 public:
  explicit Machine(const SimOptions& options);

  // ---- Calls.
  /// Counts one call and lets time pass. An error: the call fails with it and changes nothing
  /// more. Safe from several threads, because File::read_at is.
  Status begin(SimCallKind kind, std::string_view operation, const std::string& path);
  /// As begin, for calls that change the disk.
  Status begin_change(SimCallKind kind, std::string_view operation, const std::string& path);
  /// After a call's work: the error of a fault that lets the work be done.
  Status finish(std::string_view operation, const std::string& path);
  bool crashed() const { return crashed_; }
  std::uint64_t calls() const { return calls_; }
  std::uint64_t faults_fired() const { return faults_fired_; }

  void arm(const SimFault& fault) { faults_.push_back(fault); }
  void arm_crash(std::uint64_t call) { crash_in_ = call; }
  void disarm();

  // ---- Handles. `epoch` is that of the process which opened them.
  std::uint64_t epoch() const { return epoch_; }
  void opened(InodeNumber number) { ++open_[number]; }
  void closed(InodeNumber number, std::uint64_t epoch);
  /// After a name of `number` was removed: frees what nobody can reach.
  void name_removed(InodeNumber number);
  /// Another process: handles of the last one are dead, faults are disarmed.
  void restart();

  // ---- Time.
  std::int64_t wall_ns() const { return monotonic_ns_ + wall_offset_ns_; }
  std::int64_t storage_ns() const { return wall_ns() + storage_offset_ns; }
  std::int64_t monotonic_ns() const { return monotonic_ns_; }
  void tick() { monotonic_ns_ += step_ns_; }
  void advance(std::int64_t by_ns) { monotonic_ns_ += by_ns; }
  void shift_wall(std::int64_t by_ns) { wall_offset_ns_ += by_ns; }

  // ---- Values.
  Saved save() const;
  void load(const Saved& saved);
  void reseed(std::uint64_t seed);
  std::uint64_t free_bytes() const { return capacity > disk.used() ? capacity - disk.used() : 0; }

  Disk disk;
  Rng random;   ///< What Env::random gives.
  Rng choices;  ///< Orders and lengths the simulator picks itself.
  std::uint64_t list_order = 0;
  std::uint64_t capacity = 1ULL << 50U;
  bool read_only = false;
  bool sync_lies = false;
  std::int64_t storage_offset_ns = 0;
  std::function<void(const SimCall&)> hook;
  std::function<void(const std::string&, std::vector<DirEntry>&)> list_hook;

 private:
  void run_hook(const SimCall& call);
  /// The fault that strikes this call, if any.
  std::optional<SimFault> strike(SimCallKind kind);

  std::mutex counting_;  // Guards what begin() changes, down to faults_.
  std::uint64_t calls_ = 0;
  std::uint64_t faults_fired_ = 0;
  std::int64_t monotonic_ns_ = 0;
  std::optional<std::uint64_t> crash_in_;
  bool crashed_ = false;
  std::vector<SimFault> faults_;
  std::optional<ErrorCode> late_error_;  // Of the call that runs now.

  bool in_hook_ = false;
  std::int64_t step_ns_ = 0;
  std::int64_t wall_offset_ns_ = 0;
  std::uint64_t epoch_ = 1;
  std::unordered_map<InodeNumber, std::uint64_t> open_;
};

/// An inode held open by one process; base of the file and directory handles.
class Handle {
 public:
  Handle(Machine& machine, InodeNumber number, std::string path);
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  /// Fails when the process that opened this is gone; else as Machine::begin. `name`: what the
  /// call is about, below this directory; may be empty.
  Status begin(SimCallKind kind, std::string_view operation, std::string_view name = {}) const;
  Status begin_change(SimCallKind kind, std::string_view operation,
                      std::string_view name = {}) const;
  Status finish(std::string_view operation, std::string_view name = {}) const;
  /// "path/name: operation: text".
  Error error(ErrorCode code, std::string_view operation, std::string_view name,
              std::string_view text) const;

  bool alive() const { return epoch_ == machine_->epoch(); }
  Machine& machine() const { return *machine_; }
  Disk& disk() const { return machine_->disk; }
  InodeNumber number() const { return number_; }
  const std::string& path() const { return path_; }
  std::string child_path(std::string_view name) const;

 private:
  Machine* machine_;  // Never null.
  InodeNumber number_;
  std::uint64_t epoch_;
  std::string path_;
};

}  // namespace pagevault::sim
