#include <fmt/format.h>

#include <array>

#include "pagevault/pgsupport/archive_reader.h"
#include "tar_header.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::array<std::byte, 2 * kTarBlockBytes> kZeros{};

class TarWriter final : public ArchiveWriter {
 public:
  explicit TarWriter(Sink sink) : sink_(std::move(sink)) {}

  Status begin(const ArchiveMember& member) override {
    PV_TRY(end_member());
    PV_TRY_ASSIGN(const auto header, format_tar_header(member));
    PV_TRY(put(header));
    path_ = member.path;
    left_ = member.info.size;
    padding_ = tar_padding(left_);
    return ok();
  }

  Status write(ByteView bytes) override {
    if (bytes.size() > left_) {
      return Error(ErrorCode::InvalidArgument, fmt::format("{}: more bytes than announced", path_));
    }
    PV_TRY(put(bytes));
    left_ -= bytes.size();
    return ok();
  }

  Status finish() override {
    PV_TRY(end_member());
    return put(kZeros);
  }

 private:
  Status end_member() {
    if (failure_) return *failure_;
    if (left_ > 0) {
      return Error(ErrorCode::InvalidArgument,
                   fmt::format("{}: {} bytes fewer than announced", path_, left_));
    }
    PV_TRY(put(ByteView(kZeros).first(padding_)));
    padding_ = 0;
    return ok();
  }

  // An archive with a gap would be read as something else: the first error stays.
  Status put(ByteView bytes) {
    if (failure_) return *failure_;
    if (bytes.empty()) return ok();
    Status written = sink_(bytes);
    if (!written) failure_ = written.error();
    return written;
  }

  Sink sink_;
  std::string path_;
  std::uint64_t left_ = 0;  // Bytes of the current member that were announced and not written.
  std::size_t padding_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

Result<std::unique_ptr<ArchiveWriter>> ArchiveWriter::create(Sink sink) {
  return std::unique_ptr<ArchiveWriter>(std::make_unique<TarWriter>(std::move(sink)));
}

}  // namespace pagevault::pgsupport
