#include "store_folders.h"

#include <fmt/format.h>

#include <algorithm>

namespace pagevault::repo {

namespace {

bool is_lower_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string pack_folder(unsigned first_byte) { return fmt::format("{:02x}", first_byte); }

bool is_object_hex(ObjectType type, std::string_view hex) {
  if (type == ObjectType::Config) return hex.empty();
  const std::size_t digits = type == ObjectType::KeySlot ? 32 : 64;
  return hex.size() == digits && is_lower_hex(hex);
}

bool is_temp_name(std::string_view name) {
  return name.starts_with(kTempPrefix) && name.size() == kTempPrefix.size() + kTempHexDigits &&
         is_lower_hex(name.substr(kTempPrefix.size()));
}

Result<StorePlace> store_place(const ObjectName& name) {
  if (!is_object_hex(name.type, name.hex)) {
    return Error(ErrorCode::InvalidArgument, fmt::format("'{}' names no object", name.hex));
  }
  const std::string path = object_path(name);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return StorePlace{.folder = "", .file = path};
  return StorePlace{.folder = path.substr(0, slash), .file = path.substr(slash + 1)};
}

}  // namespace pagevault::repo
