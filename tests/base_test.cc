// The small parts of base: results, bytes, codecs, ids, secrets, descriptors, queues, checksums.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <type_traits>
#include <vector>

#include "pagevault/base/bounded_queue.h"
#include "pagevault/base/bytes.h"
#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/base/digest.h"
#include "pagevault/base/linux_env.h"
#include "pagevault/base/result.h"
#include "pagevault/base/secret.h"
#include "pagevault/base/unique_fd.h"

namespace pagevault {

namespace {

Bytes random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes out(size);
  for (std::byte& b : out) b = static_cast<std::byte>(random());
  return out;
}

Bytes hex(std::string_view digits) { return from_hex(digits).value(); }

// Result.

Result<int> half(int number) {
  if (number % 2 != 0) return Error(ErrorCode::InvalidArgument, "odd");
  return number / 2;
}
Result<int> quarter(int number) {
  PV_TRY_ASSIGN(const int once, half(number));
  PV_TRY_ASSIGN(const int twice, half(once).context("second half"));
  return twice;
}
Status check_even(int number) {
  PV_TRY(half(number).context("check"));
  return ok();
}

TEST(Result, CarriesTheValueOrTheFirstErrorWithContext) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(7).error().message(), "odd");
  EXPECT_EQ(quarter(6).error().message(), "second half: odd");
  EXPECT_EQ(quarter(6).error().code(), ErrorCode::InvalidArgument);
  EXPECT_TRUE(check_even(2));
  EXPECT_EQ(check_even(3).error().message(), "check: odd");
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 5);
}

TEST(Result, TakingTheValueOfAnErrorAborts) {
  EXPECT_DEATH(half(1).value(), "value\\(\\) of an error: odd");
  EXPECT_DEATH(PV_CHECK(1 + 1 == 3), "1 \\+ 1 == 3");
}

TEST(Result, EveryCodeHasAName) {
  EXPECT_EQ(to_string(ErrorCode::NotFound), "NotFound");
  EXPECT_EQ(to_string(ErrorCode::Cancelled), "Cancelled");
}

// Bytes and ids.

TEST(Bytes, HexGoesThereAndBackInEitherCase) {
  const Bytes bytes = random_bytes(257, 1);
  EXPECT_EQ(from_hex(to_hex(bytes)), bytes);
  EXPECT_EQ(to_hex(hex("00fF7A")), "00ff7a");
  EXPECT_EQ(from_hex(""), Bytes());
}

TEST(Bytes, HexRefusesOddLengthsAndOtherCharacters) {
  for (const std::string_view bad : {"0", "0g", "g0", " 0", "0x", "00 ", "-1"}) {
    EXPECT_EQ(from_hex(bad), std::nullopt) << bad;
  }
}

TEST(Bytes, AllZeroFindsASingleBitAnywhere) {
  for (const std::size_t size : {0U, 1U, 2U, 3U, 7U, 8U, 9U, 100U}) {
    Bytes bytes(size);
    EXPECT_TRUE(is_all_zero(bytes)) << size;
    for (std::size_t i = 0; i < size; ++i) {
      bytes[i] = std::byte{0x10};
      EXPECT_FALSE(is_all_zero(bytes)) << size << " at " << i;
      bytes[i] = std::byte{0};
    }
  }
}

static_assert(!std::is_convertible_v<ChunkId, PackId>);
static_assert(!std::is_convertible_v<PackId, SnapshotId>);
static_assert(!std::is_constructible_v<ChunkId, PackId>);
static_assert(!std::is_convertible_v<RepositoryId, ClientId>);
static_assert(sizeof(ChunkId) == 32 && sizeof(RepositoryId) == 16);

TEST(Digest, ReadsBackItsOwnDigitsAndNothingElse) {
  const ChunkId id = ChunkId::from_view(random_bytes(32, 2));
  EXPECT_EQ(ChunkId::from_hex(id.hex()), id);
  EXPECT_EQ(id.hex(8), id.hex().substr(0, 8));
  EXPECT_EQ(ChunkId::from_hex(id.hex().substr(2)), std::nullopt);
  EXPECT_EQ(ChunkId::from_hex(id.hex() + "00"), std::nullopt);
  EXPECT_EQ(ChunkId::from_hex("z" + id.hex().substr(1)), std::nullopt);
  EXPECT_FALSE(id.is_zero());
  EXPECT_TRUE(ChunkId().is_zero());
  EXPECT_LT(ChunkId(), id);
}

