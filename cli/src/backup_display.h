// What both kinds of backup share: their options, and showing how one goes and what it came to.

#pragma once

#include "command.h"
#include "opened_workspace.h"
#include "pagevault/engine/backup.h"
#include "progress_line.h"

namespace pagevault::cli {

/// --tag, --host, --compression, --dry-run, --parent and the like.
const OptionSpecs& common_backup_options();

/// Runs `request`, which has the sources, with the common options and prints what it came to.
Outcome run_backup_request(Invocation& invocation, OpenedWorkspace& opened,
                           engine::BackupRequest request);

}  // namespace pagevault::cli
