// What both kinds of backup share: their options, and showing how one goes and what it came to.

#pragma once

#include "command.h"
#include "opened_workspace.h"
#include "pagevault/engine/backup.h"
#include "progress_line.h"

namespace pagevault::cli {

/// How a snapshot is labelled and stored: --tag, --host, --compression, --delta and the like.
const OptionSpecs& storing_options();
/// The request's part of these, and who takes the snapshot.
Status apply_storing_options(Invocation& invocation, engine::BackupRequest& request);

/// These, --dry-run and --parent.
const OptionSpecs& common_backup_options();

/// The error's text, naming the path once.
std::string source_error_text(const engine::SourceError& problem);

/// Runs `request`, which has the sources, with the common options and prints what it came to.
Outcome run_backup_request(Invocation& invocation, OpenedWorkspace& opened,
                           engine::BackupRequest request);

}  // namespace pagevault::cli
