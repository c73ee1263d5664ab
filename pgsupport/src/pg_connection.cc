#include "pg_connection.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>

#include "pagevault/base/unique_fd.h"
#include "server_message.h"

namespace pagevault::pgsupport {
namespace {

constexpr int kLookMs = 200;            // How long a wait may overlook a request to stop.
constexpr int kConnectSecondsMax = 60;  // Without connect_timeout; all hosts of the list together.
constexpr int kReachableMs = 1000;
constexpr std::size_t kWarningsMax = 10;
constexpr std::size_t kCopyBytes = 64 * kKiB;

struct OptionsCloser {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, OptionsCloser>;

struct CancelCloser {
  void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
};

// libpq takes a text without '=' that is no URI for a database's name.
bool is_conninfo(std::string_view text) {
  return text.find('=') != text.npos || text.starts_with("postgresql://") ||
         text.starts_with("postgres://");
}

// libpq's own complaint would quote what it stumbled over.
Result<Options> parse_conninfo(const std::string& conninfo) {
  Options options(PQconninfoParse(conninfo.c_str(), nullptr));
  if (options == nullptr) {
    return Error(ErrorCode::InvalidArgument,
                 "connection string: neither a list of key=value (values with spaces in single "
                 "quotes) nor a URI postgresql://...");
  }
  return options;
}

std::string_view option_of(const Options& options, std::string_view name) {
  for (const PQconninfoOption* each = options.get(); each != nullptr && each->keyword != nullptr;
       ++each) {
    if (name == each->keyword && each->val != nullptr) return each->val;
  }
  return {};
}

struct Setting {
  const char* name = nullptr;
  const char* value = nullptr;
};

// Later settings win. A dead peer is noticed within two minutes, unless the user says otherwise.
std::vector<Setting> settings_before() {
  return {{"client_encoding", "UTF8"},
          {"fallback_application_name", "pagevault"},
          {"keepalives_idle", "60"},
          {"keepalives_interval", "10"},
          {"keepalives_count", "6"}};
}

std::vector<Setting> settings_after(PgConnection::Kind kind, const Options& options) {
  // "replication" is what .pgpass and pg_hba.conf call it.
  if (kind == PgConnection::Kind::Replication) {
    return {{"dbname", "replication"}, {"replication", "true"}};
  }
  std::vector<Setting> settings = {{"replication", "false"}};
  const bool has_database =
      !option_of(options, "dbname").empty() || !option_of(options, "service").empty();
  if (!has_database) settings.push_back({"dbname", "postgres"});
  return settings;
}

int connect_seconds(const Options& options) {
  const std::string_view text = option_of(options, "connect_timeout");
  int seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return seconds > 0 ? seconds : kConnectSecondsMax;
}

// Whether a connection to the peer of `socket` comes about soon.
bool is_reachable(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* const address = static_cast<sockaddr*>(static_cast<void*>(&storage));
  if (getpeername(socket, address, &length) != 0) return false;
  if (storage.ss_family == AF_UNIX) return true;
  const UniqueFd probe(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!probe) return false;
  if (::connect(probe.get(), address, length) == 0) return true;
  pollfd wanted{.fd = probe.get(), .events = POLLOUT, .revents = 0};
  int failure = 0;
  socklen_t failure_length = sizeof failure;
  return errno == EINPROGRESS && poll(&wanted, 1, kReachableMs) == 1 &&
         getsockopt(probe.get(), SOL_SOCKET, SO_ERROR, &failure, &failure_length) == 0 &&
         failure == 0;
}

}  // namespace

std::string_view PgRows::text(int row, int column) const {
  if (row >= rows() || column >= columns()) return {};
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

Result<std::uint64_t> PgRows::number(int row, int column, std::uint64_t max) const {
  const std::string_view digits = text(row, column);
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stop != end || value > max) {
    return Error(ErrorCode::Corrupt,
                 fmt::format("server: \"{}\" is not a number up to {}", digits, max));
  }
  return value;
}

Result<std::unique_ptr<PgConnection>> PgConnection::open(const std::string& conninfo, Kind kind,
                                                         CancelToken& cancel) {
  std::unique_ptr<PgConnection> connection(new PgConnection(cancel));
  PV_TRY(connection->connect(conninfo, kind));
  return connection;
}

Status PgConnection::connect(const std::string& conninfo, Kind kind) {
  Options options;
  if (is_conninfo(conninfo)) {
    PV_TRY_ASSIGN(options, parse_conninfo(conninfo));
  }
  std::vector<const char*> names;
  std::vector<const char*> values;
  const auto add = [&](const Setting& setting) {
    names.push_back(setting.name);
    values.push_back(setting.value);
  };
  for (const Setting& setting : settings_before()) add(setting);
  add({"dbname", conninfo.c_str()});
  for (const Setting& setting : settings_after(kind, options)) add(setting);
  add({});
  handle_.reset(PQconnectStartParams(names.data(), values.data(), 1));
  if (handle_ == nullptr) return Error(ErrorCode::Io, "libpq: out of memory");
  PQsetNoticeReceiver(handle_.get(), &PgConnection::keep_warning, this);
  PV_TRY(poll_connect(connect_seconds(options)));
  PQsetnonblocking(handle_.get(), 1);
  return ok();
}

Status PgConnection::poll_connect(int timeout_s) {
  int waits_left = timeout_s * 1000 / kLookMs;
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (PQstatus(handle_.get()) == CONNECTION_BAD || next == PGRES_POLLING_FAILED) return lost();
    PV_TRY_ASSIGN(const bool is_ready, wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT));
    if (!is_ready && --waits_left <= 0) {
      return Error(ErrorCode::Io,
                   fmt::format("connect to {}: no answer for {} s", host(), timeout_s));
    }
    if (is_ready) next = PQconnectPoll(handle_.get());
  }
  return ok();
}

