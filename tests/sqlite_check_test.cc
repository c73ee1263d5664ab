// Checks and SQL text of database files, in helpers that cannot write.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "chunk_test_data.h"
#include "pagevault/base/unique_fd.h"
#include "pagevault/sqlitesupport/database_check.h"
#include "sqlite_vocabulary.h"

namespace pagevault {
namespace {

using sqlitesupport::check_database;
using sqlitesupport::dump_sql;
using testing::Database;

class SqliteCheck : public ::testing::Test {
 protected:
  std::string path(const std::string& name = "app.db") const {
    return scratch_.path() + "/" + name;
  }

  std::vector<std::string> findings() {
    const auto found = check_database(path());
    EXPECT_TRUE(found) << found.error().message();
    return found ? *found : std::vector<std::string>{"error"};
  }
  // The dump, given to the sqlite3 shell, makes copy.db.
  void copy_through_the_shell() {
    std::ofstream out(path("dump.sql"), std::ios::binary);
    std::size_t pieces_over = 0;
    const Status dumped = dump_sql(path(), [&](std::string_view text) {
      if (text.size() > 64 * kKiB) ++pieces_over;
      out << text;
      return ok();
    });
    ASSERT_TRUE(dumped) << dumped.error().message();
    EXPECT_EQ(pieces_over, 0U);
    out.close();
    const std::string command =
        "sqlite3 -bail " + path("copy.db") + " < " + path("dump.sql") + " > /dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);  // NOLINT(cert-env33-c): a test
  }
  // All values with their types and exact bytes, in the order of the table.
  static std::string rows_of(Database& database, const std::string& table,
                             const std::string& columns) {
    std::string expression;
    std::string names = columns + ",";
    while (!names.empty()) {
      const std::string name = names.substr(0, names.find(','));
      names.erase(0, name.size() + 1);
      if (!expression.empty()) expression += "||','||";
      expression += "typeof(" + name + ")||' '||hex(CASE typeof(" + name + ") WHEN 'real' THEN " +
                    "printf('%!.26g'," + name + ") ELSE " + name + " END)";
    }
    return database.ask("SELECT group_concat(" + expression + ", ';') FROM (SELECT * FROM " +
                        table + " NOT INDEXED)");
  }

