// A backup is a list of passes: choose the parent, begin the session, walk the sources (reading,
// comparing, cutting; workers store what is new), finish the tree, commit.

#include "pagevault/engine/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "database_source.h"
#include "directory_writer.h"
#include "file_mapper.h"
#include "file_stat.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/pgsupport/relation_files.h"
#include "parent_choice.h"
#include "reference_proof.h"
#include "source_walk.h"
#include "time_step.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kBlocks = 32;  // 40 MiB of source bytes under way.
constexpr std::size_t kTasksQueued = 64;
constexpr unsigned kReadDepth = 8;
constexpr std::uint64_t kRegisterFrom = 8 * kMiB;  // A file that pays for registered memory.
// Every unchanged extent is hashed once in so many rounds (S10). A run is a round, but not more
// than one in an hour: who takes a snapshot every ten seconds does not want everything read again
// every five minutes.
constexpr std::uint64_t kAuditRounds = 30;
constexpr std::int64_t kAuditIntervalNs = 3600LL * 1'000'000'000;
constexpr unsigned kTogetherAttempts = 100;
constexpr std::int64_t kProgressNs = 100'000'000;

bool is_audit_due(const std::optional<repo::StoredSnapshot>& parent, std::int64_t now_ns) {
  return !parent || now_ns / kAuditIntervalNs != parent->snapshot.begun_ns / kAuditIntervalNs;
}

bool is_racy(const FileInfo& info, std::int64_t now_ns) {
  return std::max(info.mtime_ns, info.ctime_ns) > now_ns - time_step_ns(info);
}

std::uint64_t spans_of(std::uint64_t size) {
  return size / repo::kSpanBytes + (size % repo::kSpanBytes != 0 ? 1 : 0);
}

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
      : workspace_(workspace), request_(request), observer_(observer) {}

  Result<BackupReport> run();

  Status enter_directory(WalkItem item) override;
  Status leave_directory() override { return tree_->leave_directory(); }
  Status on_file(WalkItem item) override;
  Status on_other(WalkItem item) override;
  void on_error(const std::string& path, const Error& error) override;

 private:
  // What a dictionary may be made of: so much of this file.
  struct Samples {
    File& file;
    std::uint64_t length;
  };
  using OpenSource = std::function<std::unique_ptr<BlockSource>()>;

  // Passes, in order.
  Status choose();
  Status survey();
  Status begin();
  Status read_sources();
  Status finish();

  void prepare_reading(std::uint64_t bytes);
  Status read_stream();
  Status store_file(WalkItem& item, bool trust);
  Status begin_together();
  Result<std::unique_ptr<sqlitesupport::ReadTransaction>> transaction_on(const std::string& path);
  Status on_database(WalkItem& item);
  void count_database(const repo::DatabaseRecord& record);
  Status skip_source(const WalkItem& item, const Error& error);
  Result<MappingResult> read_database(WalkItem& item);
  Result<MappingResult> map_database(DatabaseSource& database, const WalkItem& item, bool all);
  Result<MappingResult> map_bytes(MappingInput& input, const Samples& samples,
                                  const OpenSource& open);
  Result<MappingResult> map_file(File& file, const WalkItem& item, bool trust);
  MappingInput mapping_input(const WalkItem& item, const FileInfo& info, bool trust) const;
  Result<std::vector<ByteRange>> ranges_to_read(File& file, const FileInfo& info,
                                                const MappingInput& input) const;
  bool audited(const std::string& path, std::uint64_t span) const;
  bool any_audited(const std::string& path, std::uint64_t size) const;
  bool metadata_proves_unchanged(const WalkItem& item) const;
  void count_file(const WalkItem& item);
  Status tick(std::uint64_t bytes);

  Workspace& workspace_;
  const BackupRequest& request_;
  BackupObserver& observer_;

  repo::SnapshotListing listing_;
  std::optional<repo::StoredSnapshot> parent_;
  repo::Snapshot snapshot_;
  BackupReport report_;
  BackupProgress progress_;
  std::int64_t last_progress_ns_ = 0;
  unsigned ticks_ = 0;
  std::uint64_t sources_found_ = 0;
  bool prove_references_ = true;
  bool arena_registered_ = false;
  bool audit_due_ = true;
  std::optional<Error> repository_failure_;  // Met between extents; never a source's fault (F8.2).
  // Begun together and not yet read, by path.
  std::map<std::string, std::unique_ptr<sqlitesupport::ReadTransaction>> begun_;

  // Destroyed in reverse: workers drain first, what their tasks use dies after.
  std::optional<BlockPool> pool_;  // Made with the queue, when something is first read.
  Completion completion_;
  std::unique_ptr<repo::WriteSession> session_;
  std::unique_ptr<IoQueue> queue_;
  std::unique_ptr<Executor> workers_;
  std::optional<FileMapper> mapper_;
  std::optional<chunker::StreamChunker> tree_chunker_;
  std::optional<TreeWriter> tree_;
};

