// A base backup becomes a snapshot in passes: find the parent, read the files (storing what is
// new), check all of it against the manifest, describe the cluster, write manifest and tree,
// commit. What is damaged is found before anything is committed.

#include "cluster_backup.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster_files.h"
#include "cluster_parent.h"
#include "cluster_record.h"
#include "cluster_risk.h"
#include "cluster_server.h"
#include "pagevault/base/codec.h"
#include "pagevault/pgsupport/relation_files.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kProblemsTold = 100;

class ClusterBackup {
 public:
  ClusterBackup(Workspace& workspace, const BackupRequest& request, BackupObserver& observer,
                const std::string& why_full)
      : workspace_(workspace),
        request_(request),
        options_(*request.postgres),
        observer_(observer),
        writer_(workspace, request, observer),
        tree_(workspace.reader(), writer_.completion()) {
    report().why_full = why_full;
  }

  Result<BackupReport> run();
  /// After run() failed: why a full backup would do better; nothing when it would not.
  const std::optional<std::string>& wants_full() const { return wants_full_; }

 private:
  // Passes, in order.
  Status open();
  Status prepare();
  Status look_for_risks();
  Status read_members();
  Status finish_input();
  Status check();
  Status describe();
  Status write_manifests();
  Status write_tree();

  Status open_server();
  Status read_member(ClusterMember member);
  Status read_label(const ClusterMember& member);
  Status read_control(const ClusterMember& member);
  Status read_version(const ClusterMember& member);
  Status read_relation(ClusterMember member, const std::string& path, bool is_incremental);
  Status read_manifest(ByteView text);
  Status refuse_or_doubt(const std::vector<ClusterProblem>& problems);
  ClusterReport& report() {
    if (!writer_.report().cluster) writer_.report().cluster.emplace();
    return *writer_.report().cluster;
  }
  repo::PostgresRecord& record() { return *writer_.snapshot().postgres; }

  Workspace& workspace_;
  const BackupRequest& request_;
  const PostgresOptions& options_;
  BackupObserver& observer_;
  SnapshotWriter writer_;
  std::optional<ServerBackup> server_;
  std::unique_ptr<ClusterInput> input_;  // Uses server_.
  ClusterTree tree_;
  ParentTree parent_;
  ClusterCheck check_;
  std::optional<ClusterFiles> files_;
  std::set<pgsupport::RelationFork> at_risk_;  // Whose incrementals are only doubted.
  std::optional<pgsupport::BackupManifest> manifest_;
  Bytes manifest_text_;
  std::optional<pgsupport::BackupLabel> label_;
  std::optional<pgsupport::ControlFile> control_;
  std::map<std::uint32_t, std::string> tablespaces_;
  std::uint32_t major_version_ = 0;
  std::optional<pgsupport::WalPoint> end_;
  std::vector<repo::PostgresDoubt> doubts_;
  std::set<std::string> replaced_;  // Relation files that came whole: a parent's damage is gone.
  std::optional<std::string> wants_full_;
  std::uint64_t read_before_ = 0;  // Of the repository.
};

Result<BackupReport> ClusterBackup::run() {
  PV_TRY(open());
  PV_TRY(prepare());
  PV_TRY(look_for_risks());
  PV_TRY(read_members());
  PV_TRY(finish_input());
  PV_TRY(check());
  PV_TRY(describe());
  PV_TRY(write_manifests());
  PV_TRY(write_tree());
  PV_TRY(writer_.finish());
  return writer_.report();
}

// ---- passes ---------------------------------------------------------------------------------

// The source is opened and the parent found; the session begins in between, as an index must be
// loaded before a parent is read, and a server's backup mode should be short.
Status ClusterBackup::open() {
  PV_TRY(writer_.list());
  if (options_.server != nullptr) return open_server();
  PV_TRY_ASSIGN(input_, open_cluster_input(workspace_.env(), options_, observer_));
  if (const auto& manifest = input_->preview().manifest) PV_TRY(read_manifest(*manifest));
  PV_TRY_ASSIGN(auto parent, choose_cluster_parent(writer_.listing(), request_, input_->preview()));
  return writer_.begin(std::move(parent));
}

Status ClusterBackup::open_server() {
  const bool may_be_incremental = !options_.full && report().why_full.empty();
  PV_TRY_ASSIGN(ServerPlan plan,
                plan_server_backup(workspace_, writer_.listing(), request_, may_be_incremental));
  if (report().why_full.empty()) report().why_full = plan.why_full;
  if (options_.full) report().why_full = "asked for";
  PV_TRY(writer_.begin(plan.parent));
  auto begun = ServerBackup::begin(workspace_, options_, plan);
  const bool declined = !begun && plan.manifest && begun.error().code() != ErrorCode::Cancelled;
  if (declined) wants_full_ = begun.error().message();
  PV_TRY(begun);
  server_ = std::move(*begun);
  PV_TRY_ASSIGN(input_, server_->input());
  return ok();
}

