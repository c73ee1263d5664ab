// The helper's side: one thread, one request after the other.
//
// It dies when its starter does because the channel closes then. Not by PR_SET_PDEATHSIG: that
// signal comes when the thread that started the helper ends, and transactions outlive threads.

#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <map>

#include "helper_channel.h"
#include "helper_message.h"
#include "integrity_scan.h"
#include "pagevault/base/result.h"
#include "pagevault/sqlitesupport/helper_program.h"
#include "sql_dump.h"
#include "sqlite_transaction.h"

namespace pagevault::sqlitesupport {
namespace {

// A row of a gigabyte is SQLite's limit; it may be there twice while it is read.
constexpr sqlite3_int64 kHeapBytesMax = sqlite3_int64{5} << 29;

void raise_limit_of_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;  // Three or four for each transaction.
  ::setrlimit(RLIMIT_NOFILE, &files);
}

bool restrict_process() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ}) {
    ::signal(signal, SIG_IGN);
  }
  raise_limit_of_files();
  const rlimit none{};
  const bool limited =
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::setrlimit(RLIMIT_CORE, &none) == 0;
  // No library may have SQLite map files: another process could shorten them under it.
  constexpr sqlite3_int64 kNoMapping = 0;
  return limited && sqlite3_config(SQLITE_CONFIG_MMAP_SIZE, kNoMapping, kNoMapping) == SQLITE_OK &&
         sqlite3_initialize() == SQLITE_OK && sqlite3_hard_heap_limit64(kHeapBytesMax) >= 0;
}

// For work on files nobody writes: from now on this process cannot make any file longer.
Status forbid_writing() {
  const rlimit none{};
  if (::setrlimit(RLIMIT_FSIZE, &none) == 0) return ok();
  return Error(ErrorCode::Io, "cannot forbid itself to write files");
}

class Helper {
 public:
  Helper(int in_fd, int out_fd) : in_fd_(in_fd), out_fd_(out_fd) {}

  // The exit code.
  int serve() {
    for (;;) {
      const auto message = receive_message(in_fd_);
      if (!message) return 1;
      if (!*message) return 0;
      const auto request = decode_request(**message);
      if (!request) return 1;
      if (!send(answer(*request))) return 1;
    }
  }

 private:
  Status send(const HelperReply& reply) { return send_message(out_fd_, encode_reply(reply)); }

  HelperReply answer(const HelperRequest& request) {
    const auto reply = answer_or_error(request);
    if (reply) return *reply;
    return {
        .kind = ReplyKind::Failed, .code = reply.error().code(), .text = reply.error().message()};
  }

  Result<HelperReply> answer_or_error(const HelperRequest& request) {
    switch (request.kind) {
      case RequestKind::Version:
        return HelperReply{.kind = ReplyKind::Text, .text = source_.sqlite_version()};
      case RequestKind::Begin:
        return begin(request.path);
      case RequestKind::IsCurrent:
        return is_current(request.transaction);
      case RequestKind::End:
        return end(request.transaction);
      case RequestKind::Check:
        PV_TRY(forbid_writing());
        PV_TRY(scan_integrity(request.path, sink(), is_abandoned()));
        return HelperReply{};
      case RequestKind::Dump:
        PV_TRY(forbid_writing());
        PV_TRY(dump_database(request.path, sink(), is_abandoned()));
        return HelperReply{};
    }
    return Error(ErrorCode::InvalidArgument, "unknown request");
  }

  TextSink sink() {
    return [this](std::string_view text) {
      return send({.kind = ReplyKind::Text, .text = std::string(text)});
    };
  }
  Abandoned is_abandoned() {
    return [this] { return is_hung_up(in_fd_); };
  }

  Result<HelperReply> begin(const std::string& path) {
    PV_TRY_ASSIGN(auto transaction, source_.begin(path));
    const std::uint32_t number = next_number_++;
    HelperReply reply{
        .kind = ReplyKind::Begun, .transaction = number, .state = transaction->state()};
    transactions_.emplace(number, std::move(transaction));
    return reply;
  }

  Result<HelperReply> is_current(std::uint32_t number) {
    const auto found = transactions_.find(number);
    if (found == transactions_.end()) return no_transaction();
    PV_TRY_ASSIGN(const bool current, found->second->is_current());
    return HelperReply{.kind = current ? ReplyKind::Yes : ReplyKind::No};
  }

  Result<HelperReply> end(std::uint32_t number) {
    const auto found = transactions_.find(number);
    if (found == transactions_.end()) return no_transaction();
    const Status ended = found->second->end();
    transactions_.erase(found);
    PV_TRY(ended);
    return HelperReply{};
  }

  static Error no_transaction() { return {ErrorCode::InvalidArgument, "no such transaction"}; }

  const int in_fd_;
  const int out_fd_;
  SqliteTransactionSource source_;
  std::map<std::uint32_t, std::unique_ptr<ReadTransaction>> transactions_;
  std::uint32_t next_number_ = 1;
};

}  // namespace

int run_sqlite_helper(int in_fd, int out_fd) {
  if (!restrict_process()) return 1;
  return Helper(in_fd, out_fd).serve();
}

}  // namespace pagevault::sqlitesupport
