#include <algorithm>

#include "pagevault/engine/tree.h"

namespace pagevault::engine {

namespace {

using Visit = std::function<Status(const Difference&)>;

bool is_directory(const repo::Entry& entry) { return entry.info.type == FileType::Directory; }

bool same_content(const repo::Entry& a, const repo::Entry& b) {
  return a.info.size == b.info.size && a.map == b.map && a.link_target == b.link_target;
}

bool same_metadata(const repo::Entry& a, const repo::Entry& b) {
  const auto same_xattr = [](const Xattr& x, const Xattr& y) {
    return x.name == y.name && x.value == y.value;
  };
  return a.info.mode == b.info.mode && a.info.uid == b.info.uid && a.info.gid == b.info.gid &&
         a.info.mtime_ns == b.info.mtime_ns &&
         std::equal(a.xattrs.begin(), a.xattrs.end(), b.xattrs.begin(), b.xattrs.end(), same_xattr);
}

// Two directories of the same path, walked side by side in name order.
struct Pair {
  std::string path;
  DirectoryReader before;
  DirectoryReader after;
  std::optional<repo::Entry> left;
  std::optional<repo::Entry> right;
};

class TreeDiff {
 public:
  TreeDiff(Workspace& workspace, const Visit& visit) : workspace_(workspace), visit_(visit) {}

  Status run(const repo::Entry& before, const repo::Entry& after) {
    PV_TRY(push("", before, after));
    while (!pairs_.empty()) {
      PV_TRY(workspace_.cancel().check());
      Pair& top = *pairs_.back();
      if (!top.left && !top.right) {
        pairs_.pop_back();
        continue;
      }
      PV_TRY(step(top));
    }
    return ok();
  }

 private:
  Status push(const std::string& path, const repo::Entry& before, const repo::Entry& after) {
    auto& reader = workspace_.reader();
    auto pair = std::make_unique<Pair>(Pair{path,
                                            DirectoryReader(reader, before.map, before.info.size),
                                            DirectoryReader(reader, after.map, after.info.size),
                                            {},
                                            {}});
    PV_TRY_ASSIGN(pair->left, pair->before.next());
    PV_TRY_ASSIGN(pair->right, pair->after.next());
    pairs_.push_back(std::move(pair));
    return ok();
  }

  Status step(Pair& pair) {
    const bool only_left = pair.left && (!pair.right || pair.left->name < pair.right->name);
    const bool only_right = pair.right && (!pair.left || pair.right->name < pair.left->name);
    if (only_left) {
      const repo::Entry entry = std::move(*pair.left);
      PV_TRY_ASSIGN(pair.left, pair.before.next());
      return one_sided(Difference::Kind::Removed, pair.path + "/" + entry.name, entry);
    }
    if (only_right) {
      const repo::Entry entry = std::move(*pair.right);
      PV_TRY_ASSIGN(pair.right, pair.after.next());
      return one_sided(Difference::Kind::Added, pair.path + "/" + entry.name, entry);
    }
    const repo::Entry left = std::move(*pair.left);
    const repo::Entry right = std::move(*pair.right);
    PV_TRY_ASSIGN(pair.left, pair.before.next());
    PV_TRY_ASSIGN(pair.right, pair.after.next());
    return both(pair.path + "/" + left.name, left, right);
  }

  // An entry that is in one snapshot only, with all below it.
  Status one_sided(Difference::Kind kind, const std::string& path, const repo::Entry& entry) {
    const auto report = [&](const std::string& at, const repo::Entry& what) {
      const std::uint64_t bytes = is_directory(what) ? 0 : what.info.size;
      const bool added = kind == Difference::Kind::Added;
      return visit_({kind, at, added ? 0 : bytes, added ? bytes : 0});
    };
    PV_TRY(report(path, entry));
    if (!is_directory(entry)) return ok();
    return walk_tree(workspace_, entry, path,
                     [&](const std::string& at, const repo::Entry& below) -> Result<bool> {
                       PV_TRY(report(at, below));
                       return true;
                     });
  }

  Status both(const std::string& path, const repo::Entry& left, const repo::Entry& right) {
    const auto report = [&](Difference::Kind kind) {
      const std::uint64_t before = is_directory(left) ? 0 : left.info.size;
      const std::uint64_t after = is_directory(right) ? 0 : right.info.size;
      return visit_({kind, path, before, after, &left, &right});
    };
    if (left.info.type != right.info.type) return report(Difference::Kind::Type);
    if (is_directory(left)) {
      if (!same_metadata(left, right)) PV_TRY(report(Difference::Kind::Metadata));
      return same_content(left, right) ? ok() : push(path, left, right);
    }
    if (!same_content(left, right)) return report(Difference::Kind::Content);
    return same_metadata(left, right) ? ok() : report(Difference::Kind::Metadata);
  }

  Workspace& workspace_;
  const Visit& visit_;
  std::vector<std::unique_ptr<Pair>> pairs_;
};

}  // namespace

Status diff_snapshots(Workspace& workspace, const repo::Snapshot& before,
                      const repo::Snapshot& after, const Visit& visit) {
  PV_TRY(workspace.refresh_index());
  return TreeDiff(workspace, visit).run(root_entry(before), root_entry(after));
}

}  // namespace pagevault::engine
