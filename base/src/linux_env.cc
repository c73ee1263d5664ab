#include "pagevault/base/linux_env.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <ctime>
#include <map>
#include <mutex>
#include <thread>

#include "linux_dir.h"
#include "linux_errors.h"
#include "thread_executor.h"
#include "threaded_queue.h"
#include "uring_queue.h"

namespace pagevault {

namespace {

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  PV_CHECK(::clock_gettime(clock, &now) == 0);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

/// Calls one of getpwuid_r and its kin with a buffer that is large enough. Null: no such entry.
template <class Entry, class Find>
const Entry* find_entry(Entry& entry, std::vector<char>& buffer, Find find) {
  constexpr std::size_t kBufferMax = 1 << 20;
  Entry* found = nullptr;
  buffer.resize(4096);
  while (find(&entry, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < kBufferMax) {
    buffer.resize(2 * buffer.size());
  }
  return found;
}

/// Asks the system's user and group databases once per name and number; they may be remote.
/// Thread-safe.
class Accounts {
 public:
  std::string user_name(std::uint32_t uid) {
    return cached(user_names_, uid, [uid] {
      passwd entry{};
      std::vector<char> buffer;
      const auto* found =
          find_entry(entry, buffer, [uid](auto... args) { return ::getpwuid_r(uid, args...); });
      return std::string(found != nullptr ? found->pw_name : "");
    });
  }
  std::string group_name(std::uint32_t gid) {
    return cached(group_names_, gid, [gid] {
      group entry{};
      std::vector<char> buffer;
      const auto* found =
          find_entry(entry, buffer, [gid](auto... args) { return ::getgrgid_r(gid, args...); });
      return std::string(found != nullptr ? found->gr_name : "");
    });
  }
  std::optional<std::uint32_t> user_id(const std::string& name) {
    return cached(user_ids_, name, [&name]() -> std::optional<std::uint32_t> {
      passwd entry{};
      std::vector<char> buffer;
      const auto* found = find_entry(
          entry, buffer, [&name](auto... args) { return ::getpwnam_r(name.c_str(), args...); });
      if (found == nullptr) return std::nullopt;
      return found->pw_uid;
    });
  }
  std::optional<std::uint32_t> group_id(const std::string& name) {
    return cached(group_ids_, name, [&name]() -> std::optional<std::uint32_t> {
      group entry{};
      std::vector<char> buffer;
      const auto* found = find_entry(
          entry, buffer, [&name](auto... args) { return ::getgrnam_r(name.c_str(), args...); });
      if (found == nullptr) return std::nullopt;
      return found->gr_gid;
    });
  }

 private:
  template <class Key, class Value, class Ask>
  Value cached(std::map<Key, Value>& answers, const Key& key, Ask ask) {
    const std::lock_guard lock(mutex_);
    const auto known = answers.find(key);
    if (known != answers.end()) return known->second;
    return answers.emplace(key, ask()).first->second;
  }

  std::mutex mutex_;  // Guards all below.
  std::map<std::uint32_t, std::string> user_names_;
  std::map<std::uint32_t, std::string> group_names_;
  std::map<std::string, std::optional<std::uint32_t>> user_ids_;
  std::map<std::string, std::optional<std::uint32_t>> group_ids_;
};

class LinuxEnv final : public Env {
 public:
  explicit LinuxEnv(LinuxEnvOptions options) {
    if (options.io == LinuxEnvOptions::Io::ThreadPool) return;
    const int refusal = probe_uring();
    use_uring_ = refusal == 0;
    const char* name = ::strerrorname_np(refusal);
    io_description_ = use_uring_ ? std::string("io_uring")
                                 : fmt::format("thread pool (io_uring: {})",
                                               name != nullptr ? name : std::to_string(refusal));
  }

  Result<std::unique_ptr<Dir>> open_dir(const std::string& path) override {
    UniqueFd fd(
        uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!fd) return system_error(errno, path, "open directory");
    return std::unique_ptr<Dir>(std::make_unique<LinuxDir>(std::move(fd), path));
  }

  std::int64_t now_ns() override { return clock_ns(CLOCK_REALTIME); }
  std::int64_t monotonic_ns() override { return clock_ns(CLOCK_MONOTONIC); }
  Status wait_until(std::int64_t deadline_ns, const CancelToken& cancel) override {
    cancel.sleep_until(deadline_ns);
    return cancel.check();
  }

  void random(MutableBytes out) override {
    while (!out.empty()) {
      const ssize_t got = uninterrupted([&] { return ::getrandom(out.data(), out.size(), 0); });
      PV_CHECK(got > 0);  // Nothing of ours is safe without randomness (S12).
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

  std::unique_ptr<Executor> make_executor(unsigned threads, std::size_t queue_max) override {
    return std::make_unique<ThreadExecutor>(threads, queue_max);
  }

  std::unique_ptr<IoQueue> make_io_queue(unsigned depth) override {
    if (use_uring_) {
      if (auto queue = make_uring_queue(depth)) return queue;
    }
    return make_threaded_queue(depth);
  }

  unsigned processors() override {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
      return static_cast<unsigned>(std::max(CPU_COUNT(&allowed), 1));
    }
    return std::max(std::thread::hardware_concurrency(), 1U);  // More than 1,024 processors.
  }

  std::string io_description() override { return io_description_; }

  std::string user_name(std::uint32_t uid) override { return accounts_.user_name(uid); }
  std::string group_name(std::uint32_t gid) override { return accounts_.group_name(gid); }
  std::optional<std::uint32_t> user_id(const std::string& name) override {
    return accounts_.user_id(name);
  }
  std::optional<std::uint32_t> group_id(const std::string& name) override {
    return accounts_.group_id(name);
  }

  std::string host_name() override {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) < 0) return "localhost";
    return name.data();
  }
  std::uint32_t process_id() override { return static_cast<std::uint32_t>(::getpid()); }
  bool process_exists(std::uint32_t process_id) override {
    const auto process = static_cast<pid_t>(process_id);
    if (process <= 0) return false;  // To kill these mean groups of processes.
    return ::kill(process, 0) == 0 || errno == EPERM;
  }

 private:
  // Immutable after construction.
  bool use_uring_ = false;
  std::string io_description_ = "thread pool";

  Accounts accounts_;
};

}  // namespace

std::unique_ptr<Env> make_linux_env(LinuxEnvOptions options) {
  return std::make_unique<LinuxEnv>(options);
}

}  // namespace pagevault
