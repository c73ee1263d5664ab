// Encoding 3: zstd with a dictionary. docs/adr/0009-dictionaries.md.

#pragma once

#include <memory>

#include "pagevault/base/result.h"
#include "pagevault/repo/source_dictionary.h"

namespace pagevault::repo {

/// Not thread-safe: one per worker. Keeps a copy of the last dictionary and zstd's tables of it.
class DictionaryEncoder {
 public:
  explicit DictionaryEncoder(int level);
  ~DictionaryEncoder();

  /// Writes a frame to `out` and returns its length; zero when it does not fit. `plain` has at most
  /// kChunkBytesMax bytes. Errors: NoSpace (memory), Corrupt (zstd failed).
  Result<std::size_t> encode(const SourceDictionary::Content& dictionary, ByteView plain,
                             MutableBytes out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pagevault::repo