Status ClusterBackup::prepare() {
  const ClusterPreview& preview = input_->preview();
  const auto& parent = writer_.parent();
  if (parent) parent_ = ParentTree(workspace_.reader(), root_entry(parent->snapshot));
  pgsupport::RelationGeometry geometry;
  if (parent && parent->snapshot.postgres) {
    geometry = {.block_bytes = parent->snapshot.postgres->block_bytes,
                .segment_blocks = parent->snapshot.postgres->segment_blocks};
  }
  geometry = preview.geometry.value_or(geometry);
  auto algorithm = pgsupport::ChecksumAlgorithm::Crc32c;
  if (manifest_) {
    for (const auto& file : manifest_->files) {
      if (file.algorithm != pgsupport::ChecksumAlgorithm::None) algorithm = file.algorithm;
    }
  } else if (options_.archive) {
    const auto named = pgsupport::checksum_algorithm(options_.manifest_checksums);
    if (!named) {
      return Error(ErrorCode::InvalidArgument,
                   "no checksum that manifests know: " + options_.manifest_checksums);
    }
    algorithm = *named;
  }
  files_.emplace(ClusterFiles::Parts{.writer = writer_,
                                     .input = *input_,
                                     .tree = tree_,
                                     .parent = parent_,
                                     .check = check_,
                                     .geometry = geometry,
                                     .algorithm = algorithm});
  writer_.snapshot().postgres.emplace();
  record().block_bytes = geometry.block_bytes;
  record().segment_blocks = geometry.segment_blocks;
  writer_.progress().bytes_total = preview.bytes_total;
  report().incremental = preview.incremental_from.has_value();
  read_before_ = workspace_.reader().bytes_read();
  tablespaces_ = preview.tablespaces;
  return ok();
}

Status ClusterBackup::look_for_risks() {
  const ClusterPreview& preview = input_->preview();
  if (!preview.incremental_from) return ok();
  const pgsupport::WalRange interval{.timeline = preview.start.timeline,
                                     .start = preview.incremental_from->lsn,
                                     .end = preview.start.lsn};
  if (server_) {
    auto refetched = server_->refetch_at_risk(*files_, interval);
    if (!refetched && refetched.error().code() != ErrorCode::Cancelled) {
      wants_full_ = refetched.error().message();
    }
    return refetched;
  }
  if (options_.wal_summaries.empty()) return ok();
  PV_TRY_ASSIGN(RiskySummaries found,
                read_summaries(workspace_.env(), options_.wal_summaries, interval));
  at_risk_ = std::move(found.forks);
  if (!found.complete) {
    observer_.on_warning(options_.wal_summaries +
                         ": does not cover all WAL since the parent; truncations of relations may "
                         "go unnoticed (docs/postgres.md, \"Defects of servers\")");
  }
  return ok();
}

Status ClusterBackup::read_members() {
  while (true) {
    PV_TRY(workspace_.cancel().check());
    PV_TRY_ASSIGN(auto member, input_->next());
    if (!member) return ok();
    writer_.progress().current = member->path;
    PV_TRY(writer_.tick(0));
    PV_TRY(read_member(std::move(*member)));
  }
}

Status ClusterBackup::finish_input() {
  PV_TRY_ASSIGN(end_, input_->finish());
  if (server_ && end_ && !server_->refetched_before(*end_)) {
    wants_full_ = "relations that were truncated could not be fetched before the backup ended";
    return Error(ErrorCode::WrongParent, *wants_full_);
  }
  for (const auto& [oid, location] : input_->preview().tablespaces) tablespaces_[oid] = location;
  report().files_refetched = server_ ? server_->files_refetched() : 0;
  return tree_.settle();
}

