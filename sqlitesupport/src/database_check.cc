#include "pagevault/sqlitesupport/database_check.h"

#include "helper_process.h"

namespace pagevault::sqlitesupport {
namespace {

using Sink = std::function<Status(std::string_view)>;

// A helper for this one request: it may no longer write anything afterwards.
Status ask_for_texts(HelperProcess& helper, RequestKind kind, const std::string& path,
                     const Sink& sink) {
  PV_TRY(helper.send({.kind = kind, .path = path}));
  for (;;) {
    PV_TRY_ASSIGN(const HelperReply reply, helper.receive());
    if (reply.kind == ReplyKind::Done) return ok();
    if (reply.kind != ReplyKind::Text) {
      return Error(ErrorCode::Io, "the sqlite helper answers something else");
    }
    PV_TRY(sink(reply.text));
  }
}

}  // namespace

Result<std::vector<std::string>> check_database(const std::string& path,
                                                const HelperProgram& program) {
  std::vector<std::string> findings;
  const auto keep = [&findings](std::string_view text) -> Status {
    if (findings.size() < kFindingsMax) findings.emplace_back(text);
    return ok();
  };
  PV_TRY_ASSIGN(const auto helper, HelperProcess::start(program));
  PV_TRY(ask_for_texts(*helper, RequestKind::Check, path, keep).context(path));
  return findings;
}

Status dump_sql(const std::string& path, const Sink& sink, const HelperProgram& program) {
  PV_TRY_ASSIGN(const auto helper, HelperProcess::start(program));
  return ask_for_texts(*helper, RequestKind::Dump, path, sink).context(path);
}

Status dump_sql_of(int fd, const Sink& sink, const HelperProgram& program) {
  PV_TRY_ASSIGN(const auto helper, HelperProcess::start(program, fd));
  return ask_for_texts(*helper, RequestKind::Dump, kInheritedFilePath, sink);
}

}  // namespace pagevault::sqlitesupport
