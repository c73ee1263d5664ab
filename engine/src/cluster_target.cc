#include "cluster_target.h"

#include <fmt/format.h>

#include <charconv>

#include "file_stat.h"
#include "pagevault/base/codec.h"
#include "pagevault/base/path.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kPidLineBytesMax = 32;

using OptionalDir = Result<std::unique_ptr<Dir>>;

// Null when there is none.
OptionalDir open_if_there(OptionalDir opened) {
  if (opened || opened.error().code() != ErrorCode::NotFound) return opened;
  return std::unique_ptr<Dir>();
}

Error refused(std::string message) { return {ErrorCode::InvalidArgument, std::move(message)}; }

Result<bool> is_empty(Dir& dir) {
  PV_TRY_ASSIGN(const auto names, dir.list());
  return names.empty();
}

Result<std::string> first_bytes(Dir& dir, std::string_view name, std::size_t bytes_max) {
  PV_TRY_ASSIGN(const auto file, dir.open_file(name, OpenMode::Read));
  Bytes out(bytes_max);
  PV_TRY_ASSIGN(const std::size_t size, file->read_at(0, out));
  out.resize(size);
  return std::string(as_text(out));
}

// ---- the server -----------------------------------------------------------------------------

// The first line of postmaster.pid: the postmaster's number; of a single-user server, negated.
// Source: PostgreSQL, src/backend/utils/init/miscinit.c, CreateLockFile.
std::optional<std::uint32_t> server_process(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  std::int32_t number = 0;
  const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (failure != std::errc() || end != line.data() + line.size() || number == 0) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(number < 0 ? -std::int64_t{number} : number);
}

Error may_run(const Dir& target, std::string_view why) {
  return {ErrorCode::Locked,
          fmt::format("{}: {}; stop the server (pg_ctl stop -D {}), and remove postmaster.pid only "
                      "when you are sure that none runs, here or in another container",
                      target.path(), why, target.path())};
}

// ---- the data directory ---------------------------------------------------------------------

Result<bool> has_file(Dir& dir, const std::string& name) {
  PV_TRY_ASSIGN(const auto info, stat_if_there(dir, name));
  return info && info->type == FileType::Regular;
}

Error no_data_directory(const Dir& target) {
  return refused(fmt::format(
      "{} is not empty and does not look like a data directory (PG_VERSION, global/pg_control): "
      "--delta would remove what the snapshot has not",
      target.path()));
}

// Its first field; of the machines that PostgreSQL's files we know come from (little-endian).
// Source: PostgreSQL, src/include/catalog/pg_control.h.
Status check_same_cluster(Dir& target, const repo::PostgresRecord& record) {
  PV_TRY_ASSIGN(const auto global, target.open_dir("global"));
  PV_TRY_ASSIGN(const std::string text, first_bytes(*global, "pg_control", 8));
  if (text.size() < 8) return no_data_directory(target);
  const std::uint64_t system = load_le64(as_bytes(text));
  if (system == record.system_identifier) return ok();
  return refused(fmt::format(
      "{} is of another cluster (system identifier {}, that of the snapshot is {}): empty it "
      "first, if it may go",
      target.path(), system, record.system_identifier));
}

Status check_old_data_directory(Env& env, Dir& target, const repo::PostgresRecord& record) {
  PV_TRY(check_server_stopped(env, target));
  PV_TRY_ASSIGN(const bool unfinished, has_file(target, std::string(kUnfinishedMark)));
  if (unfinished) return ok();
  PV_TRY_ASSIGN(const bool version, has_file(target, "PG_VERSION"));
  PV_TRY_ASSIGN(const auto global, open_if_there(target.open_dir("global")));
  if (!version || !global) return no_data_directory(target);
  PV_TRY_ASSIGN(const bool control, has_file(*global, "pg_control"));
  return control ? check_same_cluster(target, record) : no_data_directory(target);
}

