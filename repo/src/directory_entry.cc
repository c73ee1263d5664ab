#include "pagevault/repo/directory_entry.h"

#include <fmt/format.h>

#include <bit>

#include "pagevault/repo/fields.h"

namespace pagevault::repo {

namespace {

constexpr std::uint8_t kStreamVersion = 1;
constexpr std::uint8_t kRacy = 1;
constexpr std::uint8_t kChangedWhileRead = 2;
constexpr std::uint32_t kModeMax = 07777;
constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kLinkTargetBytesMax = 4095;
constexpr std::size_t kXattrsMax = 1024;
constexpr std::size_t kXattrBytesMax = 64 * kKiB;
constexpr int kPageLog2Min = 9;
constexpr int kPageLog2Max = 16;
constexpr std::uint16_t kCrc32cTag = 0x0013;  // Of the extension; 0x0010..0x0012: database record.

bool holds_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

bool is_valid_link_target(std::string_view target) {
  return !target.empty() && target.size() <= kLinkTargetBytesMax && !holds_nul(target);
}

bool is_valid_xattr_name(std::string_view name) {
  return !name.empty() && name.size() <= kXattrBytesMax && !holds_nul(name);
}

bool is_valid_page_size(std::uint32_t bytes) {
  return bytes == 0 || (std::has_single_bit(bytes) && bytes >= (1U << kPageLog2Min) &&
                        bytes <= (1U << kPageLog2Max));
}

bool has_map(FileType type) { return type == FileType::Regular || type == FileType::Directory; }
bool is_device(FileType type) {
  return type == FileType::CharDevice || type == FileType::BlockDevice;
}

// --- Writing -------------------------------------------------------------------------------

void encode_page_size(Encoder& out, std::uint32_t bytes) {
  out.u8(bytes == 0 ? 0 : static_cast<std::uint8_t>(std::countr_zero(bytes)));
}

void encode_content(Encoder& out, const Entry& entry) {
  const FileType type = entry.info.type;
  if (has_map(type)) {
    out.varint(entry.info.size);
    if (type == FileType::Regular) encode_page_size(out, entry.page_size);
    encode_map_root(out, entry.map);
  } else if (type == FileType::Symlink) {
    out.str(entry.link_target);
  } else if (is_device(type)) {
    out.varint(entry.info.device_major);
    out.varint(entry.info.device_minor);
  }
}

void encode_xattrs(Encoder& out, const std::vector<Xattr>& xattrs) {
  out.varint(xattrs.size());
  for (const Xattr& xattr : xattrs) {
    out.str(xattr.name);
    out.str(xattr.value);
  }
}

// Empty where there is nothing to say, as in entries of before there were records.
void encode_extension(Encoder& out, const Entry& entry) {
  FieldWriter fields;
  if (entry.database) add_database_record(fields, *entry.database);
  if (entry.crc32c) fields.add_u32(kCrc32cTag, *entry.crc32c);
  out.str(fields.take());
}

void encode_unchecked(Encoder& out, const Entry& entry) {
  const FileInfo& info = entry.info;
  out.str(entry.name);
  out.u8(static_cast<std::uint8_t>(info.type));
  out.u8(static_cast<std::uint8_t>((entry.racy ? kRacy : 0) |
                                   (entry.changed_while_read ? kChangedWhileRead : 0)));
  out.varint(info.mode);
  out.varint(info.uid);
  out.varint(info.gid);
  out.str(entry.user);
  out.str(entry.group);
  out.i64(info.mtime_ns);
  out.i64(info.ctime_ns);
  out.varint(info.device);
  out.varint(info.inode);
  out.varint(info.links);
  encode_content(out, entry);
  encode_xattrs(out, entry.xattrs);
  encode_extension(out, entry);
}

Error refused(const Entry& entry, std::string_view problem) {
  return {ErrorCode::InvalidArgument, fmt::format("directory entry {}: {}", entry.name, problem)};
}

Status check_xattrs(const Entry& entry) {
  if (entry.xattrs.size() > kXattrsMax) return refused(entry, "over 1024 extended attributes");
  const Xattr* before = nullptr;
  for (const Xattr& xattr : entry.xattrs) {
    if (!is_valid_xattr_name(xattr.name)) return refused(entry, "bad attribute name");
    if (xattr.value.size() > kXattrBytesMax) return refused(entry, "attribute over 64 KiB");
    if (before != nullptr && before->name >= xattr.name) {
      return refused(entry, "attributes are not in order");
    }
    before = &xattr;
  }
  return ok();
}

Status check_fields(const Entry& entry) {
  const FileInfo& info = entry.info;
  if (!is_valid_entry_name(entry.name)) return refused(entry, "bad name");
  if (info.mode > kModeMax) return refused(entry, "mode over 12 bits");
  if (entry.user.size() > kNameBytesMax || entry.group.size() > kNameBytesMax) {
    return refused(entry, "user or group name over 255 bytes");
  }
  if (has_map(info.type) && info.size > kFileBytesMax) return refused(entry, "over 2^53 bytes");
  if (!is_valid_page_size(entry.page_size)) return refused(entry, "bad page size");
  if (info.type == FileType::Symlink && !is_valid_link_target(entry.link_target)) {
    return refused(entry, "bad link target");
  }
  if (entry.database) {
    if (info.type != FileType::Regular) return refused(entry, "a database that is no file");
    PV_TRY(check_database_record(*entry.database));
  }
  if (entry.crc32c && info.type != FileType::Regular) {
    return refused(entry, "a checksum of what is no file");
  }
  return check_xattrs(entry);
}

// --- Reading -------------------------------------------------------------------------------

Status decode_type_and_flags(Decoder& in, Entry& entry) {
  PV_TRY_ASSIGN(const std::uint8_t type, in.u8());
  if (type < 1 || type > static_cast<std::uint8_t>(FileType::BlockDevice)) {
    return Error(ErrorCode::Unsupported, fmt::format("directory entry: unknown type {}", type));
  }
  entry.info.type = static_cast<FileType>(type);
  PV_TRY_ASSIGN(const std::uint8_t flags, in.u8());
  if ((flags & ~(kRacy | kChangedWhileRead)) != 0) {
    return Error(ErrorCode::Unsupported,
                 fmt::format("directory entry: unknown flags {:#x}", flags));
  }
  entry.racy = (flags & kRacy) != 0;
  entry.changed_while_read = (flags & kChangedWhileRead) != 0;
  return ok();
}

Result<std::uint32_t> decode_u32(Decoder& in, std::uint32_t max) {
  PV_TRY_ASSIGN(const std::uint64_t value, in.varint(0, max));
  return static_cast<std::uint32_t>(value);
}

Result<std::string> decode_text(Decoder& in, std::size_t length_max) {
  PV_TRY_ASSIGN(const ByteView bytes, in.str(length_max));
  return std::string(as_text(bytes));
}

Status decode_metadata(Decoder& in, Entry& entry) {
  FileInfo& info = entry.info;
  PV_TRY_ASSIGN(info.mode, decode_u32(in, kModeMax));
  PV_TRY_ASSIGN(info.uid, decode_u32(in, UINT32_MAX));
  PV_TRY_ASSIGN(info.gid, decode_u32(in, UINT32_MAX));
  PV_TRY_ASSIGN(entry.user, decode_text(in, kNameBytesMax));
  PV_TRY_ASSIGN(entry.group, decode_text(in, kNameBytesMax));
  PV_TRY_ASSIGN(info.mtime_ns, in.i64());
  PV_TRY_ASSIGN(info.ctime_ns, in.i64());
  PV_TRY_ASSIGN(info.device, in.varint());
  PV_TRY_ASSIGN(info.inode, in.varint());
  PV_TRY_ASSIGN(info.links, in.varint());
  return ok();
}

Result<std::uint32_t> decode_page_size(Decoder& in) {
  PV_TRY_ASSIGN(const std::uint8_t log2, in.u8());
  if (log2 == 0) return std::uint32_t{0};
  if (log2 < kPageLog2Min || log2 > kPageLog2Max) {
    return in.corrupt(fmt::format("page size of 2^{} bytes", log2));
  }
  return std::uint32_t{1} << log2;
}

Status decode_map(Decoder& in, Entry& entry) {
  PV_TRY_ASSIGN(entry.info.size, in.varint(0, kFileBytesMax));
  if (entry.info.type == FileType::Regular) {
    PV_TRY_ASSIGN(entry.page_size, decode_page_size(in));
  }
  PV_TRY_ASSIGN(entry.map, decode_map_root(in));
  return check_map_root(entry.map, entry.info.size);
}

Status decode_content(Decoder& in, Entry& entry) {
  const FileType type = entry.info.type;
  if (has_map(type)) return decode_map(in, entry);
  if (type == FileType::Symlink) {
    PV_TRY_ASSIGN(entry.link_target, decode_text(in, kLinkTargetBytesMax));
    if (!is_valid_link_target(entry.link_target)) return in.corrupt("bad link target");
    entry.info.size = entry.link_target.size();
  } else if (is_device(type)) {
    PV_TRY_ASSIGN(entry.info.device_major, decode_u32(in, UINT32_MAX));
    PV_TRY_ASSIGN(entry.info.device_minor, decode_u32(in, UINT32_MAX));
  }
  return ok();
}

Status decode_xattrs(Decoder& in, std::vector<Xattr>& xattrs) {
  PV_TRY_ASSIGN(const std::uint64_t count, in.varint(0, kXattrsMax));
  for (std::uint64_t i = 0; i < count; ++i) {
    Xattr xattr;
    PV_TRY_ASSIGN(xattr.name, decode_text(in, kXattrBytesMax));
    if (!is_valid_xattr_name(xattr.name)) return in.corrupt("bad attribute name");
    if (!xattrs.empty() && xattrs.back().name >= xattr.name) {
      return in.corrupt("attributes are not in order");
    }
    PV_TRY_ASSIGN(xattr.value, decode_text(in, kXattrBytesMax));
    xattrs.push_back(std::move(xattr));
  }
  return ok();
}

// Fields of a later version are ignored unless they say they must be understood.
Status decode_extension(Decoder& in, Entry& entry) {
  PV_TRY_ASSIGN(const ByteView extension, in.str(kEntryBytesMax));
  if (extension.empty()) return ok();
  PV_TRY_ASSIGN(const FieldReader fields, FieldReader::parse(extension, "directory entry"));
  PV_TRY(fields.require_known({}));
  PV_TRY_ASSIGN(entry.database, read_database_record(fields));
  if (entry.database && entry.info.type != FileType::Regular) {
    return in.corrupt("a database that is no file");
  }
  if (!fields.has(kCrc32cTag)) return ok();
  if (entry.info.type != FileType::Regular) return in.corrupt("a checksum of what is no file");
  PV_TRY_ASSIGN(entry.crc32c, fields.u32(kCrc32cTag));
  return ok();
}

Result<Entry> decode_entry(Decoder& in) {
  Entry entry;
  PV_TRY_ASSIGN(entry.name, decode_text(in, kNameBytesMax));
  if (!is_valid_entry_name(entry.name)) return in.corrupt("bad name");
  PV_TRY(decode_type_and_flags(in, entry));
  PV_TRY(decode_metadata(in, entry));
  PV_TRY(decode_content(in, entry));
  PV_TRY(decode_xattrs(in, entry.xattrs));
  PV_TRY(decode_extension(in, entry));
  if (in.position() > kEntryBytesMax) return in.corrupt("entry over 1 MiB");
  return entry;
}

}  // namespace

bool is_valid_entry_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax || name == "." || name == "..") return false;
  return name.find('/') == std::string_view::npos && !holds_nul(name);
}

