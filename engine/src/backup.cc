// A backup is a list of passes: choose the parent, begin the session, walk the sources (reading,
// comparing, cutting; workers store what is new), finish the tree, commit.

#include "pagevault/engine/backup.h"

#include <algorithm>

#include "cluster_backup.h"
#include "database_backup.h"
#include "file_stat.h"
#include "pagevault/pgsupport/relation_files.h"
#include "parent_choice.h"
#include "reference_proof.h"
#include "snapshot_writer.h"

namespace pagevault::engine {

namespace {

// Adds up what a backup will meet. Errors are not reported: the backup itself meets them again.
class SizeSurvey final : public WalkVisitor {
 public:
  explicit SizeSurvey(CancelToken& cancel) : cancel_(cancel) {}
  Status enter_directory(WalkItem) override { return cancel_.check(); }
  Status leave_directory() override { return ok(); }
  Status on_file(WalkItem item) override {
    bytes += item.entry.info.size;
    return ok();
  }
  Status on_other(WalkItem) override { return ok(); }
  void on_error(const std::string&, const Error&) override {}

  std::uint64_t bytes = 0;

 private:
  CancelToken& cancel_;
};

class BackupRun final : public WalkVisitor {
 public:
  BackupRun(Workspace& workspace, const BackupRequest& request, BackupObserver& observer)
      : workspace_(workspace),
        request_(request),
        writer_(workspace, request, observer),
        databases_(writer_) {}

  Result<BackupReport> run();

  Status enter_directory(WalkItem item) override;
  Status leave_directory() override { return writer_.tree().leave_directory(); }
  Status on_file(WalkItem item) override;
  Status on_other(WalkItem item) override;
  void on_error(const std::string& path, const Error& error) override {
    writer_.on_error(path, error);
  }

 private:
  // Passes, in order.
  Status survey();
  Status begin();
  Status read_sources();

  Status read_stream();
  Status store_file(WalkItem& item, bool trust);
  Status on_database(WalkItem& item);
  Result<MappingResult> map_file(File& file, const WalkItem& item, bool trust);
  Result<std::vector<ByteRange>> ranges_to_read(File& file, const FileInfo& info,
                                                const MappingInput& input) const;
  bool metadata_proves_unchanged(const WalkItem& item) const;

