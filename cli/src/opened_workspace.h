// Opening the repository the user means, with the key he gives.

#pragma once

#include <memory>

#include "command.h"
#include "interruption.h"
#include "pagevault/engine/tree.h"
#include "pagevault/engine/workspace.h"

namespace pagevault::cli {

/// NotFound, before any passphrase is asked for, when there is no repository (exit 10).
Status require_repository(Invocation& invocation);

/// The repository alone: for keys and snapshot lists. Writes nothing. Moves the invocation on to
/// Phase::Running.
Result<std::unique_ptr<repo::Repository>> open_repository(Invocation& invocation);

/// With index and local cache; signals cancel its work while it lives.
struct OpenedWorkspace {
  std::unique_ptr<engine::Workspace> workspace;
  std::unique_ptr<CancelOnSignal> guard;  // Dies before the token in the workspace.

  engine::Workspace& operator*() const { return *workspace; }
  engine::Workspace* operator->() const { return workspace.get(); }
};
Result<OpenedWorkspace> open_workspace(Invocation& invocation);
/// Of a repository that is open.
Result<OpenedWorkspace> open_workspace(Invocation& invocation,
                                       std::unique_ptr<repo::Repository> repository);

/// All snapshots; warns of those that cannot be read.
Result<repo::SnapshotListing> list_snapshots(Invocation& invocation,
                                             const repo::Repository& repository);

/// The snapshot that `text` names: id prefix, latest, latest~N, time. Errors: NotFound,
/// InvalidArgument.
Result<repo::StoredSnapshot> choose_snapshot(Invocation& invocation,
                                             const repo::Repository& repository,
                                             const std::string& text);

/// First digits of an id: enough for people and for the command line.
template <class Id>
std::string short_id(const Id& id) {
  return id.hex(8);
}

}  // namespace pagevault::cli
