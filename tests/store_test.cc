// The directory store: the conformance suite, its folders, and what faults leave of a put.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "pagevault/base/linux_env.h"
#include "pagevault/base/sim_env.h"
#include "pagevault/repo/directory_store.h"
#include "store_conformance.h"

namespace pagevault::repo {
namespace {

constexpr std::uint64_t kSeed = 20'251'120;
const std::string kRoot = "/repo";

StoreUnderTest make_sim() {
  auto env = std::make_shared<SimEnv>();
  auto store = create_directory_store(*env, kRoot);
  return {.keeper = env, .store = std::move(store).value()};
}

/// A temporary directory of the real file system, removed at the end.
struct Scratch {
  Scratch() { PV_CHECK(::mkdtemp(path.data()) != nullptr); }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path = (std::filesystem::temp_directory_path() / "pagevault-store-XXXXXX").string();
};

StoreUnderTest make_linux(LinuxEnvOptions options) {
  struct Keeper {
    Scratch scratch;
    std::unique_ptr<Env> env;
  };
  auto keeper = std::make_shared<Keeper>();
  keeper->env = make_linux_env(options);
  auto store = create_directory_store(*keeper->env, keeper->scratch.path);
  return {.keeper = keeper, .store = std::move(store).value(), .threads = true};
}

StoreUnderTest make_ring() { return make_linux({.io = LinuxEnvOptions::Io::IoUring}); }
StoreUnderTest make_pool() { return make_linux({.io = LinuxEnvOptions::Io::ThreadPool}); }

INSTANTIATE_TEST_SUITE_P(Linux, StoreConformance,
                         ::testing::Values(StoreCase{"Ring", make_ring},
                                           StoreCase{"Pool", make_pool}),
                         store_case_name);
INSTANTIATE_TEST_SUITE_P(Sim, StoreConformance, ::testing::Values(StoreCase{"Sim", make_sim}),
                         store_case_name);

const ObjectName kConfig{ObjectType::Config, ""};

template <class T>
ErrorCode code_of(const Result<T>& result) {
  if (!result) return result.error().code();
  ADD_FAILURE() << "succeeded";
  return ErrorCode::Cancelled;
}

/// A simulated machine with a store that is a repository as far as the store can tell.
class DirectoryStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = create_directory_store(env_, kRoot).value();
    ASSERT_TRUE(store_->put(kConfig, as_bytes("config")));
  }

  /// What a process that starts now sees.
  std::unique_ptr<Store> reopened() { return open_directory_store(env_, kRoot).value(); }

  SimEnv env_;
  std::unique_ptr<Store> store_;
};

TEST_F(DirectoryStoreTest, IgnoresAndCountsForeignAndTemporaryNames) {  // covers F5.6, F3.6, F3.7
  const ObjectName pack = object_number(ObjectType::Pack, 1);
  ASSERT_TRUE(store_->put(pack, as_bytes("pack")));
  const std::string folder = kRoot + "/packs/" + pack.hex.substr(0, 2) + "/";
  env_.write_file(folder + ".tmp-0123456789abcdef0123456789abcdef", "half");
  env_.write_file(folder + ".nfs000000000000000a00000001", "silly");
  env_.write_file(folder + std::string(62, 'A') + "00", "upper case");
  env_.write_file(kRoot + "/packs/lost+found", "x");
  env_.make_dirs(folder + pack.hex.substr(0, 62) + "ff");  // A folder with a pack's name.
  const std::string misplaced = pack.hex.starts_with("00") ? "01" : "00";
  env_.write_file(kRoot + "/packs/" + misplaced + "/" + pack.hex, "pack");
  const auto listing = store_->list(ObjectType::Pack);
  ASSERT_TRUE(listing);
  ASSERT_EQ(listing->objects.size(), 1U);
  EXPECT_EQ(listing->objects[0].name, pack);
  EXPECT_EQ(listing->foreign, 6U);
}

TEST_F(DirectoryStoreTest, CallsAMissingFolderAnErrorAndNeverAnEmptyListing) {  // covers F4.6, I7
  env_.remove(kRoot + "/packs/7f");
  EXPECT_EQ(code_of(store_->list(ObjectType::Pack)), ErrorCode::Corrupt);
  env_.remove(kRoot + "/snapshots");
  EXPECT_EQ(code_of(store_->list(ObjectType::Snapshot)), ErrorCode::Corrupt);
}

TEST_F(DirectoryStoreTest, IsNoRepositoryWithoutAConfig) {  // covers F2.5
  env_.make_dirs("/mnt/empty");
  EXPECT_EQ(code_of(open_directory_store(env_, "/mnt/empty")), ErrorCode::NotFound);
  EXPECT_EQ(code_of(open_directory_store(env_, "/mnt/absent")), ErrorCode::NotFound);
  EXPECT_TRUE(env_.list_files("/mnt").empty());
}

