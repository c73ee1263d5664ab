#include "database_stamp.h"

#include "file_stat.h"
#include "pagevault/sqlitesupport/sidecar_files.h"
#include "time_step.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kLogIndexHeaderBytes = 48;  // One copy; what follows changes with readers.

FileStamp stamp_of(const FileInfo& info) {
  return {
      .inode = info.inode, .size = info.size, .mtime_ns = info.mtime_ns, .ctime_ns = info.ctime_ns};
}

// Best effort: who may not read it sees a commit that takes long at the next write.
Bytes header_of_log_index(Dir& dir, const std::string& name) {
  Bytes out(kLogIndexHeaderBytes);
  auto file = dir.open_file(name, OpenMode::Read);
  auto got = file ? (*file)->read_at(0, out) : Result<std::size_t>(file.error());
  out.resize(got ? *got : 0);
  return out;
}

}  // namespace

Result<DatabaseStamp> look_at_database(Env& env, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  PV_CHECK(slash != std::string::npos);
  const std::string name = path.substr(slash + 1);
  DatabaseStamp out;
  auto dir = env.open_dir(slash == 0 ? "/" : path.substr(0, slash));
  if (!dir && dir.error().code() == ErrorCode::NotFound) return out;
  if (!dir) return dir.error();
  PV_TRY_ASSIGN(const auto file, stat_if_there(**dir, name));
  if (!file) return out;
  out.file = stamp_of(*file);
  out.step_ns = time_step_ns(*file);
  PV_TRY_ASSIGN(const auto log, stat_if_there(**dir, name + std::string(sqlitesupport::kLogEnd)));
  // Readers make an empty one when there is none: no difference.
  if (!log || log->size == 0) return out;
  out.log = stamp_of(*log);
  out.log_index = header_of_log_index(**dir, name + std::string(sqlitesupport::kLogIndexEnd));
  return out;
}

}  // namespace pagevault::engine