void begin_directory_stream(Encoder& out) { out.u8(kStreamVersion); }

Status check_entry(const Entry& entry) {
  PV_TRY(check_fields(entry));
  Encoder out;
  encode_unchecked(out, entry);
  if (out.size() > kEntryBytesMax) return refused(entry, "over 1 MiB of metadata");
  return ok();
}

void encode_entry(Encoder& out, const Entry& entry) {
  PV_CHECK(check_fields(entry).has_value());
  const std::size_t start = out.size();
  encode_unchecked(out, entry);
  PV_CHECK(out.size() - start <= kEntryBytesMax);
}

void DirectoryStreamParser::feed(ByteView piece) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(position_));
  wanted_ -= std::min(wanted_, position_);
  position_ = 0;
  append(buffer_, piece);
}

Result<std::optional<Entry>> DirectoryStreamParser::next() {
  if (buffer_.size() <= position_ || buffer_.size() < wanted_) return std::optional<Entry>();
  if (!begun_) {
    const auto version = std::to_integer<std::uint8_t>(buffer_[position_]);
    if (version != kStreamVersion) {
      return Error(ErrorCode::Unsupported, fmt::format("directory: unknown version {}", version));
    }
    begun_ = true;
    ++position_;
  }
  Decoder in(ByteView(buffer_).subspan(position_), "directory entry");
  auto entry = decode_entry(in);
  if (!entry && in.missing() > 0 && in.position() + in.missing() <= kEntryBytesMax) {
    wanted_ = position_ + in.position() + in.missing();
    return std::optional<Entry>();
  }
  if (!entry) return entry.error();
  if (!last_name_.empty() && entry->name <= last_name_) {
    return in.corrupt("names are not in strictly ascending order");
  }
  last_name_ = entry->name;
  position_ += in.position();
  return std::optional<Entry>(std::move(*entry));
}

Status DirectoryStreamParser::finish() const {
  if (begun_ && position_ == buffer_.size()) return ok();
  return Error(ErrorCode::Corrupt, "directory: ends within an entry");
}

}  // namespace pagevault::repo
