// Every call of every operation fails once, or from there on: the operation succeeds with the right
// result or ends with an error that names object and operation; nothing half done ever counts.

#include "fault_scenario.h"

namespace pagevault::testing {
namespace {

/// Object or path, and what went wrong there.
::testing::AssertionResult is_named(const Error& error) {
  const std::string& text = error.message();
  if (text.starts_with("/: ")) return ::testing::AssertionSuccess();
  for (const std::string_view place : {"/repo", "/src", "/out", "packs/", "index/", "snapshots/",
                                       "sessions/", "keys/", "config", "gc"}) {
    if (text.find(place) != std::string::npos) return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "names neither object nor path: " << text;
}

struct FaultCase {
  std::string name;
  SimFault fault;
};

std::vector<FaultCase> fault_cases() {
  std::vector<FaultCase> cases;
  for (const ErrorCode code : {ErrorCode::Io, ErrorCode::NoSpace}) {
    const std::string name(to_string(code));
    cases.push_back({name + "Once", {.code = code}});
    cases.push_back({name + "FromThereOn", {.code = code, .permanent = true}});
  }
  cases.push_back({"DoneButAnsweredAsFailed", {.code = ErrorCode::Io, .effect = SimEffect::Done}});
  return cases;
}

class EveryCallFails : public ::testing::TestWithParam<FaultCase> {
 protected:
  /// Runs `operation` from the same state with its call k failing, for every k until no fault
  /// strikes, and `verify` after each with the faults gone.
  template <class Operation, class Verify>
  void for_every_k(Operation operation, Verify verify) {
    const SimDisk disk = scenario.env.save();
    std::uint64_t fired = 1;
    std::uint64_t k = 0;
    for (; fired > 0; ++k) {
      SCOPED_TRACE(fmt::format("k={}", k));
      scenario.env.load(disk);
      const std::uint64_t before = scenario.env.faults_fired();
      SimFault fault = GetParam().fault;
      fault.call = k;
      scenario.env.fail_call(fault);
      operation();
      fired = scenario.env.faults_fired() - before;
      scenario.env.clear_faults();
      verify(fired > 0);
      if (HasFailure()) return;
    }
    EXPECT_GT(k, 10U);
    RecordProperty("calls", std::to_string(k - 1));
  }

  Scenario scenario;
};

// covers F2.1, F2.2, F2.3, F3.2, I1, I2, I3
TEST_P(EveryCallFails, OfABackup) {
  scenario.prepare();
  const auto before = contents(scenario.env, "/repo");
  const std::string source = tree_text(scenario.env, "/src");
  const auto old_snapshots = scenario.acknowledged;
  Recorder recorder;
  Result<engine::BackupReport> report = Error(ErrorCode::Io, "not run");
  const auto backup = [&] {
    recorder = {};
    report = scenario.vault.backup(scenario.vault.request({"/src"}), recorder);
  };
  for_every_k(backup, [&](bool fired) {
    scenario.acknowledged = old_snapshots;
    if (!report) {
      ASSERT_TRUE(fired) << report.error().message();
      // Sources that could not be read are named one by one; the last word need not repeat them.
      EXPECT_TRUE(!recorder.source_errors.empty() || is_named(report.error()));
      // A failure that left nothing behind has nothing more to prove.
      if (contents(scenario.env, "/repo") == before) return;
    } else if (report->incomplete) {
      ASSERT_FALSE(recorder.source_errors.empty());
      // What could be read of the source is in the snapshot; the next run has all of it.
      ASSERT_TRUE(scenario.vault.restore(*report->snapshot, "/src", "/partial"));
      scenario.check_finds_no_damage();
      const auto next = scenario.vault.backup({"/src"});
      ASSERT_TRUE(next) << next.error().message();
      EXPECT_TRUE(scenario.restores(*next->snapshot, source));
      return;
    } else {
      EXPECT_EQ(recorder.source_errors.size(), 0U) << recorder.text();
      scenario.acknowledged[*report->snapshot] = source;
    }
    scenario.must_have_recovered();
  });
}

// covers F2.1, F2.2, F3.2, I3
TEST_P(EveryCallFails, OfARestore) {
  scenario.prepare();
  const auto before = contents(scenario.env, "/repo");
  const auto [id, text] = *scenario.acknowledged.begin();
  ASSERT_TRUE(scenario.vault.restore(id, "/src", "/whole"));
  const auto whole = contents(scenario.env, "/whole");
  Recorder recorder;
  Result<engine::RestoreReport> report = Error(ErrorCode::Io, "not run");
  const auto restore = [&, id = id] {
    recorder = {};
    engine::RestoreRequest request;
    request.snapshot = id;
    request.path = "/src";
    request.target = "/out";
    report = scenario.vault.restore(request, recorder);
  };
  for_every_k(restore, [&, id = id, text = text](bool fired) {
    EXPECT_TRUE(contents(scenario.env, "/repo") == before);
    bool told = !report.has_value();
    if (!report) {
      ASSERT_TRUE(fired) << report.error().message();
      EXPECT_TRUE(is_named(report.error()));
    } else {
      told = report->damaged + report->failed > 0;
      EXPECT_EQ(told, !recorder.problems.empty()) << recorder.text();
      for (const auto& problem : recorder.problems) EXPECT_FALSE(problem.error.message().empty());
    }
    const auto out = scenario.env.exists("/out") ? contents(scenario.env, "/out")
                                                 : std::map<std::string, Bytes>();
    for (const auto& [path, bytes] : out) {
      if (path.find(".pv-") != std::string::npos) continue;
      EXPECT_TRUE(bytes == whole.at("/whole" + path.substr(4))) << path;
    }
    if (!told) {
      for (const auto& [path, bytes] : whole) {
        EXPECT_TRUE(out.contains("/out" + path.substr(6))) << path;
      }
    }
    ASSERT_TRUE(scenario.vault.restore(id, "/src", "/out"));
    for (const auto& [path, bytes] : whole) {
      EXPECT_TRUE(scenario.env.read_file("/out" + path.substr(6)) == bytes) << path;
    }
  });
}

// covers F2.2, I10
TEST_P(EveryCallFails, OfACheck) {
  scenario.prepare();
  const auto before = contents(scenario.env, "/repo");
  Recorder recorder;
  Result<engine::CheckReport> report = Error(ErrorCode::Io, "not run");
  const auto check = [&] {
    recorder = {};
    report = scenario.vault.check(recorder);
  };
  for_every_k(check, [&](bool fired) {
    EXPECT_TRUE(contents(scenario.env, "/repo") == before);
    if (!report) {
      ASSERT_TRUE(fired) << report.error().message();
      EXPECT_TRUE(is_named(report.error()));
    } else if (report->damage > 0) {
      EXPECT_TRUE(fired) << recorder.text();
    }
    if (GetParam().fault.permanent && fired) {
      EXPECT_TRUE(!report || report->damage > 0) << "clean, though it could not read";
    }
  });
}

// covers I12, F2.1, F3.2
TEST_P(EveryCallFails, OfAnInit) {
  scenario.env.write_file("/src/file", "content");
  Status status;
  for_every_k([&] { status = scenario.vault.init(); },
              [&](bool fired) {
                if (!status) {
                  ASSERT_TRUE(fired) << status.error().message();
                  EXPECT_TRUE(is_named(status.error()));
                  const Status again = scenario.vault.init();
                  // It may have been complete before its answer was lost; then it works as it is.
                  if (!again) {
                    EXPECT_EQ(again.error().code(), ErrorCode::AlreadyExists)
                        << again.error().message();
                  }
                }
                scenario.must_have_recovered();
              });
}

// covers F2.2, F2.5
TEST_P(EveryCallFails, OfOpening) {
  scenario.prepare();
  const auto before = contents(scenario.env, "/repo");
  Status status;
  std::vector<std::string> warnings;
  const auto open = [&] {
    auto opened = scenario.vault.open();
    status = opened ? ok() : Status(opened.error());
    warnings = opened ? (*opened)->warnings() : std::vector<std::string>();
  };
  for_every_k(open, [&](bool fired) {
    EXPECT_TRUE(contents(scenario.env, "/repo") == before);
    if (!status) {
      ASSERT_TRUE(fired) << status.error().message();
      EXPECT_TRUE(is_named(status.error()));
      EXPECT_NE(status.error().code(), ErrorCode::WrongKey);
      EXPECT_NE(status.error().code(), ErrorCode::NotFound);
    } else if (!warnings.empty()) {
      EXPECT_TRUE(fired);
    }
  });
}

// covers F1.3, I10, F2.1, F3.2
TEST_P(EveryCallFails, OfARepairOfTheIndex) {
  scenario.prepare();
  for (const std::string& path : scenario.env.list_files("/repo/index")) {
    scenario.env.remove(path);
  }
  const auto before = contents(scenario.env, "/repo");
  Status status;
  const auto repair = [&] {
    auto workspace = scenario.vault.open();
    if (!workspace) {
      status = workspace.error();
      return;
    }
    const auto repaired = repo::repair_index((*workspace)->repository(), (*workspace)->index());
    status = repaired ? ok() : Status(repaired.error());
    if (repaired && !repaired->damaged.empty()) status = repaired->damaged.front().error;
  };
  for_every_k(repair, [&](bool fired) {
    if (!status) {
      ASSERT_TRUE(fired) << status.error().message();
      EXPECT_TRUE(is_named(status.error()));
      for (const auto& [path, bytes] : before) {
        EXPECT_TRUE(scenario.env.read_file(path) == bytes) << path;
      }
      repair();
      ASSERT_TRUE(status) << status.error().message();
    }
    scenario.must_have_recovered();
  });
}

INSTANTIATE_TEST_SUITE_P(Faults, EveryCallFails, ::testing::ValuesIn(fault_cases()),
                         [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace pagevault::testing
