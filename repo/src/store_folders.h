// The fixed folders of a directory store, and which names in them are objects. docs/format.md, 1.

#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "pagevault/base/env.h"
#include "pagevault/repo/store.h"

namespace pagevault::repo {

inline constexpr std::string_view kTempPrefix = ".tmp-";
inline constexpr std::size_t kTempHexDigits = 32;
inline constexpr unsigned kPackFolders = 256;
inline constexpr std::array<std::string_view, 6> kFolders{"gc",    "index",    "keys",
                                                          "packs", "sessions", "snapshots"};

/// Two hex digits: the folder of packs whose id begins with this byte.
std::string pack_folder(unsigned first_byte);

/// Where an object lies: folder ("" is the root, "packs/3f") and file name.
struct StorePlace {
  std::string folder;
  std::string file;
};
/// Errors: InvalidArgument when the hex is not that of an id of this type.
Result<StorePlace> store_place(const ObjectName& name);

/// True for the lower-case hex of an id of `type`.
bool is_object_hex(ObjectType type, std::string_view hex);
/// True for ".tmp-" and 32 hex digits: something of ours that was never published.
bool is_temp_name(std::string_view name);

/// Makes every folder of an empty repository, durably. Errors: AlreadyExists when `path` holds
/// anything but what an interrupted run of this and of the first key slot leaves (I12).
Status make_store_folders(Env& env, const std::string& path);

}  // namespace pagevault::repo