  Workspace& workspace_;
  const BackupRequest& request_;
  SnapshotWriter writer_;
  DatabaseBackup databases_;
  std::uint64_t sources_found_ = 0;
};

Result<BackupReport> BackupRun::run() {
  PV_TRY(writer_.list());
  PV_TRY(survey());
  PV_TRY(begin());
  PV_TRY(read_sources());
  PV_TRY(writer_.finish());
  return writer_.report();
}

// ---- passes ---------------------------------------------------------------------------------

Status BackupRun::survey() {
  if (request_.stream || !writer_.observer().wants_total()) return ok();
  const SourceWalk::Options options{.paths = request_.paths,
                                    .excludes = request_.excludes,
                                    .parent_root = {},
                                    .sizes_only = true};
  SizeSurvey survey(workspace_.cancel());
  PV_TRY(SourceWalk(workspace_.env(), workspace_.reader(), options, survey).run());
  writer_.progress().bytes_total = survey.bytes;
  return ok();
}

Status BackupRun::begin() {
  PV_TRY_ASSIGN(auto parent, choose_parent(writer_.listing(), request_));
  if (request_.databases) writer_.report().pages_changed = 0;
  return writer_.begin(std::move(parent));
}

Status BackupRun::read_sources() {
  if (request_.stream) return read_stream();
  SourceWalk::Options options{.paths = request_.paths,
                              .excludes = request_.excludes,
                              .parent_root = {},
                              .sizes_only = false};
  if (writer_.parent()) options.parent_root = root_entry(writer_.parent()->snapshot);
  if (request_.databases && request_.databases->together) PV_TRY(databases_.begin_together());
  PV_TRY(SourceWalk(workspace_.env(), workspace_.reader(), options, *this).run());
  if (request_.databases) request_.databases->transactions->finish();
  if (sources_found_ == 0) {
    return Error(ErrorCode::NotFound,
                 "none of the given paths could be read; no snapshot was made");
  }
  return ok();
}

// ---- visiting -------------------------------------------------------------------------------

Status BackupRun::enter_directory(WalkItem item) {
  if (!item.entry.name.empty()) ++writer_.report().stats.directories;
  // Not the folders that only lead to a source; and no folder is a database.
  if (item.dir != nullptr && !request_.databases) ++sources_found_;
  ParentDirectory parent;
  if (item.parent != nullptr && item.parent->info.type == FileType::Directory) {
    parent = {.map = item.parent->map, .length = item.parent->info.size};
  }
  return writer_.tree().enter_directory(std::move(item.entry), std::move(parent));
}

Status BackupRun::on_other(WalkItem item) {
  ++sources_found_;
  ++writer_.report().stats.others;
  return writer_.tree().add(std::move(item.entry));
}

Status BackupRun::on_file(WalkItem item) {
  writer_.progress().current = item.path;
  PV_TRY(writer_.tick(0));
  if (request_.databases) return on_database(item);
  ++sources_found_;
  bool trust = metadata_proves_unchanged(item);
  if (trust && writer_.proves_references()) {
    PV_TRY_ASSIGN(trust, references_are_present(writer_.session(), workspace_.reader(),
                                                item.parent->map, item.parent->info.size));
  }
  if (trust && !writer_.any_audited(item.path, item.entry.info.size)) {
    item.entry.map = item.parent->map;
    item.entry.page_size = item.parent->page_size;
    writer_.count_file(item.entry, item.parent);
    PV_TRY(writer_.tick(item.entry.info.size));
    return writer_.tree().add(std::move(item.entry));
  }
  return store_file(item, trust);
}

bool BackupRun::metadata_proves_unchanged(const WalkItem& item) const {
  if (request_.force || request_.paranoid) return false;
  return item.parent != nullptr && !item.parent->racy && !item.parent->changed_while_read &&
         same_metadata(item.parent->info, item.entry.info);
}

Status BackupRun::on_database(WalkItem& item) {
  PV_TRY_ASSIGN(const auto outcome, databases_.store(item));
  if (outcome == DatabaseBackup::Outcome::Skipped) return ok();
  ++sources_found_;
  return outcome == DatabaseBackup::Outcome::AsFile ? store_file(item, /*trust=*/false) : ok();
}

// ---- one file -------------------------------------------------------------------------------

Result<std::vector<ByteRange>> BackupRun::ranges_to_read(File& file, const FileInfo& info,
                                                         const MappingInput& input) const {
  if (input.trust_metadata) {
    std::vector<ByteRange> ranges;
    for (std::uint64_t span = 0; span < spans_of(info.size); ++span) {
      if (!input.audited(span)) continue;
      const std::uint64_t begin = span * repo::kSpanBytes;
      ranges.push_back({begin, std::min(repo::kSpanBytes, info.size - begin)});
    }
    return ranges;
  }
  // A file whose blocks are all there has no holes; asking would cost a call per file.
  if (info.allocated < info.size) return file.data_ranges();
  return std::vector<ByteRange>{{0, info.size}};
}

Result<MappingResult> BackupRun::map_file(File& file, const WalkItem& item, bool trust) {
  MappingInput input = mapping_input(writer_, item, item.entry.info, trust);
  PV_TRY_ASSIGN(input.data, ranges_to_read(file, item.entry.info, input));
  return writer_.map_bytes(input, SnapshotWriter::Samples{&file, item.entry.info.size}, [&] {
    return std::make_unique<FileBlockSource>(writer_.queue(), writer_.pool(), file, input.data);
  });
}

Status BackupRun::store_file(WalkItem& item, bool trust) {
  auto file = item.dir->open_file(item.entry.name, OpenMode::Read);
  const auto before = file ? (*file)->info() : Result<FileInfo>(file.error());
  if (!before) {
    on_error(item.path, before.error());
    return ok();
  }
  item.entry.info = *before;
  item.entry.racy = is_racy(*before, workspace_.env().now_ns());
  auto mapped = map_file(**file, item, trust);
  if (mapped && trust && mapped->differs) {
    writer_.observer().on_warning(item.path +
                                  ": content changed though its times did not; reading all of it");
    mapped = map_file(**file, item, /*trust=*/false);
  }
  if (!mapped) return writer_.skip_source(item.path, mapped.error());
  const auto after = (*file)->info();
  const bool as_long = mapped->length == before->size;
  if (!after || !same_metadata(*before, *after) || !as_long) {
    item.entry.changed_while_read = true;
    on_error(item.path, Error(ErrorCode::Io, "changed while it was read; what was read is stored"));
  }
  item.entry.info.size = mapped->length;
  item.entry.page_size = mapped->page_size;
  writer_.count_file(item.entry, item.parent);
  return writer_.tree().add_file(std::move(item.entry), std::move(mapped->map));
}

Status BackupRun::read_stream() {
  WalkItem item;
  item.path = "/" + request_.stream_name;
  item.entry.name = request_.stream_name;
  item.entry.info.mode = 0600;
  item.entry.info.mtime_ns = item.entry.info.ctime_ns = writer_.snapshot().begun_ns;
  if (!repo::is_valid_entry_name(item.entry.name)) {
    return Error(ErrorCode::InvalidArgument, "the stream's name must be one file name");
  }
  std::optional<repo::Entry> before;
  if (const auto& parent = writer_.parent()) {
    if (auto found = find_entry(workspace_, parent->snapshot, request_.stream_name)) {
      before = std::move(found).value();
      item.parent = &*before;
    }
  }
  PV_TRY(writer_.tree().enter_directory({}, {}));
  MappingInput input = mapping_input(writer_, item, item.entry.info, /*trust=*/false);
  input.length.reset();
  writer_.prepare_reading(0);
  StreamBlockSource source(writer_.pool(), request_.stream);
  // A stream that breaks off is no backup: a snapshot of it would look whole (F8.2).
  PV_TRY_ASSIGN(MappingResult mapped, writer_.mapper().map(source, input));
  writer_.report().stats.bytes_read += mapped.bytes_read;
  item.entry.info.size = mapped.length;
  item.entry.page_size = mapped.page_size;
  writer_.count_file(item.entry, item.parent);
  PV_TRY(writer_.tree().add_file(std::move(item.entry), std::move(mapped.map)));
  return writer_.tree().leave_directory();
}

}  // namespace

MappingInput mapping_input(SnapshotWriter& writer, const WalkItem& item, const FileInfo& info,
                           bool trust) {
  MappingInput input;
  input.length = info.size;
  input.paranoid = writer.request().paranoid;
  input.trust_metadata = trust;
  input.audited = [&writer, &item](std::uint64_t span) { return writer.audited(item.path, span); };
  if (item.parent != nullptr && item.parent->info.type == FileType::Regular) {
    input.parent = ParentFile{item.parent->map, item.parent->info.size, item.parent->page_size};
  }
  if (const DataDirectory* data = item.data_directory) {
    const std::string_view relative = std::string_view(item.path).substr(data->path.size() + 1);
    if (pgsupport::is_relation_file(relative)) input.page_size = data->block_size;
  }
  return input;
}

Result<BackupReport> run_backup(Workspace& workspace, const BackupRequest& request,
                                BackupObserver& observer) {
  if (request.postgres) return run_cluster_backup(workspace, request, observer);
  return BackupRun(workspace, request, observer).run();
}

}  // namespace pagevault::engine
