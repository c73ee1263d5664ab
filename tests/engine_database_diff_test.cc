// Which tables and indexes changed between two images of a real database in a repository, compared
// with what a look at every page of both says.

#include <map>

#include "changed_scenario.h"
#include "pagevault/engine/database_diff.h"
#include "sqlite_vocabulary.h"

namespace pagevault::testing {
namespace {

using engine::DatabaseDiff;
using engine::OwnerDifference;
using sqlitesupport::PageOwner;
using sqlitesupport::PageOwners;
using sqlitesupport::PageOwnerType;

std::string name_of(const PageOwner& owner) {
  if (owner.type == PageOwnerType::Schema) return "schema";
  if (owner.type == PageOwnerType::Freelist) return "freelist";
  return owner.name.empty() ? "other" : owner.name;
}

std::string row_text(const std::string& name, std::uint32_t before, std::uint32_t after,
                     std::uint32_t changed) {
  return fmt::format("{} {}->{} changed {}\n", name, before, after, changed);
}

/// Rows in the order of names.
std::string text_of(const DatabaseDiff& diff) {
  std::vector<std::string> rows;
  for (const OwnerDifference& row : diff.owners) {
    rows.push_back(
        row_text(name_of(row.owner), row.pages_before, row.pages_after, row.pages_changed));
  }
  std::ranges::sort(rows);
  std::string out = row_text("all", diff.pages_before, diff.pages_after, diff.pages_changed);
  for (const std::string& row : rows) out += row;
  return out;
}

class Plain {
 public:
  Plain(const Bytes& image, std::uint32_t page_size)
      : image_(image), page_size_(page_size), owners_(0) {
    const auto source = [this](std::uint32_t number) { return Result<ByteView>(page(number)); };
    if (page_count() > 0) {
      owners_ = sqlitesupport::find_page_owners(source, page_size, page_count()).value();
    }
  }
  std::uint32_t page_count() const {
    return static_cast<std::uint32_t>(image_.size() / page_size_);
  }
  ByteView page(std::uint32_t number) const {
    return ByteView(image_).subspan(std::size_t{number - 1} * page_size_, page_size_);
  }
  std::string owner(std::uint32_t page) const {
    return name_of(owners_.owners()[owners_.owner_of(page)]);
  }

 private:
  const Bytes& image_;
  std::uint32_t page_size_;
  PageOwners owners_;
};

/// The same by reading everything.
std::string expected_text(const Bytes& before, const Bytes& after, std::uint32_t page_size) {
  struct Counts {
    std::uint32_t before = 0;
    std::uint32_t after = 0;
    std::uint32_t changed = 0;
  };
  const Plain left(before, page_size);
  const Plain right(after, page_size);
  std::map<std::string, Counts> rows;
  Counts all{left.page_count(), right.page_count()};
  for (std::uint32_t page = 1; page <= left.page_count(); ++page) ++rows[left.owner(page)].before;
  for (std::uint32_t page = 1; page <= right.page_count(); ++page) {
    Counts& row = rows[right.owner(page)];
    ++row.after;
    if (page <= left.page_count() && equal_bytes(left.page(page), right.page(page))) continue;
    ++row.changed;
    ++all.changed;
  }
  std::vector<std::string> lines;
  for (const auto& [name, row] : rows) {
    if (row.changed == 0 && row.before == row.after) continue;
    lines.push_back(row_text(name, row.before, row.after, row.changed));
  }
  std::ranges::sort(lines);
  std::string out = row_text("all", all.before, all.after, all.changed);
  for (const std::string& line : lines) out += line;
  return out;
}

class EngineDatabaseDiff : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(vault_.init());
    env_.make_dirs("/src");
  }

  std::unique_ptr<Database> make(const std::string& sql) {
    auto database =
        std::make_unique<Database>(fmt::format("{}/{}.db", scratch_.path(), ++databases_));
    database->run("PRAGMA synchronous=off; PRAGMA journal_mode=memory;" + sql);
    return database;
  }

  /// Its entry after a backup of `content`.
  repo::Entry keep(const Bytes& content) {
    env_.write_file("/src/db", content);
    const auto kept = scenario_.step({});
    EXPECT_TRUE(kept) << kept.error().message();
    auto workspace = std::move(vault_.open().value());
    repo::Entry entry = scenario_.entry(*workspace).value();
    entry.database = repo::DatabaseRecord{};
    return entry;
  }
  repo::Entry keep(Database& database) { return keep(serialized(database)); }

