#include "tar_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace pagevault::pgsupport {
namespace {

struct TarField {
  std::size_t at = 0;
  std::size_t bytes = 0;
};

constexpr TarField kName{0, 100};
constexpr TarField kMode{100, 8};
constexpr TarField kUid{108, 8};
constexpr TarField kGid{116, 8};
constexpr TarField kSize{124, 12};
constexpr TarField kMtime{136, 12};
constexpr TarField kChecksum{148, 8};
constexpr TarField kType{156, 1};
constexpr TarField kLinkTarget{157, 100};
constexpr TarField kMagic{257, 8};  // With the version, which GNU does not have.
constexpr TarField kUser{265, 32};
constexpr TarField kGroup{297, 32};
constexpr TarField kDeviceMajor{329, 8};
constexpr TarField kDeviceMinor{337, 8};
constexpr TarField kPrefix{345, 155};

constexpr std::string_view kUstarMagic("ustar\00000", kMagic.bytes);
constexpr std::string_view kGnuMagic("ustar  \0", kMagic.bytes);

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kSecondsMax = std::numeric_limits<std::int64_t>::max() / kNsPerSecond;

Error bad_header(std::string_view problem) { return {ErrorCode::Corrupt, std::string(problem)}; }

std::string_view text_of(ByteView block, TarField field) {
  return as_text(block.subspan(field.at, field.bytes));
}

// Up to the first NUL, which only NULs may follow: what hides behind one is seen by some readers
// and not by others.
Result<std::string> parse_text(ByteView block, TarField field) {
  const std::string_view text = text_of(block, field);
  const std::size_t length = std::min(text.find('\0'), text.size());
  if (text.find_first_not_of('\0', length) != text.npos) return bad_header("NUL inside a name");
  return std::string(text.substr(0, length));
}

// Octal digits between spaces, ended by a space, NUL or the field; blank is 0.
Result<std::uint64_t> parse_octal(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::uint64_t value = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '7'; ++digits) {
    value = value * 8 + static_cast<std::uint64_t>(text[digits] - '0');  // 12 digits: 36 bits.
  }
  text.remove_prefix(digits);
  if (text.find_first_not_of(std::string_view(" \0", 2)) != text.npos) {
    return bad_header("number that is not octal");
  }
  return value;
}

// The first byte 0x80 (0xff below zero), then a big-endian number in two's complement, of which the
// low 64 bits are returned; the others must be copies of `fill`.
Result<std::uint64_t> parse_binary(ByteView field, std::byte fill) {
  std::uint64_t value = 0;
  for (std::size_t i = 1; i < field.size(); ++i) {
    const bool is_high = field.size() - i > sizeof value;
    if (is_high && field[i] != fill) return bad_header("number beyond 64 bits");
    value = value << 8U | std::to_integer<std::uint64_t>(field[i]);
  }
  if (fill == std::byte{0xff} && field.size() <= sizeof value) {
    value |= ~std::uint64_t{0} << (8 * (field.size() - 1));
  }
  return value;
}

Result<std::uint64_t> parse_field(ByteView block, TarField field, std::uint64_t max) {
  const ByteView bytes = block.subspan(field.at, field.bytes);
  const bool is_binary = bytes[0] == std::byte{0x80};
  PV_TRY_ASSIGN(const std::uint64_t value,
                is_binary ? parse_binary(bytes, std::byte{0}) : parse_octal(as_text(bytes)));
  if (value > max) return bad_header(fmt::format("number {} is too large", value));
  return value;
}

// Times out of our range are no reason to lose a file: they are kept inside.
Result<std::int64_t> parse_mtime_ns(ByteView block) {
  const ByteView bytes = block.subspan(kMtime.at, kMtime.bytes);
  std::int64_t seconds = 0;
  if (bytes[0] == std::byte{0x80} || bytes[0] == std::byte{0xff}) {
    // PostgreSQL writes times before 1970 as 0x80, zeros and the two's complement in 64 bits.
    const std::byte fill = bytes[0] == std::byte{0xff} ? bytes[0] : std::byte{0};
    PV_TRY_ASSIGN(const std::uint64_t value, parse_binary(bytes, fill));
    seconds = static_cast<std::int64_t>(value);
  } else {
    PV_TRY_ASSIGN(const std::uint64_t value, parse_octal(as_text(bytes)));
    seconds = static_cast<std::int64_t>(value);
  }
  return std::clamp(seconds, -kSecondsMax, kSecondsMax) * kNsPerSecond;
}

// The sum of all bytes, with its own field as spaces.
std::uint64_t checksum_of(ByteView block) {
  std::uint64_t sum = kChecksum.bytes * ' ';
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool is_own = i >= kChecksum.at && i < kChecksum.at + kChecksum.bytes;
    if (!is_own) sum += std::to_integer<std::uint64_t>(block[i]);
  }
  return sum;
}

