#include "database_leftovers.h"

#include "file_stat.h"
#include "pagevault/sqlitesupport/sidecar_files.h"

namespace pagevault::engine {

namespace {

// Source: os_unix.c and wal.c of SQLite 3.7 to 3.51. PENDING, RESERVED and SHARED of the database
// file; the eight locks of the log's index and the one ("dead man's switch") that every connection
// in WAL mode shares while it lives.
constexpr ByteRange kDatabaseLocks{0x40000000, 512};
constexpr ByteRange kIndexLocks{120, 9};

std::string beside(const std::string& name, std::string_view end) {
  return name + std::string(end);
}

// A link is replaced, not followed: what it leads to may be in use. A fifo would not even open.
Result<bool> is_locked(Dir& dir, const std::string& name, ByteRange locks) {
  PV_TRY_ASSIGN(const auto info, stat_if_there(dir, name));
  if (!info || info->type != FileType::Regular) return false;
  const auto file = dir.open_file(name, OpenMode::Read);
  if (!file && file.error().code() == ErrorCode::NotFound) return false;
  if (!file) return file.error().with_context("cannot tell whether it is in use");
  return (*file)->is_locked(locks);
}

}  // namespace

bool is_database_image(const repo::Entry& entry) {
  return entry.info.type == FileType::Regular && entry.database && !entry.database->stored_as_file;
}

bool times_cover_image(const repo::Entry& entry) {
  return !is_database_image(entry) || !entry.database->wal || entry.database->wal->frames == 0;
}

Status check_database_unused(Dir& dir, const std::string& name) {
  PV_TRY_ASSIGN(const bool database, is_locked(dir, name, kDatabaseLocks));
  PV_TRY_ASSIGN(const bool index,
                is_locked(dir, beside(name, sqlitesupport::kLogIndexEnd), kIndexLocks));
  if (!database && !index) return ok();
  return Error(ErrorCode::Locked, dir.path() + "/" + name +
                                      ": the database is in use; stop the application that has it "
                                      "open, or restore into another folder");
}

Result<bool> has_log_beside(Dir& dir, const std::string& name) {
  for (const std::string_view end : {sqlitesupport::kLogEnd, sqlitesupport::kJournalEnd}) {
    PV_TRY_ASSIGN(const auto info, stat_if_there(dir, beside(name, end)));
    if (info && info->size > 0) return true;
  }
  return false;
}

Result<bool> has_leftovers(Dir& dir, const std::string& name) {
  for (const std::string_view end : sqlitesupport::kSidecarEnds) {
    PV_TRY_ASSIGN(const auto info, stat_if_there(dir, beside(name, end)));
    if (info) return true;
  }
  return false;
}

Status DatabaseLeftovers::remove(const std::shared_ptr<Dir>& dir, const std::string& name) {
  bool removed = false;
  for (const std::string_view end : sqlitesupport::kSidecarEnds) {
    const Status done = dir->remove_file(beside(name, end));
    if (!done && done.error().code() != ErrorCode::NotFound) return done.error();
    if (done) removed = true;
  }
  if (!removed && synced_ == dir) return ok();
  PV_TRY(dir->sync());
  synced_ = dir;
  return ok();
}

}  // namespace pagevault::engine