  Result<DatabaseDiff> diff(const repo::Entry& before, const repo::Entry& after) {
    const auto workspace = std::move(vault_.open().value());
    return engine::diff_databases(*workspace, before, after);
  }
  std::string text(const repo::Entry& before, const repo::Entry& after) {
    const auto found = diff(before, after);
    if (!found) return found.error().message();
    EXPECT_TRUE(found->complete);
    return text_of(*found);
  }

  ScratchDir scratch_;
  int databases_ = 0;
  SimEnv env_;
  Vault vault_{env_};
  ChangedScenario scenario_{env_, vault_, "/src", "db"};
};

std::string fill(const std::string& table, int rows, const std::string& bytes) {
  return fmt::format(
      "INSERT INTO {}(b) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{})"
      " SELECT randomblob({}) FROM n;",
      table, rows, bytes);
}

TEST_F(EngineDatabaseDiff, NamesWhatGrewAndWhatItsPagesAre) {
  const auto database = make(
      "CREATE TABLE quiet(a INTEGER PRIMARY KEY, b); CREATE TABLE busy(a INTEGER PRIMARY KEY, b);"
      "CREATE INDEX busy_b ON busy(b);" +
      fill("quiet", 300, "500") + fill("busy", 300, "500"));
  const repo::Entry before = keep(*database);
  database->run(fill("busy", 100, "500"));
  const repo::Entry after = keep(*database);
  const auto found = diff(before, after);
  ASSERT_TRUE(found) << found.error().message();
  ASSERT_EQ(found->owners.size(), 3U) << text_of(*found);
  EXPECT_EQ(found->page_size, 4096U);
  EXPECT_EQ(found->owners.front().owner.name, "busy_b") << "most changed first";
  EXPECT_EQ(found->owners.front().owner.table, "busy");
  EXPECT_EQ(found->owners[1].owner.type, PageOwnerType::Table);
  EXPECT_GT(found->owners[1].pages_after, found->owners[1].pages_before);
  EXPECT_EQ(name_of(found->owners[2].owner), "schema") << "the change counter is in its first page";
  EXPECT_EQ(text(after, after), row_text("all", found->pages_after, found->pages_after, 0));
}

TEST_F(EngineDatabaseDiff, IsWhatReadingEveryPageSays) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937_64 random(seed);
    const std::uint32_t page_size = 512U << seed % 8;
    const auto database = make(fmt::format(
        "PRAGMA page_size={}; PRAGMA auto_vacuum={}; CREATE TABLE t0(a INTEGER PRIMARY KEY, b);"
        "CREATE TABLE t1(a INTEGER PRIMARY KEY, b); CREATE INDEX i1 ON t1(b);",
        page_size, seed % 3));
    database->run(fill("t0", 200, "400") + fill("t1", 200, "abs(random()) % 9000"));
    Bytes before = serialized(*database);
    repo::Entry before_entry = keep(before);
    for (int round = 0; round < 6; ++round) {
      const std::string table = random() % 2 == 0 ? "t0" : "t1";
      const std::vector<std::string> steps = {
          fill(table, 30, "abs(random()) % 3000"),
          "DELETE FROM " + table + " WHERE a%7=3",
          "UPDATE " + table + " SET b=randomblob(300) WHERE a=40",
          "VACUUM",
          "CREATE TABLE IF NOT EXISTS extra(b);" + fill("extra", 50, "900"),
          "DROP TABLE IF EXISTS extra",
          "DELETE FROM " + table + " WHERE a>20; VACUUM"};
      database->run(steps[random() % steps.size()]);
      const Bytes after = serialized(*database);
      const repo::Entry after_entry = keep(after);
      EXPECT_EQ(text(before_entry, after_entry), expected_text(before, after, page_size));
      EXPECT_EQ(text(after_entry, before_entry), expected_text(after, before, page_size));
      before = after;
      before_entry = after_entry;
    }
  }
}