TEST_F(DirectoryStoreTest, IsCreatedOnlyWhereNothingIs) {
  EXPECT_EQ(code_of(create_directory_store(env_, kRoot)), ErrorCode::AlreadyExists);
  env_.write_file("/home/notes.txt", "mine");
  EXPECT_EQ(code_of(create_directory_store(env_, "/home")), ErrorCode::AlreadyExists);
  EXPECT_EQ(code_of(create_directory_store(env_, "/no/parent")), ErrorCode::NotFound);
}

TEST_F(DirectoryStoreTest, IsNotCreatedOverARepositoryWhoseConfigIsHidden) {  // covers F2.5
  ASSERT_TRUE(store_->put(object_number(ObjectType::Pack, 1), as_bytes("pack")));
  env_.remove(kRoot + "/config");
  EXPECT_EQ(code_of(create_directory_store(env_, kRoot)), ErrorCode::AlreadyExists);
}

TEST_F(DirectoryStoreTest, RetriesAReadOnceThroughFreshHandles) {  // covers F2.2, F3.1
  const ObjectName name = object_number(ObjectType::Pack, 1);
  const Bytes content = store_pattern(5000, 1);
  ASSERT_TRUE(store_->put(name, content));
  for (std::uint64_t call = 0;; ++call) {
    Bytes out(5000);
    std::vector<RangeRead> reads{{name, 0, out, {}}};
    const std::uint64_t fired = env_.faults_fired();
    env_.fail_call(call, ErrorCode::Io);
    store_->read_ranges(reads);
    env_.clear_faults();
    EXPECT_TRUE(reads[0].status) << "call=" << call;
    EXPECT_EQ(out, content) << "call=" << call;
    if (env_.faults_fired() == fired) break;
    store_ = reopened();
  }
}

TEST_F(DirectoryStoreTest, NamesTheObjectWhenReadsKeepFailing) {  // covers F2.2
  const ObjectName name = object_number(ObjectType::Pack, 1);
  ASSERT_TRUE(store_->put(name, store_pattern(5000, 1)));
  env_.fail_call({.permanent = true});
  Bytes out(5000);
  std::vector<RangeRead> reads{{name, 0, out, {}}};
  store_->read_ranges(reads);
  ASSERT_EQ(code_of(reads[0].status), ErrorCode::Io);
  EXPECT_NE(reads[0].status.error().message().find(name.hex), std::string::npos);
  EXPECT_EQ(code_of(store_->stat(name)), ErrorCode::Io);
  EXPECT_EQ(code_of(store_->list(ObjectType::Pack)), ErrorCode::Io);
}

/// The k-th failures and crashes of one put of an object of three writes.
class InterruptedPut : public DirectoryStoreTest {
 protected:
  void SetUp() override {
    DirectoryStoreTest::SetUp();
    ASSERT_TRUE(store_->put(acknowledged_, content_));
    store_.reset();
    before_ = env_.save();
  }

  Status put_once() {
    return reopened_status([&](Store& s) { return s.put(name_, content_); });
  }

  template <class Call>
  Status reopened_status(Call call) {
    PV_TRY_ASSIGN(const auto store, open_directory_store(env_, kRoot));
    return call(*store);
  }

  /// Whole when acknowledged; else whole or absent; and what was acknowledged earlier is there.
  void expect_whole_or_absent(bool acknowledged, std::uint64_t call) {
    const auto store = reopened();
    EXPECT_EQ(*store->read_all(acknowledged_, kGiB), content_) << "call=" << call;
    const auto read = store->read_all(name_, kGiB);
    const auto listing = store->list(ObjectType::Pack);
    ASSERT_TRUE(listing) << listing.error().message();
    EXPECT_EQ(listing->objects.size(), read ? 2U : 1U) << "call=" << call;
    if (read) {
      EXPECT_TRUE(*read == content_) << "call=" << call;
    } else {
      EXPECT_FALSE(acknowledged) << "call=" << call;
      EXPECT_EQ(read.error().code(), ErrorCode::NotFound) << "call=" << call;
      // The next run needs no help (I12).
      EXPECT_TRUE(store->put(name_, content_)) << "call=" << call;
    }
  }

  const ObjectName acknowledged_ = object_number(ObjectType::Pack, 1);
  const ObjectName name_ = object_number(ObjectType::Pack, 2);
  const Bytes content_ = store_pattern(kMiB + 3000, 5);
  SimDisk before_;
};

TEST_F(InterruptedPut, LeavesTheObjectWholeOrAbsentWhenKilledAtAnyCall) {  // covers F1.1, I2
  for (std::uint64_t call = 0;; ++call) {
    env_.load(before_);
    env_.crash_at_call(call);
    const bool acknowledged = put_once().has_value();
    const bool crashed = env_.crashed();
    env_.process_restart();
    expect_whole_or_absent(acknowledged, call);
    if (!crashed) break;
  }
}

