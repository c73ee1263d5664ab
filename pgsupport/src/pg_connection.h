// One connection to a PostgreSQL server, through libpq's asynchronous calls: whatever it waits for,
// it looks at the cancel token five times a second. (Looking up a host's name is the exception:
// libpq leaves that to the system's resolver, which is not interrupted.)

#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/cancel_token.h"
#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

/// Rows of an answer. Values are text, unless asked for otherwise.
class PgRows {
 public:
  explicit PgRows(PGresult* result) : result_(result) {}

  /// False: there is no answer left.
  explicit operator bool() const { return result_ != nullptr; }
  ExecStatusType status() const { return PQresultStatus(result_.get()); }
  int rows() const { return PQntuples(result_.get()); }
  int columns() const { return PQnfields(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  /// Valid as long as this is; empty for NULL and for places outside.
  std::string_view text(int row, int column) const;
  /// Errors: Corrupt when it is not a decimal number up to `max`.
  Result<std::uint64_t> number(int row, int column, std::uint64_t max) const;
  const PGresult* get() const { return result_.get(); }

 private:
  struct Closer {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Closer> result_;
};

/// Not thread-safe, not movable: libpq keeps its address. Errors everywhere: Cancelled; Io (the
/// connection is lost, or what the server says) except Locked (it says that privileges are
/// missing), NotFound (a file is), Corrupt (data is corrupted).
class PgConnection {
 public:
  enum class Kind {
    Sql,
    Replication,  ///< Physical: the commands of the replication protocol and no SQL.
  };
  enum class Values { Text, Binary };

  /// `conninfo` as of PQconnectdb. SQL goes to its database, or "postgres". Errors: InvalidArgument
  /// (a conninfo that is none; it is not quoted, as a piece of a password may be in it).
  static Result<std::unique_ptr<PgConnection>> open(const std::string& conninfo, Kind kind,
                                                    CancelToken& cancel);
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;
  /// Has the server cancel what it is at.
  ~PgConnection();

  int version() const { return PQserverVersion(handle_.get()); }
  /// As "db1:5432" or "/run/postgresql:5432".
  std::string host() const;
  bool is_local() const;
  std::string user() const { return PQuser(handle_.get()); }
  /// Distinct among the sessions that the server has.
  int backend() const { return PQbackendPID(handle_.get()); }

  /// Runs one command that answers with one set of rows (perhaps none, of no columns).
  Result<PgRows> query(const std::string& command);
  /// SQL only, with $1, $2, ...
  Result<PgRows> query(const std::string& command, std::span<const std::string> parameters,
                       Values values = Values::Text);

  Status send(const std::string& command);
  /// The next answer to what was sent, none after the last one.
  Result<PgRows> next_answer();
  /// Data after an answer with PGRES_COPY_IN, and its end.
  Status put_copy(ByteView bytes);
  Status end_copy();
  /// The next message after an answer with PGRES_COPY_OUT; none at the end, valid until the next
  /// call.
  Result<std::optional<ByteView>> next_copy();

  /// What the server warned of, up to the first ten.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  explicit PgConnection(CancelToken& cancel) : cancel_(&cancel) {}

  Status connect(const std::string& conninfo, Kind kind);
  Status poll_connect(int timeout_s);
  Result<bool> wait(short events);
  Status wait_for_input();
  Status flush();
  Result<PgRows> last_rows();
  Error lost() const;
  void cancel_command();
  static void keep_warning(void* self, const PGresult* notice);

  struct Finisher {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };
  struct Freer {
    void operator()(char* bytes) const { PQfreemem(bytes); }
  };

  CancelToken* cancel_;
  std::vector<std::string> warnings_;
  std::unique_ptr<PGconn, Finisher> handle_;
  std::unique_ptr<char, Freer> message_;  // What next_copy gave last.
};

}  // namespace pagevault::pgsupport
