#include "environment.h"

#include <cstdlib>
#include <cstring>
#include <span>

namespace pagevault::cli {
namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before threads start
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

SecretBytes take_secret(const char* name) {
  char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before threads start
  if (value == nullptr) return {};
  const std::span<char> text(value, std::strlen(value));
  SecretBytes secret = SecretBytes::copy_of(std::as_bytes(text));
  wipe(std::as_writable_bytes(text));
  unsetenv(name);  // NOLINT(concurrency-mt-unsafe): before threads start
  return secret;
}

}  // namespace

Environment take_environment() {
  return {.repository = variable("PAGEVAULT_REPOSITORY"),
          .repository_file = variable("PAGEVAULT_REPOSITORY_FILE"),
          .password = take_secret("PAGEVAULT_PASSWORD"),
          .password_file = variable("PAGEVAULT_PASSWORD_FILE"),
          .password_command = variable("PAGEVAULT_PASSWORD_COMMAND"),
          .key_file = variable("PAGEVAULT_KEY_FILE"),
          .cache_dir = variable("PAGEVAULT_CACHE_DIR"),
          .compression = variable("PAGEVAULT_COMPRESSION"),
          .xdg_cache_home = variable("XDG_CACHE_HOME"),
          .home = variable("HOME"),
          .temporary_dir = variable("TMPDIR")};
}

}  // namespace pagevault::cli
