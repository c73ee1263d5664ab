// Owner, attributes, mode and times of what was restored.

#pragma once

#include <cstdint>
#include <string>

#include "pagevault/base/env.h"
#include "pagevault/repo/directory_entry.h"

namespace pagevault::engine {

/// setuid, setgid, file capabilities (S14).
enum class SpecialBits : std::uint8_t { Drop, Restore };

/// Takes from `name` the attributes that `entry` has not, among those a restore sets: a file
/// changed in place shall end as a new one would. Returns how many could not be taken.
std::uint64_t remove_other_xattrs(Dir& dir, const std::string& name, const repo::Entry& entry,
                                  SpecialBits special);

/// Gives `name` the metadata of `entry`; returns how many pieces of it could not be set. Last of
/// all: changing the content changes the times.
std::uint64_t restore_metadata(Dir& dir, const std::string& name, const repo::Entry& entry,
                               SpecialBits special);

}  // namespace pagevault::engine
