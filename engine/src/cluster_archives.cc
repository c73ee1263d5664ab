#include "cluster_archives.h"

#include <algorithm>
#include <array>

#include "pagevault/pgsupport/backup_manifest.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kReadBytes = 256 * kKiB;

// The name without ".tar" and what compression adds to it; nothing for other files.
std::optional<std::string> archive_stem(std::string_view name) {
  constexpr std::array<std::string_view, 5> kEnds = {".tar", ".tar.gz", ".tgz", ".tar.lz4",
                                                     ".tar.zst"};
  for (const std::string_view end : kEnds) {
    if (name.ends_with(end)) return std::string(name.substr(0, name.size() - end.size()));
  }
  return std::nullopt;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string prefix_of(const std::string& stem) {
  if (stem == "base") return "";
  return stem == "pg_wal" ? stem : "pg_tblspc/" + stem;
}

class FileBytes {
 public:
  explicit FileBytes(std::unique_ptr<File> file) : file_(std::move(file)), buffer_(kReadBytes) {}

  Result<ByteView> next() {
    PV_TRY_ASSIGN(const std::size_t got, file_->read_at(offset_, buffer_));
    if (got > 0) file_->drop_cache({offset_, got});
    offset_ += got;
    return ByteView(buffer_).first(got);
  }

 private:
  std::unique_ptr<File> file_;
  Bytes buffer_;
  std::uint64_t offset_ = 0;
};

pgsupport::ArchiveReader::Source bytes_of(std::unique_ptr<File> file) {
  auto bytes = std::make_shared<FileBytes>(std::move(file));  // std::function wants copies.
  return [bytes] { return bytes->next(); };
}

class FolderOfArchives final : public ArchiveSequence {
 public:
  FolderOfArchives(std::unique_ptr<Dir> dir, std::vector<std::string> names)
      : dir_(std::move(dir)), names_(std::move(names)) {}

  Result<std::optional<Archive>> next() override {
    if (next_ == names_.size()) return std::optional<Archive>();
    const std::string& name = names_[next_++];
    PV_TRY_ASSIGN(auto file, dir_->open_file(name, OpenMode::Read));
    return std::optional(Archive{.member = {},
                                 .prefix = prefix_of(*archive_stem(name)),
                                 .bytes = bytes_of(std::move(file))});
  }

 private:
  std::unique_ptr<Dir> dir_;
  std::vector<std::string> names_;
  std::size_t next_ = 0;
};

class OneArchive final : public ArchiveSequence {
 public:
  explicit OneArchive(StreamSource stream) : stream_(std::move(stream)), buffer_(kReadBytes) {}

  Result<std::optional<Archive>> next() override {
    if (std::exchange(given_, true)) return std::optional<Archive>();
    return std::optional(Archive{.member = {}, .prefix = "", .bytes = [this] { return read(); }});
  }

 private:
  Result<ByteView> read() {
    PV_TRY_ASSIGN(const std::size_t got, stream_(buffer_));
    return ByteView(buffer_).first(got);
  }

  StreamSource stream_;
  Bytes buffer_;
  bool given_ = false;
};

class ServerArchives final : public ArchiveSequence {
 public:
  explicit ServerArchives(pgsupport::BaseBackup& backup) : backup_(backup) {}

  Result<std::optional<Archive>> next() override {
    PV_TRY_ASSIGN(const auto found, backup_.next_archive());
    if (!found) return std::optional<Archive>();
    Archive archive{.member = {}, .prefix = "", .bytes = [this] { return backup_.read(); }};
    if (found->is_manifest) {
      archive.member = pgsupport::kManifestFile;
    } else {
      const auto stem = archive_stem(found->name);
      if (!stem || (*stem != "base" && !is_number(*stem))) {
        return Error(ErrorCode::Corrupt, "the server sends an unknown archive: " + found->name);
      }
      archive.prefix = prefix_of(*stem);
    }
    return std::optional(std::move(archive));
  }

  Result<std::optional<pgsupport::WalPoint>> finish() override {
    PV_TRY_ASSIGN(const auto end, backup_.finish());
    return std::optional(end);
  }

 private:
  pgsupport::BaseBackup& backup_;
};

// Base first, tablespaces by number, WAL.
int rank_of(const std::string& name) {
  const std::string stem = archive_stem(name).value_or("");
  if (stem == "base") return 0;
  return stem == "pg_wal" ? 2 : 1;
}

}  // namespace

bool holds_archives(const std::vector<DirEntry>& names) {
  return std::ranges::any_of(
      names, [](const DirEntry& entry) { return archive_stem(entry.name) == "base"; });
}

Result<std::unique_ptr<ArchiveSequence>> archives_in(std::unique_ptr<Dir> dir) {
  PV_TRY_ASSIGN(const auto listed, dir->list());
  std::vector<std::string> names;
  for (const DirEntry& entry : listed) {
    const auto stem = archive_stem(entry.name);
    if (entry.name == pgsupport::kManifestFile) continue;
    const bool is_ours = stem && (*stem == "base" || *stem == "pg_wal" || is_number(*stem));
    if (!is_ours) {
      return Error(ErrorCode::InvalidArgument,
                   dir->path() + "/" + entry.name +
                       ": does not belong into a folder of a base backup's archives");
    }
    names.push_back(entry.name);
  }
  std::ranges::sort(names, {},
                    [](const std::string& name) { return std::pair(rank_of(name), name); });
  return std::unique_ptr<ArchiveSequence>(
      std::make_unique<FolderOfArchives>(std::move(dir), std::move(names)));
}

std::unique_ptr<ArchiveSequence> archive_from(StreamSource stream) {
  return std::make_unique<OneArchive>(std::move(stream));
}

std::unique_ptr<ArchiveSequence> archives_of(pgsupport::BaseBackup& backup) {
  return std::make_unique<ServerArchives>(backup);
}

}  // namespace pagevault::engine
