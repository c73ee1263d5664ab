// A Store in a directory of any file system. docs/format.md, 1.

#pragma once

#include <memory>

#include "pagevault/base/env.h"
#include "pagevault/repo/store.h"

namespace pagevault::repo {

/// Creates the folders of an empty repository in `path`, which must be absent (its parent present)
/// or an empty directory. Durable when it returns. Returns the store, ready for the first key slot
/// and then the config (which is what makes it a repository). Errors: AlreadyExists when something
/// is there.
Result<std::unique_ptr<Store>> create_directory_store(Env& env, const std::string& path);

/// Opens an existing one. Errors: NotFound when `path` is absent or has no `config` ("not a
/// repository": also an empty mount point, F2.5). `env` outlives the store.
Result<std::unique_ptr<Store>> open_directory_store(Env& env, const std::string& path);

}  // namespace pagevault::repo
