#include "watched_repository.h"

namespace pagevault::cli {

Result<WatchedRepository> WatchedRepository::create(Invocation& invocation, CancelToken& cancel) {
  PV_TRY_ASSIGN(repo::Credential credential,
                read_credential(invocation.settings.credential, invocation.console));
  return WatchedRepository(invocation, cancel, std::move(credential));
}

Result<std::unique_ptr<repo::Repository>> WatchedRepository::unlock() {
  const std::string& location = invocation_->settings.repository;
  if (!master_) {
    PV_TRY_ASSIGN(auto repository,
                  repo::Repository::open(invocation_->env, location, *credential_));
    master_ = repository->keys().master().clone();
    credential_.reset();
    return repository;
  }
  auto repository =
      repo::Repository::open_with_master(invocation_->env, location, master_->clone());
  if (!repository && repository.error().code() == ErrorCode::WrongKey) {
    return Error(ErrorCode::Io, location + ": another repository is there now");
  }
  return repository;
}

Result<std::unique_ptr<engine::Workspace>> WatchedRepository::open() {
  invocation_->phase = Phase::Opening;
  PV_TRY_ASSIGN(auto repository, unlock());
  PV_TRY_ASSIGN(auto workspace, engine::Workspace::open(std::move(repository),
                                                        invocation_->settings.cache_root, cancel_));
  invocation_->phase = Phase::Running;
  std::set<std::string> warnings(workspace->warnings().begin(), workspace->warnings().end());
  for (const std::string& warning : warnings) {
    if (!warned_.contains(warning)) invocation_->console.warn(warning);
  }
  warned_ = std::move(warnings);
  return workspace;
}

}  // namespace pagevault::cli
