// Base backups straight from a server. tests/postgres_server_test.py starts it and runs these.
// covers F8.5, F6.5, S11

#include "pagevault/pgsupport/postgres_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "pagevault/pgsupport/archive_reader.h"
#include "postgres_superuser.h"

namespace pagevault::test {
namespace {

using pgsupport::ArchiveReader;
using pgsupport::BaseBackup;
using pgsupport::Lsn;
using pgsupport::parse_lsn;
using pgsupport::PostgresServer;
using pgsupport::RelationFork;
using pgsupport::Requirement;
using pgsupport::WalPoint;
using pgsupport::WalRange;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kNobodyBackups = "SELECT count(*) FROM pg_stat_progress_basebackup";
constexpr const char* kSlots = "SELECT count(*) FROM pg_replication_slots";

// Everything a backup sent.
struct Taken {
  WalPoint start;
  WalPoint end;
  std::vector<std::string> archives;
  std::map<std::string, std::string> files;  // Archive + "/" + path -> content.
  std::string manifest;
  std::uint64_t bytes_done = 0;

  std::vector<std::string> names_with(const std::string& part) const {
    std::vector<std::string> names;
    for (const auto& [name, content] : files) {
      if (name.find(part) != std::string::npos) names.push_back(name);
    }
    return names;
  }
  // A file of base.tar, however that was compressed.
  std::string base_file(const std::string& path) const {
    const auto found = std::find_if(files.begin(), files.end(), [&](const auto& each) {
      return each.first.starts_with("base.tar") && each.first.ends_with(":" + path);
    });
    return found == files.end() ? "missing" : found->second;
  }
};

Status read_members(BaseBackup& backup, const std::string& archive, Taken& taken) {
  PV_TRY_ASSIGN(auto reader, ArchiveReader::open([&] { return backup.read(); }));
  Bytes buffer(256 * kKiB);
  while (true) {
    PV_TRY_ASSIGN(const auto member, reader->next());
    if (!member) return ok();
    std::string& content = taken.files[archive + ":" + member->path];
    for (std::size_t count = 1; count > 0;) {
      PV_TRY_ASSIGN(count, reader->read(buffer));
      content += as_text(ByteView(buffer).first(count));
    }
  }
}

Result<Taken> read_all(BaseBackup& backup) {
  Taken taken;
  taken.start = backup.start();
  while (true) {
    PV_TRY_ASSIGN(const auto archive, backup.next_archive());
    if (!archive) break;
    if (archive->is_manifest) {
      while (true) {
        PV_TRY_ASSIGN(const ByteView bytes, backup.read());
        if (bytes.empty()) break;
        taken.manifest += as_text(bytes);
      }
      continue;
    }
    EXPECT_EQ(taken.manifest, "") << "the manifest comes last";
    taken.archives.push_back(archive->name + "@" + archive->tablespace);
    PV_TRY(read_members(backup, archive->name, taken));
  }
  taken.bytes_done = backup.bytes_done();
  PV_TRY_ASSIGN(taken.end, backup.finish());
  return taken;
}

Result<Taken> take(PostgresServer& server, const PostgresServer::Options& options = {}) {
  PV_TRY_ASSIGN(const auto backup, server.begin(options));
  return read_all(*backup);
}

std::string text_of(const std::vector<Requirement>& requirements) {
  std::string text;
  for (const Requirement& each : requirements) {
    text +=
        (each.for_incrementals_only ? "i: " : "f: ") + each.problem + " | " + each.remedy + "\n";
  }
  return text;
}

class Server : public ::testing::Test {
 protected:
  std::unique_ptr<PostgresServer> connect(const std::string& more = "") {
    auto server = PostgresServer::connect(server_conninfo_with(more), cancel_);
    EXPECT_TRUE(server) << server.error().message();
    return server ? std::move(*server) : nullptr;
  }
  std::string requirements(const std::string& more = "") {
    const auto server = connect(more);
    if (server == nullptr) return "no server";
    const auto found = server->missing_requirements();
    return found ? text_of(*found) : "error: " + found.error().message();
  }
  // No session is in a backup, and none holds WAL back.
  void expect_clean() {
    EXPECT_TRUE(superuser_.sees(kNobodyBackups, "0"));
    EXPECT_TRUE(superuser_.sees(kSlots, "0"));
  }
  Lsn lsn(const std::string& sql) { return parse_lsn(superuser_("SELECT " + sql)).value(); }

