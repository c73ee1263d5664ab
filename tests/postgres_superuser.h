// A superuser's session beside the one under test, and other conninfos of the same server.

#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <chrono>
#include <cstdlib>
#include <string>

namespace pagevault::test {

/// The conninfo of the server that postgres_server_test.py started.
inline std::string server_conninfo() {
  const char* const conninfo = std::getenv("PAGEVAULT_TEST_SERVER");
  return conninfo == nullptr ? "" : conninfo;
}

/// Later keys win.
inline std::string server_conninfo_with(const std::string& more) {
  return server_conninfo() + " " + more;
}

class Superuser {
 public:
  Superuser() : handle_(PQconnectdb(server_conninfo().c_str())) {
    EXPECT_EQ(PQstatus(handle_), CONNECTION_OK)
        << PQerrorMessage(handle_) << "run by tests/postgres_server_test.py";
    PQsetNoticeProcessor(
        handle_, [](void*, const char*) {}, nullptr);
  }
  Superuser(const Superuser&) = delete;
  Superuser& operator=(const Superuser&) = delete;
  ~Superuser() { PQfinish(handle_); }

  /// Runs one statement; its first value, or nothing.
  std::string operator()(const std::string& sql) {
    PGresult* const result = PQexec(handle_, sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    EXPECT_TRUE(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        << sql << ": " << PQresultErrorMessage(result);
    std::string value;
    if (PQntuples(result) > 0 && PQnfields(result) > 0) value = PQgetvalue(result, 0, 0);
    PQclear(result);
    return value;
  }

  /// Waits until the server answers `sql` with `expected`, at most ten seconds.
  bool sees(const std::string& sql, const std::string& expected) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while ((*this)(sql) != expected) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      (*this)("SELECT pg_sleep(0.01)");
    }
    return true;
  }

  /// Changes a setting of the running server and waits until new sessions have it; "" resets it.
  void set(const std::string& name, const std::string& value) {
    (*this)(value.empty() ? "ALTER SYSTEM RESET " + name
                          : "ALTER SYSTEM SET " + name + " = '" + value + "'");
    const std::string loaded = (*this)("SELECT pg_conf_load_time()");
    (*this)("SELECT pg_reload_conf()");
    EXPECT_TRUE(sees("SELECT pg_conf_load_time() > '" + loaded + "'", "t")) << name;
  }

 private:
  PGconn* handle_;
};

}  // namespace pagevault::test
