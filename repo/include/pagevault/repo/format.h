// Numbers of the repository format that several parts share. Source: docs/format.md.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pagevault/base/bytes.h"

namespace pagevault::repo {

inline constexpr std::uint16_t kFormatVersion = 1;
inline constexpr std::size_t kTagBytes = 16;
inline constexpr std::size_t kSaltBytes = 32;

/// Section 1: the type of an object is its folder and part of what authenticates it.
enum class ObjectType : std::uint8_t {
  Config = 1,
  KeySlot = 2,
  Pack = 3,
  Index = 4,
  Snapshot = 5,
  Session = 6,
  Gc = 7,
};

enum class BlobType : std::uint8_t { Data = 1, Metadata = 2, Dictionary = 3 };
enum class PackContent : std::uint8_t { Data = 1, Metadata = 2 };
enum class KeyMode : std::uint8_t { Derived = 1, Sealed = 2 };
enum class Encoding : std::uint8_t { Raw = 1, Zstd = 2, ZstdDictionary = 3, ZstdDelta = 4 };

/// Encodings 3 and 4 name a second chunk.
constexpr bool has_base(Encoding encoding) {
  return encoding == Encoding::ZstdDictionary || encoding == Encoding::ZstdDelta;
}

// Section 6: limits a reader enforces before it allocates (S15).
inline constexpr std::uint64_t kChunkBytesMax = 8 * kMiB;
inline constexpr std::uint64_t kSealedBodyBytesMax = 64 * kMiB;
inline constexpr std::uint64_t kPackBytesMax = 256 * kMiB;
inline constexpr std::uint64_t kPackBlobsMax = 65'536;
inline constexpr std::uint64_t kNodeExtentsMax = 262'144;
inline constexpr std::uint64_t kDirectoryDepthMax = 1'024;
inline constexpr std::uint64_t kEntryBytesMax = kMiB;
inline constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 53;
inline constexpr std::uint64_t kKeySlotsMax = 64;
inline constexpr std::uint64_t kKeySlotBytesMax = 4 * kKiB;
inline constexpr std::uint64_t kFieldsMax = 256;
inline constexpr std::uint64_t kSpanBytes = 64 * kMiB;
inline constexpr std::uint64_t kNodesPerList = 4'096;
inline constexpr std::uint64_t kInlineNodesMax = 256;
inline constexpr std::uint64_t kInlineNodeBytes = 256;

// Section 4.
inline constexpr std::size_t kPackHeaderBytes = 160;
inline constexpr std::size_t kPackTrailerBytes = 32;

}  // namespace pagevault::repo
