// What every Store must do, whatever is behind it: the contract of store.h as tests.
//
// Value-parameterised by a factory. Include it in one source file of a test program and write
//
//   INSTANTIATE_TEST_SUITE_P(Sim, StoreConformance, ::testing::Values(StoreCase{"Sim", make_sim}),
//                            store_case_name);

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "pagevault/base/env.h"
#include "pagevault/repo/store.h"

namespace pagevault::repo {

/// An empty store, open. `keeper` dies last.
struct StoreUnderTest {
  std::shared_ptr<void> keeper;
  std::unique_ptr<Store> store;
  bool threads = false;  ///< May be used from several threads.
};

struct StoreCase {
  std::string name;
  std::function<StoreUnderTest()> make;
};

inline void PrintTo(const StoreCase& store_case, std::ostream* out) { *out << store_case.name; }
inline std::string store_case_name(const ::testing::TestParamInfo<StoreCase>& info) {
  return info.param.name;
}

inline Bytes store_pattern(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes out(size);
  for (std::byte& b : out) b = static_cast<std::byte>(random());
  return out;
}

/// The object of `type` number `n`.
inline ObjectName object_number(ObjectType type, unsigned n) {
  const std::size_t digits = type == ObjectType::KeySlot ? 32 : 64;
  std::string hex = to_hex(store_pattern(digits / 2, n));
  return {type, type == ObjectType::Config ? "" : std::move(hex)};
}

class StoreConformance : public ::testing::TestWithParam<StoreCase> {
 protected:
  void SetUp() override { under_test_ = GetParam().make(); }
  Store& store() { return *under_test_.store; }
  bool threads() const { return under_test_.threads; }

  void put(const ObjectName& name, ByteView content) {
    const Status done = store().put(name, content);
    ASSERT_TRUE(done) << done.error().message();
  }
  template <class T>
  static ErrorCode code_of(const Result<T>& result) {
    if (!result) return result.error().code();
    ADD_FAILURE() << "succeeded";
    return ErrorCode::Cancelled;
  }

 private:
  StoreUnderTest under_test_;
};

TEST_P(StoreConformance, GivesBackWhatWasPutForEveryTypeOfObject) {
  for (const ObjectType type :
       {ObjectType::Config, ObjectType::KeySlot, ObjectType::Pack, ObjectType::Index,
        ObjectType::Snapshot, ObjectType::Session, ObjectType::Gc}) {
    const ObjectName name = object_number(type, 1);
    const Bytes content = store_pattern(1000, 7);
    put(name, content);
    const auto read = store().read_all(name, 1000);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, content);
    const auto info = store().stat(name);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->bytes, content.size());
    const auto listing = store().list(type);
    ASSERT_TRUE(listing) << listing.error().message();
    ASSERT_EQ(listing->objects.size(), 1U);
    EXPECT_EQ(listing->objects[0].name, name);
    EXPECT_EQ(listing->objects[0].bytes, content.size());
    EXPECT_EQ(listing->foreign, 0U);
  }
}

TEST_P(StoreConformance, WritesTheSameBytesHoweverTheyAreSliced) {
  const Bytes content = store_pattern(3 * kMiB + 17, 3);
  unsigned number = 0;
  for (const std::size_t slice : {std::size_t{65'537}, kMiB - 1, kMiB + 0, kMiB + 1, 4 * kMiB}) {
    const ObjectName name = object_number(ObjectType::Pack, ++number);
    auto writer = store().create(name);
    ASSERT_TRUE(writer) << writer.error().message();
    for (std::size_t at = 0; at < content.size(); at += slice) {
      const std::size_t length = std::min(slice, content.size() - at);
      ASSERT_TRUE((*writer)->append(ByteView(content).subspan(at, length)));
    }
    ASSERT_TRUE((*writer)->publish());
    const auto read = store().read_all(name, content.size());
    ASSERT_TRUE(read);
    EXPECT_TRUE(*read == content) << "slice=" << slice;
  }
}

TEST_P(StoreConformance, ShowsNothingOfAnObjectBeforeItIsPublished) {  // covers I2
  const ObjectName name = object_number(ObjectType::Index, 1);
  auto writer = store().create(name);
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->append(store_pattern(2 * kMiB, 1)));
  EXPECT_EQ(code_of(store().stat(name)), ErrorCode::NotFound);
  EXPECT_EQ(code_of(store().read_all(name, kGiB)), ErrorCode::NotFound);
  EXPECT_TRUE(store().list(ObjectType::Index)->objects.empty());
  ASSERT_TRUE((*writer)->publish());
  EXPECT_TRUE(store().stat(name));
}

TEST_P(StoreConformance, LeavesNothingOfAnObjectThatWasNeverPublished) {
  const ObjectName name = object_number(ObjectType::Snapshot, 1);
  {
    auto writer = store().create(name);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append(store_pattern(100, 1)));
  }
  const auto listing = store().list(ObjectType::Snapshot);
  ASSERT_TRUE(listing);
  EXPECT_TRUE(listing->objects.empty());
  EXPECT_EQ(listing->foreign, 0U);
}

