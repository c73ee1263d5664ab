// What every Env must do, whoever implements it: the contracts of env.h and io_queue.h as tests.
//
// Value-parameterised by a factory. Include it in one source file of a test program and write
//
//   INSTANTIATE_TEST_SUITE_P(Sim, EnvConformance, ::testing::Values(EnvCase{"Sim", make_sim}),
//                            env_case_name);
//
// The suite uses nothing but the Env interface, so it says nothing about where the files lie.

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "pagevault/base/env.h"

namespace pagevault {

/// An Env and the path of an empty directory in it that the test may fill.
struct EnvUnderTest {
  std::unique_ptr<Env> env;
  std::string scratch;
  /// Whatever must live as long as the test, e.g. what removes the scratch directory. Dies last.
  std::shared_ptr<void> keeper;
};

struct EnvCase {
  std::string name;
  std::function<EnvUnderTest()> make;
};

inline void PrintTo(const EnvCase& env_case, std::ostream* out) { *out << env_case.name; }
inline std::string env_case_name(const ::testing::TestParamInfo<EnvCase>& info) {
  return info.param.name;
}

class EnvConformance : public ::testing::TestWithParam<EnvCase> {
 protected:
  void SetUp() override {
    under_test_ = GetParam().make();
    root_ = must(env().open_dir(under_test_.scratch));
  }

  Env& env() { return *under_test_.env; }
  Dir& root() { return *root_; }

  /// The value; on an error prints it and aborts the test program.
  template <class T>
  static T must(Result<T> result) {
    return std::move(result).value();
  }
  static void must(const Status& status) {
    if (!status) ADD_FAILURE() << status.error().message();
  }
  template <class T>
  static ErrorCode code_of(const Result<T>& result) {
    if (!result) return result.error().code();
    ADD_FAILURE() << "succeeded";
    return ErrorCode::Cancelled;
  }

  static Bytes pattern(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    Bytes out(size);
    for (std::byte& b : out) b = static_cast<std::byte>(random());
    return out;
  }

  std::unique_ptr<File> create(std::string_view name) {
    return must(root().open_file(name, OpenMode::CreateExclusive));
  }
  void put(std::string_view name, ByteView content) {
    const auto file = create(name);
    must(file->write_at(0, content));
    must(file->close());
  }
  void put(std::string_view name, std::string_view content) { put(name, as_bytes(content)); }
  Bytes get(std::string_view name) { return get(root(), name); }
  static Bytes get(Dir& dir, std::string_view name) {
    const auto file = must(dir.open_file(name, OpenMode::Read));
    return content_of(*file);
  }
  static Bytes content_of(File& file) {
    Bytes out(must(file.info()).size);
    EXPECT_EQ(must(file.read_at(0, out)), out.size());
    return out;
  }
  std::string text(std::string_view name) { return std::string(as_text(get(name))); }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const DirEntry& entry : must(root().list())) out.push_back(entry.name);
    std::sort(out.begin(), out.end());
    return out;
  }

  EnvUnderTest under_test_;
  std::unique_ptr<Dir> root_;
};

inline const std::vector<std::string>& names_that_are_not_one_component() {
  static const std::vector<std::string> kNames = {".",    "..",   "a/b", "/",
                                                  "/etc", "../a", "a/",  std::string("a\0b", 3)};
  return kNames;
}

// Waiting.

TEST_P(EnvConformance, AWaitEndsAtItsDeadlineAndOneThatLiesInThePastAtOnce) {
  const CancelToken cancel;
  const std::int64_t deadline = env().monotonic_ns() + 2'000'000;
  must(env().wait_until(deadline, cancel));
  EXPECT_GE(env().monotonic_ns(), deadline);
  must(env().wait_until(deadline, cancel));
  must(env().wait_until(-1, cancel));
}

TEST_P(EnvConformance, AWaitEndsAtOnceWhenItWasCancelledBefore) {
  CancelToken cancel;
  cancel.cancel();
  const std::int64_t begun = env().monotonic_ns();
  const Status waited = env().wait_until(begun + 3'600'000'000'000, cancel);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code(), ErrorCode::Cancelled);
}

// Files.