PgConnection::~PgConnection() {
  if (handle_ != nullptr && PQtransactionStatus(handle_.get()) == PQTRANS_ACTIVE) cancel_command();
}

// A server that waits (for a checkpoint, an archive, a summary) does not look at its socket: being
// told is what makes it give up. libpq connects for that without a limit of time, so only when it
// will not have to wait.
void PgConnection::cancel_command() {
  if (PQstatus(handle_.get()) != CONNECTION_OK || !is_reachable(PQsocket(handle_.get()))) return;
  const std::unique_ptr<PGcancel, CancelCloser> cancel(PQgetCancel(handle_.get()));
  std::array<char, 256> reason{};
  if (cancel != nullptr) PQcancel(cancel.get(), reason.data(), static_cast<int>(reason.size()));
}

std::string PgConnection::host() const {
  const char* const host = PQhost(handle_.get());
  const char* const port = PQport(handle_.get());
  return fmt::format("{}:{}", host == nullptr ? "" : host, port == nullptr ? "" : port);
}

bool PgConnection::is_local() const { return host().starts_with('/'); }

Error PgConnection::lost() const {
  std::string text = one_line(PQerrorMessage(handle_.get()));
  if (PQconnectionNeedsPassword(handle_.get()) != 0) {
    text += "; give the password in ~/.pgpass or PGPASSWORD";
  }
  return {ErrorCode::Io, text.empty() ? "connection lost" : text};
}

// True when the socket is ready, false after kLookMs without.
Result<bool> PgConnection::wait(short events) {
  PV_TRY(cancel_->check());
  pollfd wanted{.fd = PQsocket(handle_.get()), .events = events, .revents = 0};
  const int ready = poll(&wanted, 1, kLookMs);
  if (ready < 0 && errno != EINTR) return Error(ErrorCode::Io, "wait for the server: poll failed");
  return ready > 0;
}

// Asks libpq after a wait in vain too: bytes may be in the buffers of TLS.
Status PgConnection::wait_for_input() {
  PV_TRY(wait(POLLIN));
  if (PQconsumeInput(handle_.get()) == 0) return lost();
  return ok();
}

