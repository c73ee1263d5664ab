// A base backup in the plain format: the data directory itself, tablespaces behind symbolic links.

#include <algorithm>

#include "cluster_input.h"
#include "pagevault/base/path.h"
#include "pagevault/pgsupport/backup_manifest.h"
#include "pagevault/pgsupport/relation_files.h"

namespace pagevault::engine {

namespace {

constexpr std::string_view kTablespaceFolder = "pg_tblspc";

Result<Bytes> read_small(Dir& dir, std::string_view name) {
  PV_TRY_ASSIGN(const auto file, dir.open_file(name, OpenMode::Read));
  PV_TRY_ASSIGN(const FileInfo info, file->info());
  if (info.size > kSmallFileBytesMax) {
    return Error(ErrorCode::Corrupt, file->path() + ": longer than such a file can be");
  }
  Bytes bytes(info.size);
  PV_TRY_ASSIGN(const std::size_t got, file->read_at(0, bytes));
  bytes.resize(got);
  return bytes;
}

std::optional<std::uint32_t> oid_of(const std::string& name) {
  const bool digits = !name.empty() && name.size() <= 10 && name.front() != '0' &&
                      std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return std::nullopt;
  const std::uint64_t value = std::stoull(name);
  if (value > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint32_t>(value);
}

class PlainClusterInput final : public ClusterInput {
 public:
  PlainClusterInput(Env& env, std::unique_ptr<Dir> dir, BackupObserver& observer)
      : env_(env), observer_(observer), root_(std::move(dir)) {}

  Status open();
  Result<std::optional<ClusterMember>> next() override;
  std::unique_ptr<BlockSource> content(IoQueue& queue, BlockPool& pool) override;
  File* file() override { return file_.get(); }

 private:
  struct Level {
    std::string path;
    std::unique_ptr<Dir> dir;
    std::vector<std::string> names;  // Descending: the next one is the last.
  };

  Status read_label();
  Status read_control();
  Status push(std::string path, std::unique_ptr<Dir> dir);
  Result<std::optional<ClusterMember>> visit(const std::string& path, const std::string& name);
  Result<std::optional<ClusterMember>> visit_link(const ClusterMember& member,
                                                  const std::string& name);
  ClusterMember member_of(const std::string& path, const std::string& name, const FileInfo& info);

  Env& env_;
  BackupObserver& observer_;
  std::unique_ptr<Dir> root_;
  std::vector<Level> levels_;
  std::unique_ptr<File> file_;
  std::uint64_t file_bytes_ = 0;
};

Status PlainClusterInput::open() {
  PV_TRY(read_label());
  PV_TRY(read_control());
  PV_TRY_ASSIGN(preview_.manifest, read_manifest_file(*root_));
  PV_TRY_ASSIGN(auto top, env_.open_dir(root_->path()));
  return push("", std::move(top));
}

Status PlainClusterInput::read_label() {
  auto bytes = read_small(*root_, pgsupport::kBackupLabelFile);
  if (!bytes && bytes.error().code() == ErrorCode::NotFound) {
    return Error(ErrorCode::InvalidArgument,
                 root_->path() +
                     ": has no backup_label, so it is no base backup. Make one with pg_basebackup, "
                     "or let `backup postgres --connect` fetch it from the server");
  }
  PV_TRY(bytes);
  PV_TRY_ASSIGN(const auto label, pgsupport::parse_backup_label(as_text(*bytes)));
  preview_.start = label.start;
  preview_.incremental_from = label.incremental_from;
  return ok();
}

Status PlainClusterInput::read_control() {
  PV_TRY_ASSIGN(const auto global, root_->open_dir("global"));
  PV_TRY_ASSIGN(const Bytes bytes, read_small(*global, "pg_control"));
  PV_TRY_ASSIGN(const auto control, pgsupport::parse_control_file(bytes));
  preview_.system_identifier = control.system_identifier;
  preview_.geometry = {.block_bytes = control.block_bytes,
                       .segment_blocks = control.segment_blocks};
  return ok();
}

Status PlainClusterInput::push(std::string path, std::unique_ptr<Dir> dir) {
  if (levels_.size() >= repo::kDirectoryDepthMax) {
    return Error(ErrorCode::Corrupt, path + ": folders nested too deeply");
  }
  Level level{.path = std::move(path), .dir = std::move(dir), .names = {}};
  PV_TRY_ASSIGN(const auto listed, level.dir->list());
  for (const DirEntry& entry : listed) level.names.push_back(entry.name);
  std::ranges::sort(level.names, std::greater<>());
  levels_.push_back(std::move(level));
  return ok();
}

ClusterMember PlainClusterInput::member_of(const std::string& path, const std::string& name,
                                           const FileInfo& info) {
  ClusterMember member;
  member.path = path;
  member.entry.name = name;
  member.entry.info = info;
  member.entry.user = env_.user_name(info.uid);
  member.entry.group = env_.group_name(info.gid);
  return member;
}

Result<std::optional<ClusterMember>> PlainClusterInput::next() {
  file_.reset();
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.names.empty()) {
      levels_.pop_back();
      continue;
    }
    const std::string name = std::move(level.names.back());
    level.names.pop_back();
    const std::string path = level.path.empty() ? name : level.path + "/" + name;
    PV_TRY_ASSIGN(auto member, visit(path, name));
    if (member) return member;
  }
  return std::optional<ClusterMember>();
}

// Nothing for what is left out.
Result<std::optional<ClusterMember>> PlainClusterInput::visit(const std::string& path,
                                                              const std::string& name) {
  if (path == pgsupport::kManifestFile) return std::optional<ClusterMember>();  // In the preview.
  Dir& dir = *levels_.back().dir;
  const bool in_tablespaces = levels_.back().path == kTablespaceFolder;
  PV_TRY_ASSIGN(const FileInfo info, dir.stat(name));
  ClusterMember member = member_of(path, name, info);
  if (info.type == FileType::Regular) {
    PV_TRY_ASSIGN(file_, dir.open_file(name, OpenMode::Read));
    PV_TRY_ASSIGN(const FileInfo opened, file_->info());
    member.entry.info.size = file_bytes_ = opened.size;
    return std::optional(std::move(member));
  }
  if (info.type == FileType::Directory) {
    if (const auto oid = in_tablespaces ? oid_of(name) : std::nullopt) {
      preview_.tablespaces[*oid] = "";
    }
    PV_TRY_ASSIGN(auto below, dir.open_dir(name));
    PV_TRY(push(path, std::move(below)));
    return std::optional(std::move(member));
  }
  if (info.type == FileType::Symlink && in_tablespaces && oid_of(name)) {
    return visit_link(member, name);
  }
  observer_.on_warning(path +
                       ": neither a file nor a folder; PostgreSQL needs none such, so it is "
                       "left out");
  return std::optional<ClusterMember>();
}

// A tablespace: its folder takes the link's place, and where it pointed is only remembered (S14).
Result<std::optional<ClusterMember>> PlainClusterInput::visit_link(const ClusterMember& member,
                                                                   const std::string& name) {
  Dir& dir = *levels_.back().dir;
  PV_TRY_ASSIGN(const std::string target, dir.read_link(name));
  if (!target.starts_with('/')) {
    return Error(ErrorCode::Corrupt, member.path + ": points to a relative path: " + target);
  }
  PV_TRY_ASSIGN(auto below, env_.open_dir(target).context("tablespace " + member.path));
  PV_TRY_ASSIGN(const FileInfo info, below->info());
  preview_.tablespaces[*oid_of(name)] = target;
  ClusterMember folder = member_of(member.path, name, info);
  PV_TRY(push(member.path, std::move(below)));
  return std::optional(std::move(folder));
}

std::unique_ptr<BlockSource> PlainClusterInput::content(IoQueue& queue, BlockPool& pool) {
  std::vector<ByteRange> all;
  if (file_bytes_ > 0) all.push_back({0, file_bytes_});
  return std::make_unique<FileBlockSource>(queue, pool, *file_, std::move(all));
}

}  // namespace

Result<std::unique_ptr<ClusterInput>> read_plain_backup(Env& env, std::unique_ptr<Dir> dir,
                                                        BackupObserver& observer) {
  auto input = std::make_unique<PlainClusterInput>(env, std::move(dir), observer);
  PV_TRY(input->open());
  return std::unique_ptr<ClusterInput>(std::move(input));
}

}  // namespace pagevault::engine