  CancelToken cancel_;
  Superuser superuser_;
};

TEST_F(Server, TellsWhatItIs) {
  const auto facts = connect()->facts();
  EXPECT_EQ(std::to_string(facts.system_identifier),
            superuser_("SELECT system_identifier FROM pg_control_system()"));
  EXPECT_EQ(std::to_string(facts.version), superuser_("SHOW server_version_num"));
  EXPECT_EQ(facts.version_text, superuser_("SHOW server_version"));
  EXPECT_EQ(facts.timeline.value, 1U);
  EXPECT_FALSE(facts.in_recovery);
  EXPECT_EQ(facts.geometry.block_bytes, 8192U);
  EXPECT_EQ(facts.geometry.segment_blocks, 131072U);
  EXPECT_EQ(facts.wal_segment_bytes, kMiB);
  EXPECT_TRUE(facts.data_checksums);
  EXPECT_EQ(facts.summarizes_wal, facts.version >= 170000);
  EXPECT_THAT(facts.host, ::testing::EndsWith(".socket:5432"));
}

TEST_F(Server, SendsAFullBackupWithTablespacesWalAndManifest) {
  const auto server = connect();
  const auto backup = server->begin({.label = "it's a test"});
  ASSERT_TRUE(backup) << backup.error().message();
  ASSERT_EQ((*backup)->tablespaces().size(), 2U);
  const std::string oid = superuser_("SELECT oid FROM pg_tablespace WHERE spcname = 'linked'");
  const std::string place = superuser_("SELECT pg_tablespace_location(" + oid + ")");
  const std::string inner = superuser_("SELECT oid FROM pg_tablespace WHERE spcname = 'inside'");
  for (const auto& tablespace : (*backup)->tablespaces()) {
    EXPECT_EQ(tablespace.in_place(), std::to_string(tablespace.oid) == inner);
    EXPECT_EQ(tablespace.path, tablespace.in_place() ? "pg_tblspc/" + inner : place);
  }
  EXPECT_GT((*backup)->bytes_estimated(), 10 * kMiB);

  const auto taken = read_all(**backup);
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_THAT(taken->archives,
              ::testing::UnorderedElementsAre(oid + ".tar@" + place,
                                              inner + ".tar@pg_tblspc/" + inner, "base.tar@"));
  EXPECT_EQ(taken->archives.back(), "base.tar@");
  EXPECT_THAT(taken->base_file("backup_label"), HasSubstr("LABEL: it's a test\n"));
  EXPECT_THAT(taken->base_file("backup_label"),
              HasSubstr("START WAL LOCATION: " + to_text(taken->start.lsn) + " "));
  EXPECT_THAT(taken->base_file("tablespace_map"), HasSubstr(oid + " " + place));
  EXPECT_EQ(taken->base_file("global/pg_control").size(), 8192U);
  EXPECT_THAT(taken->names_with(oid + ".tar:PG_"), Not(IsEmpty()));
  EXPECT_THAT(taken->manifest, HasSubstr("\"Manifest-Checksum\""));
  const std::string segment =
      superuser_("SELECT pg_walfile_name('" + to_text(taken->start.lsn) + "')");
  EXPECT_EQ(taken->base_file("pg_wal/" + segment).size(), kMiB);
  EXPECT_GT(taken->end.lsn, taken->start.lsn);
  EXPECT_EQ(taken->end.timeline.value, 1U);
  EXPECT_GT(taken->bytes_done, 10 * kMiB);
  expect_clean();
}

TEST_F(Server, SendsTheSameFilesCompressed) {
  for (const char* const algorithm : {"gzip", "lz4", "zstd"}) {
    const auto server = connect();
    const auto taken = take(*server, {.compression = algorithm, .compression_detail = "level=1"});
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_THAT(taken->archives.back(), StartsWith("base.tar."));
    EXPECT_EQ(taken->base_file("global/pg_control").size(), 8192U) << algorithm;
    const std::string path = superuser_("SELECT pg_relation_filepath('pg_class')");
    EXPECT_EQ(std::to_string(taken->base_file(path).size()),
              superuser_("SELECT pg_relation_size('pg_class')"));
  }
}

TEST_F(Server, SendsNoWalWhenItIsNotWanted) {
  const auto taken = take(*connect(), {.include_wal = false});
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_THAT(taken->names_with("pg_wal/0000"), IsEmpty());
  EXPECT_NE(taken->base_file("global/pg_control"), "missing");
}

TEST_F(Server, KeepsASlotWhileTheBackupLasts) {
  const auto server = connect();
  const auto backup = server->begin({});
  ASSERT_TRUE(backup) << backup.error().message();
  EXPECT_EQ(superuser_("SELECT count(*) FROM pg_replication_slots WHERE temporary AND "
                       "slot_name ~ '^pagevault_' AND restart_lsn <= '" +
                       to_text((*backup)->start().lsn) + "'"),
            "1");
  EXPECT_EQ(superuser_(kNobodyBackups), "1");
}

TEST_F(Server, TakesSeveralBackupsOneAfterTheOther) {
  const auto server = connect();
  ASSERT_TRUE(take(*server));
  { ASSERT_TRUE(server->begin({})); }  // Given up at once.
  ASSERT_TRUE(take(*server));
  expect_clean();
}

TEST_F(Server, SkipsWhatTheCallerDoesNotRead) {
  const auto server = connect();
  const auto backup = server->begin({}).value();
  std::size_t archives = 0;
  while (backup->next_archive().value()) ++archives;
  EXPECT_EQ(archives, backup->tablespaces().size() + 2) << "the base and the manifest, too";
  EXPECT_FALSE(backup->next_archive().value().has_value());
  EXPECT_TRUE(backup->read().value().empty());
  EXPECT_TRUE(backup->finish());
}

TEST_F(Server, IsNotFinishedBeforeItsEnd) {
  const auto server = connect();
  const auto backup = server->begin({}).value();
  EXPECT_EQ(backup->finish().error().code(), ErrorCode::InvalidArgument);
}

TEST_F(Server, IsLeftCleanWhenTheBackupIsDroppedAfterAnyMessage) {
  for (std::size_t reads = 0;; reads = reads < 12 ? reads + 1 : reads * 2) {
    const auto server = connect();
    auto backup = server->begin({});
    ASSERT_TRUE(backup) << backup.error().message();
    std::size_t done = 0;
    bool is_over = false;
    while (done < reads && !is_over) {
      is_over = !(*backup)->next_archive().value().has_value();
      while (done < reads && !(*backup)->read().value().empty()) ++done;
    }
    backup->reset();
    expect_clean();
    if (is_over) break;
  }
}

TEST_F(Server, IsLeftCleanWhenAnyUploadOfAManifestIsBrokenOff) {
  const auto server = connect();
  const Bytes nonsense(300'000, std::byte{'x'});
  const auto backup = server->begin({.incremental_since = nonsense});
  ASSERT_FALSE(backup);
  EXPECT_THAT(backup.error().message(), StartsWith("base backup: "));
  expect_clean();
  EXPECT_TRUE(take(*server)) << "the next backup has a connection of its own";
}

TEST_F(Server, StopsWaitingForACheckpointWhenCancelled) {
  superuser_("CREATE TABLE dirty AS SELECT generate_series(1, 200000) a");
  const auto server = connect();
  std::thread canceller([&] {
    Superuser other;
    EXPECT_TRUE(other.sees("SELECT phase FROM pg_stat_progress_basebackup",
                           "waiting for checkpoint to finish"));
    cancel_.cancel();
  });
  const auto begun = server->begin({.fast_checkpoint = false});
  canceller.join();
  ASSERT_FALSE(begun) << "a spread checkpoint takes minutes";
  EXPECT_EQ(begun.error().code(), ErrorCode::Cancelled);
  expect_clean();
  superuser_("DROP TABLE dirty");
  superuser_("CHECKPOINT");
}

TEST_F(Server, StopsReadingWhenCancelled) {
  const auto server = connect();
  const auto backup = server->begin({}).value();
  ASSERT_TRUE(backup->next_archive());
  ASSERT_TRUE(backup->read());
  cancel_.cancel();
  EXPECT_EQ(backup->read().error().code(), ErrorCode::Cancelled);
  EXPECT_EQ(backup->next_archive().error().code(), ErrorCode::Cancelled);
}

TEST_F(Server, IsLeftCleanWhenItEndsTheSessionItself) {
  const auto server = connect();
  const auto backup = server->begin({}).value();
  ASSERT_TRUE(backup->next_archive());
  superuser_("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_basebackup");
  Result<Taken> taken = read_all(*backup);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), ErrorCode::Io);
  // What it said on leaving may be behind data that it had no more room to send.
  EXPECT_THAT(taken.error().message(), AnyOf(HasSubstr("terminating connection"),
                                             HasSubstr("closed the connection unexpectedly")));
  expect_clean();
}

TEST_F(Server, SaysWhichPagesFailedTheirChecksum) {
  superuser_("CREATE TABLE broken AS SELECT generate_series(1, 1000) a");
  superuser_("CHECKPOINT");
  const std::string path = superuser_("SELECT pg_relation_filepath('broken')");
  std::fstream file(superuser_("SHOW data_directory") + "/" + path,
                    std::ios::in | std::ios::out | std::ios::binary);
  ASSERT_TRUE(file.is_open());
  file.seekp(8192 + 4000);
  file.write("damage", 6);
  file.close();
  const auto taken = take(*connect());
  const auto unchecked = take(*connect(), {.checksums_verified = false});
  superuser_("DROP TABLE broken");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), ErrorCode::Corrupt);
  EXPECT_THAT(taken.error().message(), HasSubstr(path));
  EXPECT_TRUE(unchecked) << unchecked.error().message();
}