TEST_F(EngineDatabaseDiff, ReadsLittleOfALargeDatabase) {
  const auto database =
      make("CREATE TABLE t(a INTEGER PRIMARY KEY, b);" + fill("t", 60'000, "400"));
  const repo::Entry before = keep(*database);
  ASSERT_GE(before.info.size, 20 * kMiB);
  database->run("UPDATE t SET b=randomblob(400) WHERE a IN (7, 30000)");
  const repo::Entry after = keep(*database);
  const auto found = diff(before, after);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->pages_changed, 3U);
  EXPECT_LE(found->bytes_read, 4 * kMiB);
}

TEST_F(EngineDatabaseDiff, CrossesTheBordersOfSpans) {
  const auto database = make(
      "PRAGMA page_size=65536; CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t(b) VALUES"
      "(zeroblob(100000000)); CREATE TABLE u(a INTEGER PRIMARY KEY, b);" +
      fill("u", 100, "4000"));
  const Bytes before = serialized(*database);
  const repo::Entry before_entry = keep(before);
  database->run("UPDATE u SET b=randomblob(10) WHERE a=50; DELETE FROM u WHERE a>90");
  const Bytes after = serialized(*database);
  EXPECT_EQ(text(before_entry, keep(after)), expected_text(before, after, 65'536));
}

TEST_F(EngineDatabaseDiff, ADatabaseWithoutPagesHasNothing) {
  const auto database = make("CREATE TABLE t(a, b);" + fill("t", 100, "100"));
  const Bytes image = serialized(*database);
  repo::Entry empty = keep(Bytes());
  const repo::Entry full = keep(image);
  EXPECT_EQ(text(empty, full), expected_text({}, image, 4096));
  EXPECT_EQ(text(full, empty), expected_text(image, {}, 4096));
  EXPECT_EQ(text(empty, empty), row_text("all", 0, 0, 0));
}

TEST_F(EngineDatabaseDiff, WhatCannotBeComparedIsRefused) {
  const auto small = make("PRAGMA page_size=1024; CREATE TABLE t(a, b)");
  const repo::Entry a = keep(*small);
  const auto large = make("PRAGMA page_size=8192; CREATE TABLE t(a, b)");
  const repo::Entry b = keep(*large);
  const repo::Entry noise = keep(random_bytes(100'000, 1));
  repo::Entry plain = b;
  plain.database.reset();
  for (const auto& [left, right] :
       {std::pair(a, b), {b, noise}, {noise, b}, {plain, b}, {b, plain}}) {
    const auto refused = diff(left, right);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Unsupported) << refused.error().message();
  }
  EXPECT_EQ(text(a, b), "pages of 1024 bytes before, of 8192 after");
}

TEST_F(EngineDatabaseDiff, ADamagedImageIsComparedAndSaidToBeIncomplete) {
  const auto database = make("CREATE TABLE t(a, b);" + fill("t", 1000, "300"));
  Bytes image = serialized(*database);
  const repo::Entry before = keep(image);
  image[4096] = std::byte{0};  // The root of t.
  const auto found = diff(before, keep(image));
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_FALSE(found->complete);
  EXPECT_EQ(found->pages_changed, 1U);
}

TEST_F(EngineDatabaseDiff, APartOfAPageAtTheEndIsAPageOfNobody) {
  const auto database = make("CREATE TABLE t(a, b);" + fill("t", 100, "300"));
  Bytes image = serialized(*database);
  const repo::Entry before = keep(image);
  image.resize(image.size() + 100, std::byte{1});
  const auto found = diff(before, keep(image));
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_FALSE(found->complete);
  EXPECT_EQ(found->pages_after, found->pages_before + 1);
  EXPECT_EQ(found->pages_changed, 1U);
  ASSERT_EQ(found->owners.size(), 1U);
  EXPECT_EQ(found->owners[0].owner.type, PageOwnerType::Unknown);
}

TEST_F(EngineDatabaseDiff, TheEntriesOfWhatDiffersAreGivenToTheVisitor) {
  keep(text_bytes(10'000, 1));
  const SnapshotId first = *scenario_.last();
  keep(text_bytes(20'000, 2));
  const auto workspace = std::move(vault_.open().value());
  const auto read = [&](const SnapshotId& id) {
    return workspace->repository().read_snapshot(id).value();
  };
  int visits = 0;
  EXPECT_TRUE(engine::diff_snapshots(*workspace, read(first), read(*scenario_.last()),
                                     [&](const engine::Difference& difference) {
                                       ++visits;
                                       EXPECT_EQ(difference.before->info.size, 10'000U);
                                       EXPECT_EQ(difference.after->info.size, 20'000U);
                                       return ok();
                                     }));
  EXPECT_EQ(visits, 1);
}

}  // namespace
}  // namespace pagevault::testing
