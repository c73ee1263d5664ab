// Adding a key to an open repository: what `key add` and `key import` share.

#pragma once

#include "command.h"
#include "pagevault/repo/repository.h"

namespace pagevault::cli {

/// Makes the credential the --new-... options describe, adds its slot and prints the slot's id.
Outcome add_new_key(Invocation& invocation, const repo::Repository& repository);

}  // namespace pagevault::cli
