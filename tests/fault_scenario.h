// Vocabulary of the fault tests: a small repository with acknowledged snapshots, a source that has
// changed since, and what must hold after whatever happened to the next run.

#pragma once

#include <map>

#include "engine_fixture.h"
#include "pagevault/repo/chunk_index.h"
#include "pagevault/repo/index_loader.h"

namespace pagevault::testing {

/// Contents of every file below `root`.
inline std::map<std::string, Bytes> contents(const SimEnv& env, const std::string& root) {
  std::map<std::string, Bytes> out;
  for (const std::string& path : env.list_files(root)) out[path] = *env.read_file(path);
  return out;
}

/// A machine with a repository at /repo and a source at /src. Each of its snapshots is acknowledged
/// and must restore to its text for ever (I1).
struct Scenario {
  SimEnv env;
  Vault vault{env};
  std::map<SnapshotId, std::string> acknowledged;

  /// An empty repository and the first state of the source.
  void begin() {
    ASSERT_TRUE(vault.init());
    env.write_file("/src/a.db", fake_database(40, 4096, 1));
    env.write_file("/src/log", text_bytes(70'000, 2));
    env.write_file("/src/sub/same", random_bytes(60'000, 3));
    env.write_file("/src/sub/empty", "");
    env.advance_time(10'000'000'000);
  }

  /// The source's state number `step`: pages changed in place, a file grown, one new, one gone.
  void change(std::uint64_t step) {
    Bytes database = *env.read_file("/src/a.db");
    for (const std::size_t page : {3U, 17U, 30U}) {
      const Bytes fresh = text_bytes(4096, 100 * step + page);
      std::copy(fresh.begin(), fresh.end(),
                database.begin() + static_cast<std::ptrdiff_t>(page * 4096));
    }
    env.write_file("/src/a.db", database);
    env.append_file("/src/log", text_bytes(20'000, 200 + step));
    env.write_file("/src/new" + std::to_string(step), text_bytes(30'000, 300 + step));
    if (step > 1) env.remove("/src/new" + std::to_string(step - 1));
    env.advance_time(10'000'000'000);
  }

  /// A backup that must succeed; it becomes acknowledged.
  void must_backup() {
    Recorder recorder;
    const auto report = vault.backup(vault.request({"/src"}), recorder);
    ASSERT_TRUE(report) << report.error().message();
    ASSERT_FALSE(report->incomplete) << recorder.text();
    acknowledged[*report->snapshot] = tree_text(env, "/src");
  }

  /// Several packs and index objects, two acknowledged snapshots, and a source changed since.
  void prepare() {
    begin();
    for (std::uint64_t step = 1; step <= 2; ++step) {
      must_backup();
      change(step);
    }
  }

  /// Restores byte for byte, into a folder of its own.
  ::testing::AssertionResult restores(const SnapshotId& id, const std::string& expected) {
    const std::string out = "/restored-" + std::to_string(restores_++);
    const auto report = vault.restore(id, "/src", out);
    if (!report) return ::testing::AssertionFailure() << report.error().message();
    if (report->damaged + report->failed > 0) return ::testing::AssertionFailure() << "damaged";
    const std::string found = tree_text(env, out);
    env.remove(out);
    if (found == expected) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "restored\n" << found << "instead of\n" << expected;
  }

  /// Every acknowledged snapshot restores, and every other one that can be seen is complete: it
  /// restores to what the source was when it was taken (I1, I2).
  void everything_restores(const std::string& source_then) {
    const auto listed = vault.snapshots();
    ASSERT_TRUE(listed) << listed.error().message();
    std::set<SnapshotId> seen(listed->begin(), listed->end());
    for (const auto& [id, text] : acknowledged) {
      EXPECT_TRUE(seen.contains(id)) << "acknowledged, and gone";
      EXPECT_TRUE(restores(id, text));
    }
    for (const SnapshotId& id : seen) {
      if (acknowledged.contains(id)) continue;
      EXPECT_TRUE(restores(id, source_then));
    }
  }

  void check_finds_no_damage() {
    Recorder recorder;
    const auto report = vault.check(recorder);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->damage, 0U) << recorder.text();
  }

  /// What must hold once the fault is over: nothing acknowledged is lost, nothing is damaged, and
  /// the next run needs no help (I1, I2, I12).
  void must_have_recovered() {
    const std::string source = tree_text(env, "/src");
    everything_restores(source);
    check_finds_no_damage();
    Recorder recorder;
    const auto next = vault.backup(vault.request({"/src"}), recorder);
    ASSERT_TRUE(next) << next.error().message();
    EXPECT_FALSE(next->incomplete) << recorder.text();
    EXPECT_TRUE(restores(*next->snapshot, source));
  }

 private:
  unsigned restores_ = 0;
};

}  // namespace pagevault::testing
