// SimEnv: the Env calls and the faults.

#include "pagevault/base/sim_env.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim_dir.h"
#include "sim_io_queue.h"
#include "sim_machine.h"

namespace pagevault {

namespace {

constexpr std::uint32_t kUserId = 1000;
constexpr std::uint32_t kFirstProcessId = 1000;

/// Runs each task inside submit.
class InlineExecutor final : public Executor {
 public:
  void submit(std::function<void()> task) override { task(); }
  void wait_idle() override {}
  unsigned threads() const override { return 0; }
};

}  // namespace

SimEnv::SimEnv(SimOptions options)
    : machine_(std::make_unique<sim::Machine>(options)), options_(std::move(options)) {}
SimEnv::~SimEnv() = default;

Result<std::unique_ptr<Dir>> SimEnv::open_dir(const std::string& path) {
  PV_TRY(machine_->begin(SimCallKind::Read, "open directory", path));
  const auto found = machine_->disk.resolve(path, sim::LastLink::Follow);
  if (!found) return found.error().with_context(fmt::format("{}: open directory", path));
  const sim::Inode& inode = machine_->disk.at(*found);
  const char* refusal = inode.type != FileType::Directory ? "not a directory"
                        : inode.denied                    ? "permission denied"
                                                          : nullptr;
  if (refusal != nullptr) {
    return Error(ErrorCode::Io, fmt::format("{}: open directory: {}", path, refusal));
  }
  return std::unique_ptr<Dir>(std::make_unique<sim::SimDir>(*machine_, *found, path));
}

std::int64_t SimEnv::now_ns() {
  machine_->tick();
  return machine_->wall_ns();
}

std::int64_t SimEnv::monotonic_ns() {
  machine_->tick();
  return machine_->monotonic_ns();
}

Status SimEnv::wait_until(std::int64_t deadline_ns, const CancelToken& cancel) {
  const auto running = wait_hook_;  // It may replace itself.
  if (running && !cancel.cancelled()) running(deadline_ns);
  PV_TRY(cancel.check());
  machine_->advance(std::max<std::int64_t>(deadline_ns - machine_->monotonic_ns(), 0));
  return ok();
}

void SimEnv::random(MutableBytes out) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i % sizeof(word) == 0) word = machine_->random.next();
    out[i] = static_cast<std::byte>(word >> (i % sizeof(word) * 8));
  }
}

std::unique_ptr<Executor> SimEnv::make_executor(unsigned, std::size_t) {
  return std::make_unique<InlineExecutor>();
}

std::unique_ptr<IoQueue> SimEnv::make_io_queue(unsigned depth) {
  return std::make_unique<sim::SimIoQueue>(*machine_, depth);
}

unsigned SimEnv::processors() { return options_.processors; }
std::string SimEnv::io_description() { return "simulator"; }
std::string SimEnv::host_name() { return options_.host_name; }

std::uint32_t SimEnv::process_id() {
  return kFirstProcessId + static_cast<std::uint32_t>(machine_->epoch() % 30'000);
}

bool SimEnv::process_exists(std::uint32_t process_id) {
  return process_id == this->process_id() || processes_.contains(process_id);
}

std::string SimEnv::user_name(std::uint32_t uid) {
  if (uid == 0) return "root";
  return uid == kUserId ? "user" : "";
}

std::string SimEnv::group_name(std::uint32_t gid) { return user_name(gid); }

std::optional<std::uint32_t> SimEnv::user_id(const std::string& name) {
  if (name == "root") return 0;
  if (name == "user") return kUserId;
  return std::nullopt;
}

std::optional<std::uint32_t> SimEnv::group_id(const std::string& name) { return user_id(name); }

std::uint64_t SimEnv::calls() const { return machine_->calls(); }
void SimEnv::fail_call(const SimFault& fault) { machine_->arm(fault); }
std::uint64_t SimEnv::faults_fired() const { return machine_->faults_fired(); }
void SimEnv::clear_faults() { machine_->disarm(); }
void SimEnv::crash_at_call(std::uint64_t call) { machine_->arm_crash(call); }
bool SimEnv::crashed() const { return machine_->crashed(); }

void SimEnv::process_restart() {
  machine_->restart();
  machine_->disk.close_all();
}

void SimEnv::power_loss(const SimPowerLoss& loss) {
  machine_->restart();
  machine_->disk.power_loss(loss);
}

void SimEnv::set_sync_lies(bool lies) { machine_->sync_lies = lies; }
void SimEnv::set_capacity(std::uint64_t bytes) { machine_->capacity = bytes; }
void SimEnv::set_read_only(bool read_only) { machine_->read_only = read_only; }
void SimEnv::on_call(std::function<void(const SimCall&)> hook) { machine_->hook = std::move(hook); }
void SimEnv::set_process(std::uint32_t process_id, bool runs) {
  if (runs) processes_.insert(process_id);
  if (!runs) processes_.erase(process_id);
}
void SimEnv::on_list(std::function<void(const std::string&, std::vector<DirEntry>&)> hook) {
  machine_->list_hook = std::move(hook);
}
void SimEnv::on_wait(std::function<void(std::int64_t)> hook) { wait_hook_ = std::move(hook); }
void SimEnv::shift_clock(std::int64_t by_ns) { machine_->shift_wall(by_ns); }
void SimEnv::advance_time(std::int64_t by_ns) { machine_->advance(by_ns); }
void SimEnv::set_storage_clock_offset(std::int64_t by_ns) { machine_->storage_offset_ns = by_ns; }
void SimEnv::reseed(std::uint64_t seed) { machine_->reseed(seed); }

SimDisk SimEnv::save() const {
  SimDisk disk;
  disk.saved_ = std::make_shared<const sim::Saved>(machine_->save());
  return disk;
}

void SimEnv::load(const SimDisk& disk) {
  PV_CHECK(disk.saved_ != nullptr);
  machine_->load(*disk.saved_);
}

}  // namespace pagevault
