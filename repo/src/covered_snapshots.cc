#include "pagevault/repo/covered_snapshots.h"

#include <algorithm>

namespace pagevault::repo {

namespace {

constexpr std::size_t kSnapshotsMax = 256;
constexpr std::string_view kName = "covered";
constexpr std::string_view kNewName = "covered.new";

Result<std::vector<SnapshotId>> read_ids(Env& env, const std::string& folder) {
  PV_TRY_ASSIGN(const auto dir, env.open_dir(folder));
  PV_TRY_ASSIGN(const auto file, dir->open_file(kName, OpenMode::Read));
  Bytes content(kSnapshotsMax * SnapshotId::kBytes);
  PV_TRY_ASSIGN(const std::size_t got, file->read_at(0, content));
  std::vector<SnapshotId> ids;
  for (std::size_t at = 0; at + SnapshotId::kBytes <= got; at += SnapshotId::kBytes) {
    ids.push_back(SnapshotId::from_view(ByteView(content).subspan(at, SnapshotId::kBytes)));
  }
  return ids;
}

}  // namespace

CoveredSnapshots CoveredSnapshots::load(Env& env, std::string folder) {
  CoveredSnapshots covered(env, std::move(folder));
  if (covered.folder_.empty()) return covered;
  if (auto ids = read_ids(env, covered.folder_)) covered.ids_ = std::move(ids).value();
  return covered;
}

bool CoveredSnapshots::contains(const SnapshotId& id) const {
  return std::find(ids_.begin(), ids_.end(), id) != ids_.end();
}

void CoveredSnapshots::add(const SnapshotId& id) {
  if (folder_.empty()) return;
  ids_.push_back(id);
  if (ids_.size() > kSnapshotsMax) ids_.erase(ids_.begin());
  write().ignore("forgotten: the next backup looks its references up");
}

// The names go first: a list that outlives its index would vouch for what nobody knows.
void CoveredSnapshots::forget_all() {
  ids_.clear();
  if (folder_.empty()) return;
  const auto dir = env_->open_dir(folder_);
  if (!dir) return;
  if ((*dir)->remove_file(kName)) (*dir)->sync().ignore("best effort: a cache");
}

Status CoveredSnapshots::write() const {
  Bytes content;
  for (const SnapshotId& id : ids_) append(content, id.view());
  PV_TRY_ASSIGN(const auto dir, env_->open_dir(folder_));
  dir->remove_file(kNewName).ignore("left by a crash, usually absent");
  PV_TRY_ASSIGN(const auto file, dir->open_file(kNewName, OpenMode::CreateExclusive));
  PV_TRY(file->write_at(0, content));
  PV_TRY(file->close());
  return dir->rename_replace(kNewName, kName);
}

}  // namespace pagevault::repo