// Codec.

TEST(Codec, IntegersAreLittleEndian) {
  Encoder out;
  out.u8(0x01);
  out.u16(0x0302);
  out.u32(0x07060504);
  out.u64(0x0f0e0d0c0b0a0908);
  out.i64(-2);
  EXPECT_EQ(to_hex(out.view()), "0102030405060708090a0b0c0d0e0ffeffffffffffffff");
}

TEST(Codec, WhatIsEncodedIsDecoded) {
  Encoder out;
  out.u8(255);
  out.u16(65535);
  out.u32(0xfedcba98);
  out.u64(std::numeric_limits<std::uint64_t>::max());
  out.i64(std::numeric_limits<std::int64_t>::min());
  out.str("name");
  out.zeros(3);
  out.raw(hex("aabb"));
  const Bytes bytes = out.take();
  Decoder in(bytes, "test");
  EXPECT_EQ(in.u8().value(), 255);
  EXPECT_EQ(in.u16().value(), 65535);
  EXPECT_EQ(in.u32().value(), 0xfedcba98);
  EXPECT_EQ(in.u64().value(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(in.i64().value(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(as_text(in.str(4).value()), "name");
  EXPECT_TRUE(is_all_zero(in.raw(3).value()));
  EXPECT_FALSE(in.finish());
  EXPECT_EQ(in.array<2>().value()[1], std::byte{0xbb});
  EXPECT_TRUE(in.finish());
}

TEST(Codec, LoadsAndStoresAgree) {
  Bytes bytes(8);
  store_le64(bytes, 0x1122334455667788);
  EXPECT_EQ(load_le64(bytes), 0x1122334455667788U);
  EXPECT_EQ(load_le32(bytes), 0x55667788U);
  EXPECT_EQ(load_le16(bytes), 0x7788U);
  store_be32(bytes, 0x11223344);
  EXPECT_EQ(load_be32(bytes), 0x11223344U);
  EXPECT_EQ(load_le32(bytes), 0x44332211U);
  EXPECT_EQ(load_be16(bytes), 0x1122U);
}

TEST(Codec, VarintsOfEverySizeGoThereAndBack) {
  for (unsigned bits = 0; bits <= 64; ++bits) {
    const std::uint64_t power = bits == 64 ? 0 : std::uint64_t{1} << bits;
    for (const std::uint64_t value : {power - 1, power, power + 1}) {
      Encoder out;
      out.varint(value);
      Decoder in(out.view(), "test");
      EXPECT_EQ(in.varint().value(), value);
      EXPECT_TRUE(in.finish());
    }
  }
}

TEST(Codec, VarintsThatAreNotMinimalAreRefused) {
  for (const char* bad : {"8000", "ff00", "818000", "80808080808080808000"}) {
    const Bytes bytes = hex(bad);
    const auto value = Decoder(bytes, "test").varint();
    ASSERT_FALSE(value) << bad;
    EXPECT_EQ(value.error().code(), ErrorCode::Corrupt);
  }
}

TEST(Codec, VarintsOverSixtyFourBitsAreRefused) {
  EXPECT_EQ(Decoder(hex("ffffffffffffffffff01"), "test").varint().value(), ~std::uint64_t{0});
  for (const char* bad : {"ffffffffffffffffff02", "ffffffffffffffffff7f", "8080808080808080808001",
                          "ffffffffffffffffffff01"}) {
    const Bytes bytes = hex(bad);
    EXPECT_FALSE(Decoder(bytes, "test").varint()) << bad;
  }
}

TEST(Codec, VarintsOutsideTheirLimitsAreRefused) {
  Encoder out;
  out.varint(300);
  EXPECT_EQ(Decoder(out.view(), "test").varint(300, 300).value(), 300U);
  EXPECT_FALSE(Decoder(out.view(), "test").varint(0, 299));
  EXPECT_FALSE(Decoder(out.view(), "test").varint(301, 1000));
}

// covers S15, F6.3
TEST(Codec, ALengthBeyondTheLimitOrTheInputIsRefusedBeforeAnythingIsTaken) {
  Encoder out;
  out.str("12345");
  EXPECT_TRUE(Decoder(out.view(), "test").str(5));
  EXPECT_FALSE(Decoder(out.view(), "test").str(4));
  const Bytes huge = hex("ffffffffffffffffff01");
  EXPECT_FALSE(Decoder(huge, "test").str(SIZE_MAX));
  const Bytes none;
  EXPECT_FALSE(Decoder(none, "test").raw(SIZE_MAX));
  EXPECT_TRUE(Decoder(none, "test").raw(0));
}

// covers F6.3. The input lies at the end of its allocation: ASan sees any step beyond.
TEST(Codec, ADecoderNeverReadsPastItsInput) {
  std::mt19937 random(3);
  for (std::size_t size = 0; size < 40; ++size) {
    for (int round = 0; round < 50; ++round) {
      const Bytes input = random_bytes(size, static_cast<unsigned>(random()));
      Decoder in(input, "test");
      for (int step = 0; step < 20; ++step) {
        switch (random() % 7) {
          case 0:
            in.u8().ignore("only the reach counts");
            break;
          case 1:
            in.u16().ignore("only the reach counts");
            break;
          case 2:
            in.u32().ignore("only the reach counts");
            break;
          case 3:
            in.u64().ignore("only the reach counts");
            break;
          case 4:
            in.varint().ignore("only the reach counts");
            break;
          case 5:
            in.str(random() % 50).ignore("only the reach counts");
            break;
          default:
            in.array<16>().ignore("only the reach counts");
            break;
        }
        ASSERT_LE(in.position(), size);
      }
    }
  }
}

TEST(Codec, ErrorsNameWhatIsDecodedAndWhere) {
  const Bytes bytes = hex("0102");
  Decoder in(bytes, "span node");
  ASSERT_TRUE(in.u8());
  const auto error = in.u32();
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code(), ErrorCode::Corrupt);
  EXPECT_EQ(error.error().message(), "span node: needs 4 bytes, has 1 at byte 1");
}

// Secrets. covers S11

template <class T>
concept Equatable = requires(const T& a, const T& b) {
  a == b;
};
template <class T>
concept Printable = requires(std::ostream& out, const T& a) {
  out << a;
};

using KeyA = SecretKey<struct RoleA>;
using KeyB = SecretKey<struct RoleB>;
static_assert(!std::is_copy_constructible_v<SecretBytes> &&
              !std::is_copy_assignable_v<SecretBytes>);
static_assert(!std::is_copy_constructible_v<KeyA> && !std::is_copy_assignable_v<KeyA>);
static_assert(std::is_nothrow_move_constructible_v<SecretBytes>);
static_assert(std::is_move_constructible_v<KeyA> && std::is_move_assignable_v<KeyA>);
static_assert(!std::is_convertible_v<KeyA, KeyB> && !std::is_constructible_v<KeyA, KeyB>);
static_assert(!std::is_convertible_v<SecretBytes, KeyA>);
static_assert(!Equatable<SecretBytes> && !Equatable<KeyA>);
static_assert(!Printable<SecretBytes> && !Printable<KeyA>);

TEST(Secret, MovesLeaveNothingBehindAndClonesAreEqual) {
  ASSERT_TRUE(init_crypto());
  const Bytes content = random_bytes(40, 4);
  SecretBytes secret = SecretBytes::copy_of(content);
  const SecretBytes copy = secret.clone();
  const SecretBytes moved = std::move(secret);
  EXPECT_TRUE(secret.empty());  // NOLINT(bugprone-use-after-move): what a move leaves is the point
  EXPECT_TRUE(equal_constant_time(moved.expose(), content));
  EXPECT_TRUE(equal_constant_time(copy.expose(), content));
  EXPECT_NE(copy.expose().data(), moved.expose().data());
}

// Short ones share pages: none may see another, or what one left behind.
TEST(Secret, ManyOfAllLengthsAreApartAndBeginAsZeros) {
  ASSERT_TRUE(init_crypto());
  for (int round = 0; round < 2; ++round) {  // The second takes the places of the first.
    std::vector<SecretBytes> secrets;
    for (unsigned i = 0; i < 300; ++i) {
      secrets.emplace_back(1 + i % 130);
      ASSERT_TRUE(is_all_zero(secrets.back().expose())) << i;
      copy_bytes(random_bytes(secrets.back().size(), i), secrets.back().expose_mutable());
    }
    for (unsigned i = 0; i < secrets.size(); ++i) {
      ASSERT_TRUE(equal_constant_time(secrets[i].expose(), random_bytes(secrets[i].size(), i)));
    }
  }
}

TEST(Secret, ComparisonLooksAtEveryByteAndTheLength) {
  Bytes a = random_bytes(32, 5);
  for (std::size_t i = 0; i < a.size(); ++i) {
    Bytes b = a;
    b[i] ^= std::byte{1};
    EXPECT_FALSE(equal_constant_time(a, b)) << i;
  }
  EXPECT_FALSE(equal_constant_time(a, ByteView(a).first(31)));
  EXPECT_TRUE(equal_constant_time(ByteView(), ByteView()));
  wipe(a);
  EXPECT_TRUE(is_all_zero(a));
}

TEST(Secret, AKeyOfTheWrongLengthAborts) {
  EXPECT_EQ(KeyA().expose().size(), 32U);
  EXPECT_DEATH(KeyA(SecretBytes(31)), "kBytes");
}

// Descriptors.

static_assert(!std::is_copy_constructible_v<UniqueFd>);

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
UniqueFd open_null() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(UniqueFd, ClosesWhenItDiesOrIsReplacedAndNotWhenReleased) {
  int first = -1;
  int second = -1;
  {
    UniqueFd fd = open_null();
    first = fd.get();
    UniqueFd other = open_null();
    second = other.get();
    fd = std::move(other);
    EXPECT_FALSE(is_open(first));
    EXPECT_TRUE(is_open(second));
  }
  EXPECT_FALSE(is_open(second));
  UniqueFd fd = open_null();
  const int released = fd.release();
  EXPECT_FALSE(fd);
  EXPECT_TRUE(is_open(released));
  EXPECT_TRUE(UniqueFd(released).close());
}

TEST(UniqueFd, CloseReportsTheErrorOnce) {
  UniqueFd fd(1'000'000);  // Nobody's.
  const Status closed = fd.close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().message(), "close: Bad file descriptor");
  EXPECT_TRUE(fd.close());
}

// Queues between threads.

TEST(BoundedQueue, GivesValuesInOrderAndNothingAfterClose) {
  BoundedQueue<std::unique_ptr<int>> queue(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.push(std::make_unique<int>(i)));
  queue.close();
  EXPECT_FALSE(queue.push(std::make_unique<int>(9)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(**queue.pop(), i);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, NeverHoldsMoreThanItsCapacity) {
  constexpr int kValues = 2000;
  constexpr int kCapacity = 4;
  BoundedQueue<int> queue(kCapacity);
  std::atomic<int> pushed = 0;
  std::thread producer([&] {
    for (int i = 0; i < kValues; ++i) {
      queue.push(i);
      ++pushed;
    }
    queue.close();
  });
  int expected = 0;
  while (const auto value = queue.pop()) {
    EXPECT_EQ(*value, expected++);
    EXPECT_LE(pushed, expected + kCapacity);
  }
  producer.join();
  EXPECT_EQ(expected, kValues);
}

TEST(BoundedQueue, ManyProducersAndConsumersLoseAndDoubleNothing) {
  constexpr int kThreads = 4;
  constexpr int kValues = 1000;
  BoundedQueue<int> queue(3);
  std::vector<std::atomic<int>> seen(kThreads * kValues);
  std::vector<std::thread> producers;
  std::vector<std::thread> consumers;
  for (int t = 0; t < kThreads; ++t) {
    producers.emplace_back([&, t] {
      for (int i = 0; i < kValues; ++i) queue.push(t * kValues + i);
    });
    consumers.emplace_back([&] {
      while (const auto value = queue.pop()) ++seen[static_cast<std::size_t>(*value)];
    });
  }
  for (auto& thread : producers) thread.join();
  queue.close();
  for (auto& thread : consumers) thread.join();
  for (const auto& count : seen) EXPECT_EQ(count, 1);
}

TEST(BoundedQueue, CloseWakesThoseWhoWait) {
  BoundedQueue<int> full(1);
  BoundedQueue<int> empty(1);
  ASSERT_TRUE(full.push(1));
  std::thread producer([&] { EXPECT_FALSE(full.push(2)); });
  std::thread consumer([&] { EXPECT_EQ(empty.pop(), std::nullopt); });
  full.close();
  empty.close();
  producer.join();
  consumer.join();
}

TEST(Executor, SubmitWaitsWhileTheQueueIsFull) {
  const auto executor = make_linux_env()->make_executor(1, 1);
  BoundedQueue<int> gate(1);
  std::atomic<int> submitted = 0;
  std::thread submitter([&] {
    for (int i = 0; i < 5; ++i) {
      executor->submit([&gate] { gate.pop(); });
      ++submitted;
    }
  });
  for (int opened = 0; opened < 5; ++opened) {
    EXPECT_LE(submitted, opened + 2);  // One running, one queued; the next one waits.
    gate.push(1);
  }
  submitter.join();
  executor->wait_idle();
  EXPECT_EQ(submitted, 5);
}

// CRC-32C.

TEST(Crc32c, MatchesThePublishedCheckValues) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c({}), 0U);
  EXPECT_EQ(crc32c(Bytes(32)), 0x8A9136AAU);  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(Bytes(32, std::byte{0xff})), 0x62A8AB43U);
  Bytes ascending(32);
  for (std::size_t i = 0; i < 32; ++i) ascending[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(ascending), 0x46DD794EU);
}

/// The definition, bit by bit.
std::uint32_t crc32c_slowly(ByteView data) {
  std::uint32_t state = ~0U;
  for (const std::byte b : data) {
    state ^= std::to_integer<std::uint32_t>(b);
    for (int bit = 0; bit < 8; ++bit) state = (state >> 1) ^ ((state & 1) != 0 ? 0x82F63B78U : 0U);
  }
  return ~state;
}

TEST(Crc32c, EqualsTheDefinitionAtEveryLengthAndAlignment) {
  const Bytes bytes = random_bytes(600, 6);
  for (std::size_t begin = 0; begin < 16; ++begin) {
    for (std::size_t length = 0; begin + length <= bytes.size(); length += 7) {
      const ByteView part = ByteView(bytes).subspan(begin, length);
      ASSERT_EQ(crc32c(part), crc32c_slowly(part)) << begin << "+" << length;
    }
  }
}

TEST(Crc32c, ContinuesAndCombinesToTheSumOfTheWhole) {
  const Bytes bytes = random_bytes(100'000, 7);
  const std::uint32_t whole = crc32c(bytes);
  for (const std::size_t cut : {0U, 1U, 8U, 4095U, 4096U, 65'537U, 99'999U, 100'000U}) {
    const ByteView a = ByteView(bytes).first(cut);
    const ByteView b = ByteView(bytes).subspan(cut);
    EXPECT_EQ(crc32c(b, crc32c(a)), whole) << cut;
    EXPECT_EQ(crc32c_combine(crc32c(a), crc32c(b), b.size()), whole) << cut;
  }
}

TEST(Crc32c, CombinesLongRunsOfZerosAsIfTheyHadBeenRead) {
  const Bytes zeros(1 << 20);
  const std::uint32_t before = crc32c(as_bytes("head"));
  std::uint32_t read = before;
  for (int i = 0; i < 64; ++i) read = crc32c(zeros, read);
  std::uint32_t block = crc32c(zeros);
  std::uint64_t length = zeros.size();
  for (int i = 0; i < 6; ++i, length *= 2) block = crc32c_combine(block, block, length);
  EXPECT_EQ(crc32c_combine(before, block, length), read);
}

TEST(Crc32c, CombiningIsAssociativeUpToTheLongestLengths) {
  constexpr unsigned kSeed = 8;
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    const auto a = static_cast<std::uint32_t>(random());
    const auto b = static_cast<std::uint32_t>(random());
    const auto c = static_cast<std::uint32_t>(random());
    const std::uint64_t length_b = random() >> (24 + random() % 40);  // Up to 2^40.
    const std::uint64_t length_c = random() >> (24 + random() % 40);
    EXPECT_EQ(crc32c_combine(crc32c_combine(a, b, length_b), c, length_c),
              crc32c_combine(a, crc32c_combine(b, c, length_c), length_b + length_c))
        << "seed " << kSeed << " round " << round;
  }
}

}  // namespace

}  // namespace pagevault
