// Names that a restore gives to one file: the first is restored, the others are linked to it when
// everything else is done.

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pagevault/repo/directory_entry.h"
#include "restore_place.h"

namespace pagevault::engine {

/// Not thread-safe.
class HardLinks {
 public:
  struct Link {
    std::string first;  ///< Path in the snapshot of the name that was restored.
    RestorePlace place;
    bool is_database = false;  ///< What may lie beside its old content must go.
  };

  /// True when the entry is a further name of a file met before: there is nothing to restore, and
  /// it is among links() from now on.
  bool is_further_name(const repo::Entry& entry, const RestorePlace& place);
  /// The file of this first name has not been restored whole: nothing may be linked to what is
  /// there.
  void fail(const std::string& first) { failed_.insert(first); }

  const std::vector<Link>& links() const { return links_; }
  /// Makes one of them, below `target`, where the folder `top` of the snapshot is restored to.
  /// Errors: Io when the first name was not restored whole; of the target.
  Status make(const Link& link, const std::shared_ptr<Dir>& target, const std::string& top,
              bool replace) const;

 private:
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names_;  // By inode.
  std::vector<Link> links_;
  std::set<std::string> failed_;
};

}  // namespace pagevault::engine
