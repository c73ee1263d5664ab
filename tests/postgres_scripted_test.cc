// Servers that break off, hang, or say what no PostgreSQL says: an error, soon, and never a backup.
// covers F6.5, F8.5, F3.9, S15

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "pagevault/pgsupport/postgres_server.h"
#include "scripted_postgres.h"

namespace pagevault::test {
namespace {

using pgsupport::BaseBackup;
using pgsupport::PostgresServer;
using ::testing::HasSubstr;

std::string copy_data(const std::string& payload) { return message('d', payload); }

std::string archive(const std::string& name, const std::string& tablespace = "") {
  return copy_data("n" + cstring(name) + cstring(tablespace));
}

const std::string kManifest = copy_data("m") + copy_data("d{}");

// The answer to BASE_BACKUP, in pieces that a test may replace.
struct Stream {
  std::string start = rows(2, {{"0/2000028", "1"}});
  std::string tablespaces = rows(3, {{"16384", "/srv/ts", "100"}, {kNull, kNull, "1000"}});
  std::string copy_begin = message('H', std::string(1, '\0') + be16(0));
  std::string copied = archive("16384.tar", "/srv/ts") + copy_data("dabc") + archive("base.tar") +
                       copy_data("d") + copy_data("dde") + copy_data("p" + be32(0) + be32(1024)) +
                       copy_data("df") + kManifest;
  std::string copy_end = message('c', "");
  std::string end = rows(2, {{"0/2000120", "1"}});
  std::string close = message('C', cstring("SELECT")) + kReady;

