#include "copy_message.h"

#include <fmt/format.h>

#include <limits>

#include "pagevault/base/codec.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kPathBytesMax = 4095;

Error bad_message(std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("base backup stream: {}", problem)};
}

// The text up to the next NUL, which is taken off with it.
Result<std::string> take_cstring(std::string_view& text, std::size_t bytes_max) {
  const std::size_t length = text.find('\0');
  if (length == text.npos || length > bytes_max) return bad_message("name without end");
  std::string taken(text.substr(0, length));
  text.remove_prefix(length + 1);
  return taken;
}

Result<CopyMessage> parse_archive(std::string_view text) {
  CopyMessage message{.kind = CopyMessage::Kind::Archive};
  PV_TRY_ASSIGN(message.name, take_cstring(text, kNameBytesMax));
  PV_TRY_ASSIGN(message.tablespace, take_cstring(text, kPathBytesMax));
  const std::string& name = message.name;
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos) {
    return bad_message("archive with a name that is not one of a file");
  }
  if (!text.empty()) return bad_message("bytes after the names of an archive");
  return message;
}

Result<CopyMessage> parse_progress(ByteView payload) {
  if (payload.size() != 8) return bad_message("progress of another length than 8 bytes");
  const std::uint64_t high = load_be32(payload);
  const std::uint64_t done = high << 32U | load_be32(payload.subspan(4));
  if (done > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    return bad_message("progress below zero");
  }
  return CopyMessage{.kind = CopyMessage::Kind::Progress, .bytes_done = done};
}

}  // namespace

Result<CopyMessage> parse_copy_message(ByteView message) {
  if (message.empty()) return bad_message("empty message");
  const ByteView payload = message.subspan(1);
  switch (as_text(message)[0]) {
    case 'n':
      return parse_archive(as_text(payload));
    case 'm':
      if (!payload.empty()) return bad_message("bytes where the manifest begins");
      return CopyMessage{.kind = CopyMessage::Kind::Manifest};
    case 'd':
      return CopyMessage{.kind = CopyMessage::Kind::Data, .data = payload};
    case 'p':
      return parse_progress(payload);
    default:
      return bad_message(
          fmt::format("unknown message {:#04x}", std::to_integer<unsigned>(message[0])));
  }
}

}  // namespace pagevault::pgsupport
