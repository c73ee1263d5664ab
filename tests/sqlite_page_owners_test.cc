// Owners of pages, compared with what SQLite's own dbstat says, and on images made wrong.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "pagevault/base/codec.h"
#include "pagevault/sqlitesupport/page_owners.h"
#include "schema_record.h"
#include "sqlite_vocabulary.h"

namespace pagevault {
namespace {

using sqlitesupport::find_page_owners;
using sqlitesupport::kOwnerNameBytesMax;
using sqlitesupport::PageOwner;
using sqlitesupport::PageOwners;
using sqlitesupport::PageOwnerType;
using sqlitesupport::PageSource;
using sqlitesupport::TextEncoding;
using sqlitesupport::utf8_of;
using testing::Database;

/// An image in memory, and which of its pages were read.
class Image {
 public:
  Image(Bytes bytes, std::uint32_t page_size) : bytes_(std::move(bytes)), page_size_(page_size) {}

  std::uint32_t page_count() const {
    return static_cast<std::uint32_t>(bytes_.size() / page_size_);
  }
  std::uint32_t page_size() const { return page_size_; }
  MutableBytes page(std::uint32_t number) {
    return MutableBytes(bytes_).subspan(std::size_t{number - 1} * page_size_, page_size_);
  }
  MutableBytes bytes() { return bytes_; }
  std::size_t reads() const { return reads_; }

  /// Of `page_count` pages; those beyond the image are zero.
  Result<PageOwners> owners(std::uint32_t page_count) {
    reads_ = 0;
    Bytes held;
    const PageSource source = [&](std::uint32_t number) -> Result<ByteView> {
      EXPECT_GE(number, 1U);
      EXPECT_LE(number, page_count);
      ++reads_;
      // Anew each time, so that the sanitizer finds views that are kept too long.
      held = number <= this->page_count() ? to_bytes(page(number)) : Bytes(page_size_);
      held.shrink_to_fit();
      return ByteView(held);
    };
    return find_page_owners(source, page_size_, page_count);
  }
  Result<PageOwners> owners() { return owners(page_count()); }

 private:
  Bytes bytes_;
  std::uint32_t page_size_;
  std::size_t reads_ = 0;
};

std::string name_of(const PageOwner& owner) {
  switch (owner.type) {
    case PageOwnerType::Unknown:
      return "?";
    case PageOwnerType::Freelist:
      return "free";
    case PageOwnerType::PointerMap:
      return "pointers";
    case PageOwnerType::LockByte:
      return "lock";
    case PageOwnerType::Schema:
      return "schema";
    case PageOwnerType::Table:
      return "table " + owner.name;
    case PageOwnerType::Index:
      return "index " + owner.name + " of " + owner.table;
  }
  return "";
}

std::string owner_text(const PageOwners& owners, std::uint32_t page) {
  return name_of(owners.owners()[owners.owner_of(page)]);
}

/// "name pages, name pages ..." in the order of names.
std::string summary(const PageOwners& owners) {
  std::map<std::string, int> counts;
  for (std::uint32_t page = 1; page <= owners.page_count(); ++page)
    ++counts[owner_text(owners, page)];
  std::string out;
  for (const auto& [name, count] : counts) {
    out += (out.empty() ? "" : ", ") + name + " " + std::to_string(count);
  }
  return out;
}

class SqlitePageOwners : public ::testing::Test {
 protected:
  std::unique_ptr<Database> make(const std::string& pragmas = "") {
    auto database =
        std::make_unique<Database>(scratch_.path() + "/" + std::to_string(++databases_) + ".db");
    database->run(pragmas);
    return database;
  }
  static Image image_of(Database& database) {
    const auto page_size = static_cast<std::uint32_t>(std::stoul(database.ask("PRAGMA page_size")));
    return {testing::serialized(database), page_size};
  }