Status ClusterBackup::check() {
  if (!label_) return Error(ErrorCode::Corrupt, "the base backup has no backup_label");
  if (!control_) return Error(ErrorCode::Corrupt, "the base backup has no global/pg_control");
  if (major_version_ == 0) return Error(ErrorCode::Corrupt, "the base backup has no PG_VERSION");
  if (manifest_text_.empty() && !options_.accept_no_manifest) {
    return Error(ErrorCode::Corrupt,
                 "there is no backup_manifest: the backup is unfinished, or was made with "
                 "--no-manifest; --without-manifest takes it unverified");
  }
  PV_TRY(agree(*control_, manifest_, input_->preview(), record()));
  const auto& parent = writer_.parent();
  const bool inherits = input_->preview().incremental_from.has_value();
  if (inherits) PV_TRY(agree_with_parent(*control_, *parent->snapshot.postgres));
  std::vector<ClusterProblem> problems;
  if (manifest_) problems = check_.compare(*manifest_);
  std::ranges::move(check_.damaged_pages(*control_, label_->start.lsn),
                    std::back_inserter(problems));
  PV_TRY(refuse_or_doubt(problems));
  // What was damaged in the parent still is, unless the file came whole.
  if (inherits) {
    for (const auto& doubt : parent->snapshot.postgres->doubts) {
      if (tree_.contains(doubt.path) && !replaced_.contains(doubt.path)) doubts_.push_back(doubt);
    }
  }
  return ok();
}

Status ClusterBackup::refuse_or_doubt(const std::vector<ClusterProblem>& problems) {
  for (std::size_t i = 0; i < problems.size(); ++i) {
    const ClusterProblem& problem = problems[i];
    if (i < kProblemsTold) {
      observer_.on_source_error({problem.path, Error(ErrorCode::Corrupt, problem.text)});
    }
    doubts_.push_back(problem.doubt);
    // The snapshot has the file under its own name.
    if (auto path = pgsupport::relation_path_of_incremental(problem.path)) {
      doubts_.back().path = std::move(*path);
    }
  }
  if (problems.empty()) return ok();
  writer_.report().stats.errors += problems.size();
  if (options_.accept_damaged) {
    writer_.report().incomplete = true;
    return ok();
  }
  return Error(
      ErrorCode::Corrupt,
      fmt::format("{} of the base backup {} damaged; no snapshot was made. Take the base "
                  "backup again, or keep what there is with --accept-damaged",
                  problems.size() == 1 ? "a file" : fmt::format("{} files", problems.size()),
                  problems.size() == 1 ? "is" : "are"));
}

Status ClusterBackup::describe() {
  repo::PostgresRecord& out = record();
  fill_record(out, {.label = *label_,
                    .control = *control_,
                    .manifest = manifest_ ? &*manifest_ : nullptr,
                    .tablespaces = tablespaces_,
                    .end = end_,
                    .major_version = major_version_});
  if (options_.server != nullptr) out.server_version = options_.server->facts().version;
  out.incremental = report().incremental;
  if (out.incremental) out.blocks_changed = files_->totals().blocks_changed;
  out.wal_included = holds_wal(tree_, out);
  if (const repo::Entry* global = tree_.find("global")) {
    out.group_access = (global->info.mode & 0050) != 0;
  }
  set_doubts(out, std::move(doubts_));
  PV_TRY(repo::check_postgres_record(out));
  ClusterReport& told = report();
  told.system_identifier = out.system_identifier;
  told.start_lsn = pgsupport::to_text(pgsupport::Lsn{out.start_lsn});
  told.end_lsn = out.end_lsn == 0 ? "" : pgsupport::to_text(pgsupport::Lsn{out.end_lsn});
  told.timeline = out.timeline;
  told.blocks_changed = files_->totals().blocks_changed;
  told.files_taken_over = files_->totals().taken_over;
  told.wal_included = out.wal_included;
  for (const auto& doubt : out.doubts) told.doubts.push_back(doubt.path);
  return ok();
}

Status ClusterBackup::write_manifests() {
  if (manifest_text_.empty()) return ok();
  repo::Entry entry;
  entry.name = pgsupport::kManifestFile;
  if (const repo::Entry* label = tree_.find(std::string(pgsupport::kBackupLabelFile))) {
    entry.info = label->info;
    entry.user = label->user;
    entry.group = label->group;
  }
  PV_TRY_ASSIGN(const Bytes text, generated_manifest(tree_, *manifest_, *control_));
  PV_TRY(files_->store_bytes(std::string(pgsupport::kManifestFile), entry, text));
  PV_TRY(files_->store_bytes(std::string(kOriginalManifestFile), entry, manifest_text_));
  return tree_.settle();
}

Status ClusterBackup::write_tree() {
  PV_TRY(count_files(tree_, parent_, writer_.report().stats));
  report().bytes_of_parent = workspace_.reader().bytes_read() - read_before_;
  return tree_.write(writer_.tree(), {}, parent_);
}

// ---- one member -----------------------------------------------------------------------------