TEST_F(Server, RefusesOptionsThatServersDoNotTake) {
  EXPECT_EQ(connect()->begin({.max_rate_kb = 1}).error().code(), ErrorCode::InvalidArgument);
  const auto unknown = connect()->begin({.compression = "rar"});
  EXPECT_THAT(unknown.error().message(), HasSubstr("rar"));
  expect_clean();
}

TEST_F(Server, ListsNothingWhenNothingIsMissing) { EXPECT_EQ(requirements(), ""); }

TEST_F(Server, AsksForTheReplicationAttribute) {
  EXPECT_EQ(requirements("user=mere"),
            "f: the role \"mere\" may not replicate | ALTER ROLE \"mere\" REPLICATION;\n");
  const auto begun = connect("user=mere")->begin({});
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code(), ErrorCode::Io);
}

TEST_F(Server, AsksForALineInPgHba) {
  EXPECT_EQ(requirements("user=shut_out"),
            "f: pg_hba.conf does not let the role make replication connections | pg_hba.conf: "
            "local replication \"shut_out\" scram-sha-256 -- then SELECT pg_reload_conf();\n");
}

TEST_F(Server, AsksForWalSenders) {
  std::vector<PGconn*> taken;
  const int senders = std::stoi(superuser_("SHOW max_wal_senders"));
  for (int i = 0; i < senders; ++i) {
    taken.push_back(PQconnectdb(server_conninfo_with("replication=true").c_str()));
  }
  const std::string found = requirements();
  for (PGconn* const each : taken) PQfinish(each);
  EXPECT_THAT(found, HasSubstr("WAL senders (max_wal_senders) are in use | ALTER SYSTEM SET"));
  EXPECT_TRUE(superuser_.sees("SELECT count(*) FROM pg_stat_replication", "0"));
}

