// Where an entry is restored to.

#pragma once

#include <memory>
#include <string>

#include "pagevault/base/env.h"

namespace pagevault::engine {

struct RestorePlace {
  std::shared_ptr<Dir> dir;  ///< Shared by everything that is restored into it.
  std::string name;
  std::string path;  ///< For messages: in the snapshot.
};

}  // namespace pagevault::engine