Result<BackupReport> BackupRun::run() {
  PV_TRY(choose());
  PV_TRY(survey());
  PV_TRY(begin());
  PV_TRY(read_sources());
  PV_TRY(finish());
  return report_;
}

// ---- passes ---------------------------------------------------------------------------------

Status BackupRun::choose() {
  PV_TRY_ASSIGN(listing_, workspace_.repository().list_snapshots());
  for (const auto& damaged : listing_.damaged) {
    observer_.on_warning(repo::object_path(damaged.name) +
                         " cannot be read: " + damaged.error.message());
  }
  PV_TRY_ASSIGN(parent_, choose_parent(listing_, request_));
  if (parent_) report_.parent = parent_->id;
  return ok();
}

Status BackupRun::survey() {
  if (request_.stream || !observer_.wants_total()) return ok();
  const SourceWalk::Options options{.paths = request_.paths,
                                    .excludes = request_.excludes,
                                    .parent_root = {},
                                    .sizes_only = true};
  SizeSurvey survey(workspace_.cancel());
  PV_TRY(SourceWalk(workspace_.env(), workspace_.reader(), options, survey).run());
  progress_.bytes_total = survey.bytes;
  return ok();
}

Status BackupRun::begin() {
  Env& env = workspace_.env();
  snapshot_.kind = kind_of(request_);
  if (request_.databases) report_.pages_changed = 0;
  snapshot_.begun_ns = env.now_ns();
  snapshot_.host = request_.host;
  snapshot_.user = request_.user;
  snapshot_.paths = recorded_paths(request_);
  snapshot_.tags = request_.tags;
  std::sort(snapshot_.tags.begin(), snapshot_.tags.end());
  snapshot_.tags.erase(std::unique(snapshot_.tags.begin(), snapshot_.tags.end()),
                       snapshot_.tags.end());
  snapshot_.program = request_.program;
  snapshot_.client = workspace_.client();
  snapshot_.parent = report_.parent;
  audit_due_ = is_audit_due(parent_, snapshot_.begun_ns);
  snapshot_.audit_round = parent_ ? parent_->snapshot.audit_round + (audit_due_ ? 1 : 0) : 0;

  PV_TRY_ASSIGN(session_, repo::WriteSession::begin(workspace_.reader(),
                                                    {.compression = request_.compression,
                                                     .delta = request_.delta,
                                                     .extra_verify = request_.extra_verify,
                                                     .dry_run = request_.dry_run,
                                                     .snapshots = &listing_}));
  if (session_->has_lost_packs()) {
    observer_.on_warning(
        "packs are missing from the repository; what the sources still have is stored "
        "again (run `pagevault check` to see what older snapshots lost)");
  }
  // A covered parent is known to the index, and no pack the index knows is gone: nothing to prove.
  prove_references_ =
      session_->has_lost_packs() || !parent_ || !workspace_.covered().contains(parent_->id);
  workers_ = env.make_executor(std::max(1U, env.processors()), kTasksQueued);
  PV_TRY_ASSIGN(auto mapper,
                FileMapper::create({.session = *session_,
                                    .reader = workspace_.reader(),
                                    .workers = *workers_,
                                    .completion = completion_,
                                    .prove_references = prove_references_,
                                    .tick = [this](std::uint64_t n) { return tick(n); }}));
  mapper_.emplace(std::move(mapper));
  const repo::Repository& repository = workspace_.repository();
  PV_TRY_ASSIGN(auto chunker, chunker::StreamChunker::create(repository.keys().cut(),
                                                             repository.config().stream_sizes));
  tree_chunker_.emplace(std::move(chunker));
  tree_.emplace(TreeParts{.session = *session_,
                          .reader = workspace_.reader(),
                          .chunker = *tree_chunker_,
                          .completion = completion_});
  return ok();
}

