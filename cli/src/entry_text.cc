#include "entry_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster_text.h"
#include "escape.h"
#include "json_text.h"
#include "timestamps.h"

namespace pagevault::cli {
namespace {

char type_letter(FileType type) {
  switch (type) {
    case FileType::Regular:
      return '-';
    case FileType::Directory:
      return 'd';
    case FileType::Symlink:
      return 'l';
    case FileType::Fifo:
      return 'p';
    case FileType::Socket:
      return 's';
    case FileType::CharDevice:
      return 'c';
    case FileType::BlockDevice:
      return 'b';
  }
  return '?';
}

// The letter where setuid, setgid and sticky show: lower case with the x bit, upper case without.
char execute_letter(bool execute, bool special, char letter) {
  if (!special) return execute ? 'x' : '-';
  return execute ? letter : static_cast<char>(letter - 'a' + 'A');
}

std::string owner_text(const std::string& name, std::uint32_t id) {
  return name.empty() ? fmt::format("{}", id) : escape_for_terminal(name);
}

std::string with_slash(const std::string& path) {
  return path.starts_with('/') ? path : "/" + path;
}

std::string_view journal_name(repo::SqliteJournal journal) {
  return journal == repo::SqliteJournal::Wal ? "wal" : "rollback";
}

// " (30 pages of 4096, 2 changed, wal, schema 5, user version 1, application id 0x00000000)"
std::string database_text(const repo::Entry& entry) {
  const repo::DatabaseRecord& record = *entry.database;
  if (record.stored_as_file) return " (stored as plain bytes)";
  const std::string changed =
      record.pages_changed ? fmt::format(", {} changed", *record.pages_changed) : "";
  return fmt::format(" ({} pages of {}{}, {}, schema {}, user version {}, application id {:#010x})",
                     record.page_count, entry.page_size, changed, journal_name(record.journal),
                     record.schema_cookie, record.user_version, record.application_id);
}

Json database_json(const repo::Entry& entry) {
  const repo::DatabaseRecord& record = *entry.database;
  if (record.stored_as_file) return {{"stored_as_file", true}};
  Json out = {{"stored_as_file", false},
              {"page_size", entry.page_size},
              {"pages", record.page_count},
              {"journal_mode", journal_name(record.journal)},
              {"schema_cookie", record.schema_cookie},
              {"user_version", record.user_version},
              {"application_id", record.application_id}};
  if (record.pages_changed) out["pages_changed"] = *record.pages_changed;
  return out;
}

}  // namespace

std::string_view type_name(FileType type) {
  switch (type) {
    case FileType::Regular:
      return "file";
    case FileType::Directory:
      return "dir";
    case FileType::Symlink:
      return "symlink";
    case FileType::Fifo:
      return "fifo";
    case FileType::Socket:
      return "socket";
    case FileType::CharDevice:
      return "chardev";
    case FileType::BlockDevice:
      return "dev";
  }
  return "unknown";
}

std::string mode_text(const FileInfo& info) {
  const auto bit = [&](unsigned mask) { return (info.mode & mask) != 0; };
  std::string out(1, type_letter(info.type));
  out += {bit(0400) ? 'r' : '-', bit(0200) ? 'w' : '-', execute_letter(bit(0100), bit(04000), 's')};
  out += {bit(040) ? 'r' : '-', bit(020) ? 'w' : '-', execute_letter(bit(010), bit(02000), 's')};
  out += {bit(04) ? 'r' : '-', bit(02) ? 'w' : '-', execute_letter(bit(01), bit(01000), 't')};
  return out;
}

std::string display_path(const std::string& path) { return escape_for_terminal(with_slash(path)); }

std::string long_entry_text(const std::string& path, const repo::Entry& entry) {
  const bool sized = entry.info.type == FileType::Regular;
  std::string out = fmt::format(
      "{} {:<8} {:<8} {:>12} {} {}", mode_text(entry.info), owner_text(entry.user, entry.info.uid),
      owner_text(entry.group, entry.info.gid), sized ? fmt::format("{}", entry.info.size) : "-",
      local_time(entry.info.mtime_ns), display_path(path));
  if (entry.info.type == FileType::Symlink) {
    out += " -> " + escape_for_terminal(entry.link_target);
  }
  if (entry.database) out += database_text(entry);
  return out;
}

Json entry_json(const std::string& path, const repo::Entry& entry) {
  Json out = {{"type", type_name(entry.info.type)}};
  put_name(out, "path", with_slash(path));
  out["mode"] = entry.info.mode;
  out["permissions"] = mode_text(entry.info);
  out["uid"] = entry.info.uid;
  out["gid"] = entry.info.gid;
  if (!entry.user.empty()) put_name(out, "user", entry.user);
  if (!entry.group.empty()) put_name(out, "group", entry.group);
  if (entry.info.type == FileType::Regular) out["size"] = entry.info.size;
  out["mtime"] = rfc3339_time(entry.info.mtime_ns);
  if (entry.info.type == FileType::Symlink) put_name(out, "linktarget", entry.link_target);
  if (entry.database) out["database"] = database_json(entry);
  if (entry.changed_while_read) out["changed_while_read"] = true;
  return out;
}

std::string_view kind_name(repo::SnapshotKind kind) {
  switch (kind) {
    case repo::SnapshotKind::Files:
      return "files";
    case repo::SnapshotKind::Sqlite:
      return "sqlite";
    case repo::SnapshotKind::Postgres:
      return "postgres";
    case repo::SnapshotKind::Stream:
      return "stream";
  }
  return "unknown";
}

Json snapshot_json(const repo::StoredSnapshot& stored) {
  const repo::Snapshot& snapshot = stored.snapshot;
  const repo::SnapshotStats& stats = snapshot.stats;
  Json out = {{"id", stored.id.hex()},
              {"short_id", stored.id.hex(8)},
              {"time", rfc3339_time(snapshot.committed_ns)},
              {"begun", rfc3339_time(snapshot.begun_ns)},
              {"kind", kind_name(snapshot.kind)},
              {"hostname", snapshot.host},
              {"username", snapshot.user},
              {"paths", snapshot.paths},
              {"tags", snapshot.tags},
              {"program_version", snapshot.program},
              {"incomplete", snapshot.incomplete}};
  if (!std::ranges::all_of(snapshot.paths, is_valid_utf8)) {
    for (const std::string& path : snapshot.paths) {
      out["paths_hex"].push_back(to_hex(as_bytes(path)));
    }
  }
  if (snapshot.parent) out["parent"] = snapshot.parent->hex();
  if (snapshot.postgres) out["postgres"] = cluster_record_json(*snapshot.postgres);
  out["summary"] = {{"files", stats.files},
                    {"directories", stats.directories},
                    {"total_bytes_processed", stats.bytes_source},
                    {"bytes_read", stats.bytes_read},
                    {"data_added", stats.bytes_new},
                    {"data_added_packed", stats.bytes_stored_data + stats.bytes_stored_meta},
                    {"errors", stats.errors}};
  return out;
}

}  // namespace pagevault::cli
