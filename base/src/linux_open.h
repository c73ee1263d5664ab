// Opening one name beneath a directory without following links (S14).

#pragma once

#include <sys/types.h>

#include <string>

#include "pagevault/base/unique_fd.h"

namespace pagevault {

/// Opens the single component `name` in `dir_fd`; an empty UniqueFd, with errno, on failure. Adds
/// O_CLOEXEC, O_NOFOLLOW and O_NOCTTY to `flags`. openat2 also refuses what only the kernel can
/// see (magic links); where it is missing or forbidden, a single component with O_NOFOLLOW is
/// beneath by construction.
UniqueFd open_beneath(int dir_fd, const std::string& name, int flags, mode_t mode = 0);

/// The same for reading, without touching access times where we may (owner or root).
UniqueFd open_beneath_no_atime(int dir_fd, const std::string& name, int flags);

}  // namespace pagevault
