#include "plain_stream.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>

namespace pagevault::pgsupport {
namespace {

struct StreamFormat {
  std::string_view magic;
  int filter = ARCHIVE_FILTER_NONE;
};

constexpr std::array<StreamFormat, 3> kStreamFormats = {{
    {"\x1f\x8b", ARCHIVE_FILTER_GZIP},
    {"\x04\x22\x4d\x18", ARCHIVE_FILTER_LZ4},
    {"\x28\xb5\x2f\xfd", ARCHIVE_FILTER_ZSTD},
}};
constexpr std::size_t kMagicBytesMax = 4;

}  // namespace

Result<std::unique_ptr<PlainStream>> PlainStream::open(ArchiveReader::Source source) {
  PV_TRY(libarchive().library.status());
  std::unique_ptr<PlainStream> stream(new PlainStream(std::move(source)));
  PV_TRY(stream->start());
  return stream;
}

Status PlainStream::start() {
  while (head_.size() < kMagicBytesMax) {
    PV_TRY_ASSIGN(const ByteView bytes, source_());
    if (bytes.empty()) return Error(ErrorCode::Corrupt, "archive without content");
    append(head_, bytes);
  }
  handle_.reset(libarchive().read_new());
  if (handle_ == nullptr) return Error(ErrorCode::Io, "libarchive: out of memory");
  bool is_set_up = libarchive().read_support_format_raw(handle_.get()) == ARCHIVE_OK;
  for (const StreamFormat& format : kStreamFormats) {
    if (!as_text(head_).starts_with(format.magic)) continue;
    // Sure of the format: nothing else is tried, and nothing below it.
    is_set_up =
        is_set_up && libarchive().read_append_filter(handle_.get(), format.filter) == ARCHIVE_OK;
  }
  archive_entry* entry = nullptr;
  if (!is_set_up ||
      libarchive().read_open2(handle_.get(), this, nullptr, &PlainStream::pull, nullptr, nullptr) !=
          ARCHIVE_OK ||
      libarchive().read_next_header(handle_.get(), &entry) != ARCHIVE_OK) {
    return failure("begin");
  }
  return ok();
}

la_ssize_t PlainStream::pull(archive* handle, void* self, const void** out) {
  auto& stream = *static_cast<PlainStream*>(self);
  ByteView bytes = stream.head_;
  if (stream.head_given_) {
    Result<ByteView> pulled = stream.source_();
    if (!pulled) {
      stream.source_error_ = pulled.error();
      libarchive().set_error(handle, EIO, "the source failed");
      return ARCHIVE_FATAL;
    }
    bytes = *pulled;
  }
  stream.head_given_ = true;
  *out = bytes.data();
  return static_cast<la_ssize_t>(bytes.size());
}

Result<ByteView> PlainStream::next() {
  const void* bytes = nullptr;
  std::size_t length = 0;
  la_int64_t offset = 0;
  while (length == 0) {
    const int outcome = libarchive().read_data_block(handle_.get(), &bytes, &length, &offset);
    if (outcome == ARCHIVE_EOF) return ByteView();
    if (outcome != ARCHIVE_OK) return failure("read");
  }
  return ByteView(static_cast<const std::byte*>(bytes), length);
}

Error PlainStream::failure(std::string_view what) {
  if (source_error_) return *source_error_;
  const char* const text = libarchive().error_string(handle_.get());
  const bool is_memory = libarchive().error_number(handle_.get()) == ENOMEM;
  return {is_memory ? ErrorCode::Io : ErrorCode::Corrupt,
          fmt::format("{} archive: {}", what, text == nullptr ? "no reason given" : text)};
}

}  // namespace pagevault::pgsupport
