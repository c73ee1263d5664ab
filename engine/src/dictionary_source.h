// Where the dictionary of one file comes from: its earlier version's chunks, or pieces of itself.
// docs/adr/0009-dictionaries.md.

#pragma once

#include <memory>
#include <optional>

#include "pagevault/base/env.h"
#include "pagevault/engine/tree.h"
#include "pagevault/repo/source_dictionary.h"

namespace pagevault::engine {

/// The dictionary that an earlier version's chunks were encoded with; zero when none of those
/// looked at was. Looks up some chunks of the first span.
ChunkId dictionary_of(repo::ChunkReader& reader, MapReader& map);

/// Bytes spread over the first `size` bytes of `file`, for use as a dictionary; empty when there is
/// nothing to be had. Errors while reading count as nothing.
Bytes sample_dictionary(File& file, std::uint64_t size);

/// Used by the thread that reads the file.
class DictionarySource {
 public:
  /// Shorter files have none: it would take more than it saves.
  static constexpr std::uint64_t kFileBytesMin = 64 * kMiB;

  /// `earlier`: of an earlier version of the file, or zero. `has_earlier`: there is an earlier
  /// version. `file` outlives it; null: no fresh one can be made.
  DictionarySource(File* file, std::uint64_t size, bool has_earlier, const ChunkId& earlier);

  /// What a chunk of `bytes` is to be encoded with; null: nothing. Only files from 64 MiB on get
  /// one. It is replaced by a fresh one when it no longer pays, once.
  std::shared_ptr<repo::SourceDictionary> for_chunk(bool has_predecessor, std::size_t bytes);

 private:
  bool wants_fresh() const;

  File* file_;
  std::uint64_t size_;
  std::uint64_t bytes_without_ = 0;  // Of chunks that had neither dictionary nor predecessor.
  bool has_earlier_;
  bool was_sampled_ = false;
  std::shared_ptr<repo::SourceDictionary> current_;  // Shared with the chunks on their way.
};

}  // namespace pagevault::engine