Result<FileType> parse_type(char type) {
  switch (type) {
    case '0':
    case '\0':
      return FileType::Regular;
    case '2':
      return FileType::Symlink;
    case '5':
      return FileType::Directory;
    case '1':
      return bad_header("hard link, which base backups have none of");
    case '3':
    case '4':
    case '6':
      return bad_header("device or fifo, which base backups have none of");
    case 'S':
      return bad_header("sparse member, which base backups have none of");
    case 'L':
    case 'K':
    case 'g':
    case 'x':
      return bad_header("pax or GNU extension, which base backups have none of");
    default:
      return bad_header(
          fmt::format("unknown member type {:#04x}", static_cast<unsigned char>(type)));
  }
}

// `path` without leading "./" or trailing '/'.
Status check_member_path(std::string_view path) {
  if (path.starts_with('/')) return bad_header("absolute name");
  while (true) {
    const std::size_t length = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, length);
    if (component.empty()) return bad_header("name with an empty component");
    if (component == "." || component == "..") return bad_header("name that climbs");
    if (length == path.size()) return ok();
    path.remove_prefix(length + 1);
  }
}

// pg_basebackup writes the history file of a timeline into pg_wal.tar as X.tmp and then cuts the
// name to X in place, so that "tmp" stays behind the NUL. Source: PostgreSQL 17,
// src/bin/pg_basebackup/walmethods.c, tar_close.
Result<std::string> parse_name(ByteView block) {
  constexpr std::string_view kLeftBehind("\0tmp\0", 5);
  const std::string_view text = text_of(block, kName);
  const std::size_t length = std::min(text.find('\0'), text.size());
  const std::string_view rest = text.substr(length);
  const bool is_cut = rest.starts_with(kLeftBehind) &&
                      rest.find_first_not_of('\0', kLeftBehind.size()) == rest.npos;
  return is_cut ? std::string(text.substr(0, length)) : parse_text(block, kName);
}

Result<std::string> parse_path(ByteView block, bool is_ustar) {
  PV_TRY_ASSIGN(std::string path, parse_name(block));
  if (!is_ustar) return path;  // GNU has times there.
  PV_TRY_ASSIGN(const std::string prefix, parse_text(block, kPrefix));
  return prefix.empty() ? path : prefix + "/" + path;
}

// Directories and symbolic links of PostgreSQL have a trailing slash; `pg_wal/archive_status/`
// begins with "./" and its parent does not.
Result<std::string> normal_path(std::string path, FileType type) {
  if (path.empty()) return bad_header("empty name");
  if (type != FileType::Regular && path.ends_with('/')) path.pop_back();
  if (path == "." && type == FileType::Directory) return std::string();
  if (path.starts_with("./")) path.erase(0, 2);
  PV_TRY(check_member_path(path));
  return path;
}

Status parse_content(ByteView block, ArchiveMember& member) {
  constexpr std::uint64_t kSizeMax = std::numeric_limits<std::int64_t>::max();
  PV_TRY_ASSIGN(const std::uint64_t size, parse_field(block, kSize, kSizeMax));
  if (size > 0 && member.info.type != FileType::Regular)
    return bad_header("link or folder with content");
  member.info.size = size;
  if (member.info.type != FileType::Symlink) return ok();
  PV_TRY_ASSIGN(member.link_target, parse_text(block, kLinkTarget));
  if (member.link_target.empty()) return bad_header("symbolic link to nothing");
  return ok();
}

Status parse_owner(ByteView block, ArchiveMember& member) {
  constexpr std::uint64_t kIdMax = std::numeric_limits<std::uint32_t>::max();
  PV_TRY_ASSIGN(const std::uint64_t mode, parse_field(block, kMode, kIdMax));
  member.info.mode = static_cast<std::uint32_t>(mode) & 07777U;
  PV_TRY_ASSIGN(const std::uint64_t uid, parse_field(block, kUid, kIdMax));
  member.info.uid = static_cast<std::uint32_t>(uid);
  PV_TRY_ASSIGN(const std::uint64_t gid, parse_field(block, kGid, kIdMax));
  member.info.gid = static_cast<std::uint32_t>(gid);
  PV_TRY_ASSIGN(member.user, parse_text(block, kUser));
  PV_TRY_ASSIGN(member.group, parse_text(block, kGroup));
  return ok();
}

Result<ArchiveMember> parse_member(ByteView block, std::string path) {
  ArchiveMember member;
  PV_TRY_ASSIGN(member.info.type, parse_type(text_of(block, kType)[0]));
  PV_TRY_ASSIGN(member.path, normal_path(std::move(path), member.info.type));
  PV_TRY(parse_content(block, member));
  PV_TRY(parse_owner(block, member));
  PV_TRY_ASSIGN(member.info.mtime_ns, parse_mtime_ns(block));
  return member;
}

Error unfit(const ArchiveMember& member, std::string_view problem) {
  return {ErrorCode::InvalidArgument, fmt::format("{}: {}", member.path, problem)};
}