TEST_P(EnvConformance, AFileHoldsWhatWasWritten) {
  const Bytes content = pattern(300'000, 1);
  put("a", content);
  EXPECT_EQ(get("a"), content);
}

TEST_P(EnvConformance, ReadingPastTheEndReturnsWhatIsThere) {
  put("a", "hello");
  const auto file = must(root().open_file("a", OpenMode::Read));
  Bytes out(10);
  EXPECT_EQ(must(file->read_at(2, out)), 3U);
  EXPECT_EQ(as_text(ByteView(out).first(3)), "llo");
  EXPECT_EQ(must(file->read_at(5, out)), 0U);
  EXPECT_EQ(must(file->read_at(1'000'000, out)), 0U);
  EXPECT_EQ(must(file->read_at(0, MutableBytes())), 0U);
}

TEST_P(EnvConformance, WritingPastTheEndLeavesZerosBetween) {
  const auto file = create("a");
  must(file->write_at(10, as_bytes("x")));
  EXPECT_EQ(content_of(*file), to_bytes(as_bytes(std::string_view("\0\0\0\0\0\0\0\0\0\0x", 11))));
}

TEST_P(EnvConformance, WritesPastTheCacheAndOrdinaryOnesMeetInTheFile) {
  const auto file = create("a");
  const Bytes wanted = pattern(16 * kDirectAlignment + 100, 3);
  Bytes memory(wanted.size() + kDirectAlignment);
  const auto at = reinterpret_cast<std::uintptr_t>(memory.data());
  const MutableBytes aligned =
      MutableBytes(memory)
          .subspan((kDirectAlignment - at % kDirectAlignment) % kDirectAlignment)
          .first(wanted.size());
  copy_bytes(wanted, aligned);
  must(file->preallocate({0, wanted.size()}));
  must(file->write_past_cache(0, aligned.first(4 * kDirectAlignment)));
  must(file->write_at(4 * kDirectAlignment, aligned.subspan(4 * kDirectAlignment, 10)));
  EXPECT_EQ(content_of(*file), to_bytes(ByteView(wanted).first(4 * kDirectAlignment + 10)));
  // Neither place nor length nor memory need be aligned; then they go the ordinary way.
  must(file->write_past_cache(4 * kDirectAlignment + 10,
                              aligned.subspan(4 * kDirectAlignment + 10)));
  must(file->write_past_cache(8 * kDirectAlignment,
                              aligned.subspan(8 * kDirectAlignment, kDirectAlignment)));
  must(file->write_past_cache(kDirectAlignment, ByteView(wanted).subspan(kDirectAlignment, 5000)));
  must(file->write_past_cache(0, {}));
  EXPECT_EQ(content_of(*file), wanted);
  must(file->sync());
  must(file->close());
  EXPECT_EQ(text("a"), as_text(wanted));
}

TEST_P(EnvConformance, AnOpenFileCanBeOverwrittenInPlace) {
  put("a", "hello world");
  const auto file = must(root().open_file("a", OpenMode::ReadWrite));
  must(file->write_at(6, as_bytes("there")));
  must(file->sync());
  must(file->close());
  EXPECT_EQ(text("a"), "hello there");
}

TEST_P(EnvConformance, CreatingATakenNameFailsAndKeepsItsContent) {
  put("a", "first");
  EXPECT_EQ(code_of(root().open_file("a", OpenMode::CreateExclusive)), ErrorCode::AlreadyExists);
  EXPECT_EQ(text("a"), "first");
  must(root().make_symlink("dangling", "nowhere"));
  EXPECT_EQ(code_of(root().open_file("dangling", OpenMode::CreateExclusive)),
            ErrorCode::AlreadyExists);
}

TEST_P(EnvConformance, OpeningAMissingNameSaysNotFoundAndNamesThePath) {
  const auto result = root().open_file("missing", OpenMode::Read);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::NotFound);
  EXPECT_THAT(result.error().message(), ::testing::HasSubstr(root().path()));
  EXPECT_THAT(result.error().message(), ::testing::HasSubstr("missing"));
  EXPECT_EQ(code_of(root().open_file("missing", OpenMode::ReadWrite)), ErrorCode::NotFound);
  EXPECT_EQ(code_of(root().open_dir("missing")), ErrorCode::NotFound);
  EXPECT_EQ(code_of(root().stat("missing")), ErrorCode::NotFound);
  EXPECT_EQ(code_of(root().read_link("missing")), ErrorCode::NotFound);
  EXPECT_EQ(code_of(root().remove_file("missing")), ErrorCode::NotFound);
  EXPECT_EQ(code_of(root().remove_dir("missing")), ErrorCode::NotFound);
  EXPECT_EQ(code_of(root().rename_no_replace("missing", "b")), ErrorCode::NotFound);
  EXPECT_EQ(code_of(root().rename_replace("missing", "b")), ErrorCode::NotFound);
  EXPECT_EQ(code_of(root().set_metadata("missing", {.mode = 0600})), ErrorCode::NotFound);
  EXPECT_EQ(code_of(root().make_hard_link(root(), "missing", "b")), ErrorCode::NotFound);
  EXPECT_EQ(code_of(env().open_dir(under_test_.scratch + "/missing")), ErrorCode::NotFound);
}

TEST_P(EnvConformance, TruncateCutsAndExtendsWithZeros) {
  const auto file = create("a");
  must(file->write_at(0, as_bytes("hello")));
  must(file->truncate(2));
  EXPECT_EQ(must(file->info()).size, 2U);
  must(file->truncate(4));
  EXPECT_EQ(content_of(*file), to_bytes(as_bytes(std::string_view("he\0\0", 4))));
}

