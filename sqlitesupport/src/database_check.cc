#include "pagevault/sqlitesupport/database_check.h"

#include "helper_process.h"

namespace pagevault::sqlitesupport {
namespace {

// A helper for this one request: it may no longer write anything afterwards.
Status ask_for_texts(RequestKind kind, const std::string& path, const HelperProgram& program,
                     const std::function<Status(std::string_view)>& sink) {
  PV_TRY_ASSIGN(const auto helper, HelperProcess::start(program));
  PV_TRY(helper->send({.kind = kind, .path = path}));
  for (;;) {
    PV_TRY_ASSIGN(const HelperReply reply, helper->receive());
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
  PV_TRY(ask_for_texts(RequestKind::Check, path, program, keep).context(path));
  return findings;
}

Status dump_sql(const std::string& path, const std::function<Status(std::string_view)>& sink,
                const HelperProgram& program) {
  return ask_for_texts(RequestKind::Dump, path, program, sink).context(path);
}

}  // namespace pagevault::sqlitesupport
