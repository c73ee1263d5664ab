#include "pagevault/engine/restore.h"
#include "pagevault/engine/tree.h"
#include "piece_writer.h"

namespace pagevault::engine {

Status dump_file(Workspace& workspace, const SnapshotId& snapshot, const std::string& path,
                 const std::function<Status(ByteView)>& sink) {
  PV_TRY_ASSIGN(const repo::Snapshot root, workspace.repository().read_snapshot(snapshot));
  PV_TRY(workspace.refresh_index());
  PV_TRY_ASSIGN(const repo::Entry entry, find_entry(workspace, root, path));
  if (entry.info.type != FileType::Regular) {
    return Error(ErrorCode::InvalidArgument, path + " is not a file");
  }
  return PieceWriter(workspace, sink).write(entry, path);
}

}  // namespace pagevault::engine
