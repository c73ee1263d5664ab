// What servers and libpq say, as one line of an error message of ours.

#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>

#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

/// Lines joined by "; ", without the white space around them.
std::string one_line(std::string_view text);

/// Message, detail and hint of an answer with an error.
std::string server_message(const PGresult* answer);

/// The same as an error: Locked for missing privileges, NotFound for files that are not there,
/// Corrupt for corrupted data, else Io.
Error server_error(const PGresult* answer);

}  // namespace pagevault::pgsupport
