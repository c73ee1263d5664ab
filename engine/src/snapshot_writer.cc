#include "snapshot_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "file_stat.h"
#include "pagevault/base/crc32c.h"
#include "parent_choice.h"
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
constexpr std::int64_t kProgressNs = 100'000'000;

// A database may change in its log alone. What is not known to be unchanged was compared as a whole
// because its log or its change counter moved.
bool is_unmodified(const repo::Entry& entry, const repo::Entry& parent) {
  if (!entry.database || entry.database->stored_as_file) {
    return same_metadata(parent.info, entry.info);
  }
  return entry.database->pages_changed == 0U && entry.info.size == parent.info.size;
}

bool is_audit_due(const std::optional<repo::StoredSnapshot>& parent, std::int64_t now_ns) {
  return !parent || now_ns / kAuditIntervalNs != parent->snapshot.begun_ns / kAuditIntervalNs;
}

}  // namespace

std::uint64_t spans_of(std::uint64_t size) {
  return size / repo::kSpanBytes + (size % repo::kSpanBytes != 0 ? 1 : 0);
}

bool is_racy(const FileInfo& info, std::int64_t now_ns) {
  return std::max(info.mtime_ns, info.ctime_ns) > now_ns - time_step_ns(info);
}

SnapshotWriter::SnapshotWriter(Workspace& workspace, const BackupRequest& request,
                               BackupObserver& observer)
    : workspace_(workspace), request_(request), observer_(observer) {}

// ---- passes ---------------------------------------------------------------------------------

Status SnapshotWriter::list() {
  PV_TRY_ASSIGN(listing_,
                workspace_.repository().list_snapshots(/*known=*/nullptr, &workspace_.covered()));
  for (const auto& damaged : listing_.damaged) {
    observer_.on_warning(repo::object_path(damaged.name) +
                         " cannot be read: " + damaged.error.message());
  }
  return ok();
}

Status SnapshotWriter::begin(std::optional<repo::StoredSnapshot> parent) {
  parent_ = std::move(parent);
  if (parent_) report_.parent = parent_->id;
  Env& env = workspace_.env();
  snapshot_.kind = kind_of(request_);
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

Status SnapshotWriter::finish() {
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

// ---- what is stored -------------------------------------------------------------------------

bool SnapshotWriter::audited(const std::string& path, std::uint64_t span) const {
  if (!audit_due_) return false;
  const std::uint64_t place = crc32c(as_bytes(path)) + span + snapshot_.audit_round;
  return place % kAuditRounds == 0;
}

bool SnapshotWriter::any_audited(const std::string& path, std::uint64_t size) const {
  for (std::uint64_t span = 0; span < std::min(spans_of(size), kAuditRounds); ++span) {
    if (audited(path, span)) return true;
  }
  return false;
}

void SnapshotWriter::prepare_reading(std::uint64_t bytes) {
  if (!pool_) {
    pool_.emplace(kBlocks);
    queue_ = workspace_.env().make_io_queue(kReadDepth);
  }
  if (bytes < kRegisterFrom || arena_registered_) return;
  queue_->register_arena(pool_->arena());
  arena_registered_ = true;
}

Result<MappingResult> SnapshotWriter::map_bytes(MappingInput& input,
                                                const std::optional<Samples>& samples,
                                                const OpenSource& open) {
  std::optional<DictionarySource> dictionaries;
  if (samples) {
    ChunkId earlier;
    if (input.parent && *input.length >= DictionarySource::kFileBytesMin) {
      MapReader map(workspace_.reader(), input.parent->map, input.parent->length);
      earlier = dictionary_of(workspace_.reader(), map);
    }
    dictionaries.emplace(samples->file, samples->length, input.parent.has_value(), earlier);
    input.dictionaries = &*dictionaries;
  }
  prepare_reading(bytes_in(input.data));
  const std::unique_ptr<BlockSource> source = open();
  auto mapped = mapper_->map(*source, input);
  input.dictionaries = nullptr;
  if (mapped) report_.stats.bytes_read += mapped->bytes_read;
  return mapped;
}

void SnapshotWriter::count_file(const repo::Entry& entry, const repo::Entry* parent) {
  repo::SnapshotStats& stats = report_.stats;
  ++stats.files;
  ++progress_.files_done;
  stats.bytes_source += entry.info.size;
  const bool known = parent != nullptr && parent->info.type == FileType::Regular;
  if (!known) {
    ++stats.files_new;
  } else if (is_unmodified(entry, *parent)) {
    ++stats.files_unmodified;
  } else {
    ++stats.files_changed;
  }
}

void SnapshotWriter::on_error(const std::string& path, const Error& error) {
  ++report_.stats.errors;
  report_.incomplete = true;
  observer_.on_source_error({path, error});
}

Status SnapshotWriter::skip_source(const std::string& path, const Error& error) {
  if (error.code() == ErrorCode::Cancelled) return error;
  if (repository_failure_) return *repository_failure_;
  on_error(path, error);
  return ok();
}

Status SnapshotWriter::tick(std::uint64_t bytes) {
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

}  // namespace pagevault::engine
