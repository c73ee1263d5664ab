// What the process does before anything else.

#pragma once

#include <string>

namespace pagevault::cli {

/// No core dumps and no debugger of the same user (S11), files for the owner only, as many
/// descriptors as the system grants. Best effort: a kernel that refuses one of them is no reason
/// not to back up.
void set_up_process();

/// Effective user id.
unsigned current_user_id();

/// The working directory. Empty when it is gone.
std::string working_directory();

}  // namespace pagevault::cli
