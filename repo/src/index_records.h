// Keys and values of the RocksDB index. A private, rebuildable format: any change raises
// kIndexSchema, and older databases are begun anew.
//
//   l                      schema and label: which repository this is
//   n                      u32: the next free pack number
//   a <index id>           an applied index object; empty value
//   i <pack id>            u32: the number of a known pack
//   p <u32 big-endian>     pack info
//   c <chunk id>           location records, oldest first, one after the other
//
// A location record: varint pack number, ordinal, offset, stored bytes, plain bytes, then
// u8 type * 16 + encoding, and the base's id when the encoding has one. About 15 bytes.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pagevault/repo/chunk_index.h"

namespace pagevault::repo {

inline constexpr std::string_view kIndexSchema = "pagevault index 1 ";
inline constexpr std::string_view kLabelKey = "l";
inline constexpr std::string_view kNextNumberKey = "n";

inline constexpr char kAppliedPrefix = 'a';
inline constexpr char kPackNumberPrefix = 'i';
inline constexpr char kPackPrefix = 'p';
inline constexpr char kChunkPrefix = 'c';

/// Local name of a pack: 4 bytes in millions of records instead of 32.
using PackNumber = std::uint32_t;

template <class Id>
std::string id_key(char prefix, const Id& id) {
  std::string key(1, prefix);
  key.append(as_text(id.view()));
  return key;
}
std::string pack_key(PackNumber number);
std::string number_value(PackNumber number);
/// Errors: Corrupt.
Result<PackNumber> decode_number(std::string_view value);
/// The id in a key of `id_key`; nothing when the key has another length.
std::optional<ByteView> id_of_key(std::string_view key);

std::string pack_value(const PackInfo& info);
/// Errors: Corrupt.
Result<PackInfo> decode_pack(std::string_view value);

/// A location without its chunk id (that is the key) and with a number for the pack.
struct LocationRecord {
  PackNumber pack = 0;
  BlobLocation where;  ///< `where.pack` is not filled in.
};
Bytes encode_location(PackNumber pack, const BlobLocation& where);
/// The next record of a chunk's value. Errors: Corrupt.
Result<LocationRecord> decode_location(Decoder& in, const ChunkId& id);

}  // namespace pagevault::repo