TEST_F(InterruptedPut, LeavesTheObjectWholeOrAbsentWhenPowerIsLostAtAnyCall) {  // covers F1.2, I5
  for (std::uint64_t seed = kSeed; seed < kSeed + 50; ++seed) {
    for (std::uint64_t call = 0;; ++call) {
      env_.load(before_);
      env_.crash_at_call(call);
      const bool acknowledged = put_once().has_value();
      const bool crashed = env_.crashed();
      env_.power_loss(seed);
      SCOPED_TRACE("seed=" + std::to_string(seed));
      expect_whole_or_absent(acknowledged, call);
      if (!crashed) break;
    }
  }
}

TEST_F(InterruptedPut, SurvivesTheFailureOfAnyCall) {  // covers F2.1, F2.3
  for (const ErrorCode code : {ErrorCode::Io, ErrorCode::NoSpace}) {
    for (std::uint64_t call = 0;; ++call) {
      env_.load(before_);
      const std::uint64_t fired = env_.faults_fired();
      env_.fail_call(call, code);
      const Status done = put_once();
      const bool struck = env_.faults_fired() > fired;
      env_.clear_faults();
      env_.power_loss(kSeed + call);
      expect_whole_or_absent(done.has_value(), call);
      if (!struck) break;
    }
  }
}

TEST_F(InterruptedPut, LeavesNoTemporaryFileWhenAWriteFails) {
  for (std::uint64_t call = 0; call < 3; ++call) {
    env_.load(before_);
    env_.fail_call({.call = call, .kinds = {.read = false, .name = false}});
    EXPECT_FALSE(put_once());
    EXPECT_EQ(reopened()->list(ObjectType::Pack)->foreign, 0U) << "call=" << call;
  }
}

TEST_F(InterruptedPut, AnswersWithTheFirstErrorForEver) {  // covers F2.3
  env_.load(before_);
  const auto store = reopened();
  auto writer = store->create(name_);
  ASSERT_TRUE(writer);
  env_.fail_call({.kinds = {.read = false, .sync = false, .name = false}});
  EXPECT_FALSE((*writer)->append(store_pattern(2 * kMiB, 1)));
  EXPECT_FALSE((*writer)->append(as_bytes("more")));
  EXPECT_FALSE((*writer)->publish());
  EXPECT_EQ(code_of(store->stat(name_)), ErrorCode::NotFound);
}

/// Answers Io to the first rename although it was done: an Env whose server lost the reply.
TEST_F(InterruptedPut, LooksAtTheOutcomeWhenARenameIsAnsweredWithAnError) {  // covers F3.2
  env_.load(before_);
  const auto store = reopened();
  const std::string folder = kRoot + "/packs/" + name_.hex.substr(0, 2) + "/";
  bool done = false;
  env_.on_call([&](const SimCall& call) {
    if (call.operation != "rename" || std::exchange(done, true)) return;
    // The server does it; then the retransmission finds nothing to rename, or the name taken.
    for (const std::string& path : env_.list_files(folder)) {
      const auto content = env_.read_file(path);
      env_.remove(path);
      env_.write_file(folder + name_.hex, *content);
    }
  });
  const Status put = store->put(name_, content_);
  env_.on_call({});
  ASSERT_TRUE(done);
  EXPECT_TRUE(put) << put.error().message();
  EXPECT_EQ(*store->read_all(name_, kGiB), content_);
}

TEST(DirectoryStoreInit, CanBeRunAgainAfterAnInterruptionAtAnyCall) {  // covers I12, F1.1, F1.2
  const ObjectName slot = object_number(ObjectType::KeySlot, 1);
  const auto init = [&](SimEnv& env) -> Status {
    PV_TRY_ASSIGN(const auto store, create_directory_store(env, kRoot));
    PV_TRY(store->put(slot, as_bytes("slot")));
    return store->put(kConfig, as_bytes("config"));
  };
  for (const bool power_fails : {false, true}) {
    for (std::uint64_t call = 0;; ++call) {
      SimEnv env;
      env.crash_at_call(call);
      const bool acknowledged = init(env).has_value();
      const bool crashed = env.crashed();
      power_fails ? env.power_loss(kSeed + call) : env.process_restart();
      if (acknowledged || env.exists(kRoot + "/config")) {
        const auto store = open_directory_store(env, kRoot);
        ASSERT_TRUE(store) << "call=" << call;
        EXPECT_TRUE((*store)->stat(slot)) << "call=" << call;
        EXPECT_TRUE((*store)->list(ObjectType::Pack)) << "call=" << call;
      } else {
        const auto store = create_directory_store(env, kRoot);
        ASSERT_TRUE(store) << "call=" << call << ": " << store.error().message();
        EXPECT_TRUE((*store)->put(kConfig, as_bytes("config"))) << "call=" << call;
        EXPECT_TRUE((*store)->list(ObjectType::Pack)) << "call=" << call;
      }
      if (!crashed) break;
    }
  }
}

}  // namespace
}  // namespace pagevault::repo
