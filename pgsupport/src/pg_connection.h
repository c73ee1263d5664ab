// One connection to a PostgreSQL server, through libpq's asynchronous calls: whatever it waits for,
// it looks at the cancel token five times a second. (Looking up a host's name is the exception:
// libpq leaves that to the system's resolver, which is not interrupted.)

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libpq.h"
#include "pagevault/base/bytes.h"
#include "pagevault/base/cancel_token.h"
#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

/// An answer: rows, or what else the server has to say. Values are text, unless asked for
/// otherwise.
class PgAnswer {
 public:
  /// False: there is no answer left.
  explicit operator bool() const { return is_there_; }
  ExecStatusType status() const { return status_; }
  int rows() const;
  int columns() const { return columns_; }
  bool is_null(int row, int column) const { return find(row, column) == nullptr; }
  /// Valid as long as this is; empty for NULL and for places outside.
  std::string_view text(int row, int column) const;
  /// Errors: Corrupt when it is not a decimal number up to `max`.
  Result<std::uint64_t> number(int row, int column, std::uint64_t max) const;

 private:
  friend class PgConnection;
  const std::string* find(int row, int column) const;
  void set_status(const PGresult* result);
  /// Adds rows; their bytes.
  std::size_t add(const PGresult* result);

  bool is_there_ = false;
  ExecStatusType status_ = PGRES_EMPTY_QUERY;
  int columns_ = 0;
  std::vector<std::optional<std::string>> values_;  // Row by row.
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
  /// Has the server give up what it is at, if that was a command of replication.
  ~PgConnection();

  int version() const { return pq().server_version(handle_.get()); }
  /// As "db1:5432" or "/run/postgresql:5432".
  std::string host() const;
  bool is_local() const;
  std::string user() const { return pq().user(handle_.get()); }
  /// Distinct among the sessions that the server has.
  int backend() const { return pq().backend_pid(handle_.get()); }

  /// Runs one command that answers with one set of rows (perhaps none, of no columns).
  Result<PgAnswer> query(const std::string& command);
  /// SQL only, with $1, $2, ...
  Result<PgAnswer> query(const std::string& command, std::span<const std::string> parameters,
                         Values values = Values::Text);

  Status send(const std::string& command);
  /// The next answer to what was sent, none after the last one.
  Result<PgAnswer> next_answer();
  /// Data after an answer with PGRES_COPY_IN, and its end.
  Status put_copy(ByteView bytes);
  Status end_copy();
  /// The next message after an answer with PGRES_COPY_OUT; none at the end, valid until the next
  /// call.
  Result<std::optional<ByteView>> next_copy();

  /// What the server warned of, up to the first ten.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  PgConnection(std::string conninfo, Kind kind, CancelToken& cancel)
      : conninfo_(std::move(conninfo)), kind_(kind), cancel_(&cancel) {}

  Status connect(std::optional<int> quiet_looks);
  Status poll_connect();
  Result<bool> wait(short events);
  Status wait_for_input();
  Status flush();
  Status sent(int outcome);
  Result<PgAnswer> last_answer();
  Error lost() const;
  Status cancel_backend() const;
  static void keep_warning(void* self, const PGresult* notice);

  struct Finisher {
    void operator()(PGconn* handle) const { pq().finish(handle); }
  };
  struct Freer {
    void operator()(char* bytes) const { pq().free_memory(bytes); }
  };

  std::string conninfo_;  // With the password, perhaps: never printed.
  Kind kind_;
  CancelToken* cancel_;
  std::optional<int> quiet_looks_;  // How often it may look in vain before it gives the server up.
  std::vector<std::string> warnings_;
  bool is_overrun_ = false;  // An answer was too long: the rest of it is still to come.
  std::unique_ptr<PGconn, Finisher> handle_;
  std::unique_ptr<char, Freer> message_;  // What next_copy gave last.
};

}  // namespace pagevault::pgsupport
