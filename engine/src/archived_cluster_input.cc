// A base backup in tar archives.

#include <algorithm>

#include "byte_stream.h"
#include "cluster_input.h"

namespace pagevault::engine {

namespace {

class ArchivedClusterInput final : public ClusterInput {
 public:
  explicit ArchivedClusterInput(std::unique_ptr<ArchiveSequence> archives)
      : archives_(std::move(archives)) {}

  Status open(ClusterPreview preview);
  Result<std::optional<ClusterMember>> next() override;
  std::unique_ptr<BlockSource> content(IoQueue& queue, BlockPool& pool) override;
  Result<std::optional<pgsupport::WalPoint>> finish() override { return archives_->finish(); }

 private:
  Status read_label();
  Result<std::optional<ClusterMember>> next_in_archive();
  Result<bool> open_next_archive();
  ClusterMember bare_member(const std::string& name);
  Result<std::size_t> read_bare(MutableBytes out);

  std::unique_ptr<ArchiveSequence> archives_;
  std::unique_ptr<pgsupport::ArchiveReader> reader_;
  std::string prefix_;
  pgsupport::ArchiveReader::Source bare_;  // The last member given is no part of an archive.
  std::string bare_name_;                  // To be given next.
  ByteView bare_rest_;                     // Of its bytes; valid until bare_ is called.
  std::optional<ClusterMember> label_;     // Read by open, to be given first;
  Bytes label_bytes_;                      // with this content.
  bool is_label_ = false;                  // The last member given.
};

Status ArchivedClusterInput::open(ClusterPreview preview) {
  preview_ = std::move(preview);
  const bool start_is_known = preview_.start.lsn.value != 0;
  return start_is_known ? ok() : read_label();
}

Status ArchivedClusterInput::read_label() {
  PV_TRY_ASSIGN(label_, next());
  if (!label_ || label_->path != pgsupport::kBackupLabelFile) {
    return Error(ErrorCode::InvalidArgument,
                 "this is no base backup: its first file should be backup_label, but is " +
                     (label_ ? label_->path : std::string("missing")));
  }
  if (label_->entry.info.size > kSmallFileBytesMax) {
    return Error(ErrorCode::Corrupt, "backup_label: longer than such a file can be");
  }
  label_bytes_.resize(label_->entry.info.size);
  std::size_t filled = 0;
  while (filled < label_bytes_.size()) {
    PV_TRY_ASSIGN(const std::size_t got, reader_->read(MutableBytes(label_bytes_).subspan(filled)));
    if (got == 0) return Error(ErrorCode::Corrupt, "backup_label: ends too early");
    filled += got;
  }
  PV_TRY_ASSIGN(const auto label, pgsupport::parse_backup_label(as_text(label_bytes_)));
  preview_.start = label.start;
  preview_.incremental_from = label.incremental_from;
  return ok();
}

Result<bool> ArchivedClusterInput::open_next_archive() {
  PV_TRY_ASSIGN(auto archive, archives_->next());
  if (!archive) return false;
  if (!archive->member.empty()) {
    bare_ = std::move(archive->bytes);
    bare_name_ = std::move(archive->member);
    return true;
  }
  prefix_ = std::move(archive->prefix);
  PV_TRY_ASSIGN(reader_, pgsupport::ArchiveReader::open(std::move(archive->bytes)));
  return true;
}

// A file beside the archives, of which only the name is known: its size is what is read.
ClusterMember ArchivedClusterInput::bare_member(const std::string& name) {
  ClusterMember member;
  member.path = member.entry.name = name;
  member.entry.info.mode = 0600;
  bare_rest_ = {};
  return member;
}

Result<std::size_t> ArchivedClusterInput::read_bare(MutableBytes out) {
  if (bare_rest_.empty()) {
    PV_TRY_ASSIGN(bare_rest_, bare_());
  }
  const std::size_t count = std::min(out.size(), bare_rest_.size());
  std::copy_n(bare_rest_.begin(), count, out.begin());
  bare_rest_ = bare_rest_.subspan(count);
  return count;
}

Result<std::optional<ClusterMember>> ArchivedClusterInput::next_in_archive() {
  PV_TRY_ASSIGN(auto found, reader_->next());
  if (!found) return std::optional<ClusterMember>();
  ClusterMember member;
  member.path = prefix_.empty() ? std::move(found->path) : prefix_ + "/" + found->path;
  member.entry.name = member.path.substr(member.path.rfind('/') + 1);
  member.entry.info = found->info;
  member.entry.user = std::move(found->user);
  member.entry.group = std::move(found->group);
  member.entry.link_target = std::move(found->link_target);
  return std::optional(std::move(member));
}

Result<std::optional<ClusterMember>> ArchivedClusterInput::next() {
  is_label_ = false;
  bare_ = nullptr;
  if (label_) {
    is_label_ = true;
    return std::exchange(label_, std::nullopt);
  }
  while (true) {
    if (!reader_) {
      PV_TRY_ASSIGN(const bool more, open_next_archive());
      if (!more) return std::optional<ClusterMember>();
      if (bare_) return std::optional(bare_member(std::exchange(bare_name_, {})));
    }
    PV_TRY_ASSIGN(auto member, next_in_archive());
    if (member) return member;
    reader_.reset();
  }
}

std::unique_ptr<BlockSource> ArchivedClusterInput::content(IoQueue&, BlockPool& pool) {
  if (is_label_) return std::make_unique<MemoryBlockSource>(pool, label_bytes_);
  if (bare_) {
    return std::make_unique<StreamBlockSource>(pool,
                                               [this](MutableBytes out) { return read_bare(out); });
  }
  return std::make_unique<StreamBlockSource>(
      pool, [this](MutableBytes out) { return reader_->read(out); });
}

}  // namespace

Result<std::unique_ptr<ClusterInput>> read_archives(std::unique_ptr<ArchiveSequence> archives,
                                                    ClusterPreview preview) {
  auto input = std::make_unique<ArchivedClusterInput>(std::move(archives));
  PV_TRY(input->open(std::move(preview)));
  return std::unique_ptr<ClusterInput>(std::move(input));
}

}  // namespace pagevault::engine
