#include "pagevault/pgsupport/postgres_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "base_backup.h"
#include "pg_connection.h"
#include "server_facts.h"
#include "server_files.h"
#include "server_requirements.h"
#include "server_summaries.h"
#include "timeline_history.h"

namespace pagevault::pgsupport {
namespace {

// Names mean what we mean, and nothing that the database or role sets ends a command or the session
// while a backup takes hours.
constexpr const char* kSessionSettings =
    "SELECT pg_catalog.set_config('search_path', '', false) UNION ALL "
    "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN "
    "('statement_timeout', 'lock_timeout', 'idle_session_timeout', 'transaction_timeout')";

class Server final : public PostgresServer {
 public:
  Server(std::string conninfo, CancelToken& cancel)
      : conninfo_(std::move(conninfo)), cancel_(&cancel) {}

  // Without a replication connection SQL may be left, to tell what is missing for it.
  Status connect() {
    Result<PgConnection*> replication = this->replication();
    if (replication) {
      PV_TRY_ASSIGN(facts_, read_facts(**replication, PgConnection::Kind::Replication));
      return ok();
    }
    replication_error_ = replication.error();
    if (replication.error().code() != ErrorCode::Io) return replication.error();
    const Result<PgConnection*> sql = this->sql();
    if (!sql) return *replication_error_;
    PV_TRY_ASSIGN(facts_, read_facts(**sql, PgConnection::Kind::Sql));
    return ok();
  }

  const ServerFacts& facts() const override { return facts_; }

  Result<std::vector<Requirement>> missing_requirements() override {
    ServerAccess access{.replication_error = replication_error_};
    Result<PgConnection*> sql = this->sql();
    if (sql) {
      access.sql = *sql;
    } else if (sql.error().code() == ErrorCode::Cancelled) {
      return sql.error();
    } else {
      access.sql_error = sql.error();
    }
    return find_requirements(facts_, access);
  }

  Result<std::optional<std::string>> why_not_incremental(
      const std::vector<WalRange>& parent) override {
    if (facts_.version < kVersionIncremental) {
      return reason(
          fmt::format("PostgreSQL {} makes no incremental backups", facts_.version / 10000));
    }
    if (!facts_.summarizes_wal) return reason("summarize_wal is off");
    if (parent.empty()) return reason("it is not known which WAL the parent needs");
    Result<PgConnection*> sql = this->sql();
    if (!sql && sql.error().code() != ErrorCode::Cancelled) {
      return reason("WAL summaries cannot be looked at: " + sql.error().message());
    }
    if (!sql) return sql.error();
    PV_TRY_ASSIGN(const auto history, read_history());
    PV_TRY_ASSIGN(const Lsn newest, newest_start(**sql));
    for (const WalRange& range : parent) {
      if (const auto why = why_not_in_history(history, range, newest)) {
        return reason("the parent is of another history: " + *why);
      }
    }
    return why_not_summarized(**sql, history, parent);
  }

  Result<std::unique_ptr<BaseBackup>> begin(const Options& options) override {
    if (options.incremental_since && facts_.version < kVersionIncremental) {
      return Error(ErrorCode::Unsupported, fmt::format("PostgreSQL {} makes no incremental backups",
                                                       facts_.version / 10000));
    }
    PV_TRY(replication());
    return begin_base_backup(std::move(replication_), options).context("base backup");
  }

  Result<std::vector<RelationFork>> forks_at_risk(const WalRange& range) override {
    PV_TRY_ASSIGN(PgConnection* const connection, sql());
    return find_forks_at_risk(*connection, range);
  }

  Result<Lsn> current_lsn() override {
    PV_TRY_ASSIGN(PgConnection* const connection, sql());
    PV_TRY_ASSIGN(const PgAnswer rows,
                  connection->query("SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN "
                                    "pg_catalog.pg_last_wal_replay_lsn() ELSE "
                                    "pg_catalog.pg_current_wal_insert_lsn() END"));
    return parse_lsn(rows.text(0, 0));
  }

  Result<std::vector<std::string>> segment_paths(const RelationFork& fork) override {
    PV_TRY_ASSIGN(PgConnection* const connection, sql());
    return list_segments(*connection, fork);
  }

  Result<std::size_t> read_file(const std::string& path, std::uint64_t offset,
                                MutableBytes out) override {
    PV_TRY_ASSIGN(PgConnection* const connection, sql());
    return read_server_file(*connection, path, offset, out);
  }

 private:
  static Result<std::optional<std::string>> reason(std::string text) {
    return std::optional(std::move(text));
  }

  // A backup takes the connection away; the next one makes a new one.
  Result<PgConnection*> replication() {
    if (replication_ == nullptr) {
      PV_TRY_ASSIGN(replication_,
                    PgConnection::open(conninfo_, PgConnection::Kind::Replication, *cancel_));
    }
    return replication_.get();
  }

  Result<PgConnection*> sql() {
    if (sql_ == nullptr) {
      PV_TRY_ASSIGN(auto opened, PgConnection::open(conninfo_, PgConnection::Kind::Sql, *cancel_));
      PV_TRY(opened->query(kSessionSettings));
      sql_ = std::move(opened);
    }
    return sql_.get();
  }

  Result<std::vector<TimelineStay>> read_history() {
    PV_TRY_ASSIGN(PgConnection* const connection, replication());
    PV_TRY_ASSIGN(const PgAnswer system, connection->query("IDENTIFY_SYSTEM"));
    PV_TRY_ASSIGN(const std::uint64_t timeline, system.number(0, 1, UINT32_MAX));
    facts_.timeline.value = static_cast<std::uint32_t>(timeline);
    if (timeline <= 1) return parse_timeline_history("", facts_.timeline);
    PV_TRY_ASSIGN(const PgAnswer rows,
                  connection->query(fmt::format("TIMELINE_HISTORY {}", timeline)));
    return parse_timeline_history(rows.text(0, 1), facts_.timeline);
  }

  // Where a backup begun now would start at the latest: a standby's at its last restartpoint.
  Result<Lsn> newest_start(PgConnection& connection) {
    if (!facts_.in_recovery) return current_lsn();
    PV_TRY_ASSIGN(const PgAnswer rows, connection.query("SELECT redo_lsn FROM "
                                                        "pg_catalog.pg_control_checkpoint()"));
    return parse_lsn(rows.text(0, 0));
  }

  std::string conninfo_;  // With the password, perhaps: never printed.
  CancelToken* cancel_;
  ServerFacts facts_;
  std::optional<Error> replication_error_;
  std::unique_ptr<PgConnection> replication_;  // Null while a backup has it.
  std::unique_ptr<PgConnection> sql_;          // Null until it is needed.
};

}  // namespace

Result<std::unique_ptr<PostgresServer>> PostgresServer::connect(const std::string& conninfo,
                                                                CancelToken& cancel) {
  auto server = std::make_unique<Server>(conninfo, cancel);
  PV_TRY(server->connect());
  return std::unique_ptr<PostgresServer>(std::move(server));
}

}  // namespace pagevault::pgsupport
