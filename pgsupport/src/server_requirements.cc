#include "server_requirements.h"

#include <fmt/format.h>

#include <limits>

#include "replication_command.h"
#include "server_facts.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::uint64_t kKeepMinutesMin = 1440;  // A day.
constexpr std::uint64_t kSettingMax = std::numeric_limits<std::uint32_t>::max();

// What SQL tells about the ways to a replication connection.
struct Account {
  std::string role;
  bool may_replicate = false;
  std::string wal_level;
  std::uint64_t senders_max = 0;
  std::uint64_t senders = 0;
  std::string address;  // Of ours, as the server sees it; empty through a local socket.
};

Result<Account> read_account(PgConnection& sql) {
  PV_TRY_ASSIGN(const PgAnswer rows,
                sql.query("SELECT current_user, r.rolsuper OR r.rolreplication, "
                          "pg_catalog.current_setting('wal_level'), "
                          "pg_catalog.current_setting('max_wal_senders'), "
                          "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication), "
                          "pg_catalog.host(pg_catalog.inet_client_addr()) "
                          "FROM pg_catalog.pg_roles r WHERE r.rolname = current_user"));
  if (rows.rows() != 1) return Error(ErrorCode::Corrupt, "server: the role has no account");
  Account account;
  account.role = rows.text(0, 0);
  account.may_replicate = rows.text(0, 1) == "t";
  account.wal_level = rows.text(0, 2);
  PV_TRY_ASSIGN(account.senders_max, rows.number(0, 3, kSettingMax));
  PV_TRY_ASSIGN(account.senders, rows.number(0, 4, kSettingMax));
  account.address = rows.text(0, 5);
  return account;
}

std::string hba_line(const Account& account) {
  const std::string role = quoted_identifier(account.role);
  const std::string line =
      account.address.empty()
          ? fmt::format("local replication {} scram-sha-256", role)
          : fmt::format("host replication {} {}/{} scram-sha-256", role, account.address,
                        account.address.find(':') == std::string::npos ? 32 : 128);
  return fmt::format("pg_hba.conf: {} -- then SELECT pg_reload_conf();", line);
}

void add_sender_problems(const Account& account, const Error& failure,
                         std::vector<Requirement>& found) {
  if (account.wal_level == "minimal") {
    found.push_back({.problem = "wal_level is minimal",
                     .remedy = "ALTER SYSTEM SET wal_level = 'replica'; ALTER SYSTEM RESET "
                               "max_wal_senders; -- then restart the server"});
  } else if (account.senders_max == 0 || account.senders >= account.senders_max) {
    found.push_back(
        {.problem =
             fmt::format("all {} WAL senders (max_wal_senders) are in use", account.senders_max),
         .remedy = fmt::format("ALTER SYSTEM SET max_wal_senders = {}; -- then restart the server",
                               account.senders_max + 5)});
  }
  if (!account.may_replicate) {
    found.push_back(
        {.problem = fmt::format("the role {} may not replicate", quoted_identifier(account.role)),
         .remedy = fmt::format("ALTER ROLE {} REPLICATION;", quoted_identifier(account.role))});
  }
  // The file's name is in the server's text in every language.
  if (failure.message().find("pg_hba.conf") != std::string::npos) {
    found.push_back({.problem = "pg_hba.conf does not let the role make replication connections",
                     .remedy = hba_line(account)});
  }
  if (found.empty()) found.push_back({.problem = failure.message(), .remedy = {}});
}

Status add_summary_problems(const ServerFacts& facts, PgConnection& sql,
                            std::vector<Requirement>& found) {
  if (!facts.summarizes_wal) {
    found.push_back({.problem = "summarize_wal is off",
                     .remedy = "ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf();",
                     .for_incrementals_only = true});
  }
  PV_TRY_ASSIGN(const PgAnswer rows, sql.query("SELECT setting FROM pg_catalog.pg_settings WHERE "
                                               "name = 'wal_summary_keep_time'"));
  PV_TRY_ASSIGN(const std::uint64_t minutes, rows.number(0, 0, kSettingMax));
  if (minutes == 0 || minutes >= kKeepMinutesMin) return ok();  // 0: kept for ever.
  found.push_back({.problem = fmt::format("wal_summary_keep_time is {} min: backups that lie "
                                          "further apart cannot be incremental",
                                          minutes),
                   .remedy = "ALTER SYSTEM SET wal_summary_keep_time = '10d'; SELECT "
                             "pg_reload_conf();",
                   .for_incrementals_only = true});
  return ok();
}

}  // namespace

Result<std::vector<Requirement>> find_requirements(const ServerFacts& facts,
                                                   const ServerAccess& access) {
  std::vector<Requirement> found;
  if (access.replication_error) {
    PV_CHECK(access.sql != nullptr);
    PV_TRY_ASSIGN(const Account account, read_account(*access.sql));
    add_sender_problems(account, *access.replication_error, found);
  }
  if (facts.version < kVersionIncremental) {
    found.push_back({.problem = fmt::format("PostgreSQL {} makes no incremental backups",
                                            facts.version / 10000),
                     .remedy = "upgrade to PostgreSQL 17 or later",
                     .for_incrementals_only = true});
    return found;
  }
  if (access.sql != nullptr) {
    PV_TRY(add_summary_problems(facts, *access.sql, found));
  } else if (access.sql_error) {
    found.push_back({.problem = "SQL connection: " + access.sql_error->message(),
                     .remedy =
                         "a line of pg_hba.conf and CONNECT on the database (postgres, unless "
                         "dbname says another) for the role",
                     .for_incrementals_only = true});
  }
  return found;
}

}  // namespace pagevault::pgsupport