Status ClusterBackup::read_member(ClusterMember member) {
  const std::string path = member.path;
  if (member.entry.info.type == FileType::Directory) {
    if (path.empty()) return ok();
    ++writer_.report().stats.directories;
    return tree_.add(path, std::move(member.entry));
  }
  if (member.entry.info.type != FileType::Regular) {
    observer_.on_warning(path +
                         ": neither a file nor a folder; PostgreSQL needs none such, so it is "
                         "left out");
    return ok();
  }
  if (path == pgsupport::kManifestFile) {
    PV_TRY_ASSIGN(const Bytes text, files_->read_whole(member, pgsupport::kManifestBytesMax));
    return read_manifest(text);
  }
  if (path == pgsupport::kBackupLabelFile) return read_label(member);
  if (path == pgsupport::kTablespaceMapFile) {
    PV_TRY_ASSIGN(const Bytes text, files_->read_whole(member, kSmallFileBytesMax));
    PV_TRY_ASSIGN(tablespaces_, pgsupport::parse_tablespace_map(as_text(text)));
    return ok();
  }
  if (path == pgsupport::kControlFile) return read_control(member);
  if (path == pgsupport::kVersionFile) return read_version(member);
  if (const auto relation = pgsupport::relation_path_of_incremental(path)) {
    return read_relation(std::move(member), *relation, /*is_incremental=*/true);
  }
  return read_relation(std::move(member), path, /*is_incremental=*/false);
}

Status ClusterBackup::read_relation(ClusterMember member, const std::string& path,
                                    bool is_incremental) {
  if (server_) {
    if (auto refetched = server_->take_refetched(path)) {
      PV_TRY(files_->pass_by(member));
      repo::Entry entry = std::move(member.entry);
      entry.info.size = refetched->entry.info.size;
      entry.page_size = refetched->entry.page_size;
      replaced_.insert(path);
      return tree_.add_file(path, std::move(entry), std::move(refetched->map));
    }
  }
  if (!is_incremental) {
    if (report().incremental) replaced_.insert(path);
    return files_->store_whole(std::move(member));
  }
  if (!input_->preview().incremental_from) {
    return Error(ErrorCode::Corrupt, member.path + ": an incremental file in a full backup");
  }
  const auto relation = pgsupport::parse_relation_file(path);
  if (relation && at_risk_.contains(fork_of(*relation))) {
    doubts_.push_back(
        {.kind = repo::PostgresDoubt::Kind::TruncatedInParentInterval, .path = path, .count = 0});
    observer_.on_warning(path +
                         ": was truncated since the parent backup, so the server's "
                         "incremental of it may lack rows or bring back old ones "
                         "(docs/postgres.md, \"Defects of servers\")");
  }
  return files_->store_incremental(std::move(member), path);
}

Status ClusterBackup::read_manifest(ByteView text) {
  PV_TRY_ASSIGN(manifest_, pgsupport::parse_backup_manifest(text).context("backup_manifest"));
  manifest_text_ = to_bytes(text);
  return ok();
}

// An incremental's label becomes that of a full backup: the server refuses to start with the other.
Status ClusterBackup::read_label(const ClusterMember& member) {
  PV_TRY_ASSIGN(const Bytes text, files_->read_whole(member, kSmallFileBytesMax));
  PV_TRY_ASSIGN(label_, pgsupport::parse_backup_label(as_text(text)));
  const ClusterPreview& preview = input_->preview();
  if (label_->start != preview.start || label_->incremental_from != preview.incremental_from) {
    return Error(ErrorCode::Corrupt, "backup_label is not that of the backup that was begun");
  }
  const std::string full = pgsupport::without_incremental_lines(as_text(text));
  return files_->store_bytes(member.path, member.entry, as_bytes(full));
}

Status ClusterBackup::read_control(const ClusterMember& member) {
  PV_TRY_ASSIGN(const Bytes bytes, files_->read_whole(member, kSmallFileBytesMax));
  PV_TRY_ASSIGN(control_, pgsupport::parse_control_file(bytes));
  return files_->store_bytes(member.path, member.entry, bytes);
}

Status ClusterBackup::read_version(const ClusterMember& member) {
  PV_TRY_ASSIGN(const Bytes bytes, files_->read_whole(member, kSmallFileBytesMax));
  PV_TRY_ASSIGN(major_version_, parse_version_file(as_text(bytes)));
  return files_->store_bytes(member.path, member.entry, bytes);
}

}  // namespace

Result<BackupReport> run_cluster_backup(Workspace& workspace, const BackupRequest& request,
                                        BackupObserver& observer) {
  std::optional<std::string> why_full;
  {
    ClusterBackup attempt(workspace, request, observer, "");
    auto done = attempt.run();
    if (done || !attempt.wants_full()) return done;
    why_full = attempt.wants_full();
  }
  observer.on_warning("a full backup is taken: " + *why_full);
  return ClusterBackup(workspace, request, observer, *why_full).run();
}

}  // namespace pagevault::engine
