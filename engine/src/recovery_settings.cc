#include "recovery_settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace pagevault::engine {

namespace {

constexpr std::string_view kSignal = "recovery.signal";
constexpr std::string_view kSettings = "postgresql.auto.conf";
constexpr std::string_view kRestoreCommand = "restore_command";

bool is_setting_name(std::string_view name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '.'; };
  return !name.empty() && std::ranges::all_of(name, fits);
}

// As PostgreSQL's own escape_single_quotes_ascii (src/port/quotes.c): quotes and backslashes
// doubled.
std::string quoted(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out.push_back(c);
    out.push_back(c);
  }
  return out + "'";
}

bool has_restore_command(const ClusterOptions& options) {
  return std::ranges::find(options.recovery_options, kRestoreCommand, &RecoveryOption::name) !=
         options.recovery_options.end();
}

// The file `name`, made when it is missing; and whether its owner had to be left as it is.
Result<std::unique_ptr<File>> open_or_create(Dir& target, std::string_view name, const Owner& owner,
                                             std::uint64_t& owners_left) {
  auto file = target.open_file(name, OpenMode::CreateExclusive);
  if (!file && file.error().code() == ErrorCode::AlreadyExists) {
    return target.open_file(name, OpenMode::ReadWrite);
  }
  if (!file) return file.error();
  if (!target.set_metadata(name,
                           {.mode = {}, .uid = owner.uid, .gid = owner.gid, .mtime_ns = {}})) {
    ++owners_left;
  }
  return file;
}

Status append_block(File& file, const std::string& block) {
  PV_TRY_ASSIGN(const FileInfo info, file.info());
  Bytes last(1);
  if (info.size > 0) PV_TRY(file.read_at(info.size - 1, last));
  const bool mid_line = info.size > 0 && last[0] != std::byte{'\n'};
  PV_TRY(file.write_at(info.size, as_bytes((mid_line ? "\n" : "") + block)));
  return file.close();
}

}  // namespace

Status check_recovery_options(const ClusterOptions& options) {
  for (const RecoveryOption& option : options.recovery_options) {
    if (!is_setting_name(option.name)) {
      return Error(ErrorCode::InvalidArgument,
                   fmt::format("recovery option '{}': no name of a setting, which has letters a to "
                               "z, '_' and '.'",
                               option.name));
    }
    if (option.value.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos) {
      return Error(ErrorCode::InvalidArgument,
                   fmt::format("recovery option '{}': its value holds a line break", option.name));
    }
  }
  return ok();
}

std::string recovery_block(const ClusterOptions& options, const SnapshotId& snapshot) {
  const bool finds_nothing = options.recovery_signal && !has_restore_command(options);
  if (!finds_nothing && options.recovery_options.empty()) return {};
  std::string block = fmt::format("\n# Written by pagevault restore of snapshot {}.\n",
                                  to_hex(snapshot.view()).substr(0, 16));
  if (finds_nothing) {
    block +=
        "# recovery.signal wants a restore_command; this one finds nothing, so that recovery uses "
        "the WAL in pg_wal.\n";
    block += fmt::format("{} = 'false'\n", kRestoreCommand);
  }
  for (const RecoveryOption& option : options.recovery_options) {
    block += fmt::format("{} = {}\n", option.name, quoted(option.value));
  }
  return block;
}

Result<std::uint64_t> write_recovery_settings(Dir& target, const ClusterOptions& options,
                                              const SnapshotId& snapshot, const Owner& owner) {
  std::uint64_t owners_left = 0;
  if (const std::string block = recovery_block(options, snapshot); !block.empty()) {
    PV_TRY_ASSIGN(const auto settings, open_or_create(target, kSettings, owner, owners_left));
    PV_TRY(append_block(*settings, block));
  }
  if (options.recovery_signal) {
    PV_TRY_ASSIGN(const auto signal, open_or_create(target, kSignal, owner, owners_left));
    PV_TRY(signal->close());
  }
  return owners_left;
}

}  // namespace pagevault::engine