TEST_P(EnvConformance, APunchedRangeReadsAsZerosAndTheSizeStays) {
  const Bytes content = pattern(1 * kMiB, 5);
  struct Case {
    ByteRange range;
    const char* what;
  };
  for (const auto& [range, what] :
       {Case{{64 * kKiB, 256 * kKiB}, "whole pages"},
        Case{{4097, 20'000}, "parts of pages at both ends"}, Case{{5000, 10}, "inside one page"},
        Case{{kMiB - 5000, 5000}, "up to the end"}, Case{{kMiB - 5000, kMiB}, "beyond the end"},
        Case{{2 * kMiB, kMiB}, "past the end"}, Case{{5000, 0}, "nothing"}}) {
    SCOPED_TRACE(what);
    put("a", content);
    const auto file = must(root().open_file("a", OpenMode::ReadWrite));
    must(file->punch_hole(range));
    Bytes expected = content;
    for (std::uint64_t i = range.offset; i < std::min(range.offset + range.length, kMiB); ++i) {
      expected[i] = std::byte{0};
    }
    EXPECT_TRUE(content_of(*file) == expected);
    must(file->write_at(6000, as_bytes("again")));
    must(file->sync());
    std::copy_n(as_bytes("again").begin(), 5, expected.begin() + 6000);
    EXPECT_TRUE(content_of(*file) == expected);
    must(file->close());
    must(root().remove_file("a"));
  }
}

// covers F2.3
TEST_P(EnvConformance, AFailedPunchPoisonsTheFile) {
  put("a", "hello");
  const auto file = must(root().open_file("a", OpenMode::Read));
  EXPECT_FALSE(file->punch_hole({0, 3}));
  EXPECT_FALSE(file->info());
  EXPECT_EQ(text("a"), "hello");
}

TEST_P(EnvConformance, PreallocateReservesButDoesNotChangeTheSize) {
  const auto file = create("a");
  must(file->preallocate({1 << 20, 1 << 20}));
  EXPECT_EQ(must(file->info()).size, 0U);
  must(file->preallocate({}));
  must(file->write_at(0, as_bytes("x")));
  EXPECT_EQ(must(file->info()).size, 1U);
}

TEST_P(EnvConformance, DataRangesCoverAllDataInOrderAndInsideTheFile) {
  const auto file = create("a");
  const Bytes data = pattern(64 * kKiB, 2);
  must(file->truncate(8 * kMiB));
  must(file->write_at(1 * kMiB, data));
  must(file->write_at(5 * kMiB, data));
  must(file->sync());
  const auto covers = [](const std::vector<ByteRange>& ranges, std::uint64_t offset) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const ByteRange& range) {
      return range.offset <= offset && offset - range.offset < range.length;
    });
  };
  const auto ranges = must(file->data_ranges());
  for (std::uint64_t i = 0; i < data.size(); i += 4096) {
    EXPECT_TRUE(covers(ranges, 1 * kMiB + i));
    EXPECT_TRUE(covers(ranges, 5 * kMiB + i));
  }
  std::uint64_t end = 0;
  for (const ByteRange& range : ranges) {
    EXPECT_GE(range.offset, end);
    EXPECT_GT(range.length, 0U);
    end = range.offset + range.length;
  }
  EXPECT_LE(end, 8 * kMiB);
}

TEST_P(EnvConformance, AnEmptyFileHasNoDataRanges) {
  const auto file = create("a");
  EXPECT_TRUE(must(file->data_ranges()).empty());
}

TEST_P(EnvConformance, DroppingTheCacheChangesNoContent) {
  const Bytes content = pattern(3 * kMiB + 17, 3);
  put("a", content);
  const auto file = must(root().open_file("a", OpenMode::Read));
  EXPECT_EQ(content_of(*file), content);
  file->drop_cache({0, content.size()});
  file->drop_cache({5 * kMiB, kMiB});
  file->drop_cache({0, 0});
  EXPECT_EQ(content_of(*file), content);
}

TEST_P(EnvConformance, StartingWritebackChangesNoContent) {
  const Bytes content = pattern(kMiB + 17, 4);
  const auto file = create("a");
  ASSERT_TRUE(file->write_at(0, content));
  file->start_writeback({0, content.size()});
  file->start_writeback({5 * kMiB, kMiB});
  file->start_writeback({0, 0});
  EXPECT_EQ(content_of(*file), content);
}

// covers F2.3
TEST_P(EnvConformance, AFailedWritePoisonsTheFile) {
  put("a", "hello");
  const auto file = must(root().open_file("a", OpenMode::Read));
  const Status write = file->write_at(0, as_bytes("x"));
  ASSERT_FALSE(write);
  Bytes out(5);
  const auto read = file->read_at(0, out);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message(), write.error().message());
  EXPECT_FALSE(file->sync());
  EXPECT_FALSE(file->info());
  EXPECT_FALSE(file->close());
  EXPECT_EQ(text("a"), "hello");
}

TEST_P(EnvConformance, ARemovedFileStaysReadableThroughItsHandle) {
  put("a", "hello");
  const auto file = must(root().open_file("a", OpenMode::Read));
  must(root().remove_file("a"));
  EXPECT_EQ(as_text(content_of(*file)), "hello");
}

