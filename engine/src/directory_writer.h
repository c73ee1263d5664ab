// Writes a snapshot's directories bottom-up, while files below them are still being stored.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "map_builder.h"
#include "pagevault/chunker/stream_chunker.h"
#include "pagevault/repo/directory_entry.h"

namespace pagevault::engine {

/// The stream of one directory: entries in, metadata chunks out. Holds at most one chunk and one
/// entry of text.
class DirectoryStream {
 public:
  DirectoryStream(repo::WriteSession& session, const repo::KeySet& keys,
                  const chunker::StreamChunker& chunker, Completion& completion);

  /// Names must ascend. Errors: of the session.
  Status append(const repo::Entry& entry);
  struct Finished {
    repo::MapRoot map;
    std::uint64_t length = 0;
  };
  Result<Finished> finish();

 private:
  Status cut(bool at_end);
  Status store(ByteView chunk);

  repo::WriteSession* session_;
  const repo::KeySet* keys_;
  const chunker::StreamChunker* chunker_;
  std::shared_ptr<MapBuilder> map_;
  std::shared_ptr<MapBuilder::Span> span_;
  Encoder text_;
  std::uint64_t length_ = 0;
};

/// Takes entries in the order of the walk (depth first, names ascending) and writes each to its
/// directory as soon as it and all before it are complete; so memory is bounded by `pending_max`
/// entries. One thread.
class TreeWriter {
 public:
  TreeWriter(repo::WriteSession& session, const repo::KeySet& keys,
             const chunker::StreamChunker& chunker, Completion& completion);

  /// Everything until leave_directory() goes into it. The first one entered is the root.
  Status enter_directory(repo::Entry entry);
  Status leave_directory();
  Status add(repo::Entry entry);
  /// A file whose map is being finished by workers.
  Status add_file(repo::Entry entry, std::shared_ptr<MapBuilder> map);
  /// Waits for everything and returns the root directory.
  Result<DirectoryStream::Finished> finish();

 private:
  enum class Step : std::uint8_t { Enter, Leave, Entry };
  struct Pending {
    Step step = Step::Entry;
    repo::Entry entry;
    std::shared_ptr<MapBuilder> map;
  };
  struct OpenDirectory {
    repo::Entry entry;
    DirectoryStream stream;
  };

  Status push(Pending pending);
  Status drain(std::size_t leave);
  Status apply(Pending pending);
  Status apply_leave();

  repo::WriteSession* session_;
  const repo::KeySet* keys_;
  const chunker::StreamChunker* chunker_;
  Completion* completion_;
  std::deque<Pending> pending_;
  std::vector<OpenDirectory> open_;
  std::optional<DirectoryStream::Finished> root_;
};

}  // namespace pagevault::engine
