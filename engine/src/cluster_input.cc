#include "cluster_input.h"

#include "cluster_archives.h"
#include "pagevault/pgsupport/backup_manifest.h"

namespace pagevault::engine {

Result<std::optional<Bytes>> read_manifest_file(Dir& dir) {
  auto file = dir.open_file(pgsupport::kManifestFile, OpenMode::Read);
  if (!file && file.error().code() == ErrorCode::NotFound) return std::optional<Bytes>();
  PV_TRY(file);
  PV_TRY_ASSIGN(const FileInfo info, (*file)->info());
  if (info.size > pgsupport::kManifestBytesMax) {
    return Error(ErrorCode::Corrupt, (*file)->path() + ": longer than a manifest can be");
  }
  Bytes bytes(info.size);
  PV_TRY_ASSIGN(const std::size_t got, (*file)->read_at(0, bytes));
  bytes.resize(got);
  return std::optional(std::move(bytes));
}

Result<std::unique_ptr<ClusterInput>> open_cluster_input(Env& env, const PostgresOptions& options,
                                                         BackupObserver& observer) {
  if (options.archive) return read_archives(archive_from(options.archive), {});
  PV_TRY_ASSIGN(auto dir, env.open_dir(options.directory));
  PV_TRY_ASSIGN(const auto names, dir->list());
  if (!holds_archives(names)) return read_plain_backup(env, std::move(dir), observer);
  ClusterPreview preview;
  PV_TRY_ASSIGN(preview.manifest, read_manifest_file(*dir));
  PV_TRY_ASSIGN(auto archives, archives_in(std::move(dir)));
  return read_archives(std::move(archives), std::move(preview));
}

}  // namespace pagevault::engine
