#include <optional>

#include "cluster_restore.h"
#include "pagevault/engine/tree.h"
#include "pagevault/pgsupport/archive_reader.h"
#include "piece_writer.h"

namespace pagevault::engine {

namespace {

// A cluster that is unpacked halfway shall not start: what a server looks for first comes last.
constexpr std::string_view kControlPath = "global/pg_control";
constexpr std::string_view kServersManifest = "backup_manifest.original";

class TarDump {
 public:
  TarDump(Workspace& workspace, const repo::Snapshot& snapshot, const PieceWriter::Sink& sink,
          RestoreObserver& observer)
      : workspace_(workspace), snapshot_(snapshot), sink_(sink), observer_(observer) {}

  Status run() {
    PV_TRY_ASSIGN(archive_, pgsupport::ArchiveWriter::create(sink_));
    const auto visit = [this](const std::string& path, const repo::Entry& entry) {
      return add(path.substr(1), entry);
    };
    PV_TRY(walk_tree(workspace_, root_entry(snapshot_), "", visit));
    if (control_) PV_TRY(write(std::string(kControlPath), *control_));
    return archive_->finish();
  }

 private:
  Result<bool> add(const std::string& path, const repo::Entry& entry) {
    if (snapshot_.kind == repo::SnapshotKind::Postgres) {
      if (path == kServersManifest) return false;
      PV_TRY(ClusterRestore::check_entry("/" + path, entry).context(path));
      if (path == kControlPath) {
        control_ = entry;
        return false;
      }
    }
    PV_TRY(write(path, entry));
    return entry.info.type == FileType::Directory;
  }

  Status write(const std::string& path, const repo::Entry& entry) {
    const FileType type = entry.info.type;
    if (type != FileType::Regular && type != FileType::Directory && type != FileType::Symlink) {
      observer_.on_warning(path + ": left out, neither file nor folder nor link");
      return ok();
    }
    // Owners by number alone: names of the source mean others, or nobody, elsewhere.
    pgsupport::ArchiveMember member{.path = path,
                                    .info = entry.info,
                                    .user = {},
                                    .group = {},
                                    .link_target = entry.link_target};
    if (type != FileType::Regular) member.info.size = 0;
    PV_TRY(archive_->begin(member));
    return type == FileType::Regular ? bytes_.write(entry, path) : ok();
  }

  Workspace& workspace_;
  const repo::Snapshot& snapshot_;
  const PieceWriter::Sink& sink_;
  RestoreObserver& observer_;
  std::unique_ptr<pgsupport::ArchiveWriter> archive_;
  const PieceWriter::Sink into_archive_ = [this](ByteView bytes) { return archive_->write(bytes); };
  PieceWriter bytes_{workspace_, into_archive_};
  std::optional<repo::Entry> control_;
};

}  // namespace

Status dump_tar(Workspace& workspace, const SnapshotId& snapshot,
                const std::function<Status(ByteView)>& sink, RestoreObserver& observer) {
  PV_TRY_ASSIGN(const repo::Snapshot root, workspace.repository().read_snapshot(snapshot));
  PV_TRY(workspace.refresh_index());
  return TarDump(workspace, root, sink, observer).run();
}

}  // namespace pagevault::engine
