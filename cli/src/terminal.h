// The terminal this process runs on: is there one, how wide, and a passphrase typed into it.

#pragma once

#include <string_view>

#include "pagevault/base/secret.h"

namespace pagevault::cli {

enum class StandardStream { Input, Output, Error };

bool is_terminal(StandardStream stream);

/// Of standard error; 80 when it does not say.
std::size_t terminal_columns();

/// Asks on /dev/tty, echo off, so that redirected input and output do not matter. Without the line
/// end. Errors: InvalidArgument (no terminal, too long), Cancelled (interrupted, end of input).
Result<SecretBytes> ask_secret(std::string_view question);

}  // namespace pagevault::cli
