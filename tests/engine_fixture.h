// Vocabulary of the engine's tests: a repository in the simulator, backups of it, restores, and a
// tree of files as one comparable text.

#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "pagevault/base/path.h"
#include "pagevault/base/sim_env.h"
#include "pagevault/engine/backup.h"
#include "pagevault/engine/check.h"
#include "pagevault/engine/restore.h"
#include "pagevault/engine/tree.h"

namespace pagevault::testing {

inline repo::Credential test_key() {
  const Bytes bytes(32, std::byte{7});
  return repo::KeyFileSecret{SecretBytes::copy_of(bytes)};
}

inline Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes out(size);
  for (std::byte& b : out) b = static_cast<std::byte>(random());
  return out;
}

/// Compressible, and different everywhere.
inline Bytes text_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string out;
  while (out.size() < size) {
    out += fmt::format("{{\"id\":{},\"user\":\"user{}\",\"note\":\"{:x}\"}}\n", out.size(),
                       random() % 977, random() % 65536);
  }
  out.resize(size);
  return to_bytes(as_bytes(out));
}

/// A SQLite file by its first bytes: pages of `page` bytes with text in them.
inline Bytes fake_database(std::size_t pages, std::size_t page, std::uint64_t seed) {
  Bytes out = text_bytes(pages * page, seed);
  const std::string_view magic("SQLite format 3\0", 16);
  std::copy(as_bytes(magic).begin(), as_bytes(magic).end(), out.begin());
  out[16] = static_cast<std::byte>(page >> 8);
  out[17] = static_cast<std::byte>(page & 255);
  out[18] = out[19] = std::byte{1};
  out[20] = std::byte{0};
  out[21] = std::byte{64};
  out[22] = out[23] = std::byte{32};
  return out;
}

/// Everything below `root` that a backup promises to keep, one line each.
inline void describe_tree(Dir& dir, const std::string& path, std::string& out, bool times) {
  auto names = dir.list();
  ASSERT_TRUE(names) << names.error().message();
  std::sort(names->begin(), names->end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const DirEntry& entry : *names) {
    const std::string at = path + "/" + entry.name;
    const auto info = dir.stat(entry.name);
    ASSERT_TRUE(info) << info.error().message();
    out += fmt::format("{} type={} mode={:o} owner={}:{} links={}", to_hex(as_bytes(at)),
                       static_cast<int>(info->type), info->mode, info->uid, info->gid,
                       info->type == FileType::Directory ? 0 : info->links);
    if (times) out += fmt::format(" mtime={}", info->mtime_ns);
    if (const auto xattrs = dir.xattrs(entry.name)) {
      for (const Xattr& x : *xattrs) out += " " + x.name + "=" + to_hex(as_bytes(x.value));
    }
    if (info->type == FileType::Symlink) {
      const auto target = dir.read_link(entry.name);
      ASSERT_TRUE(target);
      out += " -> " + *target;
    }
    if (info->type == FileType::Regular) {
      auto file = dir.open_file(entry.name, OpenMode::Read);
      ASSERT_TRUE(file) << file.error().message();
      Bytes content(info->size);
      const auto got = (*file)->read_at(0, content);
      ASSERT_TRUE(got && *got == content.size());
      out += fmt::format(" size={} hash={}", info->size, to_hex(repo::blake2b_256({}, content)));
    }
    out += "\n";
    if (info->type == FileType::Directory) {
      auto below = dir.open_dir(entry.name);
      ASSERT_TRUE(below) << below.error().message();
      describe_tree(**below, at, out, times);
    }
  }
}

inline std::string tree_text(Env& env, const std::string& root, bool times = true) {
  auto dir = env.open_dir(root);
  if (!dir) return "no directory: " + dir.error().message();
  std::string out;
  describe_tree(**dir, "", out, times);
  return out;
}

/// Keeps what an operation reported.
struct Recorder : engine::BackupObserver, engine::RestoreObserver, engine::CheckObserver {
  std::vector<std::string> source_errors;
  std::vector<std::string> warnings;
  std::vector<engine::RestoreProblem> problems;
  std::vector<engine::CheckFinding> findings;