Status BackupRun::read_sources() {
  if (request_.stream) return read_stream();
  SourceWalk::Options options{.paths = request_.paths,
                              .excludes = request_.excludes,
                              .parent_root = {},
                              .sizes_only = false};
  if (parent_) options.parent_root = root_entry(parent_->snapshot);
  if (request_.databases && request_.databases->together) PV_TRY(begin_together());
  PV_TRY(SourceWalk(workspace_.env(), workspace_.reader(), options, *this).run());
  if (sources_found_ == 0) {
    return Error(ErrorCode::NotFound,
                 "none of the given paths could be read; no snapshot was made");
  }
  return ok();
}

Status BackupRun::finish() {
  PV_TRY(workspace_.cancel().check());  // Sources of few extents are not asked meanwhile.
  PV_TRY_ASSIGN(auto root, tree_->finish());
  snapshot_.root = std::move(root.map);
  snapshot_.root_length = root.length;
  if (mapper_->audit_mismatches() > 0) {
    observer_.on_warning("content had changed behind an equal fingerprint; it was stored anew");
  }
  if (const std::uint64_t bad = session_->totals().bases_unreadable; bad > 0) {
    observer_.on_warning(fmt::format(
        "{} chunks of earlier snapshots could not be read to build on; what follows them was "
        "stored in full (run `pagevault check --read-data`)",
        bad));
  }
  snapshot_.incomplete = report_.incomplete;
  snapshot_.stats = report_.stats;
  if (!request_.dry_run) {
    PV_TRY_ASSIGN(report_.snapshot, session_->commit(snapshot_));
    workspace_.covered().add(*report_.snapshot);
  }
  const repo::SessionTotals totals = session_->totals();
  report_.chunks_new = totals.chunks_new;
  report_.deltas = totals.deltas;
  report_.stats.bytes_new = totals.bytes_new;
  report_.stats.bytes_stored_data = totals.bytes_stored_data;
  report_.stats.bytes_stored_meta = totals.bytes_stored_meta;
  return ok();
}

// ---- visiting -------------------------------------------------------------------------------

Status BackupRun::enter_directory(WalkItem item) {
  if (!item.entry.name.empty()) ++report_.stats.directories;
  // Not the folders that only lead to a source; and no folder is a database.
  if (item.dir != nullptr && !request_.databases) ++sources_found_;
  ParentDirectory parent;
  if (item.parent != nullptr && item.parent->info.type == FileType::Directory) {
    parent = {.map = item.parent->map, .length = item.parent->info.size};
  }
  return tree_->enter_directory(std::move(item.entry), std::move(parent));
}

Status BackupRun::on_other(WalkItem item) {
  ++sources_found_;
  ++report_.stats.others;
  return tree_->add(std::move(item.entry));
}

void BackupRun::on_error(const std::string& path, const Error& error) {
  ++report_.stats.errors;
  report_.incomplete = true;
  observer_.on_source_error({path, error});
}

