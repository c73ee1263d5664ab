// The environment variables this program listens to.

#pragma once

#include <optional>
#include <string>

#include "pagevault/base/secret.h"

namespace pagevault::cli {

/// An empty variable counts as not set.
struct Environment {
  std::optional<std::string> repository = {};
  std::optional<std::string> repository_file = {};
  SecretBytes password = {};  ///< Empty: not set.
  std::optional<std::string> password_file = {};
  std::optional<std::string> password_command = {};
  std::optional<std::string> key_file = {};
  std::optional<std::string> cache_dir = {};
  std::optional<std::string> compression = {};
  std::optional<std::string> xdg_cache_home = {};
  std::optional<std::string> home = {};
  std::optional<std::string> temporary_dir = {};  ///< TMPDIR.
};

/// Reads them, once, before any thread starts, and wipes PAGEVAULT_PASSWORD from the process: what
/// /proc shows and what the password command inherits no longer has it (S11).
Environment take_environment();

}  // namespace pagevault::cli
