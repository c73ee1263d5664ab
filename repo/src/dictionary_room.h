// A dictionary and room for a chunk right behind it. zstd then has both in one window and takes its
// fast paths: no second set of bounds when it compresses, no call for each match with the
// dictionary when it decompresses.

#pragma once

#include <memory>

#include "pagevault/base/bytes.h"
#include "pagevault/base/digest.h"
#include "pagevault/base/result.h"

namespace pagevault::repo {

/// Not thread-safe. Memory: the dictionary's length and kRoomBytes, touched as far as it is used.
class DictionaryRoom {
 public:
  /// Longer chunks than chunkers make have no room.
  static constexpr std::size_t kRoomBytes = 256 * kKiB;

  bool has(const ChunkId& id) const { return memory_ != nullptr && id_ == id; }
  /// Copies the dictionary, unless it is there. True when it was not.
  bool adopt(const ChunkId& id, ByteView dictionary) {
    if (has(id)) return false;
    id_ = id;
    dictionary_bytes_ = dictionary.size();
    memory_ = std::make_unique_for_overwrite<std::byte[]>(dictionary_bytes_ + kRoomBytes);
    copy_bytes(dictionary, {memory_.get(), dictionary_bytes_});
    return true;
  }

  ByteView dictionary() const { return {memory_.get(), dictionary_bytes_}; }
  /// Precondition: size <= kRoomBytes. Holds what was written to it last.
  MutableBytes behind(std::size_t size) {
    PV_CHECK(size <= kRoomBytes);
    return {memory_.get() + dictionary_bytes_, size};
  }

 private:
  ChunkId id_;
  std::size_t dictionary_bytes_ = 0;
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace pagevault::repo