  testing::ScratchDir scratch_;
};

TEST_F(SqliteCheck, FindsNothingInASoundDatabaseInWalModeAndLeavesNothingBeside) {
  {
    Database database(path());
    database.run(
        "PRAGMA journal_mode=wal; CREATE TABLE t(a, b UNIQUE); INSERT INTO t VALUES(1, 2)");
  }
  EXPECT_EQ(findings(), std::vector<std::string>());
  EXPECT_FALSE(std::filesystem::exists(path("app.db-wal")));
  EXPECT_FALSE(std::filesystem::exists(path("app.db-shm")));
}

// covers F8.12
TEST_F(SqliteCheck, NamesDamageBrokenForeignKeysAndWhatIsNoDatabase) {
  {
    Database database(path());
    database.run(
        "CREATE TABLE p(a INTEGER PRIMARY KEY); CREATE TABLE c(x REFERENCES p(a));"
        "INSERT INTO c VALUES(5); CREATE TABLE big(z);"
        "CREATE INDEX i ON big(z);"
        "INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n"
        " WHERE i<500) SELECT randomblob(100) FROM n");
  }
  EXPECT_THAT(findings(),
              ::testing::ElementsAre(::testing::HasSubstr("foreign key 0 of c: row 1")));
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096 * 8 + 200);
  file << std::string(2000, '\x5a');
  file.close();
  EXPECT_GT(findings().size(), 1U);
  EXPECT_LE(findings().size(), sqlitesupport::kFindingsMax);
  std::ofstream(path()) << std::string(5000, 'x');
  EXPECT_THAT(findings(), ::testing::Contains(::testing::HasSubstr("not a database")));
  const auto missing = check_database(path("missing.db"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::NotFound);
}

TEST_F(SqliteCheck, ReadsNamesWithCharactersThatMeanSomethingInUris) {
  const std::string odd = path("a ?b#c%41&d=é.db");
  Database(odd).run("CREATE TABLE t(a)");
  const auto found = check_database(odd);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_TRUE(found->empty());
}

TEST_F(SqliteCheck, AsSqlTextKeepsEveryValueExactly) {
  for (const std::string encoding : {"UTF-8", "UTF-16le", "UTF-16be"}) {
    SCOPED_TRACE(encoding);
    Database database(path());
    database.run("PRAGMA encoding='" + encoding + "'; CREATE TABLE t(a, b)");
    database.run(
        "INSERT INTO t VALUES(NULL, x''), (x'00ff27', ''), ('it''s', 'a'||char(0)||'b'),"
        "(9223372036854775807, -9223372036854775808), (0.1, -1e-300), (1e300, 1.0), (9e999, "
        "-9e999),"
        "('line\n.quit\r\n/\ngo', 'caf\xC3\xA9 \xF0\x9F\x98\x80'), (zeroblob(100000), 5e-324),"
        "(CAST(x'00d8' AS TEXT), CAST(x'd800' AS TEXT)), (printf('%.70000c', 'x'), "
        "123456789012345678)");
    copy_through_the_shell();
    Database copy(path("copy.db"));
    EXPECT_EQ(copy.ask("PRAGMA encoding"), encoding);
    EXPECT_EQ(rows_of(copy, "t", "a,b"), rows_of(database, "t", "a,b"));
    for (const std::string name : {"app.db", "copy.db"}) std::filesystem::remove(path(name));
  }
}

TEST_F(SqliteCheck, AsSqlTextKeepsRandomReals) {
  constexpr std::uint64_t kSeed = 71;
  test::SeededStream random(kSeed);
  Database database(path());
  database.run("CREATE TABLE t(a REAL); BEGIN");
  sqlite3_stmt* insert = nullptr;
  ASSERT_EQ(sqlite3_prepare_v2(database.handle(), "INSERT INTO t VALUES(?)", -1, &insert, nullptr),
            SQLITE_OK);
  std::size_t count = 0;
  while (count < 5000) {
    const auto value = std::bit_cast<double>(random.next());
    if (!std::isfinite(value)) continue;
    ++count;
    sqlite3_bind_double(insert, 1, value);
    ASSERT_EQ(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_reset(insert);
  }
  sqlite3_finalize(insert);
  database.run("COMMIT");
  copy_through_the_shell();
  database.run("ATTACH '" + path("copy.db") + "' AS copy");
  EXPECT_EQ(database.ask("SELECT count(*) FROM main.t JOIN copy.t AS c ON c.rowid=t.rowid"
                         " WHERE c.a IS NOT main.t.a"),
            "0")
      << "seed " << kSeed;
}

TEST_F(SqliteCheck, AsSqlTextKeepsTheSchema) {
  Database database(path());
  database.run(
      "PRAGMA application_id=77; PRAGMA user_version=-5;"
      "CREATE TABLE \"odd \"\"name\"\"\"(\"a b\" TEXT, g AS (a || 'x') STORED, a, v AS (a) "
      "VIRTUAL);"
      "INSERT INTO \"odd \"\"name\"\"\"(\"a b\", a) VALUES('x', 'y');"
      "CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES('b', 1), ('a', 2);"
      "CREATE TABLE s(id INTEGER PRIMARY KEY AUTOINCREMENT, t TEXT) STRICT;"
      "INSERT INTO s(t) VALUES('one'), ('two'); DELETE FROM s WHERE t='two';"
      "CREATE TABLE parent(id INTEGER PRIMARY KEY); CREATE TABLE child(p REFERENCES parent(id));"
      "INSERT INTO child VALUES(99);"
      "CREATE TABLE log(m); CREATE INDEX by_v ON w(v) WHERE v>1;"
      "CREATE TRIGGER tr AFTER INSERT ON w BEGIN INSERT INTO log VALUES('fired'); END;"
      "CREATE VIEW vw AS SELECT k FROM w -- the last word\n;"
      "CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES('hello world');"
      "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES(1, 2, 3); ANALYZE");
  copy_through_the_shell();
  Database copy(path("copy.db"));
  const auto same = [&](const std::string& sql) {
    EXPECT_EQ(copy.ask(sql), database.ask(sql)) << sql;
    EXPECT_NE(database.ask(sql), "") << sql;
  };
  same(
      "SELECT group_concat(type||name||tbl_name||coalesce(sql,''), char(10)) FROM"
      " (SELECT * FROM sqlite_schema ORDER BY type, name)");
  same("PRAGMA application_id");
  same("PRAGMA user_version");
  same("SELECT group_concat(\"a b\"||g||a||v) FROM \"odd \"\"name\"\"\"");
  same("SELECT group_concat(k||v) FROM w");
  same("SELECT group_concat(name||seq) FROM sqlite_sequence");
  same("SELECT rowid||body FROM f WHERE f MATCH 'hello'");
  same("SELECT group_concat(id||x0) FROM r WHERE x0>1");
  same(
      "SELECT group_concat(tbl||coalesce(idx,'')||stat) FROM (SELECT * FROM sqlite_stat1 ORDER BY "
      "1, 2)");
  same("PRAGMA integrity_check");
  EXPECT_EQ(copy.ask("SELECT count(*) FROM log"), "0");
  EXPECT_EQ(copy.ask("SELECT p FROM child"), "99");
}

TEST_F(SqliteCheck, AsSqlTextEndsWithTheErrorOfWhoReadsIt) {
  {
    Database database(path());
    database.run("CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(3000000))");
  }
  int pieces = 0;
  const Status dumped = dump_sql(path(), [&pieces](std::string_view) -> Status {
    if (++pieces < 3) return ok();
    return Error(ErrorCode::NoSpace, "full");
  });
  ASSERT_FALSE(dumped);
  EXPECT_EQ(dumped.error().code(), ErrorCode::NoSpace);
  EXPECT_EQ(pieces, 3);
}

TEST_F(SqliteCheck, AsSqlTextOfADamagedOrForeignFileIsAnError) {
  std::ofstream(path()) << std::string(5000, 'x');
  const auto drop = [](std::string_view) { return ok(); };
  const Status foreign = dump_sql(path(), drop);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(dump_sql(path("missing.db"), drop).error().code(), ErrorCode::NotFound);
}

TEST_F(SqliteCheck, DumpsAFileThatHasNoNameAsOneThatHas) {
  { Database(path()).run("PRAGMA journal_mode=wal; CREATE TABLE t(a); INSERT INTO t VALUES('x')"); }
  std::string named;
  ASSERT_TRUE(dump_sql(path(), [&](std::string_view text) {
    named += text;
    return ok();
  }));
  const UniqueFd file(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
  std::filesystem::remove(path());
  for (int round = 0; round < 2; ++round) {  // Wherever the last reader left its position.
    std::string text;
    const auto sink = [&](std::string_view piece) {
      text += piece;
      return ok();
    };
    const Status dumped = sqlitesupport::dump_sql_of(file.get(), sink);
    ASSERT_TRUE(dumped) << dumped.error().message();
    EXPECT_EQ(text, named);
    EXPECT_NE(text.find("'x'"), std::string::npos);
  }
}

}  // namespace
}  // namespace pagevault
