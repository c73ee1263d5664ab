// Standard input as a source of a backup.

#pragma once

#include "pagevault/base/bytes.h"
#include "pagevault/base/cancel_token.h"

namespace pagevault::cli {

/// Reads until `out` is full or the input ends; 0 at its end. Errors: Io, Cancelled.
Result<std::size_t> read_standard_input(MutableBytes out, const CancelToken& cancel);

}  // namespace pagevault::cli
