// What options and environment together say. Options beat the environment.

#pragma once

#include <string>

#include "credential_source.h"
#include "environment.h"
#include "options.h"
#include "pagevault/repo/chunk_codec.h"

namespace pagevault::cli {

struct Settings {
  std::string repository;
  CredentialSource credential;
  std::string cache_root;     ///< Empty: in memory.
  std::string temporary_dir;  ///< For large files that nobody else shall see.
  repo::Compression compression = repo::Compression::Auto;
};

/// `user_id` decides the cache folder when there is no home. Reads the repository file if one is
/// named. Errors: InvalidArgument, and those of read_text_file.
Result<Settings> resolve_settings(const Options& options, Environment environment,
                                  unsigned user_id);

}  // namespace pagevault::cli