TEST_P(StoreConformance, LetsExactlyOneOfTwoCreatorsWin) {  // covers F3.4, I4
  const ObjectName name = object_number(ObjectType::Pack, 5);
  const Bytes mine = store_pattern(100, 1);
  for (const Bytes& other : {store_pattern(100, 2), mine}) {  // Another content; the same.
    auto first = store().create(name);
    auto second = store().create(name);
    ASSERT_TRUE(first && second);
    ASSERT_TRUE((*first)->append(mine));
    ASSERT_TRUE((*second)->append(other));
    ASSERT_TRUE((*first)->publish());
    EXPECT_EQ(code_of((*second)->publish()), ErrorCode::AlreadyExists);
    EXPECT_EQ(*store().read_all(name, 100), mine);
    EXPECT_EQ(store().list(ObjectType::Pack)->foreign, 0U);
    ASSERT_TRUE(store().remove(name));
  }
}

TEST_P(StoreConformance, LetsExactlyOneOfManyThreadsWin) {  // covers F3.4
  if (!threads()) return;  // A store of one thread; the two creators above say the same.
  for (unsigned round = 0; round < 8; ++round) {
    const ObjectName name = object_number(ObjectType::Session, round);
    std::atomic<unsigned> winners = 0;
    std::vector<std::thread> creators;
    for (unsigned i = 0; i < 4; ++i) {
      creators.emplace_back([&, i] {
        if (store().put(name, store_pattern(5000, i))) ++winners;
      });
    }
    for (std::thread& creator : creators) creator.join();
    EXPECT_EQ(winners, 1U) << "round=" << round;
  }
}

