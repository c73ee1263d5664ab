#include "helper_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "helper_channel.h"

namespace pagevault::sqlitesupport {
namespace {

// What the child does between fork and exec.
class SpawnPlan {
 public:
  // Neither descriptor is one of 0 to 2, which are set before they would be read.
  SpawnPlan(int channel, int file) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    // As 0 and 1; all but stderr is closed, also what a library left open over exec.
    posix_spawn_file_actions_adddup2(&actions_, channel, 0);
    posix_spawn_file_actions_adddup2(&actions_, channel, 1);
    if (file >= 0) posix_spawn_file_actions_adddup2(&actions_, file, kInheritedFile);
    posix_spawn_file_actions_addclosefrom_np(&actions_, file >= 0 ? kInheritedFile + 1 : 3);
    // Until the helper ignores them, those meant for a whole group must not end it.
    sigset_t blocked;
    ::sigemptyset(&blocked);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
      ::sigaddset(&blocked, signal);
    }
    posix_spawnattr_setsigmask(&attributes_, &blocked);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  // The errno of posix_spawn.
  int run(const std::string& program, pid_t* pid) const {
    std::string name = "pagevault";
    std::string argument = kSqliteHelperArgument;
    const std::array<char*, 3> arguments = {name.data(), argument.data(), nullptr};
    const std::array<char*, 1> environment = {nullptr};
    return ::posix_spawn(pid, program.c_str(), &actions_, &attributes_, arguments.data(),
                         environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::string description_of_end(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

}  // namespace

Result<std::unique_ptr<HelperProcess>> HelperProcess::start(const HelperProgram& program,
                                                            int file) {
  PV_CHECK(file < 0 || file > STDERR_FILENO);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0) {
    return Error(ErrorCode::Io,
                 fmt::format("sqlite helper: socketpair: {}", ::strerrordesc_np(errno)));
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  // A descriptor that is 0 or 1 already would stay close-on-exec through dup2.
  if (theirs.get() <= 1) {
    theirs = UniqueFd(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, 3));
    if (!theirs) return Error(ErrorCode::Io, "sqlite helper: no descriptor left");
  }
  pid_t pid = -1;
  const int result = SpawnPlan(theirs.get(), file).run(program.path, &pid);
  if (result != 0) {
    return Error(ErrorCode::Io, fmt::format("start the sqlite helper {}: {}", program.path,
                                            ::strerrordesc_np(result)));
  }
  return std::unique_ptr<HelperProcess>(new HelperProcess(std::move(ours), pid));
}

HelperProcess::~HelperProcess() {
  dismiss();
  reap();
}

void HelperProcess::dismiss() { channel_.close().ignore("the helper sees the end either way"); }

void HelperProcess::reap() {
  if (pid_ < 0) return;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

// Never alive afterwards: a helper that says what it should not may be somebody else's by now.
Error HelperProcess::fail(const std::string& why) {
  channel_.close().ignore("nothing more is said");
  std::string how;
  if (pid_ >= 0) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    how = description_of_end(status);
  }
  failure_ = Error(ErrorCode::Io, fmt::format("{} ({})", why, how));
  return *failure_;
}

Status HelperProcess::send(const HelperRequest& request) {
  if (failure_) return *failure_;
  if (request.path.size() > kMessageTextMax) {
    return Error(ErrorCode::InvalidArgument, "path too long");
  }
  if (send_message(channel_.get(), encode_request(request))) return ok();
  return fail("the sqlite helper ended unexpectedly");
}

Result<HelperReply> HelperProcess::receive() {
  if (failure_) return *failure_;
  const auto message = receive_message(channel_.get());
  if (!message || !*message) return fail("the sqlite helper ended unexpectedly");
  const auto reply = decode_reply(**message);
  if (!reply) return fail(reply.error().message());
  if (reply->kind == ReplyKind::Failed) return Error(reply->code, reply->text);
  return *reply;
}

Result<HelperReply> HelperProcess::ask(const HelperRequest& request) {
  PV_TRY(send(request));
  return receive();
}

}  // namespace pagevault::sqlitesupport
