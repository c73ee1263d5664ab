#include "pagevault/engine/workspace.h"

namespace pagevault::engine {

Workspace::Workspace(std::unique_ptr<repo::Repository> repository, repo::LocalCache cache)
    : repository_(std::move(repository)),
      cache_(std::move(cache)),
      reader_(*repository_, *cache_.index),
      covered_(repo::CoveredSnapshots::load(repository_->env(), cache_.folder)) {}

Result<std::unique_ptr<Workspace>> Workspace::open(std::unique_ptr<repo::Repository> repository,
                                                   const std::string& cache_root,
                                                   CancelToken* cancel) {
  repo::LocalCache cache = repo::open_local_cache(*repository, cache_root);
  std::unique_ptr<Workspace> workspace(new Workspace(std::move(repository), std::move(cache)));
  if (cancel != nullptr) workspace->cancel_ = cancel;
  if (!workspace->cache_.warning.empty()) workspace->warnings_.push_back(workspace->cache_.warning);
  PV_TRY_ASSIGN(workspace->load_, repo::load_index(*workspace->repository_, workspace->index()));
  if (!workspace->load_.keeps_what_was_known()) workspace->covered_.forget_all();
  for (const auto& damaged : workspace->load_.damaged) {
    workspace->warnings_.push_back("index object " + repo::object_path(damaged.name) +
                                   " is damaged (" + damaged.error.message() +
                                   "); run `pagevault repair index`");
  }
  return workspace;
}

Status Workspace::refresh_index() {
  PV_TRY_ASSIGN(const repo::IndexLoad load, repo::load_index(*repository_, index()));
  if (!load.keeps_what_was_known()) covered_.forget_all();
  return ok();
}

}  // namespace pagevault::engine
