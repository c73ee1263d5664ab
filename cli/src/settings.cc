#include "settings.h"

#include <fmt/format.h>

#include "user_file.h"

namespace pagevault::cli {
namespace {

Error usage(std::string message) { return Error(ErrorCode::InvalidArgument, std::move(message)); }

Result<std::string> repository_from_file(const std::string& path) {
  PV_TRY_ASSIGN(const std::string text, read_text_file(path));
  const std::string line = text.substr(0, text.find_first_of("\r\n"));
  if (line.empty()) return usage(path + ": its first line names no repository");
  return line;
}

Result<std::string> choose_repository(const Options& options, const Environment& environment) {
  const auto path = options.text("repo");
  const auto file = options.text("repository-file");
  if (path && file) return usage("give --repo or --repository-file, not both");
  if (path && path->empty()) return usage("--repo: the path is empty");
  if (path) return *path;
  if (file) return repository_from_file(*file);
  if (environment.repository && environment.repository_file) {
    return usage("PAGEVAULT_REPOSITORY and PAGEVAULT_REPOSITORY_FILE are both set: unset one");
  }
  if (environment.repository) return *environment.repository;
  if (environment.repository_file) return repository_from_file(*environment.repository_file);
  return usage("which repository? give -r DIR or set PAGEVAULT_REPOSITORY");
}

std::string choose_cache_root(const Options& options, const Environment& environment,
                              unsigned user_id) {
  if (options.has("no-cache")) return {};
  if (const auto given = options.text("cache-dir")) return *given;
  if (environment.cache_dir) return *environment.cache_dir;
  if (environment.xdg_cache_home) return *environment.xdg_cache_home + "/pagevault";
  if (environment.home) return *environment.home + "/.cache/pagevault";
  return user_id == 0 ? "/var/cache/pagevault" : "";
}

Result<repo::Compression> choose_compression(const Options& options,
                                             const Environment& environment) {
  if (const auto given = options.text("compression")) return repo::compression_from_name(*given);
  if (!environment.compression) return repo::Compression::Auto;
  return repo::compression_from_name(*environment.compression).context("PAGEVAULT_COMPRESSION");
}

}  // namespace

Result<Settings> resolve_settings(const Options& options, Environment environment,
                                  unsigned user_id) {
  Settings out;
  PV_TRY_ASSIGN(out.repository, choose_repository(options, environment));
  PV_TRY_ASSIGN(out.compression, choose_compression(options, environment));
  out.cache_root = choose_cache_root(options, environment, user_id);
  out.temporary_dir = environment.temporary_dir.value_or("/tmp");
  PV_TRY_ASSIGN(out.credential, choose_credential(options, std::move(environment)));
  return out;
}

}  // namespace pagevault::cli