TEST_F(Server, IsBackedUpByARoleWithoutSql) {
  EXPECT_THAT(requirements("user=only_replication"), HasSubstr("i: SQL connection: "));
  const auto server = connect("user=only_replication");
  EXPECT_EQ(server->facts().wal_segment_bytes, kMiB);
  const auto taken = take(*server);
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_EQ(taken->base_file("global/pg_control").size(), 8192U);
  EXPECT_EQ(server->current_lsn().error().code(), ErrorCode::Io);
  EXPECT_THAT(
      server->why_not_incremental({{taken->start.timeline, taken->start.lsn, taken->end.lsn}})
          .value()
          .value_or(""),
      HasSubstr("WAL summaries cannot be looked at"));
}

TEST_F(Server, ReadsNoFilesForARoleThatMayNot) {
  Bytes out(100);
  const auto read = connect("user=backup")->read_file("PG_VERSION", 0, out);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::Locked);
  EXPECT_THAT(read.error().message(), HasSubstr("GRANT pg_read_server_files"));
  EXPECT_EQ(requirements("user=backup"), "") << "whole backups work without";
}

TEST_F(Server, ReadsPiecesOfFiles) {
  const auto server = connect();
  Bytes out(100);
  EXPECT_EQ(server->read_file("PG_VERSION", 0, out).value(), 3U);
  EXPECT_EQ(server->read_file("PG_VERSION", 3, out).value(), 0U);
  EXPECT_EQ(server->read_file("PG_VERSION", 1000, out).value(), 0U);
  EXPECT_EQ(server->read_file("no/such", 0, out).error().code(), ErrorCode::NotFound);
  const std::string path = superuser_("SELECT pg_relation_filepath('pg_class')");
  Bytes page(8192);
  EXPECT_EQ(server->read_file(path, 8192, page).value(), 8192U);
  EXPECT_EQ(to_hex(page),
            superuser_("SELECT encode(pg_read_binary_file('" + path + "', 8192, 8192), 'hex')"));
}

