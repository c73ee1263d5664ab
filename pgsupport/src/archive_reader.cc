#include "pagevault/pgsupport/archive_reader.h"

#include <algorithm>
#include <array>

#include "plain_stream.h"
#include "tar_header.h"

namespace pagevault::pgsupport {
namespace {

class TarReader final : public ArchiveReader {
 public:
  explicit TarReader(std::unique_ptr<PlainStream> stream) : stream_(std::move(stream)) {}

  Result<std::optional<ArchiveMember>> next() override {
    if (failure_) return *failure_;
    return kept(next_member());
  }

  Result<std::size_t> read(MutableBytes out) override {
    if (failure_) return *failure_;
    return kept(read_content(out));
  }

 private:
  // The first error is the answer to every later call.
  template <class T>
  Result<T> kept(Result<T> result) {
    if (!result) failure_ = result.error();
    return result;
  }

  Result<std::optional<ArchiveMember>> next_member() {
    while (!is_ended_) {
      PV_TRY(skip(content_left_));
      content_left_ = 0;
      PV_TRY(skip(padding_));
      padding_ = 0;
      PV_TRY_ASSIGN(const ByteView block, take_block());
      if (is_all_zero(block)) {
        PV_TRY(read_end());
        break;
      }
      PV_TRY_ASSIGN(ArchiveMember member, parse_tar_header(block));
      content_left_ = member.info.size;
      padding_ = tar_padding(member.info.size);
      // The root's own entry, which tar makes of "." and base backups do not have, says nothing.
      if (!member.path.empty()) return std::optional(std::move(member));
    }
    return std::optional<ArchiveMember>();
  }

  Result<std::size_t> read_content(MutableBytes out) {
    std::size_t done = 0;
    while (done < out.size() && content_left_ > 0) {
      PV_TRY(fill());
      const std::uint64_t wanted = std::min<std::uint64_t>(content_left_, out.size() - done);
      const ByteView piece = take(wanted);
      copy_bytes(piece, out.subspan(done));
      done += piece.size();
      content_left_ -= piece.size();
    }
    return done;
  }

  // The mark is two blocks of zeros; tar fills up with more to a multiple of 10 KiB. Anything else
  // behind it would be lost in silence.
  Status read_end() {
    PV_TRY_ASSIGN(const ByteView second, take_block());
    if (!is_all_zero(second)) return Error(ErrorCode::Corrupt, "archive with half an end mark");
    do {
      if (!is_all_zero(window_)) return Error(ErrorCode::Corrupt, "bytes after the archive's end");
      PV_TRY_ASSIGN(window_, stream_->next());
    } while (!window_.empty());
    is_ended_ = true;
    return ok();
  }

  // Afterwards the window holds something.
  Status fill() {
    if (window_.empty()) {
      PV_TRY_ASSIGN(window_, stream_->next());
    }
    if (window_.empty()) return Error(ErrorCode::Corrupt, "archive breaks off before its end mark");
    return ok();
  }

  // At most `length` bytes of the window.
  ByteView take(std::uint64_t length) {
    const ByteView piece =
        window_.first(static_cast<std::size_t>(std::min<std::uint64_t>(length, window_.size())));
    window_ = window_.subspan(piece.size());
    return piece;
  }

  Status skip(std::uint64_t length) {
    while (length > 0) {
      PV_TRY(fill());
      length -= take(length).size();
    }
    return ok();
  }

  // Valid until the next call of anything.
  Result<ByteView> take_block() {
    std::size_t done = 0;
    while (done < block_.size()) {
      PV_TRY(fill());
      const ByteView piece = take(block_.size() - done);
      if (piece.size() == block_.size()) return piece;
      copy_bytes(piece, MutableBytes(block_).subspan(done));
      done += piece.size();
    }
    return ByteView(block_);
  }

  std::unique_ptr<PlainStream> stream_;
  ByteView window_;                                // What the stream gave and nobody took yet.
  std::array<std::byte, kTarBlockBytes> block_{};  // A header that lies in two windows.
  std::uint64_t content_left_ = 0;                 // Of the current member.
  std::uint64_t padding_ = 0;
  bool is_ended_ = false;
  std::optional<Error> failure_;
};

}  // namespace

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(Source source) {
  PV_TRY_ASSIGN(auto stream, PlainStream::open(std::move(source)));
  return std::unique_ptr<ArchiveReader>(std::make_unique<TarReader>(std::move(stream)));
}

}  // namespace pagevault::pgsupport