  /// Pages as dbstat knows them; it says nothing of the freelist and of pointer maps.
  static std::map<std::uint32_t, std::string> told_by_sqlite(Database& database) {
    std::map<std::uint32_t, std::string> out;
    const auto keep = [](void* to, int, char** values, char**) {
      auto& pages = *static_cast<std::map<std::uint32_t, std::string>*>(to);
      pages[static_cast<std::uint32_t>(std::stoul(values[0]))] = values[1];
      return 0;
    };
    const std::string sql =
        "SELECT d.pageno, CASE WHEN d.name='sqlite_schema' THEN 'schema'"
        " WHEN s.type='index' THEN 'index ' || s.name || ' of ' || s.tbl_name"
        " ELSE 'table ' || s.name END"
        " FROM dbstat d LEFT JOIN sqlite_schema s ON s.name=d.name AND s.rootpage>0";
    EXPECT_EQ(sqlite3_exec(database.handle(), sql.c_str(), keep, &out, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database.handle());
    return out;
  }

  static void expect_as_sqlite_says(Database& database) {
    Image image = image_of(database);
    const auto owners = image.owners();
    ASSERT_TRUE(owners) << owners.error().message();
    EXPECT_TRUE(owners->complete()) << summary(*owners);
    EXPECT_LE(image.reads(), image.page_count() + 1);
    auto told = told_by_sqlite(database);
    std::size_t free = 0;
    std::size_t pointers = 0;
    for (std::uint32_t page = 1; page <= image.page_count(); ++page) {
      const std::string owner = owner_text(*owners, page);
      free += owner == "free" ? 1U : 0U;
      pointers += owner == "pointers" ? 1U : 0U;
      const auto at = told.find(page);
      if (owner == "free" || owner == "pointers") {
        ASSERT_EQ(at, told.end()) << "page " << page << " is " << owner;
      } else {
        ASSERT_NE(at, told.end()) << "page " << page << " is " << owner;
        ASSERT_EQ(at->second, owner) << "page " << page;
      }
    }
    EXPECT_EQ(std::to_string(free), database.ask("PRAGMA freelist_count"));
    EXPECT_EQ(pointers > 0, database.ask("PRAGMA auto_vacuum") != "0");
  }

 private:
  testing::ScratchDir scratch_;
  int databases_ = 0;
};

std::string fill(const std::string& table, int rows, const std::string& blob_bytes) {
  return "INSERT INTO " + table +
         "(b, c) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1"
         " FROM n WHERE i<" +
         std::to_string(rows) + ") SELECT randomblob(" + blob_bytes +
         "), hex(randomblob(8)) FROM n;";
}

// Rows that overflow, keys that overflow, a table without rowids, and what is dropped again.
std::string some_schema(int number) {
  const std::string n = std::to_string(number);
  return "CREATE TABLE t" + n +
         "(a INTEGER PRIMARY KEY, b BLOB, c TEXT UNIQUE);"
         "CREATE INDEX i" +
         n + " ON t" + n +
         "(b);"
         "CREATE TABLE w" +
         n +
         "(b BLOB, c TEXT, PRIMARY KEY(c, b)) WITHOUT ROWID;"
         "CREATE VIEW v" +
         n + " AS SELECT a FROM t" + n +
         ";"
         "CREATE TRIGGER g" +
         n + " AFTER INSERT ON w" + n + " BEGIN DELETE FROM t" + n + " WHERE a<0; END;";
}

std::string random_step(std::mt19937_64& random, int tables) {
  const auto below = [&random](std::uint64_t bound) { return random() % bound; };
  const std::string n = std::to_string(below(static_cast<std::uint64_t>(tables)));
  const std::string rows = std::to_string(1 + below(60));
  switch (below(6)) {
    case 0:
      return fill("t" + n, static_cast<int>(1 + below(100)), "abs(random()) % 200");
    case 1:
      return fill("t" + n, static_cast<int>(1 + below(10)), "abs(random()) % 20000");
    case 2:
      return fill("w" + n, static_cast<int>(1 + below(60)), "abs(random()) % 3000");
    case 3:
      return "DELETE FROM t" + n + " WHERE a % 3 = 0 OR a < " + rows;
    case 4:
      return "DELETE FROM w" + n + " WHERE c > '8'";
    default:
      return "PRAGMA incremental_vacuum(" + rows + ")";
  }
}

TEST_F(SqlitePageOwners, AreWhatSqliteSaysForRandomDatabases) {
  for (std::uint64_t seed = 0; seed < 48; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const std::string vacuum = std::to_string(seed % 3);
    const auto encoding = std::array{"UTF-8", "UTF-16le", "UTF-16be"}[seed / 3 % 3];
    auto database = make("PRAGMA page_size=" + std::to_string(512U << seed % 8) +
                         "; PRAGMA encoding='" + encoding + "'; PRAGMA auto_vacuum=" + vacuum +
                         "; PRAGMA synchronous=off; PRAGMA journal_mode=memory");
    const int tables = static_cast<int>(1 + random() % 4);
    for (int i = 0; i < tables; ++i) database->run(some_schema(i));
    ASSERT_EQ(database->ask("PRAGMA auto_vacuum"), vacuum);
    ASSERT_EQ(database->ask("PRAGMA encoding"), encoding);
    for (int i = 0; i < 12; ++i) {
      database->run(random_step(random, tables));
      if (i % 4 == 3) expect_as_sqlite_says(*database);
    }
    database->run("DROP TABLE t0");
    expect_as_sqlite_says(*database);
  }
}

TEST_F(SqlitePageOwners, OfALargeSchemaAreFoundThroughItsOwnTreeAndOverflowPages) {
  for (const std::string encoding : {"UTF-8", "UTF-16le"}) {
    auto database = make("PRAGMA page_size=512; PRAGMA encoding='" + encoding + "'");
    for (int i = 0; i < 150; ++i) {
      const std::string n = std::to_string(i);
      const std::string comment(static_cast<std::size_t>(i) * 17, 'x');
      const std::string name = "\"tablé " + n + std::string(i % 30 == 7 ? 400 : 0, 'y') + "\"";
      database->run("CREATE TABLE " + name + "(a, b /*" + comment + "*/)");
      database->run("CREATE INDEX i" + n + " ON " + name + "(b)");
    }
    expect_as_sqlite_says(*database);
  }
}

TEST_F(SqlitePageOwners, TheirNamesAreInUtf8WhateverTheDatabaseHas) {
  for (const std::string encoding : {"UTF-8", "UTF-16le", "UTF-16be"}) {
    auto database = make("PRAGMA encoding='" + encoding + "'; CREATE TABLE \"naïve 表 🐘\"(a)");
    Image image = image_of(*database);
    EXPECT_EQ(summary(*image.owners()), "schema 1, table naïve 表 🐘 1");
  }
}

TEST_F(SqlitePageOwners, WithReservedBytesAreTheSame) {
  auto database = make();
  int reserved = 32;
  ASSERT_EQ(sqlite3_file_control(database->handle(), "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved),
            SQLITE_OK);
  database->run("PRAGMA page_size=1024; PRAGMA auto_vacuum=2");
  database->run(some_schema(0) + fill("t0", 300, "900") + fill("w0", 50, "3000"));
  ASSERT_EQ(std::to_integer<int>(image_of(*database).page(1)[20]), 32);
  expect_as_sqlite_says(*database);
}

TEST_F(SqlitePageOwners, OfADatabaseThatWasEverEmptyAreTheSchemaAlone) {
  auto database = make("CREATE TABLE t(a); DROP TABLE t; VACUUM");
  Image image = image_of(*database);
  EXPECT_EQ(summary(*image.owners()), "schema 1");
}

TEST_F(SqlitePageOwners, LeavesAreNotReadWhereNothingOverflows) {
  auto database = make("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB, c TEXT);");
  database->run(fill("t", 20000, "100"));
  Image image = image_of(*database);
  ASSERT_GE(image.page_count(), 500U);
  const auto owners = image.owners();
  ASSERT_TRUE(owners);
  EXPECT_TRUE(owners->complete());
  EXPECT_LE(image.reads(), 10U);
  expect_as_sqlite_says(*database);
  // One row with an overflow page, in the middle of them: half of the leaves.
  database->run("UPDATE t SET b=zeroblob(9000) WHERE a=10000");
  image = image_of(*database);
  EXPECT_TRUE(image.owners()->complete());
  EXPECT_LT(image.reads(), image.page_count() * 2 / 3);
  expect_as_sqlite_says(*database);
}

TEST_F(SqlitePageOwners, TheLockBytePageBelongsToNobody) {
  auto database = make("PRAGMA page_size=65536; CREATE TABLE t(a)");
  Image image = image_of(*database);
  const auto owners = image.owners(16'400);
  ASSERT_TRUE(owners);
  EXPECT_EQ(summary(*owners), "? 16397, lock 1, schema 1, table t 1");
  EXPECT_EQ(owner_text(*owners, 16'385), "lock");
  EXPECT_FALSE(owners->complete());
  EXPECT_EQ(owners->unknown_pages(), 16'397U);
}

TEST_F(SqlitePageOwners, APointerMapWhereTheLockByteWouldBeIsOneFurtherOn) {
  // 1,024 / 5 + 1 = 205 divides 1,048,577 - 2.
  auto database = make("PRAGMA page_size=1024; PRAGMA auto_vacuum=1; CREATE TABLE t(a)");
  Image image = image_of(*database);
  const auto owners = image.owners(1'049'000);
  ASSERT_TRUE(owners);
  EXPECT_EQ(owner_text(*owners, 2), "pointers");
  EXPECT_EQ(owner_text(*owners, 207), "pointers");
  EXPECT_EQ(owner_text(*owners, 1'048'577), "lock");
  EXPECT_EQ(owner_text(*owners, 1'048'578), "pointers");
  EXPECT_EQ(owner_text(*owners, 1'048'577 + 205), "pointers");
}

// What is wrong is passed over; what is right beside it is still found.
class SqlitePageOwnersDamage : public SqlitePageOwners {
 protected:
  SqlitePageOwnersDamage() {
    auto database = make("PRAGMA page_size=512");
    database->run(some_schema(0) + fill("t0", 200, "60") + fill("w0", 20, "3000"));
    database->run("CREATE TABLE extra(b, c);" + fill("extra", 100, "400") + "DROP TABLE extra");
    root_ = static_cast<std::uint32_t>(
        std::stoul(database->ask("SELECT rootpage FROM sqlite_schema WHERE name='t0'")));
    image_ = std::make_unique<Image>(image_of(*database));
    EXPECT_TRUE(image_->owners()->complete());
    EXPECT_EQ(std::to_integer<int>(image_->page(root_)[0]), 5) << "an inner page";
  }
  MutableBytes first_cell_of(std::uint32_t page) {
    const MutableBytes bytes = image_->page(page);
    return bytes.subspan(load_be16(bytes.subspan(12)));
  }
  /// How many pages of t0 are found. Something is missing, and no page was read twice.
  std::size_t pages_of_damaged_t0() {
    const auto owners = image_->owners();
    EXPECT_TRUE(owners) << owners.error().message();
    EXPECT_FALSE(owners->complete());
    EXPECT_LE(image_->reads(), image_->page_count() + 1);
    std::size_t count = 0;
    for (std::uint32_t page = 1; page <= owners->page_count(); ++page) {
      count += owner_text(*owners, page) == "table t0" ? 1U : 0U;
    }
    return count;
  }

  std::uint32_t root_ = 0;
  std::unique_ptr<Image> image_;
};

// covers F6.6
TEST_F(SqlitePageOwnersDamage, ATreeThatLeadsIntoItselfEnds) {
  const auto whole = image_->owners();
  store_be32(first_cell_of(root_), root_);
  EXPECT_GE(pages_of_damaged_t0(), 5U);
  store_be32(first_cell_of(root_), 1);
  EXPECT_GE(pages_of_damaged_t0(), 5U);
}

TEST_F(SqlitePageOwnersDamage, PointersBeyondTheImageAreNotFollowed) {
  for (const std::uint32_t target : {0U, image_->page_count() + 1, 0xFFFFFFFFU}) {
    store_be32(first_cell_of(root_), target);
    EXPECT_GE(pages_of_damaged_t0(), 5U);
  }
}

TEST_F(SqlitePageOwnersDamage, ARootThatIsNoTreeHasNoPages) {
  image_->page(root_)[0] = std::byte{0};
  EXPECT_EQ(pages_of_damaged_t0(), 0U);
  // Neither has one of which the cells are said to reach beyond it.
  image_->page(root_)[0] = std::byte{5};
  image_->page(root_)[3] = std::byte{0xFF};
  EXPECT_EQ(pages_of_damaged_t0(), 0U);
}

TEST_F(SqlitePageOwnersDamage, CellsOutsideOfTheirPageArePassedOver) {
  for (const auto offset : {std::byte{0}, std::byte{0xFF}}) {
    image_->page(root_)[12] = image_->page(root_)[13] = offset;
    EXPECT_GE(pages_of_damaged_t0(), 5U);
  }
}

TEST_F(SqlitePageOwnersDamage, AFreelistThatGoesInCirclesEnds) {
  const std::uint32_t trunk = load_be32(image_->page(1).subspan(32));
  ASSERT_NE(trunk, 0U);
  store_be32(image_->page(trunk), trunk);
  const auto owners = image_->owners();
  ASSERT_TRUE(owners);
  EXPECT_FALSE(owners->complete());
  EXPECT_EQ(owners->unknown_pages(), 0U);
  store_be32(image_->page(trunk).subspan(4), 0xFFFFFFFF);
  EXPECT_EQ(owner_text(*image_->owners(), trunk), "?");
}

TEST_F(SqlitePageOwnersDamage, OfACutImageAreThoseOfWhatIsLeft) {
  for (std::uint32_t pages = 1; pages < image_->page_count(); ++pages) {
    const auto owners = image_->owners(pages);
    ASSERT_TRUE(owners) << owners.error().message();
    EXPECT_FALSE(owners->complete());
    EXPECT_LE(image_->reads(), pages + 1);
    EXPECT_EQ(owner_text(*owners, 1), "schema");
  }
}

TEST_F(SqlitePageOwnersDamage, PageOneMustBeThatOfADatabaseWithSuchPages) {
  Image other(to_bytes(image_->bytes()), 1024);
  EXPECT_EQ(other.owners().error().code(), ErrorCode::Corrupt);
  image_->page(1)[20] = std::byte{64};
  EXPECT_EQ(image_->owners().error().code(), ErrorCode::Corrupt) << "448 bytes are too few";
  image_->page(1)[20] = std::byte{0};
  image_->page(1)[0] = std::byte{0};
  const auto magic = image_->owners();
  ASSERT_FALSE(magic);
  EXPECT_EQ(magic.error().code(), ErrorCode::Corrupt);
}

TEST_F(SqlitePageOwnersDamage, ErrorsOfTheSourceEndTheWalk) {
  for (std::size_t good = 0; good < 40; ++good) {
    std::size_t reads = 0;
    const PageSource source = [&](std::uint32_t page) -> Result<ByteView> {
      if (reads++ == good) return Error(ErrorCode::Io, "lost");
      return ByteView(image_->page(page));
    };
    const auto owners = find_page_owners(source, 512, image_->page_count());
    ASSERT_FALSE(owners);
    EXPECT_EQ(owners.error().code(), ErrorCode::Io);
    EXPECT_EQ(reads, good + 1);
  }
}

TEST_F(SqlitePageOwnersDamage, AnyDamageIsSurvived) {
  const Bytes whole = to_bytes(image_->bytes());
  std::mt19937_64 random(7);
  for (int round = 0; round < 3000; ++round) {
    Image damaged(whole, 512);
    for (std::uint64_t i = 1 + random() % 8; i > 0; --i) {
      const auto page = static_cast<std::uint32_t>(1 + random() % damaged.page_count());
      const std::size_t header = page == 1 ? 100 : 0;
      const std::size_t at = random() % 2 == 0 ? header + random() % 40 : header + random() % 400;
      damaged.page(page)[at] = static_cast<std::byte>(random());
      if (random() % 4 == 0) {
        store_be32(damaged.page(page).subspan(at), static_cast<std::uint32_t>(random() % 300));
      }
    }
    const auto owners = damaged.owners();
    ASSERT_TRUE(owners) << owners.error().message();
    ASSERT_LE(damaged.reads(), damaged.page_count() + 1) << "round " << round;
    std::uint32_t unknown = 0;
    for (std::uint32_t page = 1; page <= owners->page_count(); ++page) {
      unknown += owner_text(*owners, page) == "?" ? 1U : 0U;
    }
    ASSERT_EQ(unknown, owners->unknown_pages());
  }
}

TEST(SqliteSchemaText, KeepsNoHalfOfACharacter) {
  const auto utf16 = [](std::initializer_list<int> bytes) {
    Bytes out;
    for (const int b : bytes) out.push_back(static_cast<std::byte>(b));
    return out;
  };
  const auto le = [&](std::initializer_list<int> bytes, std::size_t bytes_max = 100) {
    return utf8_of(utf16(bytes), TextEncoding::Utf16Le, bytes_max);
  };
  EXPECT_EQ(le({0x41, 0, 0xE9, 0}), "Aé");
  EXPECT_EQ(le({0x3D, 0xD8, 0x18, 0xDC}),
            "🐘"
            "")
      << "a pair";
  EXPECT_EQ(le({0x3D, 0xD8}), "\xEF\xBF\xBD") << "half a pair";
  EXPECT_EQ(le({0x3D, 0xD8, 0x41, 0}),
            "\xEF\xBF\xBD"
            "A");
  EXPECT_EQ(le({0x18, 0xDC, 0x41}), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(le({0x41, 0, 0xE9, 0}, 2), "A");
  const auto utf8 = [](std::string_view text, std::size_t bytes_max) {
    return utf8_of(as_bytes(text), TextEncoding::Utf8, bytes_max);
  };
  EXPECT_EQ(utf8("Aé🐘", 7), "Aé🐘");
  EXPECT_EQ(utf8("Aé🐘", 6), "Aé");
  EXPECT_EQ(utf8("Aé🐘", 2), "A");
  EXPECT_EQ(utf8(std::string(9, '\x80'), 6), std::string(3, '\x80'));
}

}  // namespace
}  // namespace pagevault
