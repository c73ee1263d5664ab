// LinuxEnv: the conformance suite over io_uring and over the thread pool, and what only a real
// kernel shows.

#include "pagevault/base/linux_env.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "deny_syscalls.h"
#include "env_conformance.h"
#include "pagevault/base/unique_fd.h"
#include "scratch_dir.h"

namespace pagevault {

namespace {

using testing::ScratchDir;

EnvUnderTest make(LinuxEnvOptions options) {
  auto scratch = std::make_shared<ScratchDir>();
  const std::string path = scratch->path();
  return {make_linux_env(options), path, std::move(scratch)};
}

EnvUnderTest make_with_uring() { return make({.io = LinuxEnvOptions::Io::IoUring}); }
EnvUnderTest make_with_threads() { return make({.io = LinuxEnvOptions::Io::ThreadPool}); }

INSTANTIATE_TEST_SUITE_P(Linux, EnvConformance,
                         ::testing::Values(EnvCase{"IoUring", make_with_uring},
                                           EnvCase{"ThreadPool", make_with_threads}),
                         env_case_name);

class LinuxEnvTest : public ::testing::Test {
 protected:
  ScratchDir scratch_;
  std::unique_ptr<Env> env_ = make_linux_env();
  std::unique_ptr<Dir> root_ = std::move(env_->open_dir(scratch_.path())).value();