TEST_P(EnvConformance, OneFileIsReadByManyThreadsAtOnce) {
  const Bytes content = pattern(1 << 20, 4);
  put("a", content);
  const auto file = must(root().open_file("a", OpenMode::Read));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Bytes out(1000);
      for (std::size_t i = t; i + out.size() < content.size(); i += 4001) {
        const auto read = file->read_at(i, out);
        if (!read || *read != out.size() ||
            !std::equal(out.begin(), out.end(), content.begin() + static_cast<std::ptrdiff_t>(i))) {
          ++wrong;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// Directories.

TEST_P(EnvConformance, ListNamesEverythingButDots) {
  put("a", "");
  must(root().make_dir("d"));
  must(root().make_symlink("l", "a"));
  put(" odd\n\x01name\xff", "");
  EXPECT_THAT(names(), ::testing::ElementsAre(" odd\n\x01name\xff", "a", "d", "l"));
  EXPECT_EQ(names().size(), 4U) << "a second list must see the same";
}

TEST_P(EnvConformance, ListSeesManyEntries) {
  for (int i = 0; i < 1500; ++i) put("file-with-a-rather-long-name-" + std::to_string(i), "");
  EXPECT_EQ(names().size(), 1500U);
}

TEST_P(EnvConformance, DirectoriesNest) {
  must(root().make_dir("d"));
  const auto d = must(root().open_dir("d"));
  must(d->make_dir("e"));
  const auto e = must(d->open_dir("e"));
  must(must(e->open_file("a", OpenMode::CreateExclusive))->write_at(0, as_bytes("deep")));
  EXPECT_EQ(as_text(get(*must(must(root().open_dir("d"))->open_dir("e")), "a")), "deep");
  EXPECT_EQ(e->path(), under_test_.scratch + "/d/e");
  const auto by_path = must(env().open_dir(under_test_.scratch + "/d/e"));
  EXPECT_EQ(as_text(get(*by_path, "a")), "deep");
}

TEST_P(EnvConformance, MakingATakenDirectoryFails) {
  must(root().make_dir("d"));
  put("a", "");
  EXPECT_EQ(code_of(root().make_dir("d")), ErrorCode::AlreadyExists);
  EXPECT_EQ(code_of(root().make_dir("a")), ErrorCode::AlreadyExists);
}

TEST_P(EnvConformance, OnlyEmptyDirectoriesAreRemovedAndOnlyAsDirectories) {
  must(root().make_dir("d"));
  put("a", "");
  {
    const auto d = must(root().open_dir("d"));
    must(d->make_dir("e"));
    EXPECT_FALSE(root().remove_dir("d"));
    must(d->remove_dir("e"));
  }
  EXPECT_FALSE(root().remove_file("d"));
  EXPECT_FALSE(root().remove_dir("a"));
  EXPECT_THAT(names(), ::testing::ElementsAre("a", "d"));
  must(root().remove_dir("d"));
  must(root().remove_file("a"));
  EXPECT_TRUE(names().empty());
}

// covers F6.1
TEST_P(EnvConformance, NamesThatAreNotOneComponentAreRefusedEverywhere) {
  must(root().make_dir("a"));
  must(must(root().open_dir("a"))->make_dir("b"));
  std::vector<std::string> bad = names_that_are_not_one_component();
  bad.emplace_back();
  const FileInfo fifo{.type = FileType::Fifo};
  for (const std::string& name : bad) {
    SCOPED_TRACE(name);
    constexpr auto kInvalid = ErrorCode::InvalidArgument;
    EXPECT_EQ(code_of(root().open_dir(name)), kInvalid);
    EXPECT_EQ(code_of(root().open_file(name, OpenMode::Read)), kInvalid);
    EXPECT_EQ(code_of(root().open_file(name, OpenMode::CreateExclusive)), kInvalid);
    EXPECT_EQ(code_of(root().stat(name)), kInvalid);
    EXPECT_EQ(code_of(root().read_link(name)), kInvalid);
    EXPECT_EQ(code_of(root().make_dir(name)), kInvalid);
    EXPECT_EQ(code_of(root().make_symlink(name, "x")), kInvalid);
    EXPECT_EQ(code_of(root().make_hard_link(root(), name, "y")), kInvalid);
    EXPECT_EQ(code_of(root().make_hard_link(root(), "a", name)), kInvalid);
    EXPECT_EQ(code_of(root().make_node(name, fifo)), kInvalid);
    EXPECT_EQ(code_of(root().remove_file(name)), kInvalid);
    EXPECT_EQ(code_of(root().remove_dir(name)), kInvalid);
    EXPECT_EQ(code_of(root().rename_no_replace(name, "y")), kInvalid);
    EXPECT_EQ(code_of(root().rename_no_replace("a", name)), kInvalid);
    EXPECT_EQ(code_of(root().rename_replace(name, "y")), kInvalid);
    EXPECT_EQ(code_of(root().rename_replace("a", name)), kInvalid);
    if (name.empty()) continue;  // "" names the directory itself in these.
    EXPECT_EQ(code_of(root().set_metadata(name, {.mode = 0700})), kInvalid);
    EXPECT_EQ(code_of(root().xattrs(name)), kInvalid);
    EXPECT_EQ(code_of(root().set_xattr(name, {"user.a", "b"})), kInvalid);
    EXPECT_EQ(code_of(root().remove_xattr(name, "user.a")), kInvalid);
  }
}

TEST_P(EnvConformance, SyncSucceedsOnDirectoriesAndFiles) {
  const auto file = create("a");
  must(file->write_at(0, as_bytes("x")));
  must(file->sync());
  must(root().sync());
  must(root().sync_file_system());
}

TEST_P(EnvConformance, FreeSpaceIsNotZero) { EXPECT_GT(must(root().free_space()), 0U); }

// Renames and links.

TEST_P(EnvConformance, RenameNoReplaceMovesAFreeName) {
  put("a", "content");
  must(root().rename_no_replace("a", "b"));
  EXPECT_THAT(names(), ::testing::ElementsAre("b"));
  EXPECT_EQ(text("b"), "content");
}

TEST_P(EnvConformance, RenameNoReplaceRefusesATakenNameAndChangesNothing) {
  put("a", "from");
  put("b", "to");
  must(root().make_dir("d"));
  must(root().make_symlink("l", "nowhere"));
  for (const char* taken : {"b", "d", "l"}) {
    EXPECT_EQ(code_of(root().rename_no_replace("a", taken)), ErrorCode::AlreadyExists) << taken;
  }
  EXPECT_EQ(text("a"), "from");
  EXPECT_EQ(text("b"), "to");
}

TEST_P(EnvConformance, RenameReplaceTakesThePlaceOfAFile) {
  put("a", "new");
  put("b", "old");
  must(root().rename_replace("a", "b"));
  EXPECT_THAT(names(), ::testing::ElementsAre("b"));
  EXPECT_EQ(text("b"), "new");
  must(root().rename_replace("b", "c"));
  EXPECT_EQ(text("c"), "new");
}

TEST_P(EnvConformance, HardLinksAreTwoNamesOfOneFile) {
  must(root().make_dir("d"));
  const auto d = must(root().open_dir("d"));
  put("a", "content");
  must(d->make_hard_link(root(), "a", "b"));
  const FileInfo a = must(root().stat("a"));
  const FileInfo b = must(d->stat("b"));
  EXPECT_EQ(a.inode, b.inode);
  EXPECT_EQ(a.device, b.device);
  EXPECT_EQ(a.links, 2U);
  must(must(d->open_file("b", OpenMode::ReadWrite))->write_at(0, as_bytes("C")));
  EXPECT_EQ(text("a"), "Content");
  must(root().remove_file("a"));
  EXPECT_EQ(as_text(get(*d, "b")), "Content");
  EXPECT_EQ(must(d->stat("b")).links, 1U);
}

TEST_P(EnvConformance, AHardLinkNeverTakesATakenName) {
  put("a", "1");
  put("b", "2");
  EXPECT_EQ(code_of(root().make_hard_link(root(), "a", "b")), ErrorCode::AlreadyExists);
  EXPECT_EQ(text("b"), "2");
}

TEST_P(EnvConformance, AHardLinkToASymlinkIsTheSymlinkItself) {
  must(root().make_symlink("l", "nowhere"));
  must(root().make_hard_link(root(), "l", "m"));
  EXPECT_EQ(must(root().stat("m")).type, FileType::Symlink);
}

TEST_P(EnvConformance, SymlinksKeepTheirTargetsAndAreNeverFollowed) {  // covers F6.2
  put("a", "content");
  must(root().make_dir("d"));
  must(root().make_symlink("to-a", "a"));
  must(root().make_symlink("to-d", "d"));
  must(root().make_symlink("odd", "../ /\xff\n"));
  EXPECT_EQ(must(root().read_link("to-a")), "a");
  EXPECT_EQ(must(root().read_link("odd")), "../ /\xff\n");
  const std::string long_target(3000, 'x');
  must(root().make_symlink("long", long_target));
  EXPECT_EQ(must(root().read_link("long")), long_target);
  EXPECT_EQ(must(root().stat("to-a")).type, FileType::Symlink);
  EXPECT_FALSE(root().open_file("to-a", OpenMode::Read));
  EXPECT_FALSE(root().open_file("to-a", OpenMode::ReadWrite));
  EXPECT_FALSE(root().open_dir("to-d"));
  EXPECT_FALSE(root().read_link("a"));
  EXPECT_EQ(code_of(root().make_symlink("to-a", "b")), ErrorCode::AlreadyExists);
  must(root().remove_file("to-a"));
  EXPECT_EQ(text("a"), "content");
}

TEST_P(EnvConformance, OnlyThePathTheUserTypedIsFollowed) {
  must(root().make_dir("d"));
  must(root().make_symlink("to-d", "d"));
  EXPECT_TRUE(env().open_dir(under_test_.scratch + "/to-d"));
}

// Metadata.

TEST_P(EnvConformance, NewFilesAndDirectoriesArePrivate) {  // covers S11
  put("a", "");
  must(root().make_dir("d"));
  EXPECT_EQ(must(root().stat("a")).mode, 0600U);
  EXPECT_EQ(must(root().stat("d")).mode & 0777U, 0700U);
}

TEST_P(EnvConformance, StatTellsTypesSizesAndOwnInodes) {
  put("a", "12345");
  must(root().make_dir("d"));
  const FileInfo a = must(root().stat("a"));
  EXPECT_EQ(a.type, FileType::Regular);
  EXPECT_EQ(a.size, 5U);
  EXPECT_EQ(a.links, 1U);
  EXPECT_EQ(must(must(root().open_file("a", OpenMode::Read))->info()).inode, a.inode);
  const FileInfo d = must(root().stat("d"));
  EXPECT_EQ(d.type, FileType::Directory);
  EXPECT_NE(d.inode, a.inode);
  EXPECT_EQ(must(must(root().open_dir("d"))->info()).inode, d.inode);
}

TEST_P(EnvConformance, SetMetadataChangesWhatIsNamedAndNothingElse) {
  put("a", "");
  const FileInfo before = must(root().stat("a"));
  must(root().set_metadata("a", {.mode = 04640}));
  EXPECT_EQ(must(root().stat("a")).mode, 04640U);
  EXPECT_EQ(must(root().stat("a")).mtime_ns, before.mtime_ns);
  must(root().set_metadata("a", {.mtime_ns = 1'234'567'890'123'456'789}));
  const FileInfo after = must(root().stat("a"));
  EXPECT_EQ(after.mtime_ns, 1'234'567'890'123'456'789);
  EXPECT_EQ(after.mode, 04640U);
  must(root().set_metadata("a", {.uid = before.uid, .gid = before.gid}));
  EXPECT_EQ(must(root().stat("a")).uid, before.uid);
}

TEST_P(EnvConformance, TimesBeforeTheEpochKeepTheirNanoseconds) {
  put("a", "");
  must(root().set_metadata("a", {.mtime_ns = -1}));
  EXPECT_EQ(must(root().stat("a")).mtime_ns, -1);
  must(root().set_metadata("a", {.mtime_ns = -1'500'000'000}));
  EXPECT_EQ(must(root().stat("a")).mtime_ns, -1'500'000'000);
}

TEST_P(EnvConformance, SetMetadataOfALinkLeavesItsTargetAlone) {
  put("a", "");
  must(root().set_metadata("a", {.mode = 0600, .mtime_ns = 1'000}));
  must(root().make_symlink("l", "a"));
  must(root().set_metadata("l", {.mode = 0777, .mtime_ns = 5'000}));
  EXPECT_EQ(must(root().stat("l")).mtime_ns, 5'000);
  EXPECT_EQ(must(root().stat("a")).mtime_ns, 1'000);
  EXPECT_EQ(must(root().stat("a")).mode, 0600U);
}

TEST_P(EnvConformance, TheEmptyNameIsTheDirectoryItself) {
  must(root().make_dir("d"));
  const auto d = must(root().open_dir("d"));
  must(d->set_metadata("", {.mode = 0750, .mtime_ns = 7'000'000'001}));
  EXPECT_EQ(must(root().stat("d")).mode & 0777U, 0750U);
  EXPECT_EQ(must(root().stat("d")).mtime_ns, 7'000'000'001);
  EXPECT_EQ(must(d->info()).mtime_ns, 7'000'000'001);
  EXPECT_TRUE(d->xattrs(""));
}

TEST_P(EnvConformance, XattrsAreKeptAscendingByName) {
  put("a", "");
  must(root().make_symlink("l", "a"));
  const std::string binary("\0\xff\n", 3);
  if (!root().set_xattr("a", {"user.b", binary})) {
    EXPECT_TRUE(must(root().xattrs("a")).empty()) << "no xattrs here: none may be listed";
    return;
  }
  must(root().set_xattr("a", {"user.a", ""}));
  must(root().set_xattr("a", {"user.c", "old"}));
  must(root().set_xattr("a", {"user.c", "new"}));
  std::vector<std::pair<std::string, std::string>> found;
  for (const Xattr& xattr : must(root().xattrs("a"))) {
    if (xattr.name.starts_with("user.")) found.emplace_back(xattr.name, xattr.value);
  }
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"user.a", ""}, {"user.b", binary}, {"user.c", "new"}};
  EXPECT_EQ(found, expected);
  for (const Xattr& xattr : must(root().xattrs("l"))) EXPECT_NE(xattr.name, "user.a");
  EXPECT_EQ(code_of(root().xattrs("missing")), ErrorCode::NotFound);
}

TEST_P(EnvConformance, ARemovedXattrIsGoneAndTheOthersStay) {
  put("a", "");
  if (!root().set_xattr("a", {"user.a", "1"})) return;  // No xattrs here.
  must(root().set_xattr("a", {"user.b", "2"}));
  must(root().remove_xattr("a", "user.a"));
  must(root().remove_xattr("a", "user.a"));  // Not there any more: as wanted.
  std::vector<std::string> found;
  for (const Xattr& xattr : must(root().xattrs("a"))) {
    if (xattr.name.starts_with("user.")) found.push_back(xattr.name);
  }
  EXPECT_EQ(found, std::vector<std::string>{"user.b"});
  EXPECT_EQ(code_of(root().remove_xattr("missing", "user.a")), ErrorCode::NotFound);
}

TEST_P(EnvConformance, AFifoIsAnEntryButNoFileToOpen) {  // covers F8.3
  must(root().make_node("pipe", {.type = FileType::Fifo, .mode = 0600}));
  EXPECT_EQ(must(root().stat("pipe")).type, FileType::Fifo);
  EXPECT_FALSE(root().open_file("pipe", OpenMode::Read)) << "and it must not hang";
  EXPECT_FALSE(root().open_file("pipe", OpenMode::ReadWrite));
  must(root().set_metadata("pipe", {.mode = 0640}));
  EXPECT_EQ(must(root().stat("pipe")).mode, 0640U);
  must(root().make_node("socket", {.type = FileType::Socket, .mode = 0600}));
  EXPECT_EQ(must(root().stat("socket")).type, FileType::Socket);
  EXPECT_FALSE(root().open_file("socket", OpenMode::Read));
  EXPECT_EQ(code_of(root().make_node("pipe", {.type = FileType::Fifo})), ErrorCode::AlreadyExists);
  EXPECT_EQ(code_of(root().make_node("r", {.type = FileType::Regular})),
            ErrorCode::InvalidArgument);
}

TEST_P(EnvConformance, ADirectoryIsNoFileAndAFileNoDirectory) {
  must(root().make_dir("d"));
  put("a", "");
  EXPECT_FALSE(root().open_file("d", OpenMode::Read));
  EXPECT_FALSE(root().open_dir("a"));
}

// Clock, randomness, identity.

TEST_P(EnvConformance, MonotonicTimeNeverGoesBack) {
  std::int64_t last = env().monotonic_ns();
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t now = env().monotonic_ns();
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_GT(env().now_ns(), 0);
}

TEST_P(EnvConformance, RandomBytesDiffer) {
  Bytes a(64);
  Bytes b(64);
  env().random(a);
  env().random(b);
  EXPECT_NE(a, b);
  Bytes large(100'000);
  env().random(large);
  EXPECT_FALSE(is_all_zero(ByteView(large).last(64)));
  env().random(MutableBytes());
}

TEST_P(EnvConformance, TheEnvKnowsWhereItRuns) {
  EXPECT_GE(env().processors(), 1U);
  EXPECT_FALSE(env().io_description().empty());
  EXPECT_FALSE(env().host_name().empty());
  EXPECT_GT(env().process_id(), 0U);
  EXPECT_TRUE(env().process_exists(env().process_id()));
  for (const std::uint32_t nobody : {0U, 0x7FFF'FFFFU, 0xFFFF'FFFFU}) {
    EXPECT_FALSE(env().process_exists(nobody)) << nobody;
  }
  EXPECT_EQ(env().user_name(4'000'000'001U), "");
  EXPECT_EQ(env().group_name(4'000'000'001U), "");
  EXPECT_EQ(env().user_id("no such user"), std::nullopt);
  EXPECT_EQ(env().group_id("no such group"), std::nullopt);
}

TEST_P(EnvConformance, UserNamesAndIdsAgree) {
  const std::string name = env().user_name(0);
  if (!name.empty()) {
    EXPECT_EQ(env().user_id(name), 0U);
  }
  const std::string group = env().group_name(0);
  if (!group.empty()) {
    EXPECT_EQ(env().group_id(group), 0U);
  }
}

// Executor.

TEST_P(EnvConformance, AnExecutorRunsEveryTaskOnce) {
  std::vector<std::atomic<int>> runs(1000);
  const auto executor = env().make_executor(3, 4);
  for (auto& count : runs) executor->submit([&count] { ++count; });
  executor->wait_idle();
  for (const auto& count : runs) EXPECT_EQ(count, 1);
}

TEST_P(EnvConformance, AnExecutorIsUsedAgainAfterWaitIdle) {
  int sum = 0;  // Not atomic: one thread, and wait_idle orders its work before ours.
  const auto executor = env().make_executor(1, 2);
  executor->wait_idle();
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 10; ++i) executor->submit([&sum] { ++sum; });
    executor->wait_idle();
    EXPECT_EQ(sum, 10 * round);
  }
}

TEST_P(EnvConformance, DestroyingAnExecutorRunsWhatWasSubmitted) {
  std::atomic<int> runs = 0;
  {
    const auto executor = env().make_executor(2, 100);
    for (int i = 0; i < 100; ++i) executor->submit([&runs] { ++runs; });
  }
  EXPECT_EQ(runs, 100);
}

// IoQueue.

TEST_P(EnvConformance, AQueueReadsAndWritesManyMoreOperationsThanItsDepth) {
  constexpr std::size_t kBlock = 4096;
  constexpr std::size_t kBlocks = 500;
  const Bytes content = pattern(kBlock * kBlocks, 5);
  const auto file = create("a");
  const auto queue = env().make_io_queue(8);
  std::map<std::uint64_t, int> completions;
  const auto collect = [&] {
    for (const IoCompletion& done : queue->wait()) {
      ASSERT_TRUE(done.bytes) << done.bytes.error().message();
      EXPECT_EQ(*done.bytes, kBlock);
      ++completions[done.tag];
    }
  };
  for (std::size_t i = 0; i < kBlocks; ++i) {
    while (queue->full()) collect();
    queue->write(*file, i * kBlock, ByteView(content).subspan(i * kBlock, kBlock), i);
    EXPECT_LE(queue->in_flight(), 8U);
  }
  while (queue->in_flight() > 0) collect();
  EXPECT_EQ(completions.size(), kBlocks);
  EXPECT_EQ(content_of(*file), content);

  Bytes out(content.size());
  for (std::size_t i = 0; i < kBlocks; ++i) {
    while (queue->full()) collect();
    queue->read(*file, i * kBlock, MutableBytes(out).subspan(i * kBlock, kBlock), i);
  }
  while (queue->in_flight() > 0) collect();
  EXPECT_EQ(out, content);
  for (const auto& [tag, count] : completions) EXPECT_EQ(count, 2) << tag;
}

TEST_P(EnvConformance, AQueueReadIsShortOnlyWhereTheFileEnds) {
  const Bytes content = pattern(100'000, 6);
  put("a", content);
  const auto file = must(root().open_file("a", OpenMode::Read));
  const auto queue = env().make_io_queue(4);
  Bytes across(60'000);
  Bytes beyond(100);
  queue->read(*file, 50'000, across, 1);
  queue->read(*file, 100'000, beyond, 2);
  queue->read(*file, 0, MutableBytes(), 3);
  queue->flush();
  std::map<std::uint64_t, std::size_t> sizes;
  while (queue->in_flight() > 0) {
    for (const IoCompletion& done : queue->wait()) sizes[done.tag] = must(done.bytes);
  }
  EXPECT_EQ(sizes, (std::map<std::uint64_t, std::size_t>{{1, 50'000}, {2, 0}, {3, 0}}));
  EXPECT_TRUE(std::equal(content.begin() + 50'000, content.end(), across.begin()));
}

TEST_P(EnvConformance, WaitingOnAnIdleQueueReturnsNothing) {
  const auto queue = env().make_io_queue(2);
  EXPECT_TRUE(queue->wait().empty());
  queue->flush();
  EXPECT_EQ(queue->in_flight(), 0U);
  EXPECT_FALSE(queue->full());
}

TEST_P(EnvConformance, BuffersInAndOutsideARegisteredArenaGiveTheSameBytes) {
  const Bytes content = pattern(256 * kKiB, 7);
  put("a", content);
  const auto file = must(root().open_file("a", OpenMode::Read));
  const auto target = create("b");
  Bytes arena(128 * kKiB);
  Bytes outside(128 * kKiB);
  const auto queue = env().make_io_queue(4);
  queue->register_arena(arena);
  const auto drain = [&] {
    while (queue->in_flight() > 0) {
      for (const IoCompletion& done : queue->wait()) EXPECT_EQ(must(done.bytes), 64 * kKiB);
    }
  };
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t at = i * 64 * kKiB;
    queue->read(*file, at, MutableBytes(arena).subspan(at, 64 * kKiB), i);
    queue->read(*file, 128 * kKiB + at, MutableBytes(outside).subspan(at, 64 * kKiB), 2 + i);
  }
  drain();
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t at = i * 64 * kKiB;
    queue->write(*target, at, ByteView(arena).subspan(at, 64 * kKiB), i);
    queue->write(*target, 128 * kKiB + at, ByteView(outside).subspan(at, 64 * kKiB), 2 + i);
  }
  drain();
  EXPECT_EQ(content_of(*target), content);
}

TEST_P(EnvConformance, AQueueMovesLargeOperationsWhole) {
  const Bytes content = pattern(9 * kMiB + 1, 8);
  const auto file = create("a");
  const auto queue = env().make_io_queue(1);
  queue->write(*file, 3, content, 42);
  EXPECT_TRUE(queue->full());
  const auto written = queue->wait();
  ASSERT_EQ(written.size(), 1U);
  EXPECT_EQ(written[0].tag, 42U);
  EXPECT_EQ(must(written[0].bytes), content.size());
  Bytes out(content.size());
  queue->read(*file, 3, out, 43);
  EXPECT_EQ(must(queue->wait().at(0).bytes), out.size());
  EXPECT_EQ(out, content);
}

// covers F2.3
TEST_P(EnvConformance, AFailedQueueWritePoisonsItsFileAndNoOther) {
  put("a", "hello");
  put("b", "world");
  const auto a = must(root().open_file("a", OpenMode::Read));
  const auto b = must(root().open_file("b", OpenMode::Read));
  const auto queue = env().make_io_queue(4);
  Bytes out(5);
  queue->write(*a, 0, as_bytes("x"), 1);
  EXPECT_FALSE(queue->wait().at(0).bytes);
  EXPECT_FALSE(a->read_at(0, out));
  queue->read(*a, 0, out, 2);
  EXPECT_EQ(queue->in_flight(), 1U);
  EXPECT_FALSE(queue->wait().at(0).bytes);
  queue->read(*b, 0, out, 3);
  EXPECT_EQ(must(queue->wait().at(0).bytes), 5U);
  EXPECT_EQ(as_text(out), "world");
}

TEST_P(EnvConformance, DestroyingAQueueWaitsForWhatIsInFlight) {
  const Bytes content = pattern(1 << 20, 9);
  const auto file = create("a");
  {
    const auto queue = env().make_io_queue(4);
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t quarter = content.size() / 4;
      queue->write(*file, i * quarter, ByteView(content).subspan(i * quarter, quarter), i);
    }
    queue->flush();
  }
  EXPECT_EQ(content_of(*file), content);
}

TEST_P(EnvConformance, AQueueMadeInOneThreadIsUsedInAnother) {
  const Bytes content = pattern(64 * kKiB, 10);
  put("a", content);
  const auto file = must(root().open_file("a", OpenMode::Read));
  Bytes out(content.size());
  auto queue = env().make_io_queue(2);
  queue->register_arena(out);
  std::thread user([&] {
    queue->read(*file, 0, out, 1);
    EXPECT_EQ(must(queue->wait().at(0).bytes), out.size());
  });
  user.join();
  EXPECT_EQ(out, content);
}

}  // namespace pagevault