using TarBlock = std::array<std::byte, kTarBlockBytes>;

void put_text(TarBlock& block, TarField field, std::string_view text) {
  std::copy_n(as_bytes(text).begin(), std::min(text.size(), field.bytes),
              block.begin() + static_cast<std::ptrdiff_t>(field.at));
}

// Octal with a NUL at its end; binary what is too large for that.
void put_number(TarBlock& block, TarField field, std::uint64_t value) {
  if (value >> (3 * (field.bytes - 1)) == 0) {
    put_text(block, field, fmt::format("{:0{}o}", value, field.bytes - 1));
    return;
  }
  for (std::size_t i = field.bytes - 1; i > 0; --i) {
    block[field.at + i] = static_cast<std::byte>(value);
    value >>= 8U;
  }
  block[field.at] = std::byte{0x80};
}

// Where a path too long for the name is cut: the part before the slash goes to the prefix.
std::optional<std::size_t> prefix_length(std::string_view path) {
  if (path.size() <= kName.bytes) return 0;
  const std::size_t slash = path.find('/', path.size() - kName.bytes - 1);
  if (slash == path.npos || slash + 1 == path.size() || slash == 0) return std::nullopt;
  if (slash > kPrefix.bytes) return std::nullopt;
  return slash;
}

Status put_path(TarBlock& block, const ArchiveMember& member) {
  std::string path = member.path;
  if (member.info.type == FileType::Directory) path += '/';
  const auto prefix = prefix_length(path);
  if (!prefix) return unfit(member, "name too long for a tar archive");
  put_text(block, kPrefix, std::string_view(path).substr(0, *prefix));
  put_text(block, kName, std::string_view(path).substr(*prefix == 0 ? 0 : *prefix + 1));
  return ok();
}

Status check_member(const ArchiveMember& member) {
  if (const Status path = check_member_path(member.path); !path) {
    return unfit(member, path.error().message());
  }
  const bool is_link = member.info.type == FileType::Symlink;
  if (member.link_target.empty() == is_link) return unfit(member, "target of a link, or none");
  if (member.link_target.size() > kLinkTarget.bytes) {
    return unfit(member, "link target too long for a tar archive");
  }
  if ((member.path + member.link_target).find('\0') != std::string::npos) {
    return unfit(member, "NUL inside a name");
  }
  if (member.info.size > 0 && member.info.type != FileType::Regular) {
    return unfit(member, "link or folder with content");
  }
  return ok();
}

Result<std::string_view> type_of(const ArchiveMember& member) {
  switch (member.info.type) {
    case FileType::Regular:
      return std::string_view("0");
    case FileType::Symlink:
      return std::string_view("2");
    case FileType::Directory:
      return std::string_view("5");
    default:
      return unfit(member, "neither file, folder nor symbolic link");
  }
}

}  // namespace

Result<ArchiveMember> parse_tar_header(ByteView block) {
  PV_CHECK(block.size() == kTarBlockBytes);
  const std::string_view magic = text_of(block, kMagic);
  if (magic != kUstarMagic && magic != kGnuMagic) return bad_header("not a tar header");
  PV_TRY_ASSIGN(const std::uint64_t sum, parse_octal(text_of(block, kChecksum)));
  if (sum != checksum_of(block)) return bad_header("tar header with a wrong checksum");
  PV_TRY_ASSIGN(const std::string path, parse_path(block, magic == kUstarMagic));
  return parse_member(block, path).context(path);
}

Result<std::array<std::byte, kTarBlockBytes>> format_tar_header(const ArchiveMember& member) {
  PV_TRY(check_member(member));
  PV_TRY_ASSIGN(const std::string_view type, type_of(member));
  TarBlock block{};
  PV_TRY(put_path(block, member));
  put_text(block, kType, type);
  put_text(block, kLinkTarget, member.link_target);
  put_text(block, kMagic, kUstarMagic);
  put_text(block, kUser, member.user.substr(0, kUser.bytes - 1));
  put_text(block, kGroup, member.group.substr(0, kGroup.bytes - 1));
  put_number(block, kMode, member.info.mode & 07777U);
  put_number(block, kUid, member.info.uid);
  put_number(block, kGid, member.info.gid);
  put_number(block, kSize, member.info.size);
  put_number(block, kMtime,
             static_cast<std::uint64_t>(std::max<std::int64_t>(member.info.mtime_ns, 0)) /
                 static_cast<std::uint64_t>(kNsPerSecond));
  put_number(block, kDeviceMajor, 0);
  put_number(block, kDeviceMinor, 0);
  put_text(block, kChecksum, fmt::format("{:06o}", checksum_of(block)));
  put_text(block, {kChecksum.at + 7, 1}, " ");  // "dddddd\0 ", as tar has always written it.
  return block;
}

}  // namespace pagevault::pgsupport