TEST_F(Server, ListsTheSegmentsOfAFork) {
  const auto server = connect();
  const auto paths_of = [&](const std::string& relation, std::uint32_t fork) {
    const auto number = [&](const std::string& sql) {
      return static_cast<std::uint32_t>(std::stoul(
          superuser_("SELECT " + sql + " FROM pg_class WHERE oid = '" + relation + "'::regclass")));
    };
    const RelationFork which = {
        .tablespace = number("CASE WHEN relisshared THEN 1664 WHEN reltablespace = 0 THEN 1663 "
                             "ELSE reltablespace END"),
        .database = number("(SELECT oid FROM pg_database WHERE datname = current_database())"),
        .relation = number("pg_relation_filenode(oid)"),
        .fork = fork};
    return server->segment_paths(which).value();
  };
  const auto path_of = [&](const std::string& relation) {
    return superuser_("SELECT pg_relation_filepath('" + relation + "')");
  };
  EXPECT_EQ(paths_of("pg_class", 0), std::vector<std::string>{path_of("pg_class")});
  EXPECT_EQ(paths_of("pg_class", 2), std::vector<std::string>{path_of("pg_class") + "_vm"});
  EXPECT_EQ(paths_of("pg_database", 0), std::vector<std::string>{path_of("pg_database")});
  EXPECT_EQ(paths_of("far", 0), std::vector<std::string>{path_of("far")}) << "in a tablespace";
  EXPECT_THAT(server->segment_paths({1663, 5, 4'000'000'000U, 0}).value(), IsEmpty());
  EXPECT_EQ(server->segment_paths({1663, 5, 1, 9}).error().code(), ErrorCode::InvalidArgument);
}

TEST_F(Server, TellsItsPosition) {
  const auto server = connect();
  const Lsn before = server->current_lsn().value();
  superuser_("CREATE TABLE grown AS SELECT 1 a");
  superuser_("DROP TABLE grown");
  EXPECT_GT(server->current_lsn().value(), before);
}

TEST_F(Server, KeepsPasswordsOutOfMessages) {
  const std::string secret = "s3cret";
  for (const std::string& conninfo : std::vector<std::string>{
           "host=/nowhere user=x password=" + secret, "host=x password=" + secret + " " + secret,
           "host=x password='" + secret, secret + "=1", "host=x " + secret + "=1",
           "postgresql://u:" + secret + "@/nowhere:x/",
           "postgresql://u:" + secret + "@[nowhere/"}) {
    const auto server = PostgresServer::connect(conninfo, cancel_);
    ASSERT_FALSE(server) << conninfo;
    EXPECT_THAT(server.error().message(), Not(HasSubstr(secret)));
    EXPECT_THAT(server.error().message(), Not(IsEmpty()));
  }
}

TEST_F(Server, SaysWhereNobodyListens) {
  const auto server = PostgresServer::connect(server_conninfo_with("port=1"), cancel_);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code(), ErrorCode::Io);
  EXPECT_THAT(server.error().message(), HasSubstr(".s.PGSQL.1"));
  EXPECT_THAT(server.error().message(), Not(HasSubstr("\n")));
}

// The same over a network.
class ServerOverTls : public Server {
 protected:
  std::string tls() const {
    const char* const conninfo = std::getenv("PAGEVAULT_TEST_SERVER_TLS");
    return conninfo == nullptr ? "" : conninfo;
  }
};

TEST_F(ServerOverTls, SendsAWholeBackup) {
  const auto server = PostgresServer::connect(tls(), cancel_);
  ASSERT_TRUE(server) << server.error().message();
  EXPECT_THAT((*server)->facts().host, StartsWith("127."));
  const auto taken = take(**server);
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_EQ(taken->base_file("global/pg_control").size(), 8192U);
  const std::string path = superuser_("SELECT pg_relation_filepath('pg_class')");
  Bytes page(8192);
  EXPECT_EQ((*server)->read_file(path, 0, page).value(), page.size());
  expect_clean();
}

TEST_F(ServerOverTls, IsLeftCleanWhenABackupIsGivenUp) {
  for (const std::size_t reads : {0U, 1U, 100U}) {
    const auto server = PostgresServer::connect(tls(), cancel_);
    ASSERT_TRUE(server) << server.error().message();
    auto backup = (*server)->begin({});
    ASSERT_TRUE(backup) << backup.error().message();
    ASSERT_TRUE((*backup)->next_archive());
    for (std::size_t done = 0; done < reads; ++done) ASSERT_TRUE((*backup)->read());
    backup->reset();
    expect_clean();
  }
}

TEST_F(ServerOverTls, AsksForALineInPgHbaWithTheAddressItSees) {
  const auto server = PostgresServer::connect(tls() + " user=shut_out", cancel_);
  ASSERT_TRUE(server) << server.error().message();
  const auto found = (*server)->missing_requirements();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_THAT(text_of(*found), HasSubstr("pg_hba.conf: host replication \"shut_out\" 127."));
  EXPECT_THAT(text_of(*found), HasSubstr("/32 scram-sha-256"));
}

// What needs PostgreSQL 17.
class ServerWithSummaries : public Server {
 protected:
  std::string why_not(const std::vector<WalRange>& parent) {
    const auto why = connect()->why_not_incremental(parent);
    if (!why) return "error: " + why.error().message();
    return why->value_or("");
  }
  // Ends the summary that is being made.
  void summarize() {
    superuser_("CHECKPOINT");
    const std::string redo = superuser_("SELECT redo_lsn FROM pg_control_checkpoint()");
    EXPECT_TRUE(superuser_.sees("SELECT summarized_lsn >= '" + redo +
                                    "' FROM "
                                    "pg_get_wal_summarizer_state()",
                                "t"));
  }
};

TEST_F(ServerWithSummaries, SendsAnIncrementalSinceAManifest) {
  superuser_("CREATE TABLE worked AS SELECT i, repeat('x', 500) t FROM generate_series(1, 3000) i");
  const auto server = connect();
  const auto full = take(*server);
  ASSERT_TRUE(full) << full.error().message();
  superuser_("UPDATE worked SET t = 'y' WHERE i = 1500");
  const std::vector<WalRange> parent = {{full->start.timeline, full->start.lsn, full->end.lsn}};
  EXPECT_EQ(why_not(parent), "");

  const auto taken = take(*server, {.incremental_since = to_bytes(as_bytes(full->manifest))});
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_GT(taken->start.lsn, full->end.lsn);
  EXPECT_THAT(taken->base_file("backup_label"),
              HasSubstr("INCREMENTAL FROM LSN: " + to_text(full->start.lsn) + "\n"));
  EXPECT_THAT(taken->names_with("/INCREMENTAL."), Not(IsEmpty()));
  EXPECT_THAT(taken->names_with(":PG_"), Not(IsEmpty()));
  superuser_("DROP TABLE worked");
  expect_clean();
}

TEST_F(ServerWithSummaries, RefusesAnIncrementalSinceAnotherServersManifest) {
  const auto server = connect();
  auto full = take(*server);
  ASSERT_TRUE(full) << full.error().message();
  const auto begun =
      server->begin({.incremental_since = to_bytes(as_bytes(full->manifest).first(1000))});
  ASSERT_FALSE(begun);
  EXPECT_THAT(begun.error().message(), StartsWith("base backup: "));
  expect_clean();
}

TEST_F(ServerWithSummaries, AsksForSummarizeWal) {
  superuser_.set("summarize_wal", "off");
  const std::string found = requirements();
  const std::string why = why_not({{{1}, {1}, {2}}});
  const auto begun = connect()->begin({.incremental_since = Bytes(10, std::byte{'x'})});
  superuser_.set("summarize_wal", "on");
  EXPECT_EQ(found,
            "i: summarize_wal is off | ALTER SYSTEM SET summarize_wal = on; SELECT "
            "pg_reload_conf();\n");
  EXPECT_EQ(why, "summarize_wal is off");
  EXPECT_FALSE(begun);
}

TEST_F(ServerWithSummaries, AsksToKeepSummariesForMoreThanADay) {
  superuser_.set("wal_summary_keep_time", "60");
  const std::string found = requirements();
  superuser_.set("wal_summary_keep_time", "0");
  const std::string kept_for_ever = requirements();
  superuser_.set("wal_summary_keep_time", "");
  EXPECT_THAT(found, StartsWith("i: wal_summary_keep_time is 60 min"));
  EXPECT_EQ(kept_for_ever, "");
}

TEST_F(ServerWithSummaries, TellsWhichParentsItCannotBuildOn) {
  const Lsn now = lsn("pg_current_wal_insert_lsn()");
  EXPECT_THAT(why_not({}), HasSubstr("not known"));
  EXPECT_THAT(why_not({{{7}, {now.value - 1}, now}}),
              HasSubstr("timeline 7 is not in the history"));
  EXPECT_THAT(why_not({{{1}, {now.value - 1}, {now.value + (1ULL << 40U)}}}),
              HasSubstr("is on at"));
  EXPECT_THAT(why_not({{{1}, {1}, {2}}}), HasSubstr("WAL summaries from 0/1 on timeline 1 on"));
}

TEST_F(ServerWithSummaries, ListsForksThatWereTruncated) {
  superuser_("CREATE TABLE queue AS SELECT i, repeat('x', 700) t FROM generate_series(1, 20000) i");
  superuser_("CREATE TABLE quiet AS SELECT generate_series(1, 100) a");
  summarize();
  const Lsn start = lsn("redo_lsn FROM pg_control_checkpoint()");
  superuser_("DELETE FROM queue WHERE i > 5000");
  superuser_("VACUUM queue");
  summarize();
  const Lsn end = lsn("redo_lsn FROM pg_control_checkpoint()");
  const auto node =
      static_cast<std::uint32_t>(std::stoul(superuser_("SELECT pg_relation_filenode('queue')")));
  const auto forks = connect("user=backup")->forks_at_risk({{1}, start, end});
  ASSERT_TRUE(forks) << forks.error().message();
  ASSERT_FALSE(forks->empty());
  EXPECT_EQ(forks->front().relation, node);
  EXPECT_EQ(forks->front().tablespace, 1663U);
  EXPECT_EQ(forks->front().fork, 0U);
  EXPECT_EQ(forks->back().relation, node) << "before 17.10 its visibility map, too";
  EXPECT_EQ(connect()->forks_at_risk({{1}, start, {end.value + (1ULL << 30U)}}).error().code(),
            ErrorCode::NotFound);
  superuser_("DROP TABLE queue, quiet");
}

// A server of PostgreSQL 15.
class OldServer : public Server {};

TEST_F(OldServer, IsBackedUpInFullOnly) {
  EXPECT_EQ(requirements(),
            "i: PostgreSQL 15 makes no incremental backups | upgrade to PostgreSQL 17 or later\n");
  const auto server = connect();
  EXPECT_THAT(server->why_not_incremental({{{1}, {1}, {2}}}).value().value_or(""),
              HasSubstr("no incremental"));
  EXPECT_EQ(server->begin({.incremental_since = Bytes()}).error().code(), ErrorCode::Unsupported);
  const auto taken = take(*server, {.compression = "zstd"});
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_EQ(taken->base_file("global/pg_control").size(), 8192U);
  expect_clean();
}

// A standby, and what becomes of it.
class Standby : public Server {};

TEST_F(Standby, IsBackedUp) {
  const auto server = connect();
  EXPECT_TRUE(server->facts().in_recovery);
  EXPECT_EQ(server->facts().timeline.value, 1U);
  EXPECT_GT(server->current_lsn().value(), Lsn{1});
  const auto taken = take(*server);
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_THAT(taken->base_file("backup_label"), HasSubstr("BACKUP FROM: standby"));
  // Another backup would start at the same restartpoint, before this one's end.
  EXPECT_THAT(server
                  ->why_not_incremental(
                      {{taken->start.timeline, taken->start.lsn, {taken->end.lsn.value + 1}}})
                  .value()
                  .value_or(""),
              HasSubstr("is on at"));
}

class Promoted : public Server {};

TEST_F(Promoted, BuildsOnBackupsOfTheTimelineItCameFrom) {
  const auto server = connect();
  EXPECT_FALSE(server->facts().in_recovery);
  EXPECT_EQ(server->facts().timeline.value, 2U);
  const std::string first =
      "FROM pg_available_wal_summaries() WHERE tli = 1 ORDER BY start_lsn LIMIT 1";
  const WalRange parent = {{1}, lsn("start_lsn " + first), lsn("end_lsn " + first)};
  const auto why = server->why_not_incremental({parent});
  ASSERT_TRUE(why) << why.error().message();
  EXPECT_EQ(why->value_or(""), "");
  const Lsn now = server->current_lsn().value();
  EXPECT_THAT(server->why_not_incremental({{{1}, parent.start, now}}).value().value_or(""),
              HasSubstr("which the server left at"));
}

}  // namespace
}  // namespace pagevault::test
