// A passphrase from a program: --password-command.

#pragma once

#include <string>

#include "pagevault/base/secret.h"

namespace pagevault::cli {

/// Runs `command` with /bin/sh -c and returns the first line it prints. Errors: InvalidArgument
/// when it fails (with its exit status, never with its output) or prints nothing.
Result<SecretBytes> run_password_command(const std::string& command);

}  // namespace pagevault::cli
