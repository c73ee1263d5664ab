#include "sim_machine.h"

#include <fmt/format.h>

#include <utility>

namespace pagevault::sim {

namespace {

constexpr std::uint64_t kChoicesStream = 0x6F72646572ULL;  // Any constant: a stream of its own.

bool counts(const SimCallKinds& kinds, SimCallKind kind) {
  switch (kind) {
    case SimCallKind::Read:
      return kinds.read;
    case SimCallKind::Write:
      return kinds.write;
    case SimCallKind::Sync:
      return kinds.sync;
    case SimCallKind::Name:
      return kinds.name;
  }
  return false;
}

std::string_view fault_text(ErrorCode code) {
  return code == ErrorCode::NoSpace ? "no space left on device (injected)"
                                    : "input/output error (injected)";
}

Error call_error(ErrorCode code, std::string_view path, std::string_view operation,
                 std::string_view text) {
  return {code, fmt::format("{}: {}: {}", path, operation, text)};
}

}  // namespace

Machine::Machine(const SimOptions& options)
    : disk(options.start_ns),
      random(options.seed),
      choices(options.seed ^ kChoicesStream),
      list_order(Rng::mix(options.seed)),
      step_ns_(options.step_ns),
      wall_offset_ns_(options.start_ns) {}

void Machine::reseed(std::uint64_t seed) {
  random = Rng(seed);
  choices = Rng(seed ^ kChoicesStream);
  list_order = Rng::mix(seed);
}

void Machine::disarm() {
  faults_.clear();
  crash_in_.reset();
}

void Machine::run_hook(const SimCall& call) {
  if (!hook || in_hook_) return;
  in_hook_ = true;
  const auto running = hook;  // It may replace itself.
  running(call);
  in_hook_ = false;
}

std::optional<SimFault> Machine::strike(SimCallKind kind) {
  std::optional<SimFault> result;
  for (auto fault = faults_.begin(); fault != faults_.end();) {
    const bool strikes = counts(fault->kinds, kind) && fault->call == 0;
    if (counts(fault->kinds, kind) && fault->call > 0) --fault->call;
    if (strikes && !result) result = *fault;
    fault = strikes && !fault->permanent ? faults_.erase(fault) : std::next(fault);
  }
  faults_fired_ += result ? 1U : 0U;
  return result;
}

Status Machine::begin(SimCallKind kind, std::string_view operation, const std::string& path) {
  if (hook && !crashed_) {
    run_hook({.kind = kind, .operation = operation, .path = path, .number = calls_});
  }
  const std::lock_guard lock(counting_);
  ++calls_;
  late_error_.reset();
  tick();
  if (crash_in_ && !crashed_) {
    if (*crash_in_ == 0) {
      crashed_ = true;
    } else {
      --*crash_in_;
    }
  }
  if (crashed_) return call_error(ErrorCode::Io, path, operation, "simulated crash");
  const auto fault = strike(kind);
  if (!fault) return ok();
  if (fault->effect == SimEffect::Done && kind != SimCallKind::Read) {
    late_error_ = fault->code;
    return ok();
  }
  return call_error(fault->code, path, operation, fault_text(fault->code));
}

Status Machine::finish(std::string_view operation, const std::string& path) {
  if (!late_error_) return ok();
  return call_error(*late_error_, path, operation, fault_text(*late_error_));
}

Status Machine::begin_change(SimCallKind kind, std::string_view operation,
                             const std::string& path) {
  PV_TRY(begin(kind, operation, path));
  if (read_only) return call_error(ErrorCode::Io, path, operation, "read-only file system");
  return ok();
}

void Machine::closed(InodeNumber number, std::uint64_t epoch) {
  if (epoch != epoch_) return;
  if (--open_[number] > 0) return;
  open_.erase(number);
  name_removed(number);
}

void Machine::name_removed(InodeNumber number) {
  if (disk.at(number).links > 0 || open_.contains(number)) return;
  disk.release(number);
  disk.collect([this](InodeNumber other) { return open_.contains(other); });
}

void Machine::restart() {
  ++epoch_;
  open_.clear();
  crashed_ = false;
  disarm();
}

Saved Machine::save() const {
  return {.disk = disk,
          .random = random,
          .choices = choices,
          .monotonic_ns = monotonic_ns_,
          .wall_offset_ns = wall_offset_ns_};
}

void Machine::load(const Saved& saved) {
  restart();
  disk = saved.disk;
  random = saved.random;
  choices = saved.choices;
  monotonic_ns_ = saved.monotonic_ns;
  wall_offset_ns_ = saved.wall_offset_ns;
}

Handle::Handle(Machine& machine, InodeNumber number, std::string path)
    : machine_(&machine), number_(number), epoch_(machine.epoch()), path_(std::move(path)) {
  machine.opened(number);
}

Handle::~Handle() { machine_->closed(number_, epoch_); }

std::string Handle::child_path(std::string_view name) const {
  if (name.empty()) return path_;
  std::string result;
  result.reserve(path_.size() + 1 + name.size());
  result += path_;
  if (!path_.ends_with('/')) result += '/';
  result += name;
  return result;
}

Error Handle::error(ErrorCode code, std::string_view operation, std::string_view name,
                    std::string_view text) const {
  return call_error(code, child_path(name), operation, text);
}

Status Handle::begin(SimCallKind kind, std::string_view operation, std::string_view name) const {
  PV_TRY(name.empty() ? machine_->begin(kind, operation, path_)
                      : machine_->begin(kind, operation, child_path(name)));
  if (!alive()) return error(ErrorCode::Io, operation, name, "handle of a dead process");
  return ok();
}

Status Handle::begin_change(SimCallKind kind, std::string_view operation,
                            std::string_view name) const {
  PV_TRY(machine_->begin_change(kind, operation, child_path(name)));
  if (!alive()) return error(ErrorCode::Io, operation, name, "handle of a dead process");
  return ok();
}

Status Handle::finish(std::string_view operation, std::string_view name) const {
  return machine_->finish(operation, name.empty() ? path_ : child_path(name));
}

}  // namespace pagevault::sim
