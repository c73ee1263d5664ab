// Words the simulator's own tests share.

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "pagevault/base/sim_env.h"

namespace pagevault::sim_test {

/// The value; aborts the test program on an error.
template <class T>
T must(Result<T> result) {
  return std::move(result).value();
}

inline void must(const Status& status) {
  if (!status) ADD_FAILURE() << status.error().message();
}

inline std::unique_ptr<File> create(Dir& dir, std::string_view name) {
  return must(dir.open_file(name, OpenMode::CreateExclusive));
}

inline std::string text(const SimEnv& env, const std::string& path) {
  const auto bytes = env.read_file(path);
  return bytes ? std::string(as_text(*bytes)) : "(absent)";
}

/// All names and contents in one text.
inline std::string render(const SimEnv& env) {
  std::string result;
  for (const auto& path : env.list_files()) result += path + "=" + text(env, path) + "\n";
  return result;
}

}  // namespace pagevault::sim_test