  std::string path(std::string_view name) const {
    return scratch_.path() + "/" + std::string(name);
  }
};

// covers F8.11
TEST_F(LinuxEnvTest, SeesLocksOfOthersSharedOnesTooAndTakesNone) {
  const auto file = std::move(root_->open_file("a", OpenMode::CreateExclusive)).value();
  const auto reader = std::move(root_->open_file("a", OpenMode::Read)).value();
  const UniqueFd other(::open(path("a").c_str(), O_RDWR | O_CLOEXEC));
  struct flock lock {};
  lock.l_whence = SEEK_SET;
  lock.l_start = 0x40000002;
  lock.l_len = 510;
  for (const int kind : {F_RDLCK, F_WRLCK}) {
    for (const int command : {F_OFD_SETLK, F_SETLK}) {
      lock.l_type = static_cast<short>(kind);
      ASSERT_EQ(::fcntl(other.get(), command, &lock), 0);
      EXPECT_TRUE(reader->is_locked({0x40000000, 512}).value());
      EXPECT_TRUE(file->is_locked({0x40000002, 1}).value());
      EXPECT_FALSE(file->is_locked({0x40000000, 2}).value());
      EXPECT_FALSE(file->is_locked({0x40000000, 0}).value());
      lock.l_type = F_UNLCK;
      ASSERT_EQ(::fcntl(other.get(), command, &lock), 0);
      EXPECT_FALSE(file->is_locked({0x40000000, 512}).value());
    }
  }
}

// covers F9.1
TEST_F(LinuxEnvTest, SaysWhichIoItUsesAndWhy) {
  EXPECT_EQ(make_linux_env({.io = LinuxEnvOptions::Io::ThreadPool})->io_description(),
            "thread pool");
  const std::string found = env_->io_description();
  EXPECT_TRUE(found == "io_uring" || found.starts_with("thread pool (io_uring: E")) << found;
}

// covers F9.1
TEST_F(LinuxEnvTest, AKernelThatForbidsIoUringGetsTheThreadPool) {
  std::thread denied([] {  // The filter binds this thread and those it starts only.
    ASSERT_TRUE(deny_syscalls({{SYS_io_uring_setup, EPERM}}));
    const auto env = make_linux_env({.io = LinuxEnvOptions::Io::IoUring});
    EXPECT_EQ(env->io_description(), "thread pool (io_uring: EPERM)");
  });
  denied.join();
}

// covers F1.6, F9.1
TEST_F(LinuxEnvTest, AQueueWhoseRingStopsTakingOperationsFinishesThemAnyway) {
  const auto file = root_->open_file("a", OpenMode::CreateExclusive);
  std::thread denied([&] {
    const auto queue = env_->make_io_queue(4);
    Bytes content(64 * kKiB, std::byte{7});
    Bytes out(content.size());
    queue->write(**file, 0, content, 1);
    EXPECT_EQ(queue->wait().at(0).bytes.value(), content.size());
    ASSERT_TRUE(deny_syscalls({{SYS_io_uring_enter, ENOMEM}}));
    queue->write(**file, content.size(), content, 2);
    queue->read(**file, 0, out, 3);
    std::size_t done = 0;
    while (queue->in_flight() > 0) {
      for (const IoCompletion& completion : queue->wait()) {
        EXPECT_EQ(completion.bytes.value(), content.size());
        ++done;
      }
    }
    EXPECT_EQ(done, 2U);
    EXPECT_EQ(out, content);
    queue->read(**file, content.size(), out, 4);
    EXPECT_EQ(queue->wait().at(0).bytes.value(), content.size());
  });
  denied.join();
}

// covers S11
TEST_F(LinuxEnvTest, FilesAndDirectoriesArePrivateWhateverTheUmask) {
  for (const mode_t mask : {0000U, 0022U, 0077U, 0777U}) {
    const mode_t before = ::umask(mask);
    const std::string suffix = std::to_string(mask);
    const auto file = root_->open_file("f" + suffix, OpenMode::CreateExclusive);
    const Status dir = root_->make_dir("d" + suffix);
    const Status node = root_->make_node("n" + suffix, {.type = FileType::Fifo});
    ::umask(before);
    ASSERT_TRUE(file && dir && node);
    EXPECT_EQ(root_->stat("f" + suffix).value().mode, 0600U) << mask;
    EXPECT_EQ(root_->stat("d" + suffix).value().mode & 0777U, 0700U) << mask;
    EXPECT_EQ(root_->stat("n" + suffix).value().mode, 0600U) << mask;
  }
}

TEST_F(LinuxEnvTest, DescriptorsAreClosedOnExecAndDoNotLeak) {
  const auto open_descriptors = [] {
    std::set<int> out;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      out.insert(std::stoi(entry.path().filename().string()));
    }
    return out;
  };
  const std::set<int> before = open_descriptors();
  {
    const auto file = root_->open_file("a", OpenMode::CreateExclusive);
    const auto again = root_->open_file("a", OpenMode::Read);
    const auto dir = env_->open_dir(scratch_.path());
    const auto queue = env_->make_io_queue(4);
    EXPECT_TRUE(root_->list() && root_->xattrs("a"));
    const std::set<int> during = open_descriptors();
    EXPECT_GE(during.size(), before.size() + 3);
    for (const int fd : during) {
      const int flags = ::fcntl(fd, F_GETFD);  // Fails for the one that listed the descriptors.
      if (flags >= 0 && !before.contains(fd)) {
        EXPECT_NE(flags & FD_CLOEXEC, 0) << fd;
      }
    }
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(LinuxEnvTest, ReadingDoesNotTouchAccessTimes) {
  {
    const auto file =
        root_->open_file("a", OpenMode::CreateExclusive).value()->write_at(0, as_bytes("content"));
    ASSERT_TRUE(file);
  }
  const timespec old[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 2, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path("a").c_str(), old, 0), 0);
  Bytes out(7);
  ASSERT_TRUE(root_->open_file("a", OpenMode::Read).value()->read_at(0, out));
  struct stat status {};
  ASSERT_EQ(::stat(path("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_atim.tv_sec, 1);
}

TEST_F(LinuxEnvTest, ErrorsNamePathOperationAndCause) {
  const auto missing = root_->open_file("missing", OpenMode::Read);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message(), path("missing") + ": open: No such file or directory");
}

/// Which pages of a file the kernel has in its cache.
std::vector<bool> cached_pages(const std::string& path, std::size_t size) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  void* map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  PV_CHECK(map != MAP_FAILED);
  std::vector<unsigned char> answer((size + 4095) / 4096);
  PV_CHECK(::mincore(map, size, answer.data()) == 0);
  ::munmap(map, size);
  std::vector<bool> out;
  for (const unsigned char page : answer) out.push_back((page & 1) != 0);
  return out;
}

TEST(LinuxEnv, DropCacheDropsWhatWeBroughtInAndKeepsWhatWasThere) {
  // Beside the build: the temporary directory may be a tmpfs, whose files are their own cache.
  const ScratchDir scratch(std::filesystem::current_path());
  const std::string path = scratch.path() + "/a";
  const auto env = make_linux_env();
  const auto root = env->open_dir(scratch.path()).value();
  constexpr std::size_t kSize = 70 * kMiB;
  constexpr std::size_t kHot = 66 * kMiB;  // In the second group of windows.
  {
    const auto file = root->open_file("a", OpenMode::CreateExclusive);
    ASSERT_TRUE((*file)->truncate(kSize));
  }
  {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM);
    Bytes hot(16 * kKiB);
    ASSERT_EQ(::pread(fd.get(), hot.data(), hot.size(), kHot), 16 * kKiB);
  }
  const std::vector<bool> before = cached_pages(path, kSize);
  ASSERT_TRUE(before[kHot / 4096]);
  const auto file = root->open_file("a", OpenMode::Read);
  Bytes buffer(kMiB);
  for (std::size_t offset = 0; offset < kSize; offset += kMiB) {
    ASSERT_EQ((*file)->read_at(offset, buffer).value(), kMiB);
    (*file)->drop_cache({offset, kMiB});
  }
  (*file)->drop_cache({0, kSize});  // What readahead brought in after its drop.
  const std::vector<bool> after = cached_pages(path, kSize);
  for (std::size_t page = 0; page < after.size(); ++page) {
    const bool in_hot_window = page * 4096 / kMiB == kHot / kMiB;
    EXPECT_EQ(after[page], before[page] || in_hot_window) << "page " << page;
  }
}

TEST(LinuxEnv, WhatIsWrittenPastTheCacheIsNotInIt) {
  const ScratchDir scratch(std::filesystem::current_path());
  const std::string path = scratch.path() + "/a";
  constexpr std::size_t kSize = 4 * kMiB;
  const std::unique_ptr<std::byte, decltype(&std::free)> memory(
      static_cast<std::byte*>(std::aligned_alloc(kDirectAlignment, kSize)), &std::free);
  const MutableBytes content(memory.get(), kSize);
  std::ranges::fill(content, std::byte{7});
  const auto env = make_linux_env();
  const auto root = env->open_dir(scratch.path()).value();
  const auto file = root->open_file("a", OpenMode::CreateExclusive).value();
  ASSERT_TRUE(file->truncate(kSize));
  ASSERT_TRUE(file->write_past_cache(0, content.first(kSize / 2)));
  ASSERT_TRUE(file->write_at(kSize / 2, content.subspan(kSize / 2)));
  const std::vector<bool> cached = cached_pages(path, kSize);
  const UniqueFd direct(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  const auto half = static_cast<std::ptrdiff_t>(cached.size() / 2);
  EXPECT_EQ(std::count(cached.begin(), cached.begin() + half, true), direct.get() < 0 ? half : 0);
  EXPECT_EQ(std::count(cached.begin() + half, cached.end(), true), half);
  Bytes back(kSize);
  EXPECT_EQ(file->read_at(0, back).value(), kSize);
  EXPECT_TRUE(equal_bytes(back, content));
}

// covers F1.4: a lost wake-up would leave this waiting until the test's time is over.
TEST(LinuxEnv, AWaitIsEndedByAnotherThreadWheneverThatComes) {
  const auto env = make_linux_env();
  for (int round = 0; round < 200; ++round) {
    CancelToken cancel;
    std::thread other([&] { cancel.cancel(); });
    const Status waited = env->wait_until(env->monotonic_ns() + 3'600'000'000'000, cancel);
    other.join();
    ASSERT_FALSE(waited);
    EXPECT_EQ(waited.error().code(), ErrorCode::Cancelled);
  }
}

CancelToken* g_cancelled_by_signal = nullptr;

TEST(LinuxEnv, AWaitIsEndedByASignalHandlerThatCancels) {
  const auto env = make_linux_env();
  CancelToken cancel;
  g_cancelled_by_signal = &cancel;
  struct sigaction action {};
  action.sa_handler = [](int) { g_cancelled_by_signal->cancel(); };
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  std::thread other([] { ::kill(::getpid(), SIGUSR1); });  // On whichever thread the kernel takes.
  EXPECT_FALSE(env->wait_until(env->monotonic_ns() + 3'600'000'000'000, cancel));
  other.join();
  ::sigaction(SIGUSR1, &before, nullptr);
}

// covers F2.1
TEST_F(LinuxEnvTest, AFullDeviceIsNoSpace) {
  const auto dev = env_->open_dir("/dev");
  ASSERT_TRUE(dev);
  EXPECT_FALSE((*dev)->open_file("full", OpenMode::ReadWrite)) << "devices are not files";
  const auto file = root_->open_file("a", OpenMode::CreateExclusive);
  const Status huge = (*file)->truncate(std::uint64_t{1} << 62);
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code(), ErrorCode::NoSpace) << huge.error().message();
}

}  // namespace

}  // namespace pagevault
