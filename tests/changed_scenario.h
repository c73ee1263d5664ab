// One file whose source says where it changed, backed up step by step with the parts of the engine
// that read and map: what a caller of FileMapper does, in a few lines.

#pragma once

#include <map>

#include "block_source.h"
#include "dictionary_source.h"
#include "directory_writer.h"
#include "engine_fixture.h"
#include "file_mapper.h"
#include "overlaid_source.h"

namespace pagevault::testing {

using Ranges = std::vector<ByteRange>;

/// How one step is taken.
struct ChangedStep {
  std::optional<Ranges> changed = {};
  bool trust = false;
  bool paranoid = false;
  bool prove = false;
  bool dry_run = false;
  std::function<bool(std::uint64_t)> audited = {};
  std::optional<std::uint64_t> image_length = {};  ///< Of the image that `overlay` makes.
  engine::OverlaidBlockSource::Overlay overlay = {};
};

/// What a step did.
struct ChangedOutcome {
  std::optional<SnapshotId> snapshot;
  std::uint64_t bytes_read = 0;  ///< By the mapping that counts.
  std::uint32_t page_size = 0;
  std::uint64_t audit_mismatches = 0;
  bool differed = false;  ///< The first mapping was thrown away.
  repo::SessionTotals totals;
};

/// A file whose first bytes say that it has pages of `page` bytes.
inline Bytes page_database(std::size_t pages, std::size_t page, std::uint64_t seed) {
  Bytes out = fake_database(pages, page, seed);
  std::fill_n(out.begin() + 72, 20, std::byte{0});  // Reserved for expansion.
  if (page == 65'536) out[17] = std::byte{1};       // Has no room for 65536.
  return out;
}

inline std::uint64_t bytes_of(const Ranges& ranges) {
  std::uint64_t sum = 0;
  for (const ByteRange& range : ranges) sum += range.length;
  return sum;
}

/// The file is `name` in `folder` of any Env, the repository is `vault`.
class ChangedScenario {
 public:
  ChangedScenario(Env& env, Vault& vault, std::string folder, std::string name)
      : env_(&env), vault_(&vault), folder_(std::move(folder)), name_(std::move(name)) {}

  Result<ChangedOutcome> step(const ChangedStep& how) {
    PV_TRY_ASSIGN(auto workspace, vault_->open());
    PV_TRY_ASSIGN(auto session,
                  repo::WriteSession::begin(workspace->reader(), {.dry_run = how.dry_run}));
    ChangedOutcome outcome;
    engine::Completion completion;
    engine::BlockPool pool(32);
    const auto queue = env_->make_io_queue(8);
    auto workers = env_->make_executor(2, 64);
    PV_TRY_ASSIGN(auto mapper,
                  engine::FileMapper::create({.session = *session,
                                              .reader = workspace->reader(),
                                              .workers = *workers,
                                              .completion = completion,
                                              .prove_references = how.prove,
                                              .tick = [](std::uint64_t) { return ok(); }}));
    PV_TRY_ASSIGN(auto dir, env_->open_dir(folder_));
    PV_TRY_ASSIGN(auto file, dir->open_file(name_, OpenMode::Read));
    PV_TRY_ASSIGN(FileInfo info, file->info());
    info.size = how.image_length.value_or(info.size);
    PV_TRY_ASSIGN(engine::MappingInput input, input_of(*workspace, how, info.size));

    const auto map = [&]() -> Result<engine::MappingResult> {
      ChunkId earlier;
      if (input.parent) {
        engine::MapReader parent(workspace->reader(), input.parent->map, input.parent->length);
        earlier = engine::dictionary_of(workspace->reader(), parent);
      }
      engine::DictionarySource dictionaries(file.get(), info.size, input.parent.has_value(),
                                            earlier);
      input.dictionaries = &dictionaries;
      PV_TRY_ASSIGN(input.data, mapper.ranges_to_read(input));
      std::unique_ptr<engine::BlockSource> source;
      if (how.overlay) {
        source = std::make_unique<engine::OverlaidBlockSource>(*queue, pool, *file, input.data,
                                                               how.overlay);
      } else {
        source = std::make_unique<engine::FileBlockSource>(*queue, pool, *file, input.data);
      }
      PV_TRY_ASSIGN(auto mapped, mapper.map(*source, input));
      EXPECT_EQ(mapped.bytes_read, bytes_of(input.data)) << "nothing else is read";
      return mapped;
    };
    PV_TRY_ASSIGN(auto mapped, map());
    outcome.differed = mapped.differs;
    if (mapped.differs) {
      input.changed.reset();
      input.trust_metadata = false;
      PV_TRY_ASSIGN(mapped, map());
      EXPECT_FALSE(mapped.differs);
    }
    EXPECT_EQ(mapped.length, info.size);
    outcome.bytes_read = mapped.bytes_read;
    outcome.page_size = mapped.page_size;
    PV_TRY_ASSIGN(auto root, write_tree(*workspace, *session, completion, info, mapped));
    outcome.audit_mismatches = mapper.audit_mismatches();
    outcome.totals = session->totals();
    if (!how.dry_run) {
      PV_TRY_ASSIGN(outcome.snapshot, commit(*workspace, *session, std::move(root)));
      last_ = outcome.snapshot;
    }
    return outcome;
  }

  /// The file as the last snapshot has it.
  Result<Bytes> restored() {
    PV_TRY_ASSIGN(auto workspace, vault_->open());
    Bytes out;
    PV_TRY(engine::dump_file(*workspace, *last_, name_, [&](ByteView piece) {
      append(out, piece);
      return ok();
    }));
    return out;
  }

  /// Its entry in the last snapshot.
  Result<repo::Entry> entry(engine::Workspace& workspace) {
    PV_TRY_ASSIGN(const auto listing, workspace.repository().list_snapshots());
    for (const auto& stored : listing.snapshots) {
      if (stored.id == *last_) return engine::find_entry(workspace, stored.snapshot, name_);
    }
    return Error(ErrorCode::NotFound, "no snapshot");
  }

  std::optional<SnapshotId> last() const { return last_; }

 private:
  Result<engine::MappingInput> input_of(engine::Workspace& workspace, const ChangedStep& how,
                                        std::uint64_t length) {
    engine::MappingInput input;
    input.length = length;
    input.changed = how.changed;
    input.trust_metadata = how.trust;
    input.paranoid = how.paranoid;
    input.audited = how.audited;
    if (last_) {
      PV_TRY_ASSIGN(const repo::Entry before, entry(workspace));
      input.parent = engine::ParentFile{before.map, before.info.size, before.page_size};
    }
    return input;
  }

  Result<engine::DirectoryStream::Finished> write_tree(engine::Workspace& workspace,
                                                       repo::WriteSession& session,
                                                       engine::Completion& completion,
                                                       const FileInfo& info,
                                                       const engine::MappingResult& mapped) {
    const repo::Repository& repository = workspace.repository();
    PV_TRY_ASSIGN(
        const auto chunker,
        chunker::StreamChunker::create(repository.keys().cut(), repository.config().stream_sizes));
    engine::TreeWriter tree({.session = session,
                             .reader = workspace.reader(),
                             .chunker = chunker,
                             .completion = completion});
    repo::Entry entry;
    entry.name = name_;
    entry.info = info;
    entry.info.size = mapped.length;
    entry.page_size = mapped.page_size;
    PV_TRY(tree.enter_directory({}, {}));
    PV_TRY(tree.add_file(std::move(entry), mapped.map));
    PV_TRY(tree.leave_directory());
    return tree.finish();
  }

  Result<SnapshotId> commit(engine::Workspace& workspace, repo::WriteSession& session,
                            engine::DirectoryStream::Finished root) {
    repo::Snapshot snapshot;
    snapshot.kind = repo::SnapshotKind::Files;
    snapshot.begun_ns = env_->now_ns();
    snapshot.host = "host";
    snapshot.paths = {"/" + name_};
    snapshot.client = workspace.client();
    snapshot.parent = last_;
    snapshot.root = std::move(root.map);
    snapshot.root_length = root.length;
    return session.commit(std::move(snapshot));
  }

  Env* env_;
  Vault* vault_;
  std::string folder_;
  std::string name_;
  std::optional<SnapshotId> last_;
};

/// A file of pages that changes at random, and knows where.
class ChangingFile {
 public:
  ChangingFile(Bytes content, std::size_t page, std::uint64_t seed)
      : content_(std::move(content)), page_(page), random_(seed) {}

  const Bytes& content() const { return content_; }
  Bytes& content() { return content_; }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  std::size_t pages() const { return content_.size() / page_; }

  /// Other bytes in the middle of a page.
  void change(std::size_t page) {
    for (std::size_t at = page * page_ + 200; at < page * page_ + 240; at += 8) {
      store_le64(MutableBytes(content_).subspan(at).first<8>(), random_() | 1);
    }
    touched_[page] = true;
  }
  void clear(std::size_t page) {
    std::fill_n(content_.begin() + static_cast<std::ptrdiff_t>(page * page_), page_, std::byte{0});
    touched_[page] = true;
  }
  /// Pages of noise, or zeros, at the end; or pages less.
  void resize(std::size_t size) {
    const std::size_t before = content_.size();
    content_.resize(size);
    if (below(3) == 0) return;
    for (std::size_t at = before; at + 8 <= size; at += 64) {
      store_le64(MutableBytes(content_).subspan(at).first<8>(), random_());
    }
  }
  /// A page that is named but as it was.
  void name(std::size_t page) { touched_[page] = true; }

  /// Any of these, a few times.
  void change_at_random() {
    for (std::uint64_t i = below(6); i > 0; --i) change(1 + below(pages() - 1));
    for (std::uint64_t i = below(3); i > 0; --i) name(below(pages()));
    const std::size_t first = 1 + below(pages() - 1);
    if (below(3) == 0) {
      const std::size_t end = std::min<std::size_t>(first + below(40), pages());
      for (std::size_t page = first; page < end; ++page) clear(page);
    }
    if (below(3) == 0) {
      const std::size_t end = std::min<std::size_t>(first + below(40), pages());
      for (std::size_t page = first; page < end; ++page) change(page);
    }
    switch (below(6)) {  // Only one: bytes cut off that come back otherwise would have to be named.
      case 0:
        return resize(content_.size() + below(100) * page_);
      case 1:
        return resize(content_.size() - below(std::min<std::size_t>(100, pages() - 2)) * page_);
      case 2:
        return resize(content_.size() + below(page_));  // A rest that is no page.
      default:
        return;
    }
  }

  /// Where it may have changed since this was last asked; some of it may be beyond the end.
  Ranges changed() {
    Ranges out;
    for (const auto& [page, yes] : std::exchange(touched_, {})) {
      const std::uint64_t offset = page * page_;
      if (!out.empty() && out.back().offset + out.back().length == offset) {
        out.back().length += page_;
      } else {
        out.push_back({offset, page_});
      }
    }
    return out;
  }

 private:
  Bytes content_;
  std::size_t page_;
  std::mt19937_64 random_;
  std::map<std::size_t, bool> touched_;
};

}  // namespace pagevault::testing