Status BackupRun::on_file(WalkItem item) {
  progress_.current = item.path;
  PV_TRY(tick(0));
  if (request_.databases) return on_database(item);
  ++sources_found_;
  bool trust = metadata_proves_unchanged(item);
  if (trust && prove_references_) {
    PV_TRY_ASSIGN(trust, references_are_present(*session_, workspace_.reader(), item.parent->map,
                                                item.parent->info.size));
  }
  if (trust && !any_audited(item.path, item.entry.info.size)) {
    item.entry.map = item.parent->map;
    item.entry.page_size = item.parent->page_size;
    count_file(item);
    PV_TRY(tick(item.entry.info.size));
    return tree_->add(std::move(item.entry));
  }
  return store_file(item, trust);
}

bool BackupRun::metadata_proves_unchanged(const WalkItem& item) const {
  if (request_.force || request_.paranoid) return false;
  return item.parent != nullptr && !item.parent->racy && !item.parent->changed_while_read &&
         same_metadata(item.parent->info, item.entry.info);
}

void BackupRun::count_file(const WalkItem& item) {
  repo::SnapshotStats& stats = report_.stats;
  ++stats.files;
  ++progress_.files_done;
  stats.bytes_source += item.entry.info.size;
  const bool known = item.parent != nullptr && item.parent->info.type == FileType::Regular;
  if (!known) {
    ++stats.files_new;
  } else if (same_metadata(item.parent->info, item.entry.info)) {
    ++stats.files_unmodified;
  } else {
    ++stats.files_changed;
  }
}

// ---- one file -------------------------------------------------------------------------------

bool BackupRun::audited(const std::string& path, std::uint64_t span) const {
  if (!audit_due_) return false;
  const std::uint64_t place = crc32c(as_bytes(path)) + span + snapshot_.audit_round;
  return place % kAuditRounds == 0;
}

bool BackupRun::any_audited(const std::string& path, std::uint64_t size) const {
  for (std::uint64_t span = 0; span < std::min(spans_of(size), kAuditRounds); ++span) {
    if (audited(path, span)) return true;
  }
  return false;
}

MappingInput BackupRun::mapping_input(const WalkItem& item, const FileInfo& info,
                                      bool trust) const {
  MappingInput input;
  input.length = info.size;
  input.paranoid = request_.paranoid;
  input.trust_metadata = trust;
  input.audited = [this, &item](std::uint64_t span) { return audited(item.path, span); };
  if (item.parent != nullptr && item.parent->info.type == FileType::Regular) {
    input.parent = ParentFile{item.parent->map, item.parent->info.size, item.parent->page_size};
  }
  if (const DataDirectory* data = item.data_directory) {
    const std::string_view relative = std::string_view(item.path).substr(data->path.size() + 1);
    if (pgsupport::is_relation_file(relative)) input.page_size = data->block_size;
  }
  return input;
}

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

// Before `bytes` bytes are read. Where nothing changed nothing is, and touching all this memory
// would take as long as looking at a thousand files.
void BackupRun::prepare_reading(std::uint64_t bytes) {
  if (!pool_) {
    pool_.emplace(kBlocks);
    queue_ = workspace_.env().make_io_queue(kReadDepth);
  }
  if (bytes < kRegisterFrom || arena_registered_) return;
  queue_->register_arena(pool_->arena());
  arena_registered_ = true;
}

// `open` makes the source of input.data, when there is a pool to read into.
Result<MappingResult> BackupRun::map_bytes(MappingInput& input, const Samples& samples,
                                           const OpenSource& open) {
  ChunkId earlier;
  if (input.parent && *input.length >= DictionarySource::kFileBytesMin) {
    MapReader map(workspace_.reader(), input.parent->map, input.parent->length);
    earlier = dictionary_of(workspace_.reader(), map);
  }
  DictionarySource dictionaries(samples.file, samples.length, input.parent.has_value(), earlier);
  input.dictionaries = &dictionaries;
  prepare_reading(bytes_in(input.data));
  const std::unique_ptr<BlockSource> source = open();
  PV_TRY_ASSIGN(MappingResult mapped, mapper_->map(*source, input));
  report_.stats.bytes_read += mapped.bytes_read;
  return mapped;
}