  void on_progress(const engine::BackupProgress&) override {}
  void on_progress(const engine::RestoreProgress&) override {}
  void on_progress(const engine::CheckProgress&) override {}
  void on_source_error(const engine::SourceError& e) override {
    source_errors.push_back(e.path + ": " + e.error.message());
  }
  void on_warning(const std::string& text) override { warnings.push_back(text); }
  void on_problem(const engine::RestoreProblem& p) override { problems.push_back(p); }
  void on_finding(const engine::CheckFinding& f) override { findings.push_back(f); }
  std::size_t damage() const {
    return static_cast<std::size_t>(std::count_if(
        findings.begin(), findings.end(),
        [](const auto& f) { return f.severity == engine::CheckFinding::Severity::Damage; }));
  }
  std::string text() const {
    std::string out;
    for (const auto& e : source_errors) out += "source: " + e + "\n";
    for (const auto& w : warnings) out += "warning: " + w + "\n";
    for (const auto& p : problems) {
      out += fmt::format("problem: {} {}+{}: {}\n", p.path, p.offset, p.length, p.error.message());
    }
    for (const auto& f : findings) {
      out += fmt::format("finding: {} {} {} {}+{}: {}\n", f.object, f.snapshot, f.path, f.offset,
                         f.length, f.problem);
    }
    return out;
  }
};

/// A repository at /repo of any Env, opened anew for every step as a new process would.
class Vault {
 public:
  /// `cache_root`: as for Workspace::open.
  explicit Vault(Env& env, std::string location = "/repo", std::string cache_root = "")
      : env_(&env), location_(std::move(location)), cache_root_(std::move(cache_root)) {}

  Status init(std::uint32_t pack_bytes = 32 * 1024 * 1024) {
    return repo::Repository::init(
        *env_, location_, test_key(),
        {.label = "", .key_label = "test", .cost = {}, .pack_bytes = pack_bytes});
  }
  Result<std::unique_ptr<engine::Workspace>> open() {
    PV_TRY_ASSIGN(auto repository, repo::Repository::open(*env_, location_, test_key()));
    return engine::Workspace::open(std::move(repository), cache_root_);
  }
  engine::BackupRequest request(std::vector<std::string> paths) const {
    engine::BackupRequest request;
    request.paths = std::move(paths);
    request.host = "host";
    request.user = "user";
    request.program = "test";
    return request;
  }
  Result<engine::BackupReport> backup(const engine::BackupRequest& request, Recorder& recorder) {
    PV_TRY_ASSIGN(auto workspace, open());
    return engine::run_backup(*workspace, request, recorder);
  }
  Result<engine::BackupReport> backup(std::vector<std::string> paths) {
    Recorder recorder;
    return backup(request(std::move(paths)), recorder);
  }
  Result<engine::RestoreReport> restore(const engine::RestoreRequest& request, Recorder& recorder) {
    PV_TRY_ASSIGN(auto workspace, open());
    return engine::run_restore(*workspace, request, recorder);
  }
  Result<engine::RestoreReport> restore(const SnapshotId& id, const std::string& path,
                                        const std::string& target) {
    Recorder recorder;
    engine::RestoreRequest request;
    request.snapshot = id;
    request.path = path;
    request.target = target;
    request.verify = true;
    request.allow_special = true;
    return restore(request, recorder);
  }
  Result<engine::CheckReport> check(Recorder& recorder, bool read_data = true) {
    PV_TRY_ASSIGN(auto workspace, open());
    return engine::run_check(*workspace, {.read_data = read_data, .subset_percent = 100}, recorder);
  }
  Result<std::vector<SnapshotId>> snapshots() {
    PV_TRY_ASSIGN(const auto repository, repo::Repository::open(*env_, location_, test_key()));
    PV_TRY_ASSIGN(const auto listing, repository->list_snapshots());
    std::vector<SnapshotId> ids;
    for (const auto& stored : listing.snapshots) ids.push_back(stored.id);
    return ids;
  }

 private:
  Env* env_;
  std::string location_;
  std::string cache_root_;
};

}  // namespace pagevault::testing