Status PgConnection::flush() {
  for (int left = PQflush(handle_.get()); left != 0; left = PQflush(handle_.get())) {
    if (left < 0) return lost();
    // The server may want to get rid of something first.
    PV_TRY(wait(POLLIN | POLLOUT));
    if (PQconsumeInput(handle_.get()) == 0) return lost();
  }
  return ok();
}

Status PgConnection::send(const std::string& command) {
  if (PQsendQuery(handle_.get(), command.c_str()) == 0) return lost();
  return flush();
}

Result<PgRows> PgConnection::next_answer() {
  while (PQisBusy(handle_.get()) != 0) PV_TRY(wait_for_input());
  PgRows rows(PQgetResult(handle_.get()));
  if (rows && rows.status() == PGRES_FATAL_ERROR) return server_error(rows.get());
  return rows;
}

// The last rows of all answers: the connection is free for the next command, also after an error.
Result<PgRows> PgConnection::last_rows() {
  PgRows last(nullptr);
  std::optional<Error> failure;
  while (true) {
    Result<PgRows> next = next_answer();
    if (!next) {
      if (PQstatus(handle_.get()) != CONNECTION_OK || cancel_->cancelled()) return next;
      if (!failure) failure = next.error();
      continue;
    }
    if (!*next) break;
    const ExecStatusType status = next->status();
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      return Error(ErrorCode::Io, fmt::format("server: unexpected answer {}", PQresStatus(status)));
    }
    last = std::move(*next);
  }
  if (failure) return *failure;
  if (!last) return Error(ErrorCode::Io, "server: no answer");
  return last;
}

Result<PgRows> PgConnection::query(const std::string& command) {
  PV_TRY(send(command));
  return last_rows();
}

Result<PgRows> PgConnection::query(const std::string& command,
                                   std::span<const std::string> parameters, Values values) {
  std::vector<const char*> texts;
  for (const std::string& parameter : parameters) texts.push_back(parameter.c_str());
  if (PQsendQueryParams(handle_.get(), command.c_str(), static_cast<int>(texts.size()), nullptr,
                        texts.data(), nullptr, nullptr, values == Values::Binary ? 1 : 0) == 0) {
    return lost();
  }
  PV_TRY(flush());
  return last_rows();
}

Status PgConnection::put_copy(ByteView bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = as_text(bytes.first(std::min(bytes.size(), kCopyBytes)));
    const int outcome = PQputCopyData(handle_.get(), piece.data(), static_cast<int>(piece.size()));
    if (outcome < 0) return lost();
    PV_TRY(cancel_->check());
    PV_TRY(flush());
    if (outcome > 0) bytes = bytes.subspan(piece.size());
  }
  return ok();
}

Status PgConnection::end_copy() {
  while (true) {
    const int outcome = PQputCopyEnd(handle_.get(), nullptr);
    if (outcome < 0) return lost();
    PV_TRY(flush());
    if (outcome > 0) return ok();
  }
}

Result<std::optional<ByteView>> PgConnection::next_copy() {
  while (true) {
    PV_TRY(cancel_->check());
    char* bytes = nullptr;
    const int length = PQgetCopyData(handle_.get(), &bytes, 1);
    message_.reset(bytes);
    if (length > 0) {
      return std::optional(as_bytes(std::string_view(bytes, static_cast<std::size_t>(length))));
    }
    if (length == -1) return std::optional<ByteView>();
    if (length < -1) return lost();
    PV_TRY(wait_for_input());
  }
}

void PgConnection::keep_warning(void* self, const PGresult* notice) {
  auto& warnings = static_cast<PgConnection*>(self)->warnings_;
  const char* const severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity == nullptr || std::string_view(severity) != "WARNING") return;
  if (warnings.size() < kWarningsMax) warnings.push_back(server_message(notice));
}

}  // namespace pagevault::pgsupport
