#include "pagevault/repo/write_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <unordered_set>

#include "delta_bases.h"
#include "dictionary_room.h"
#include "pagevault/base/object_pool.h"
#include "pagevault/repo/pack_writer.h"

namespace pagevault::repo {

namespace {

// Bounds on memory: a pack is closed at this many blobs however small they are, and an index object
// is written when this many wait. Both keep what is claimed but not yet in the index small.
constexpr std::size_t kBlobsPerPack = 16'384;
constexpr std::size_t kBlobsPerIndexObject = 65'536;
// A dry run never writes the index, so its set of seen chunks must end somewhere; beyond it,
// repeated chunks are counted again.
constexpr std::size_t kDryRunClaimsMax = 4'000'000;
constexpr std::int64_t kHeartbeatNs = 5LL * 60 * 1'000'000'000;

// Lost: known to the index, but its pack is gone, or that of its base.
enum class Presence : std::uint8_t { Unknown, Lost, Usable };

// A delta is made of a base, whose base is a dictionary at most.
constexpr unsigned kBaseDepthMax = 2;

struct Scratch {
  explicit Scratch(Compression compression) : encoder(compression) {}
  ChunkEncoder encoder;
  ChunkDecoder decoder;
  Bytes decoded;
  DictionaryRoom room;  // Of the decoder: a copy that went bad must not be the encoder's, too.
  std::shared_ptr<const Bytes> base;  // Of the chunk being encoded, if it is a delta.
  const SourceDictionary::Content* dictionary = nullptr;  // Of the chunk being encoded, if any.
};

PackContent content_of(BlobType type) {
  return type == BlobType::Metadata ? PackContent::Metadata : PackContent::Data;
}

// The pack that chunks of one content go into now.
struct Lane {
  std::mutex mutex;
  std::unique_ptr<PackWriter> writer;  // Guarded by mutex.
};

}  // namespace

struct WriteSession::State {
  State(ChunkReader& r, const Options& o)
      : reader(r),
        repository(r.repository()),
        index(r.index()),
        options(o),
        cipher(preferred_cipher()),
        policy(o.delta),
        bases(r, policy, [this](const PackId& id) { return lost.contains(id); }) {}

  // Immutable after begin.
  ChunkReader& reader;
  const Repository& repository;
  ChunkIndex& index;
  const Options options;
  const Cipher cipher;
  SessionId session;
  std::unordered_set<PackId> lost;

  DeltaPolicy policy;
  const DeltaBases bases;
  ObjectPool<Scratch> scratch;
  std::array<Lane, 2> lanes;  // Data, metadata.

  std::mutex claims_mutex;
  std::unordered_set<ChunkId> claims;  // Put in this session, not yet in the index.

  std::mutex failure_mutex;
  std::optional<Error> failure;  // Guarded by failure_mutex: the first error, for ever (F8.2).

  // Touched only by tasks of `publisher`, one at a time.
  IndexObject pending;
  std::size_t pending_blobs = 0;

  // Touched only by the thread that runs the backup.
  std::uint64_t heartbeats = 0;
  std::int64_t last_heartbeat_ns = 0;
  std::vector<ObjectName> announcements;

  std::atomic<std::uint64_t> chunks_new{0};
  std::atomic<std::uint64_t> bytes_new{0};
  std::atomic<std::uint64_t> bytes_stored_data{0};
  std::atomic<std::uint64_t> bytes_stored_meta{0};
  std::atomic<std::uint64_t> deltas{0};
  std::atomic<std::uint64_t> bases_unreadable{0};

  // Syncs packs while workers go on. Last member: its tasks use all of the above.
  std::unique_ptr<Executor> publisher;

  Env& env() const { return repository.env(); }
  Lane& lane(PackContent content) { return lanes[content == PackContent::Data ? 0 : 1]; }