Status check_data_directory(Env& env, Dir& target, const RestoreRequest& request,
                            const repo::PostgresRecord& record) {
  PV_TRY_ASSIGN(const bool empty, is_empty(target));
  if (empty) return ok();
  if (request.delta) return check_old_data_directory(env, target, record);
  return Error(ErrorCode::AlreadyExists,
               fmt::format("{} is not empty: a cluster is restored into an empty folder, or with "
                           "--delta over an old data directory",
                           target.path()));
}

// ---- tablespaces ----------------------------------------------------------------------------

bool same_directory(const FileInfo& a, const FileInfo& b) {
  return a.device == b.device && a.inode == b.inode;
}

// By links a path that looks apart may lead into the target.
Status check_outside(Env& env, const TablespaceTarget& tablespace, Dir* target) {
  if (target == nullptr) return ok();
  PV_TRY_ASSIGN(const FileInfo inside, target->info());
  std::string at;
  for (const std::string& part : split_path(tablespace.directory)) {
    at += "/" + part;
    PV_TRY_ASSIGN(const auto dir, open_if_there(env.open_dir(at)));
    if (!dir) return ok();
    PV_TRY_ASSIGN(const FileInfo info, dir->info());
    if (same_directory(info, inside)) {
      return refused(fmt::format("tablespace {}: {} is inside the target {}", tablespace.oid,
                                 tablespace.directory, target->path()));
    }
  }
  return ok();
}

Status check_tablespace(Env& env, const TablespaceTarget& tablespace, Dir* target, bool delta) {
  PV_TRY(check_outside(env, tablespace, target));
  PV_TRY_ASSIGN(const auto dir, open_if_there(env.open_dir(tablespace.directory)));
  if (!dir) return ok();
  PV_TRY_ASSIGN(const bool empty, is_empty(*dir));
  if (empty) return ok();
  if (delta && target != nullptr) {
    PV_TRY_ASSIGN(const auto links, open_if_there(target->open_dir("pg_tblspc")));
    PV_TRY_ASSIGN(const bool ours, links ? is_linked(*links, tablespace) : Result<bool>(false));
    if (ours) return ok();
  }
  return Error(
      ErrorCode::AlreadyExists,
      fmt::format("tablespace {}: {} is not empty{}", tablespace.oid, tablespace.directory,
                  delta ? ", and not where the data directory at the target has this tablespace: "
                          "it may be in use"
                        : ""));
}

}  // namespace

Status check_server_stopped(Env& env, Dir& target) {
  PV_TRY_ASSIGN(const auto info, stat_if_there(target, "postmaster.pid"));
  if (!info) return ok();
  if (info->type != FileType::Regular) return may_run(target, "postmaster.pid is no file");
  const auto text = first_bytes(target, "postmaster.pid", kPidLineBytesMax);
  if (!text && text.error().code() == ErrorCode::NotFound) return ok();  // Just stopped.
  if (!text) {
    return may_run(target, "postmaster.pid cannot be read (" + text.error().message() + ")");
  }
  const auto process = server_process(*text);
  if (!process) return may_run(target, "postmaster.pid does not name a process");
  if (!env.process_exists(*process)) return ok();  // Left behind by a crash.
  return may_run(target,
                 fmt::format("a server runs on it (postmaster.pid names process {})", *process));
}

Result<bool> is_linked(Dir& links, const TablespaceTarget& tablespace) {
  const std::string name = std::to_string(tablespace.oid);
  PV_TRY_ASSIGN(const auto info, stat_if_there(links, name));
  if (!info || info->type != FileType::Symlink) return false;
  PV_TRY_ASSIGN(const std::string to, links.read_link(name));
  return to.starts_with('/') && split_path(to) == split_path(tablespace.directory);
}

Status check_cluster_target(Env& env, const RestoreRequest& request,
                            const repo::PostgresRecord& record,
                            const std::vector<TablespaceTarget>& tablespaces) {
  PV_TRY_ASSIGN(const auto target, open_if_there(env.open_dir(request.target)));
  if (target) PV_TRY(check_data_directory(env, *target, request, record));
  for (const TablespaceTarget& each : tablespaces) {
    if (each.directory.empty()) continue;
    PV_TRY(check_tablespace(env, each, target.get(), request.delta));
  }
  return ok();
}

}  // namespace pagevault::engine