  std::string bytes() const {
    return start + tablespaces + copy_begin + copied + copy_end + end + close;
  }
};

// Of a whole and healthy server of version 17.
std::string answer_to(const std::string& query, const Stream& stream) {
  if (query.starts_with("BASE_BACKUP")) return stream.bytes();
  if (query.starts_with("CREATE_REPLICATION_SLOT")) {
    return rows(4, {{"s", "0/2000028", kNull, kNull}}) + kReady;
  }
  if (query == "IDENTIFY_SYSTEM") {
    return rows(4, {{"7000000000000000001", "1", "0/3", kNull}}) + kReady;
  }
  const std::string setting = query.substr(query.find(' ') + 1);
  std::string value = "off";
  if (setting == "block_size") value = "8192";
  if (setting == "segment_size") value = "1GB";
  if (setting == "wal_segment_size") value = "16MB";
  return rows(1, {{value}}) + kReady;
}

Result<std::string> take(const std::string& conninfo, CancelToken& cancel) {
  PV_TRY_ASSIGN(const auto server, PostgresServer::connect(conninfo, cancel));
  PV_TRY_ASSIGN(const auto backup, server->begin({}));
  std::string all;
  while (true) {
    PV_TRY_ASSIGN(const auto next, backup->next_archive());
    if (!next) break;
    all += next->is_manifest ? "manifest:" : next->name + "@" + next->tablespace + ":";
    while (true) {
      PV_TRY_ASSIGN(const ByteView bytes, backup->read());
      if (bytes.empty()) break;
      all += as_text(bytes);
    }
    all += "\n";
  }
  PV_TRY(backup->finish());
  return all;
}

Result<std::string> take(const Stream& stream) {
  ScriptedPostgres server([&](const std::string& query) { return answer_to(query, stream); });
  CancelToken cancel;
  return take(server.conninfo(), cancel);
}

TEST(ScriptedServer, IsBackedUpWhenItKeepsToTheProtocol) {
  const auto taken = take(Stream{});
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_EQ(*taken, "16384.tar@/srv/ts:abc\nbase.tar@:def\nmanifest:{}\n");
}

TEST(ScriptedServer, IsRefusedWhenItsStreamIsInDisorder) {
  const auto corrupt_with = [](const auto& change, const std::string& part) {
    Stream stream;
    change(stream);
    const auto taken = take(stream);
    ASSERT_FALSE(taken) << part;
    EXPECT_EQ(taken.error().code(), ErrorCode::Corrupt) << taken.error().message();
    EXPECT_THAT(taken.error().message(), HasSubstr(part));
  };
  const auto copied = [](std::string bytes) {
    return [bytes = std::move(bytes)](Stream& stream) { stream.copied = bytes; };
  };
  corrupt_with(copied(copy_data("dabc") + kManifest), "outside of an archive");
  corrupt_with(copied(archive("base.tar") + kManifest + archive("late.tar")), "after the manifest");
  corrupt_with(copied(archive("base.tar") + kManifest + kManifest), "after the manifest");
  corrupt_with(copied(archive("base.tar") + copy_data("dabc")), "no manifest");
  corrupt_with(copied(""), "no manifest");
  corrupt_with(copied(archive("../base.tar")), "not one of a file");
  corrupt_with(copied(copy_data("x")), "unknown message");
  corrupt_with([](Stream& s) { s.start = rows(2, {}); }, "no position");
  corrupt_with([](Stream& s) { s.start = rows(2, {{"0/1", "1"}, {"0/1", "1"}}); }, "no position");
  corrupt_with([](Stream& s) { s.start = rows(1, {{"0/1"}}); }, "no position");
  corrupt_with([](Stream& s) { s.start = rows(2, {{"x", "1"}}); }, "position");
  corrupt_with([](Stream& s) { s.start = rows(2, {{"0/1", "4294967296"}}); }, "not a number");
  corrupt_with([](Stream& s) { s.end = rows(2, {{"0/1", "-1"}}); }, "not a number");
  corrupt_with([](Stream& s) { s.end = ""; }, "no position");
  corrupt_with([](Stream& s) { s.tablespaces = rows(3, {}); }, "no tablespaces");
  corrupt_with([](Stream& s) { s.tablespaces = rows(3, {{"x", "/a", "1"}}); }, "not a number");
  corrupt_with([](Stream& s) { s.tablespaces = rows(3, {{"5", "../a", "1"}}); }, "at a place");
  corrupt_with(
      [](Stream& s) {
        s.tablespaces = rows(3, {{"5", "pg_tblspc/6", "1"}});
      },
      "at a place");
  corrupt_with([](Stream& s) { s.copy_begin = s.copied = s.copy_end = ""; }, "no archives");
  corrupt_with([](Stream& s) { s.close = rows(1, {{"x"}}) + kReady; }, "after the last one");
}

TEST(ScriptedServer, SaysWhatItsErrorsMean) {
  Stream stream;
  stream.copy_end = error_answer("58030", "could not read\nfile");
  stream.end = "";
  stream.close = kReady;
  EXPECT_EQ(take(stream).error().code(), ErrorCode::Io);
  EXPECT_THAT(take(stream).error().message(), HasSubstr("server: could not read; file"));
  Stream damaged;
  damaged.close = error_answer("XX001", "checksum verification failure") + kReady;
  EXPECT_EQ(take(damaged).error().code(), ErrorCode::Corrupt);
  Stream denied;
  denied.start = error_answer("42501", "permission denied") + kReady;
  EXPECT_EQ(take(denied).error().code(), ErrorCode::Locked);
}

TEST(ScriptedServer, MakesNoBackupWhenItIsCutOffAfterAnyByte) {
  const Stream stream;
  ScriptedPostgres server([&](const std::string& query) { return answer_to(query, stream); });
  for (std::size_t bytes = 0; bytes < stream.bytes().size(); ++bytes) {
    server.cut_after = bytes;
    CancelToken cancel;
    const auto taken = take(server.conninfo(), cancel);
    ASSERT_FALSE(taken) << "cut after " << bytes << " of " << stream.bytes().size();
    EXPECT_EQ(taken.error().code(), ErrorCode::Io) << taken.error().message();
  }
}

TEST(ScriptedServer, IsNotWaitedForLongWhenCancelled) {
  enum class Silence { Greeting, Facts, Backup, Copy };
  for (const Silence silence :
       {Silence::Greeting, Silence::Facts, Silence::Backup, Silence::Copy}) {
    Stream stream;
    if (silence == Silence::Copy) stream.copy_end = stream.end = stream.close = "";
    CancelToken cancel;
    std::chrono::steady_clock::time_point cancelled_at;
    const auto falls_silent = [&] {
      cancelled_at = std::chrono::steady_clock::now();
      cancel.cancel();
      return std::string();
    };
    ScriptedPostgres server([&](const std::string& query) {
      const bool is_backup = query.starts_with("BASE_BACKUP");
      if (silence == Silence::Facts || (silence == Silence::Backup && is_backup)) {
        return falls_silent();
      }
      if (silence == Silence::Copy && is_backup) falls_silent();
      return answer_to(query, stream);
    });
    server.is_deaf = silence == Silence::Greeting;
    std::thread canceller;
    if (server.is_deaf) canceller = std::thread(falls_silent);
    const auto taken = take(server.conninfo(), cancel);
    const auto waited = std::chrono::steady_clock::now() - cancelled_at;
    if (canceller.joinable()) canceller.join();
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code(), ErrorCode::Cancelled) << taken.error().message();
    EXPECT_TRUE(server.is_deaf || waited < std::chrono::seconds(3));
  }
}

TEST(ScriptedServer, IsToldThatABackupIsGivenUp) {
  std::atomic<int> told = 0;
  {
    ScriptedPostgres server([&](const std::string& query) {
      if (query == "SELECT pg_catalog.pg_cancel_backend(1)") ++told;
      return answer_to(query, Stream{});
    });
    CancelToken cancel;
    const auto connected = PostgresServer::connect(server.conninfo(), cancel).value();
    const auto backup = connected->begin({});
    ASSERT_TRUE(backup) << backup.error().message();
  }
  EXPECT_EQ(told, 1);
}

TEST(ScriptedServer, IsNotWaitedForWhenItDoesNotAnswerAtAll) {
  ScriptedPostgres server([](const std::string&) { return std::string(); });
  server.is_deaf = true;
  CancelToken cancel;
  const auto taken = take(server.conninfo() + " connect_timeout=1", cancel);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message(), HasSubstr("no answer in time"));
}

