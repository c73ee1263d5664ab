// A directory of the real file system for one test.

#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "pagevault/base/result.h"

namespace pagevault::testing {

/// A new directory below the temporary one, or another; removed with everything in it.
class ScratchDir {
 public:
  explicit ScratchDir(
      const std::filesystem::path& parent = std::filesystem::temp_directory_path()) {
    std::string name = (parent / "pagevault-test-XXXXXX").string();
    PV_CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace pagevault::testing
