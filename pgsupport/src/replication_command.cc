#include "replication_command.h"

#include <fmt/format.h>

namespace pagevault::pgsupport {
namespace {

constexpr std::uint32_t kRateMin = 32;  // In kB/s; MAX_RATE_LOWER and MAX_RATE_UPPER.
constexpr std::uint32_t kRateMax = 1024 * 1024;

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out += quote;
    out += c;
  }
  return out + quote;
}

std::string literal(std::string_view text) { return quoted(text, '\''); }

}  // namespace

std::string quoted_identifier(std::string_view name) { return quoted(name, '"'); }

Result<std::string> base_backup_command(const PostgresServer::Options& options) {
  if ((options.label + options.compression + options.compression_detail).find('\0') !=
      std::string::npos) {
    return Error(ErrorCode::InvalidArgument, "base backup: NUL in label or compression");
  }
  const bool is_limited = options.max_rate_kb != 0;
  if (is_limited && (options.max_rate_kb < kRateMin || options.max_rate_kb > kRateMax)) {
    return Error(ErrorCode::InvalidArgument,
                 fmt::format("base backup: rate of {} kB/s: servers take {} to {}",
                             options.max_rate_kb, kRateMin, kRateMax));
  }
  std::string command =
      fmt::format("BASE_BACKUP (LABEL {}, PROGRESS, CHECKPOINT '{}'", literal(options.label),
                  options.fast_checkpoint ? "fast" : "spread");
  if (options.incremental_since) command += ", INCREMENTAL";
  // With its WAL inside the backup does not have to wait until that is archived.
  if (options.include_wal) command += ", WAL, WAIT 0";
  if (is_limited) command += fmt::format(", MAX_RATE {}", options.max_rate_kb);
  command += ", TABLESPACE_MAP, MANIFEST 'yes'";
  if (!options.checksums_verified) command += ", VERIFY_CHECKSUMS 0";
  if (!options.compression.empty()) command += ", COMPRESSION " + literal(options.compression);
  if (!options.compression_detail.empty()) {
    command += ", COMPRESSION_DETAIL " + literal(options.compression_detail);
  }
  return command + ", TARGET 'client')";
}

}  // namespace pagevault::pgsupport
