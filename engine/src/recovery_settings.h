// What makes a restored cluster recover when it is started: recovery.signal and settings in
// postgresql.auto.conf. pg_verifybackup looks at neither.
//
// A server with recovery.signal does not start without a restore_command. Where the user gives
// none it is 'false', a command that finds no segment: recovery uses what is in pg_wal.

#pragma once

#include <cstdint>
#include <string>

#include "pagevault/base/env.h"
#include "pagevault/engine/restore.h"

namespace pagevault::engine {

/// Errors: InvalidArgument (a name that is not [a-z_.]+, a value with a line break or NUL).
Status check_recovery_options(const ClusterOptions& options);

/// Lines for postgresql.auto.conf, with a comment that says where they come from; empty when there
/// is nothing to set. Precondition: check_recovery_options.
std::string recovery_block(const ClusterOptions& options, const SnapshotId& snapshot);

struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};
/// Writes them into the data directory; again over what an earlier run left is the same as once,
/// when postgresql.auto.conf is as in the snapshot. Returns how many owners could not be set.
/// Errors: of the target.
Result<std::uint64_t> write_recovery_settings(Dir& target, const ClusterOptions& options,
                                              const SnapshotId& snapshot, const Owner& owner);

}  // namespace pagevault::engine
