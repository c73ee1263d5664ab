// Plain bytes <-> encoded bytes (before sealing). docs/format.md, 4 "Encodings".

#pragma once

#include <memory>
#include <optional>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/repo/format.h"
#include "pagevault/repo/source_dictionary.h"

namespace pagevault::repo {

/// `off` stores raw; levels in ADR 0005, dictionaries in ADR 0009.
enum class Compression : std::uint8_t { Off, Fastest, Auto, Better, Max };
Result<Compression> compression_from_name(std::string_view name);

struct Encoded {
  Encoding encoding = Encoding::Raw;
  ByteView bytes;  ///< Into the encoder, until its next call; or the input itself for Raw.
};

/// Compresses chunks. Not thread-safe: one per worker.
class ChunkEncoder {
 public:
  explicit ChunkEncoder(Compression compression);
  ChunkEncoder(ChunkEncoder&&) noexcept;
  ~ChunkEncoder();

  /// Zstd, or Raw when that is not at least 1/32 smaller. `plain` has 1..kChunkBytesMax bytes.
  Result<Encoded> encode(ByteView plain);

  /// False where dictionaries would be out of place: Off and Fastest.
  bool uses_dictionaries() const;
  /// ZstdDictionary, or Raw when that is not at least 1/32 smaller. Precondition:
  /// uses_dictionaries().
  Result<Encoded> encode_with(const SourceDictionary::Content& dictionary, ByteView plain);

  /// A zstd frame that has `base` as its prefix; nothing when it would be longer than `bytes_max`.
  /// Both have 1..kChunkBytesMax bytes. The same at every compression: a delta is cheap as it is.
  Result<std::optional<Encoded>> encode_delta(ByteView plain, ByteView base, std::size_t bytes_max);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Decompresses chunks. Not thread-safe: one per worker.
class ChunkDecoder {
 public:
  ChunkDecoder();
  ChunkDecoder(ChunkDecoder&&) noexcept;
  ~ChunkDecoder();

  /// Fills `plain` exactly. `base` is the dictionary's or predecessor's plain bytes where
  /// has_base(encoding), else empty. Errors: Corrupt (frame, length).
  Status decode(Encoding encoding, ByteView encoded, ByteView base, MutableBytes plain);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pagevault::repo
