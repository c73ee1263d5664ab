#include <fmt/format.h>

#include "pagevault/base/path.h"
#include "pagevault/repo/index_loader.h"

namespace pagevault::repo {

namespace {

constexpr unsigned kSlots = 8;

// The client id that lives in a cache slot; made at first use. A slot is locked by one process at a
// time, so no two running processes share an id, and each id's snapshots form one chain (S5).
Result<ClientId> client_of(Env& env, const std::string& folder) {
  PV_TRY_ASSIGN(const auto dir, env.open_dir(folder));
  ClientId id;
  if (auto file = dir->open_file("client", OpenMode::Read)) {
    PV_TRY_ASSIGN(const std::size_t got, (*file)->read_at(0, id.bytes));
    if (got == id.bytes.size()) return id;
    PV_TRY(dir->remove_file("client"));  // Cut short by a crash: begin a new chain.
  }
  env.random(id.bytes);
  PV_TRY_ASSIGN(const auto file, dir->open_file("client", OpenMode::CreateExclusive));
  PV_TRY(file->write_at(0, id.bytes));
  PV_TRY(file->sync());
  return id;
}

Result<LocalCache> open_slot(const Repository& repository, const std::string& folder) {
  Env& env = repository.env();
  PV_TRY_ASSIGN(const auto made, make_dirs(env, folder));
  PV_TRY_ASSIGN(auto index, open_rocks_index({.folder = join_path(folder, "index"),
                                              .label = repository.config().id.hex()}));
  PV_TRY_ASSIGN(const ClientId client, client_of(env, folder));
  PV_TRY_ASSIGN(index, open_recent_index(env, folder, std::move(index)));
  return LocalCache{std::move(index), client, folder, ""};
}

LocalCache memory_cache(const Repository& repository, std::string warning) {
  ClientId client;
  repository.env().random(client.bytes);
  return {make_memory_index(), client, "", std::move(warning)};
}

}  // namespace

LocalCache open_local_cache(const Repository& repository, const std::string& cache_root) {
  if (cache_root.empty()) return memory_cache(repository, "");
  const std::string base = join_path(cache_root, repository.config().id.hex());
  for (unsigned slot = 0; slot < kSlots; ++slot) {
    auto opened = open_slot(repository, join_path(base, fmt::format("{}", slot)));
    if (opened) return std::move(opened).value();
    if (opened.error().code() != ErrorCode::Locked) {
      return memory_cache(repository, fmt::format("the cache in {} cannot be used ({}); working "
                                                  "without it, which is slower",
                                                  base, opened.error().message()));
    }
  }
  return memory_cache(
      repository,
      fmt::format("all {} cache slots in {} are in use; working without", kSlots, base));
}

}  // namespace pagevault::repo
