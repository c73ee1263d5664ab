// Writes a snapshot's directories bottom-up, while files below them are still being stored.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "map_builder.h"
#include "pagevault/chunker/stream_chunker.h"
#include "pagevault/repo/chunk_reader.h"
#include "pagevault/repo/directory_entry.h"
#include "parent_span.h"

namespace pagevault::engine {

/// What directories are written with; all outlive the writer.
struct TreeParts {
  repo::WriteSession& session;
  repo::ChunkReader& reader;
  const chunker::StreamChunker& chunker;
  Completion& completion;
};

/// A directory's stream in the parent snapshot; length 0: there is none.
struct ParentDirectory {
  repo::MapRoot map;
  std::uint64_t length = 0;
};

/// The stream of one directory: entries in, metadata chunks out. Holds at most one chunk and one
/// entry of text.
class DirectoryStream {
 public:
  DirectoryStream(const TreeParts& parts, ParentDirectory parent);

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
  void begin_span();

  const TreeParts* parts_;
  ParentDirectory parent_;
  ParentSpan parent_span_;  // Of the span that is being written.
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
  explicit TreeWriter(const TreeParts& parts) : parts_(parts) {}

  /// Everything until leave_directory() goes into it. The first one entered is the root.
  Status enter_directory(repo::Entry entry, ParentDirectory parent);
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
    ParentDirectory parent;  // Step::Enter.
  };
  struct OpenDirectory {
    repo::Entry entry;
    DirectoryStream stream;
  };

  Status push(Pending pending);
  Status drain(std::size_t leave);
  Status apply(Pending pending);
  Status apply_leave();

  const TreeParts parts_;
  std::deque<Pending> pending_;
  std::vector<OpenDirectory> open_;
  std::optional<DirectoryStream::Finished> root_;
};

}  // namespace pagevault::engine
