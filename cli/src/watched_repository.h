// The repository of a command that opens it again and again: the key is asked for once.

#pragma once

#include <optional>
#include <set>

#include "command.h"
#include "pagevault/engine/workspace.h"

namespace pagevault::cli {

class WatchedRepository {
 public:
  /// Gets the passphrase or key file; touches no repository. `cancel` stops the work of what open()
  /// gives. Both outlive it. Errors: of read_credential.
  static Result<WatchedRepository> create(Invocation& invocation, CancelToken& cancel);

  /// Opened as by a new process: other writers' work, and a share that was mounted again, are seen.
  /// After the first success the keys stay in memory, and no passphrase is stretched again. Errors:
  /// of Repository::open; Io when another repository is there now.
  Result<std::unique_ptr<engine::Workspace>> open();

 private:
  WatchedRepository(Invocation& invocation, CancelToken& cancel, repo::Credential credential)
      : invocation_(&invocation), cancel_(&cancel), credential_(std::move(credential)) {}

  Result<std::unique_ptr<repo::Repository>> unlock();

  Invocation* invocation_;
  CancelToken* cancel_;
  std::optional<repo::Credential> credential_;  // Until the first success.
  std::optional<repo::MasterSecret> master_;    // From then on.
  std::set<std::string> warned_;                // At the last open.
};

}  // namespace pagevault::cli
