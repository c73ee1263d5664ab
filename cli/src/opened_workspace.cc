#include "opened_workspace.h"

#include <fmt/format.h>

#include "pagevault/repo/directory_store.h"
#include "user_paths.h"

namespace pagevault::cli {
namespace {

void describe_index(Invocation& invocation, engine::Workspace& workspace) {
  Console& console = invocation.console;
  const repo::IndexLoad& load = workspace.index_load();
  console.detail(fmt::format("i/o: {}", invocation.env.io_description()));
  console.detail(workspace.cache_folder().empty()
                     ? std::string("cache: in memory")
                     : fmt::format("cache: {}", workspace.cache_folder()));
  console.detail(fmt::format("index: {} objects, {} of them read now{}", load.objects, load.applied,
                             load.rebuilt ? "; the cache was begun anew" : ""));
}

// A file where the repository should be is no repository either, whatever opening it says.
bool is_a_file(Env& env, const std::string& path) {
  const FilePlace place = split_file_path(path);
  const auto folder = env.open_dir(place.folder);
  if (!folder) return false;
  const auto info = (*folder)->stat(place.name);
  return info && info->type == FileType::Regular;
}

}  // namespace

Status require_repository(Invocation& invocation) {
  invocation.phase = Phase::Opening;
  const std::string& path = invocation.settings.repository;
  const auto store = repo::open_directory_store(invocation.env, path);
  if (!store && is_a_file(invocation.env, path)) {
    return Error(ErrorCode::NotFound, path + ": is a file, not a repository");
  }
  if (!store) return store.error();
  invocation.phase = Phase::Setup;
  return ok();
}

Result<std::unique_ptr<repo::Repository>> open_repository(Invocation& invocation) {
  const Settings& settings = invocation.settings;
  PV_TRY(require_repository(invocation));
  PV_TRY_ASSIGN(const repo::Credential credential,
                read_credential(settings.credential, invocation.console));
  invocation.phase = Phase::Opening;
  PV_TRY_ASSIGN(auto repository,
                repo::Repository::open(invocation.env, settings.repository, credential));
  invocation.phase = Phase::Running;
  invocation.console.detail(
      fmt::format("repository: {}, id {}", settings.repository, repository->config().id.hex()));
  return repository;
}

Result<OpenedWorkspace> open_workspace(Invocation& invocation) {
  PV_TRY_ASSIGN(auto repository, open_repository(invocation));
  return open_workspace(invocation, std::move(repository));
}

Result<OpenedWorkspace> open_workspace(Invocation& invocation,
                                       std::unique_ptr<repo::Repository> repository) {
  OpenedWorkspace out;
  PV_TRY_ASSIGN(out.workspace,
                engine::Workspace::open(std::move(repository), invocation.settings.cache_root));
  out.guard = std::make_unique<CancelOnSignal>(out.workspace->cancel());
  for (const std::string& warning : out.workspace->warnings()) invocation.console.warn(warning);
  describe_index(invocation, *out.workspace);
  return out;
}

Result<repo::SnapshotListing> list_snapshots(Invocation& invocation,
                                             const repo::Repository& repository) {
  PV_TRY_ASSIGN(repo::SnapshotListing listing, repository.list_snapshots());
  for (const auto& damaged : listing.damaged) {
    invocation.console.warn(fmt::format("{} cannot be read: {}", repo::object_path(damaged.name),
                                        damaged.error.message()));
  }
  return listing;
}

Result<repo::StoredSnapshot> choose_snapshot(Invocation& invocation,
                                             const repo::Repository& repository,
                                             const std::string& text) {
  PV_TRY_ASSIGN(const repo::SnapshotListing listing, list_snapshots(invocation, repository));
  return engine::find_snapshot(listing, text);
}

}  // namespace pagevault::cli