Result<MappingResult> BackupRun::map_file(File& file, const WalkItem& item, bool trust) {
  MappingInput input = mapping_input(item, item.entry.info, trust);
  PV_TRY_ASSIGN(input.data, ranges_to_read(file, item.entry.info, input));
  return map_bytes(input, {file, item.entry.info.size}, [&] {
    return std::make_unique<FileBlockSource>(*queue_, *pool_, file, input.data);
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
    observer_.on_warning(item.path +
                         ": content changed though its times did not; reading all of it");
    mapped = map_file(**file, item, /*trust=*/false);
  }
  if (!mapped) return skip_source(item, mapped.error());
  const auto after = (*file)->info();
  const bool as_long = mapped->length == before->size;
  if (!after || !same_metadata(*before, *after) || !as_long) {
    item.entry.changed_while_read = true;
    on_error(item.path, Error(ErrorCode::Io, "changed while it was read; what was read is stored"));
  }
  item.entry.info.size = mapped->length;
  item.entry.page_size = mapped->page_size;
  count_file(item);
  return tree_->add_file(std::move(item.entry), std::move(mapped->map));
}

// ---- one database ---------------------------------------------------------------------------

// Transactions on all of them, none of which has seen a commit that another has not: when all are
// still current after the last has begun, all see the state of that moment.
Status BackupRun::begin_together() {
  for (unsigned attempt = 0; attempt < kTogetherAttempts; ++attempt) {
    PV_TRY(workspace_.cancel().check());
    begun_.clear();
    for (const std::string& path : request_.paths) {
      PV_TRY_ASSIGN(begun_[path], request_.databases->transactions->begin(path));
    }
    bool all_current = true;
    for (const auto& [path, transaction] : begun_) {
      PV_TRY_ASSIGN(const bool current, transaction->is_current());
      all_current = all_current && current;
    }
    if (all_current) return ok();
  }
  begun_.clear();
  return Error(ErrorCode::Locked,
               fmt::format("the databases were written to so often that no instant was found that "
                           "all of them share, in {} tries; try again, or leave out --together",
                           kTogetherAttempts));
}

Result<std::unique_ptr<sqlitesupport::ReadTransaction>> BackupRun::transaction_on(
    const std::string& path) {
  const auto found = begun_.find(path);
  if (found == begun_.end()) return request_.databases->transactions->begin(path);
  auto out = std::move(found->second);
  begun_.erase(found);
  return out;
}

Status BackupRun::skip_source(const WalkItem& item, const Error& error) {
  if (error.code() == ErrorCode::Cancelled) return error;
  if (repository_failure_) return *repository_failure_;
  on_error(item.path, error);
  return ok();
}

Status BackupRun::on_database(WalkItem& item) {
  auto mapped = read_database(item);
  const bool is_none = !mapped && mapped.error().code() == ErrorCode::InvalidArgument;
  if (is_none && request_.databases->as_file) {
    ++sources_found_;
    item.entry.database.emplace().stored_as_file = true;
    count_database(*item.entry.database);
    return store_file(item, /*trust=*/false);
  }
  if (!mapped) return skip_source(item, mapped.error());
  ++sources_found_;
  count_database(*item.entry.database);
  count_file(item);
  return tree_->add_file(std::move(item.entry), std::move(mapped->map));
}

void BackupRun::count_database(const repo::DatabaseRecord& record) {
  const bool known = report_.pages_changed && record.pages_changed;
  report_.pages_changed =
      known ? std::optional(*report_.pages_changed + *record.pages_changed) : std::nullopt;
}

// The entry's content becomes that of the transaction. Its locks are held until the last byte was
// read, not until it is stored.
Result<MappingResult> BackupRun::read_database(WalkItem& item) {
  PV_TRY_ASSIGN(auto transaction, transaction_on(item.path));
  PV_TRY_ASSIGN(const auto database, DatabaseSource::open(std::move(transaction), *item.dir,
                                                          item.entry.name, item.parent));
  item.entry.info = database->info();
  item.entry.racy = is_racy(database->info(), workspace_.env().now_ns());
  item.entry.page_size = database->page_size();
  item.entry.database = database->record();
  PV_TRY_ASSIGN(auto mapped, map_database(*database, item, /*all=*/request_.force));
  if (mapped.differs) {
    observer_.on_warning(item.path +
                         ": differs where its log says it did not change; reading all of it");
    PV_TRY_ASSIGN(mapped, map_database(*database, item, /*all=*/true));
  }
  PV_TRY(database->end());
  return mapped;
}

Result<MappingResult> BackupRun::map_database(DatabaseSource& database, const WalkItem& item,
                                              bool all) {
  MappingInput input = mapping_input(item, database.info(), /*trust=*/false);
  input.page_size = database.page_size();
  const std::uint64_t length = database.info().size;
  if (length > 0) input.data = {{0, length}};
  if (!all && database.changed()) {
    input.changed = database.changed();
    PV_TRY_ASSIGN(input.data, mapper_->ranges_to_read(input));
  }
  File& file = database.file();
  return map_bytes(input, {file, std::min(length, database.file_bytes())}, [&] {
    return std::make_unique<OverlaidBlockSource>(*queue_, *pool_, file, input.data,
                                                 database.overlay());
  });
}

Status BackupRun::read_stream() {
  WalkItem item;
  item.path = "/" + request_.stream_name;
  item.entry.name = request_.stream_name;
  item.entry.info.mode = 0600;
  item.entry.info.mtime_ns = item.entry.info.ctime_ns = snapshot_.begun_ns;
  if (!repo::is_valid_entry_name(item.entry.name)) {
    return Error(ErrorCode::InvalidArgument, "the stream's name must be one file name");
  }
  std::optional<repo::Entry> before;
  if (parent_) {
    if (auto found = find_entry(workspace_, parent_->snapshot, request_.stream_name)) {
      before = std::move(found).value();
      item.parent = &*before;
    }
  }
  PV_TRY(tree_->enter_directory({}, {}));
  MappingInput input = mapping_input(item, item.entry.info, /*trust=*/false);
  input.length.reset();
  prepare_reading(0);
  StreamBlockSource source(*pool_, request_.stream);
  // A stream that breaks off is no backup: a snapshot of it would look whole (F8.2).
  PV_TRY_ASSIGN(MappingResult mapped, mapper_->map(source, input));
  report_.stats.bytes_read += mapped.bytes_read;
  item.entry.info.size = mapped.length;
  item.entry.page_size = mapped.page_size;
  count_file(item);
  PV_TRY(tree_->add_file(std::move(item.entry), std::move(mapped.map)));
  return tree_->leave_directory();
}

// Between extents and files: stop when asked to, stay alive in the store, show progress.
Status BackupRun::tick(std::uint64_t bytes) {
  progress_.bytes_done += bytes;
  if (++ticks_ % 64 != 0) return ok();
  PV_TRY(workspace_.cancel().check());
  if (Status alive = session_->keep_alive(); !alive) {
    repository_failure_ = alive.error();
    return alive;
  }
  const std::int64_t now = workspace_.env().monotonic_ns();
  if (now - last_progress_ns_ >= kProgressNs) {
    last_progress_ns_ = now;
    progress_.bytes_new = session_->totals().bytes_new;
    observer_.on_progress(progress_);
  }
  return ok();
}

}  // namespace

Result<BackupReport> run_backup(Workspace& workspace, const BackupRequest& request,
                                BackupObserver& observer) {
  return BackupRun(workspace, request, observer).run();
}

}  // namespace pagevault::engine