TEST_P(StoreConformance, ReadsManyRangesOfManyObjectsAtOnce) {
  std::vector<Bytes> contents;
  for (unsigned i = 0; i < 40; ++i) {
    contents.push_back(store_pattern(20'000 + 100 * i, i));
    put(object_number(ObjectType::Pack, i), contents.back());
  }
  std::mt19937 random(11);
  std::vector<Bytes> buffers(1000);
  std::vector<RangeRead> reads;
  std::vector<unsigned> sources;
  for (Bytes& buffer : buffers) {
    sources.push_back(static_cast<unsigned>(random() % contents.size()));
    const std::size_t size = contents[sources.back()].size();
    const std::size_t offset = random() % size;
    buffer.resize(1 + random() % (size - offset));
    reads.push_back({object_number(ObjectType::Pack, sources.back()), offset, buffer, {}});
  }
  store().read_ranges(reads);
  for (std::size_t i = 0; i < reads.size(); ++i) {
    ASSERT_TRUE(reads[i].status) << reads[i].status.error().message();
    const auto expected =
        ByteView(contents[sources[i]]).subspan(reads[i].offset, buffers[i].size());
    EXPECT_TRUE(std::ranges::equal(buffers[i], expected)) << "read " << i;
  }
}

TEST_P(StoreConformance, ReadsFromManyThreadsThatComeAndGo) {
  if (!threads()) return;  // A store of one thread.
  const Bytes content = store_pattern(100'000, 1);
  for (unsigned i = 0; i < 20; ++i) put(object_number(ObjectType::Pack, i), content);
  std::atomic<unsigned> wrong = 0;
  const auto read_some = [&](unsigned seed) {
    std::mt19937 random(seed);
    std::vector<Bytes> buffers(50, Bytes(1000));
    std::vector<RangeRead> reads;
    for (Bytes& buffer : buffers) {
      reads.push_back({object_number(ObjectType::Pack, static_cast<unsigned>(random() % 20)),
                       random() % 99'000,
                       buffer,
                       {}});
    }
    store().read_ranges(reads);
    for (const RangeRead& read : reads) {
      const auto expected = ByteView(content).subspan(read.offset, read.out.size());
      if (!read.status || !std::ranges::equal(read.out, expected)) ++wrong;
    }
  };
  for (unsigned round = 0; round < 10; ++round) {
    std::vector<std::thread> readers;
    for (unsigned i = 0; i < 4; ++i) readers.emplace_back(read_some, 4 * round + i);
    for (std::thread& reader : readers) reader.join();
  }
  EXPECT_EQ(wrong, 0U);
}

TEST_P(StoreConformance, GivesEachRangeItsOwnStatus) {  // covers F5.2, F5.4
  const ObjectName whole = object_number(ObjectType::Pack, 1);
  const ObjectName absent = object_number(ObjectType::Pack, 2);
  const Bytes content = store_pattern(1000, 1);
  put(whole, content);
  Bytes a(10);
  Bytes b(10);
  Bytes c(10);
  Bytes d(1000);
  std::vector<RangeRead> reads{
      {whole, 995, a, {}}, {absent, 0, b, {}}, {whole, 5000, c, {}}, {whole, 0, d, {}}};
  store().read_ranges(reads);
  EXPECT_EQ(code_of(reads[0].status), ErrorCode::Corrupt);
  EXPECT_EQ(code_of(reads[1].status), ErrorCode::NotFound);
  EXPECT_EQ(code_of(reads[2].status), ErrorCode::Corrupt);
  EXPECT_TRUE(reads[3].status);
  EXPECT_EQ(d, content);
  EXPECT_NE(reads[1].status.error().message().find(object_path(absent)), std::string::npos)
      << reads[1].status.error().message();
}

TEST_P(StoreConformance, RefusesToReadAnObjectLargerThanAllowed) {  // covers S15
  const ObjectName name = object_number(ObjectType::KeySlot, 1);
  put(name, store_pattern(100, 1));
  EXPECT_TRUE(store().read_all(name, 100));
  EXPECT_EQ(code_of(store().read_all(name, 99)), ErrorCode::Corrupt);
}

TEST_P(StoreConformance, ForgetsAnObjectThatWasRemoved) {
  const ObjectName name = object_number(ObjectType::Pack, 1);
  put(name, store_pattern(100, 1));
  Bytes out(100);
  std::vector<RangeRead> reads{{name, 0, out, {}}};
  store().read_ranges(reads);
  ASSERT_TRUE(reads[0].status);
  ASSERT_TRUE(store().remove(name));
  store().read_ranges(reads);
  EXPECT_EQ(code_of(reads[0].status), ErrorCode::NotFound);
  EXPECT_EQ(code_of(store().stat(name)), ErrorCode::NotFound);
  EXPECT_EQ(code_of(store().remove(name)), ErrorCode::NotFound);
  EXPECT_TRUE(store().list(ObjectType::Pack)->objects.empty());
}

TEST_P(StoreConformance, ListsObjectsInOrderOfTheirNames) {
  for (unsigned i = 0; i < 50; ++i) put(object_number(ObjectType::Pack, i), as_bytes("x"));
  const auto listing = store().list(ObjectType::Pack);
  ASSERT_TRUE(listing);
  EXPECT_EQ(listing->objects.size(), 50U);
  EXPECT_TRUE(std::ranges::is_sorted(listing->objects, {}, &ObjectInfo::name));
}

TEST_P(StoreConformance, RefusesNamesThatAreNoIds) {  // covers F6.1
  for (const std::string hex : {"", "..", "../../x", "AB", "3f"}) {
    EXPECT_EQ(code_of(store().create({ObjectType::Pack, hex})), ErrorCode::InvalidArgument);
    EXPECT_EQ(code_of(store().stat({ObjectType::Index, hex})), ErrorCode::InvalidArgument);
  }
}

}  // namespace pagevault::repo