TEST(ScriptedServer, IsRefusedBeforeVersion15WithWhatToDoInstead) {
  ScriptedPostgres server([](const std::string&) { return std::string(); }, "14.9");
  CancelToken cancel;
  const auto connected = PostgresServer::connect(server.conninfo(), cancel);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::Unsupported);
  EXPECT_THAT(connected.error().message(), HasSubstr("run its pg_basebackup"));
}

TEST(ScriptedServer, IsRefusedWithSizesThatNoServerHas) {
  for (const std::string setting : {"block_size", "segment_size", "wal_segment_size"}) {
    for (const std::string value : {"0", "3", "1000000TB", "x", "-1"}) {
      ScriptedPostgres server([&](const std::string& query) {
        return query == "SHOW " + setting ? rows(1, {{value}}) + kReady
                                          : answer_to(query, Stream{});
      });
      CancelToken cancel;
      const auto connected = PostgresServer::connect(server.conninfo(), cancel);
      ASSERT_FALSE(connected) << setting << " " << value;
      EXPECT_EQ(connected.error().code(), ErrorCode::Corrupt);
    }
  }
}

TEST(ScriptedServer, IsRefusedWithAnAnswerAbove64MiB) {
  const std::vector<std::vector<std::string>> mebibyte = {{std::string(kMiB, 'x')}};
  const std::string row = rows(1, mebibyte);
  const std::string one = row.substr(rows(1, {}).size() - 12);
  std::string answer = rows(1, {});
  answer.resize(answer.size() - 12);  // Without the end of the rows, "SELECT".
  ASSERT_TRUE(one.starts_with('D'));
  for (int i = 0; i < 65; ++i) answer += one.substr(0, one.size() - 12);
  ScriptedPostgres server([&](const std::string&) { return answer; });
  CancelToken cancel;
  const auto connected = PostgresServer::connect(server.conninfo(), cancel);
  ASSERT_FALSE(connected);
  EXPECT_THAT(connected.error().message(), HasSubstr("too long"));
}

}  // namespace
}  // namespace pagevault::test
