// Invariants: a salt is used for one attempt, counter k for blob k only and counter n for the
// directory (I13, S6). The first error is final; what was sealed is never sealed again.

#include "pagevault/repo/pack_writer.h"

#define XXH_STATIC_LINKING_ONLY  // XXH3 state on our own heap, with its alignment.
#include <xxhash.h>

#include "pack_layout.h"

namespace pagevault::repo {

namespace {

Bytes encode_header(const PackInfo& info, const Commitment& commitment) {
  Encoder out;
  out.raw(std::as_bytes(std::span(kPackMagic)));
  out.u16(kFormatVersion);
  out.u8(static_cast<std::uint8_t>(info.content));
  out.u8(static_cast<std::uint8_t>(info.cipher));
  out.u8(static_cast<std::uint8_t>(info.key_mode));
  out.zeros(3);
  out.raw(info.id.view());
  out.raw(commitment);
  out.zeros(kPackHeaderBytes - kPackSealedKeyOffset);
  PV_CHECK(out.size() == kPackHeaderBytes);
  return out.take();
}

}  // namespace

struct PackWriter::State {
  State(Aead key, RepositoryId id) : aead(std::move(key)), repository(id) {
    XXH3_64bits_reset(&hash);
  }

  Status append(ByteView data);
  Status seal_and_append(std::uint64_t counter, const BlobBinding& binding, ByteView plain);
  Status append_directory();
  Status append_padding_and_trailer(PackTrailer trailer);

  const Aead aead;
  const RepositoryId repository;
  Bytes header;
  std::unique_ptr<ObjectWriter> object;
  XXH3_state_t hash;
  PackDirectory pack;
  std::uint64_t offset = 0;
  std::uint64_t directory_bytes = kTagBytes;  // Of the blobs so far.
  Bytes sealed;                               // Reused.
  Status status;                              // The first error; final.
  bool finished = false;
};

Status PackWriter::State::append(ByteView data) {
  PV_TRY(object->append(data));
  XXH3_64bits_update(&hash, data.data(), data.size());
  offset += data.size();
  return ok();
}

Status PackWriter::State::seal_and_append(std::uint64_t counter, const BlobBinding& binding,
                                          ByteView plain) {
  sealed.resize(plain.size() + kTagBytes);
  aead.seal(counter, plain, binding.bytes(), sealed);
  return append(sealed);
}

Status PackWriter::State::append_directory() {
  Encoder directory;
  for (const BlobEntry& blob : pack.blobs) encode_blob_entry(directory, blob);
  const PackTrailer trailer{
      .directory_offset = offset,
      .directory_bytes = static_cast<std::uint32_t>(directory.size() + kTagBytes),
      .blobs = static_cast<std::uint32_t>(pack.blobs.size())};
  const auto binding = directory_binding(repository, pack.info.id, header, trailer);
  PV_TRY(seal_and_append(trailer.blobs, binding, directory.view()));
  return append_padding_and_trailer(trailer);
}

Status PackWriter::State::append_padding_and_trailer(PackTrailer trailer) {
  pack.info.file_bytes = padme(offset + kPackTrailerBytes);
  PV_TRY(append(Bytes(pack.info.file_bytes - offset - kPackTrailerBytes)));
  PV_TRY(append(encode_trailer_start(trailer)));
  std::array<std::byte, 8> checksum{};
  store_le64(checksum, XXH3_64bits_digest(&hash));
  return append(checksum);
}

PackWriter::PackWriter() = default;
PackWriter::~PackWriter() = default;

Result<std::unique_ptr<PackWriter>> PackWriter::create(Env& env, Store& store, const KeySet& keys,
                                                       const Options& options) {
  PackInfo info;
  info.content = options.content;
  info.cipher = options.cipher;
  env.random(info.id.bytes);
  Aead aead = keys.pack_aead(info.content, info.cipher, info.id);
  std::unique_ptr<PackWriter> writer(new PackWriter());  // Private constructor.
  writer->state_ = std::make_unique<State>(std::move(aead), options.repository);
  State& state = *writer->state_;
  state.header = encode_header(info, state.aead.commitment());
  state.pack.info = info;
  PV_TRY_ASSIGN(state.object, store.create({ObjectType::Pack, info.id.hex()}));
  PV_TRY(state.append(state.header));
  return writer;
}

Status PackWriter::add(BlobEntry entry, ByteView encoded) {
  State& state = *state_;
  PV_TRY(state.status);
  PV_CHECK(!state.finished && !full());
  PV_CHECK(encoded.size() <= kChunkBytesMax);
  entry.stored_bytes = static_cast<std::uint32_t>(encoded.size() + kTagBytes);
  PV_CHECK(problem_of(entry).empty() && belongs(entry.type, state.pack.info.content));
  const BlobLocation where{.pack = state.pack.info,
                           .ordinal = static_cast<std::uint32_t>(state.pack.blobs.size()),
                           .offset = state.offset,
                           .entry = entry};
  state.pack.blobs.push_back(entry);
  state.directory_bytes += blob_entry_bytes(entry);
  const auto binding = blob_binding(state.repository, where);
  state.status = state.seal_and_append(where.ordinal, binding, encoded);
  return state.status;
}

Result<PackDirectory> PackWriter::finish() {
  State& state = *state_;
  PV_TRY(state.status);
  PV_CHECK(!state.finished && !state.pack.blobs.empty());
  state.status = state.append_directory();
  if (state.status) state.status = state.object->publish();
  PV_TRY(state.status);
  state.finished = true;
  return std::move(state.pack);
}

bool PackWriter::full() const {
  // A blob of the largest chunk, its entry, the directory's tag, the trailer, padding to 12 %.
  constexpr std::uint64_t kRoomForLast = kChunkBytesMax + kTagBytes + kPackTrailerBytes;
  const std::uint64_t directory = (blobs() + 1) * kBlobEntryBytesMax + kTagBytes;
  return blobs() >= kPackBlobsMax || padme(bytes() + directory + kRoomForLast) > kPackBytesMax;
}

std::uint64_t PackWriter::file_bytes_with(const BlobEntry& next) const {
  return padme(state_->offset + next.stored_bytes + state_->directory_bytes +
               blob_entry_bytes(next) + kPackTrailerBytes);
}

std::uint64_t PackWriter::bytes() const { return state_->offset; }
std::size_t PackWriter::blobs() const { return state_->pack.blobs.size(); }
const PackId& PackWriter::id() const { return state_->pack.info.id; }

}  // namespace pagevault::repo