  Status failed();
  Error fail(const Error& error);
  bool claim(const ChunkId& id);
  bool is_usable(const BlobLocation& place, unsigned depth);
  Result<Presence> presence_of(const ChunkId& id);
  void identify(std::span<PutRequest> requests) const;
  Status put(std::span<PutRequest> requests);
  Status store(const PutRequest& request, const DeltaBase& base);
  Result<std::optional<Encoded>> encode_delta(Scratch& scratch, const PutRequest& request,
                                              const DeltaBase& base);
  Result<Encoded> encode_plain(Scratch& scratch, const PutRequest& request);
  Result<const SourceDictionary::Content*> load(SourceDictionary& dictionary);
  Status verify(Scratch& scratch, const Encoded& encoded, ByteView plain);
  Status append(const BlobEntry& entry, ByteView encoded);
  void publish(std::unique_ptr<PackWriter> writer);
  Status finish_pack(PackWriter& writer);
  Status add_finished(PackDirectory pack);
  static std::unique_ptr<PackWriter> take_writer(Lane& from);
  Status finish_last_packs();
  void submit_index_object();
  Status write_index_object();
  Status prove_packs();
  Status refuse_foreign_collector();
  Status announce();
  Status chain(Snapshot& snapshot);
};

// ---- errors ---------------------------------------------------------------------------------

Status WriteSession::State::failed() {
  const std::lock_guard lock(failure_mutex);
  if (failure) return *failure;
  return ok();
}

Error WriteSession::State::fail(const Error& error) {
  const std::lock_guard lock(failure_mutex);
  if (!failure) failure = error;
  return *failure;
}

// ---- presence -------------------------------------------------------------------------------

// True when this caller is the one to store `id`.
bool WriteSession::State::claim(const ChunkId& id) {
  const std::lock_guard lock(claims_mutex);
  if (options.dry_run && claims.size() >= kDryRunClaimsMax) return !claims.contains(id);
  return claims.insert(id).second;
}

// A blob counts when its pack is there, and the chunk it is encoded against counts.
bool WriteSession::State::is_usable(const BlobLocation& place, unsigned depth) {
  if (lost.contains(place.pack.id)) return false;
  if (!has_base(place.entry.encoding)) return true;
  if (depth == kBaseDepthMax) return false;
  const auto places = index.find(place.entry.base);
  return places && std::ranges::any_of(*places, [&](const BlobLocation& base) {
           return is_usable(base, depth + 1);
         });
}

Result<Presence> WriteSession::State::presence_of(const ChunkId& id) {
  PV_TRY_ASSIGN(const bool known, index.contains(id));
  if (!known) return Presence::Unknown;
  PV_TRY_ASSIGN(const auto places, index.find(id));
  const bool usable =
      std::ranges::any_of(places, [&](const BlobLocation& place) { return is_usable(place, 0); });
  return usable ? Presence::Usable : Presence::Lost;
}

// ---- storing chunks -------------------------------------------------------------------------

// Neighbours of one type together: several hashes at once cost much less than one by one.
void WriteSession::State::identify(std::span<PutRequest> requests) const {
  std::vector<chunker::IdRequest> chunks;
  for (std::size_t first = 0, end = 0; first < requests.size(); first = end) {
    const BlobType type = requests[first].type;
    chunks.clear();
    for (end = first; end < requests.size() && requests[end].type == type; ++end) {
      chunks.push_back({requests[end].plain});
    }
    repository.keys().chunk_ids(type, chunks);
    for (std::size_t i = first; i < end; ++i) requests[i].result.id = chunks[i - first].id;
  }
}

Status WriteSession::State::put(std::span<PutRequest> requests) {
  std::vector<const PutRequest*> fresh;
  std::vector<DeltaBases::Wanted> wanted;
  identify(requests);
  for (PutRequest& request : requests) {
    PV_TRY_ASSIGN(const Presence presence, presence_of(request.result.id));
    request.result.is_new = presence != Presence::Usable && claim(request.result.id);
    if (!request.result.is_new) continue;
    fresh.push_back(&request);
    // Older deltas may be made of what was lost: it is stored plain, or they would be too deep.
    const bool plain = presence == Presence::Lost || request.predecessor.chunk.is_zero() ||
                       (request.trial != nullptr && !request.trial->wants_attempt());
    wanted.push_back({.type = request.type,
                      .predecessor = plain ? ChunkId{} : request.predecessor.chunk,
                      .gate = request.predecessor.gate});
  }
  if (fresh.empty()) return ok();
  PV_TRY_ASSIGN(const auto found, bases.fetch(wanted));
  for (std::size_t i = 0; i < fresh.size(); ++i) PV_TRY(store(*fresh[i], found[i]));
  return ok();
}

Status WriteSession::State::verify(Scratch& used, const Encoded& encoded, ByteView plain) {
  if (encoded.encoding == Encoding::Raw) return ok();
  ByteView base;
  MutableBytes decoded;
  if (encoded.encoding == Encoding::ZstdDictionary && plain.size() <= DictionaryRoom::kRoomBytes) {
    used.room.adopt(used.dictionary->id, used.dictionary->bytes);
    base = used.room.dictionary();
    decoded = used.room.behind(plain.size());
  } else {
    if (encoded.encoding == Encoding::ZstdDelta) base = *used.base;
    if (encoded.encoding == Encoding::ZstdDictionary) base = used.dictionary->bytes;
    used.decoded.resize(plain.size());
    decoded = used.decoded;
  }
  PV_TRY(used.decoder.decode(encoded.encoding, encoded.bytes, base, decoded));
  if (!equal_bytes(plain, decoded)) {
    return Error(ErrorCode::Corrupt, "decodes to other bytes");
  }
  return ok();
}

// Nothing when there is no base, it cannot be read, or the delta would not be worth it.
Result<std::optional<Encoded>> WriteSession::State::encode_delta(Scratch& used,
                                                                 const PutRequest& request,
                                                                 const DeltaBase& base) {
  // Damage in an older snapshot must not keep the new one from being made.
  if (base.unreadable) bases_unreadable.fetch_add(1, std::memory_order_relaxed);
  if (!base.plain) return std::optional<Encoded>();
  used.base = base.plain;
  const std::size_t bytes_max = delta_bytes_max(base.entry, request.plain.size());
  if (bytes_max == 0) return std::optional<Encoded>();
  PV_TRY_ASSIGN(const auto delta, used.encoder.encode_delta(request.plain, *used.base, bytes_max));
  if (request.trial != nullptr) {
    request.trial->add(request.plain.size(),
                       delta ? std::optional(delta->bytes.size()) : std::nullopt);
  }
  return delta;
}

Result<const SourceDictionary::Content*> WriteSession::State::load(SourceDictionary& dictionary) {
  return dictionary.content({.store = [this](ByteView fresh) -> Result<ChunkId> {
                               PutRequest request{.type = BlobType::Dictionary,
                                                  .plain = fresh,
                                                  .predecessor = {},
                                                  .dictionary = nullptr,
                                                  .result = {}};
                               PV_TRY(put({&request, 1}));
                               return request.result.id;
                             },
                             .read = [this](const ChunkId& id) -> Result<Bytes> {
                               PV_TRY_ASSIGN(const Presence presence, presence_of(id));
                               if (presence != Presence::Usable)
                                 return Error(ErrorCode::NotFound, "dictionary is lost");
                               return reader.read_dictionary(id);
                             }});
}

// With the source's dictionary while that pays; some chunks both ways, to see whether it does.
Result<Encoded> WriteSession::State::encode_plain(Scratch& used, const PutRequest& request) {
  SourceDictionary* const dictionary = request.dictionary;
  if (dictionary == nullptr || !used.encoder.uses_dictionaries() || dictionary->is_unreadable() ||
      !dictionary->is_worth_reading(request.plain.size())) {
    return used.encoder.encode(request.plain);
  }
  const bool probe = dictionary->is_probe();
  if (!probe && !dictionary->pays()) return used.encoder.encode(request.plain);
  PV_TRY_ASSIGN(used.dictionary, load(*dictionary));
  if (used.dictionary == nullptr) return used.encoder.encode(request.plain);
  std::size_t without = 0;
  if (probe) {
    PV_TRY_ASSIGN(const Encoded plain, used.encoder.encode(request.plain));
    without = plain.bytes.size();
  }
  PV_TRY_ASSIGN(const Encoded encoded, used.encoder.encode_with(*used.dictionary, request.plain));
  if (probe) dictionary->add_probe({request.plain.size(), encoded.bytes.size(), without});
  return encoded;
}

Status WriteSession::State::store(const PutRequest& request, const DeltaBase& base) {
  const ByteView plain = request.plain;
  const auto used = scratch.borrow([&] { return std::make_unique<Scratch>(options.compression); });
  PV_TRY_ASSIGN(const auto delta, encode_delta(*used, request, base));
  Encoded encoded;
  if (delta) {
    encoded = *delta;
    deltas.fetch_add(1, std::memory_order_relaxed);
    policy.add_saving(static_cast<std::int64_t>(base.entry.stored_bytes) -
                      static_cast<std::int64_t>(encoded.bytes.size()));
  } else {
    PV_TRY_ASSIGN(encoded, encode_plain(*used, request));
  }
  if (options.extra_verify) {
    const Status verified = verify(*used, encoded, plain);
    if (!verified) {
      return Error(ErrorCode::Corrupt,
                   fmt::format("chunk {}: {} right after it was compressed: "
                               "memory, CPU or library fault",
                               request.result.id.hex(8), verified.error().message()));
    }
  }
  BlobEntry entry;
  entry.id = request.result.id;
  entry.type = request.type;
  entry.encoding = encoded.encoding;
  entry.plain_bytes = static_cast<std::uint32_t>(plain.size());
  entry.stored_bytes = static_cast<std::uint32_t>(encoded.bytes.size() + kTagBytes);
  if (encoded.encoding == Encoding::ZstdDelta) entry.base = base.entry.id;
  if (encoded.encoding == Encoding::ZstdDictionary) entry.base = used->dictionary->id;
  auto& stored = request.type == BlobType::Metadata ? bytes_stored_meta : bytes_stored_data;
  stored.fetch_add(entry.stored_bytes, std::memory_order_relaxed);
  chunks_new.fetch_add(1, std::memory_order_relaxed);
  bytes_new.fetch_add(plain.size(), std::memory_order_relaxed);
  used->base.reset();
  return options.dry_run ? ok() : append(entry, encoded.bytes);
}

Status WriteSession::State::append(const BlobEntry& entry, ByteView encoded) {
  const PackContent content = content_of(entry.type);
  Lane& into = lane(content);
  std::unique_ptr<PackWriter> full;
  {
    const std::lock_guard lock(into.mutex);
    // Just below a power of two the padding is least: a byte more costs 1/32 of the pack.
    const std::uint64_t bytes_max = repository.config().pack_bytes;
    if (into.writer && (into.writer->file_bytes_with(entry) > bytes_max ||
                        into.writer->blobs() >= kBlobsPerPack)) {
      full = std::move(into.writer);
    }
    if (!into.writer) {
      PV_TRY_ASSIGN(into.writer, PackWriter::create(env(), repository.store(), repository.keys(),
                                                    {.content = content,
                                                     .cipher = cipher,
                                                     .repository = repository.config().id}));
    }
    PV_TRY(into.writer->add(entry, encoded));
  }
  if (full) publish(std::move(full));
  return ok();
}

// ---- publishing -----------------------------------------------------------------------------

void WriteSession::State::publish(std::unique_ptr<PackWriter> writer) {
  // std::function needs a copyable task: both owners are this task and its copies in the queue.
  const std::shared_ptr<PackWriter> shared = std::move(writer);
  publisher->submit([this, shared] {
    if (!failed()) return;
    const Status finished = finish_pack(*shared);
    if (!finished) fail(finished.error());
  });
}

Status WriteSession::State::finish_pack(PackWriter& writer) {
  PV_TRY_ASSIGN(PackDirectory pack, writer.finish());
  return add_finished(std::move(pack));
}

Status WriteSession::State::add_finished(PackDirectory pack) {
  pending_blobs += pack.blobs.size();
  pending.packs.push_back(std::move(pack));
  return pending_blobs >= kBlobsPerIndexObject ? write_index_object() : ok();
}

Status WriteSession::State::write_index_object() {
  if (pending.packs.empty()) return ok();
  IndexId index_id;
  env().random(index_id.bytes);
  PV_TRY(repository.put_object({ObjectType::Index, index_id.hex()}, encode_index_object(pending)));
  PV_TRY(index.apply(index_id, pending));
  {
    const std::lock_guard lock(claims_mutex);
    for (const PackDirectory& pack : pending.packs) {
      for (const BlobEntry& blob : pack.blobs) claims.erase(blob.id);
    }
  }
  pending = {};
  pending_blobs = 0;
  return ok();
}

// The last packs, side by side: one is synced by the publisher, one by the caller.
Status WriteSession::State::finish_last_packs() {
  std::unique_ptr<PackWriter> data = take_writer(lane(PackContent::Data));
  std::unique_ptr<PackWriter> metadata = take_writer(lane(PackContent::Metadata));
  if (data) publish(std::move(data));
  if (metadata) {
    auto finished = metadata->finish();
    if (!finished) return fail(finished.error());
    publisher->submit([this, pack = std::move(finished).value()] {
      if (!failed()) return;
      const Status added = add_finished(pack);
      if (!added) fail(added.error());
    });
  }
  return ok();
}

std::unique_ptr<PackWriter> WriteSession::State::take_writer(Lane& from) {
  const std::lock_guard lock(from.mutex);
  return std::move(from.writer);
}

void WriteSession::State::submit_index_object() {
  publisher->submit([this] {
    if (!failed()) return;
    const Status written = write_index_object();
    if (!written) fail(written.error());
  });
}

// ---- commit ---------------------------------------------------------------------------------

Status WriteSession::State::refuse_foreign_collector() {
  PV_TRY_ASSIGN(const Listing gc, repository.store().list(ObjectType::Gc));
  if (gc.objects.empty()) return ok();
  return Error(ErrorCode::Unsupported,
               "a newer pagevault collects garbage in this repository; update this program");
}

// Every pack that the index knows and that was there at the start is still there (I6). A listing
// may lag behind on a network file system, so a missing name is looked at once more (F3.3).
Status WriteSession::State::prove_packs() {
  PV_TRY_ASSIGN(const auto missing, missing_packs(repository, index));
  for (const PackInfo& pack : missing) {
    if (lost.contains(pack.id)) continue;
    const ObjectName name{ObjectType::Pack, pack.id.hex()};
    const auto info = repository.store().stat(name);
    if (info && info->bytes == pack.file_bytes) continue;
    return Error(ErrorCode::Corrupt, object_path(name) +
                                         " vanished while the backup ran; no "
                                         "snapshot was made");
  }
  return ok();
}

// Continues this client's chain: sequence and predecessor (S5).
Status WriteSession::State::chain(Snapshot& snapshot) {
  PV_TRY_ASSIGN(const SnapshotListing listing, repository.list_snapshots(options.snapshots));
  snapshot.sequence = 1;
  snapshot.predecessor = {};
  for (const StoredSnapshot& stored : listing.snapshots) {
    if (stored.snapshot.client != snapshot.client) continue;
    if (stored.snapshot.sequence < snapshot.sequence) continue;
    snapshot.sequence = stored.snapshot.sequence + 1;
    snapshot.predecessor = stored.id;
  }
  return ok();
}

Status WriteSession::State::announce() {
  SessionRecord record{.session = session,
                       .heartbeat = heartbeats++,
                       .time_ns = env().now_ns(),
                       .host = env().host_name(),
                       .process_id = env().process_id()};
  SessionId object;
  env().random(object.bytes);
  const ObjectName name{ObjectType::Session, object.hex()};
  announcements.push_back(name);
  last_heartbeat_ns = env().monotonic_ns();
  return repository.put_object(name, encode_session(record));
}

// ---- the public face ------------------------------------------------------------------------

WriteSession::WriteSession() = default;

Result<std::unique_ptr<WriteSession>> WriteSession::begin(ChunkReader& reader,
                                                          const Options& options) {
  std::unique_ptr<WriteSession> session(new WriteSession());
  session->state_ = std::make_unique<State>(reader, options);
  State& state = *session->state_;
  state.env().random(state.session.bytes);
  state.publisher = state.env().make_executor(1, 2);
  if (!options.dry_run) PV_TRY(state.announce());
  PV_TRY_ASSIGN(const auto missing, missing_packs(state.repository, state.index));
  for (const PackInfo& pack : missing) state.lost.insert(pack.id);
  return session;
}

WriteSession::~WriteSession() {
  state_->publisher->wait_idle();
  for (const ObjectName& name : state_->announcements) {
    state_->repository.store().remove(name).ignore("a dead session only delays the collector");
  }
}

Status WriteSession::put(std::span<PutRequest> requests) {
  PV_TRY(state_->failed());
  const Status done = state_->put(requests);
  return done ? ok() : Status(state_->fail(done.error()));
}

Result<PutResult> WriteSession::put(BlobType type, ByteView plain, const Predecessor& predecessor) {
  PutRequest request{.type = type,
                     .plain = plain,
                     .predecessor = predecessor,
                     .trial = nullptr,
                     .dictionary = nullptr,
                     .result = {}};
  PV_TRY(put({&request, 1}));
  return request.result;
}

Result<bool> WriteSession::is_present(const ChunkId& id) {
  {
    const std::lock_guard lock(state_->claims_mutex);
    if (state_->claims.contains(id)) return true;
  }
  PV_TRY_ASSIGN(const Presence presence, state_->presence_of(id));
  return presence == Presence::Usable;
}

bool WriteSession::has_lost_packs() const { return !state_->lost.empty(); }

Result<SnapshotId> WriteSession::commit(Snapshot snapshot) {
  PV_CHECK(!state_->options.dry_run);
  PV_TRY(state_->finish_last_packs());
  // What the caller does meanwhile is about packs that were there before.
  state_->submit_index_object();
  PV_TRY(state_->refuse_foreign_collector());
  PV_TRY(state_->prove_packs());
  PV_TRY(state_->chain(snapshot));
  state_->publisher->wait_idle();
  PV_TRY(state_->failed());
  state_->publisher->submit([state = state_.get()] {
    state->index.flush().ignore("the cache is a hint; the next run applies what is missing");
  });
  snapshot.session = state_->session;
  snapshot.committed_ns = state_->env().now_ns();
  const SessionTotals sums = totals();
  snapshot.stats.bytes_new = sums.bytes_new;
  snapshot.stats.bytes_stored_data = sums.bytes_stored_data;
  snapshot.stats.bytes_stored_meta = sums.bytes_stored_meta;
  const SealedSnapshot sealed =
      encode_snapshot(state_->repository.keys(), state_->repository.config().id, snapshot);
  const ObjectName name{ObjectType::Snapshot, sealed.id.hex()};
  PV_TRY(state_->repository.put_object(name, sealed.body));
  state_->publisher->wait_idle();
  return sealed.id;
}

Status WriteSession::keep_alive() {
  PV_TRY(state_->failed());
  if (state_->options.dry_run) return ok();
  if (state_->env().monotonic_ns() - state_->last_heartbeat_ns < kHeartbeatNs) return ok();
  // What was published so far becomes findable, so that an interrupted run need not be repeated.
  state_->submit_index_object();
  return state_->announce();
}

SessionTotals WriteSession::totals() const {
  return {.chunks_new = state_->chunks_new.load(std::memory_order_relaxed),
          .bytes_new = state_->bytes_new.load(std::memory_order_relaxed),
          .bytes_stored_data = state_->bytes_stored_data.load(std::memory_order_relaxed),
          .bytes_stored_meta = state_->bytes_stored_meta.load(std::memory_order_relaxed),
          .deltas = state_->deltas.load(std::memory_order_relaxed),
          .bases_unreadable = state_->bases_unreadable.load(std::memory_order_relaxed)};
}

const SessionId& WriteSession::id() const { return state_->session; }

}  // namespace pagevault::repo
