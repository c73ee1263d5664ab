#include "pg_connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>

#include "server_message.h"

namespace pagevault::pgsupport {
namespace {

constexpr int kLookMs = 200;  // How long a wait may overlook a request to stop.
constexpr int kLooksPerSecond = 1000 / kLookMs;
constexpr int kConnectSecondsMax = 60;  // Without connect_timeout; all hosts of the list together.
constexpr std::size_t kWarningsMax = 10;
constexpr std::size_t kAnswerBytesMax = 64 * kMiB;
constexpr std::size_t kCopyBytes = 64 * kKiB;

struct OptionsCloser {
  void operator()(PQconninfoOption* options) const { pq().conninfo_free(options); }
};
using Options = std::unique_ptr<PQconninfoOption, OptionsCloser>;

struct ResultCloser {
  void operator()(PGresult* result) const { pq().clear(result); }
};

// libpq takes a text without '=' that is no URI for a database's name.
bool is_conninfo(std::string_view text) {
  return text.find('=') != text.npos || text.starts_with("postgresql://") ||
         text.starts_with("postgres://");
}

// libpq's own complaint would quote what it stumbled over.
Result<Options> parse_conninfo(const std::string& conninfo) {
  Options options(pq().conninfo_parse(conninfo.c_str(), nullptr));
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

}  // namespace

int PgAnswer::rows() const {
  return columns_ == 0 ? 0 : static_cast<int>(values_.size()) / columns_;
}

const std::string* PgAnswer::find(int row, int column) const {
  if (row < 0 || row >= rows() || column < 0 || column >= columns_) return nullptr;
  const auto& value = values_[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) +
                              static_cast<std::size_t>(column)];
  return value ? &*value : nullptr;
}

std::string_view PgAnswer::text(int row, int column) const {
  const std::string* const value = find(row, column);
  return value == nullptr ? std::string_view() : std::string_view(*value);
}

void PgAnswer::set_status(const PGresult* result) {
  is_there_ = true;
  status_ = pq().result_status(result);
  columns_ = pq().field_count(result);
}

std::size_t PgAnswer::add(const PGresult* result) {
  std::size_t bytes = 0;
  for (int row = 0; row < pq().row_count(result); ++row) {
    for (int column = 0; column < columns_; ++column) {
      if (pq().get_is_null(result, row, column) != 0) {
        values_.emplace_back();
      } else {
        const auto length = static_cast<std::size_t>(pq().get_length(result, row, column));
        values_.emplace_back(std::in_place, pq().get_value(result, row, column), length);
      }
      bytes += sizeof(values_.back()) + (values_.back() ? values_.back()->size() : 0);
    }
  }
  return bytes;
}

Result<std::uint64_t> PgAnswer::number(int row, int column, std::uint64_t max) const {
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
  PV_TRY(pq().library.status());
  std::unique_ptr<PgConnection> connection(new PgConnection(conninfo, kind, cancel));
  PV_TRY(connection->connect(std::nullopt));
  connection->quiet_looks_.reset();
  return connection;
}

Status PgConnection::connect(std::optional<int> quiet_looks) {
  Options options;
  if (is_conninfo(conninfo_)) {
    PV_TRY_ASSIGN(options, parse_conninfo(conninfo_));
  }
  std::vector<const char*> names;
  std::vector<const char*> values;
  const auto add = [&](const Setting& setting) {
    names.push_back(setting.name);
    values.push_back(setting.value);
  };
  for (const Setting& setting : settings_before()) add(setting);
  add({"dbname", conninfo_.c_str()});
  for (const Setting& setting : settings_after(kind_, options)) add(setting);
  add({});
  quiet_looks_ = quiet_looks.value_or(connect_seconds(options) * kLooksPerSecond);
  handle_.reset(pq().connect_start_params(names.data(), values.data(), 1));
  if (handle_ == nullptr) return Error(ErrorCode::Io, "libpq: out of memory");
  pq().set_notice_receiver(handle_.get(), &PgConnection::keep_warning, this);
  PV_TRY(poll_connect());
  pq().set_nonblocking(handle_.get(), 1);
  return ok();
}

Status PgConnection::poll_connect() {
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (pq().status(handle_.get()) == CONNECTION_BAD || next == PGRES_POLLING_FAILED) return lost();
    PV_TRY_ASSIGN(const bool is_ready, wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT));
    if (is_ready) next = pq().connect_poll(handle_.get());
  }
  return ok();
}

PgConnection::~PgConnection() {
  if (kind_ != Kind::Replication || handle_ == nullptr) return;
  if (pq().status(handle_.get()) != CONNECTION_OK) return;
  if (pq().transaction_status(handle_.get()) != PQTRANS_ACTIVE) return;
  cancel_backend().ignore("the server notices when it next sends something");
}

// A session that waits (for a checkpoint, an archive, a summary) does not look at its socket: being
// told is what makes it give up. Not by PQcancel, which waits without limit for a server that
// hangs.
Status PgConnection::cancel_backend() const {
  CancelToken never;  // Ours is what brought us here, perhaps.
  PgConnection teller(conninfo_, Kind::Sql, never);
  PV_TRY(teller.connect(kLooksPerSecond));
  PV_TRY(teller.query(fmt::format("SELECT pg_catalog.pg_cancel_backend({})", backend())));
  return ok();
}

std::string PgConnection::host() const {
  const char* const host = pq().host(handle_.get());
  const char* const port = pq().port(handle_.get());
  return fmt::format("{}:{}", host == nullptr ? "" : host, port == nullptr ? "" : port);
}

bool PgConnection::is_local() const { return host().starts_with('/'); }

Error PgConnection::lost() const {
  std::string text = one_line(pq().error_message(handle_.get()));
  if (pq().connection_needs_password(handle_.get()) != 0) {
    text += "; give the password in ~/.pgpass or PGPASSWORD";
  }
  return {ErrorCode::Io, text.empty() ? "connection lost" : text};
}

// True when the socket is ready, false after kLookMs without.
Result<bool> PgConnection::wait(short events) {
  PV_TRY(cancel_->check());
  pollfd wanted{.fd = pq().socket(handle_.get()), .events = events, .revents = 0};
  const int ready = poll(&wanted, 1, kLookMs);
  if (ready < 0 && errno != EINTR) return Error(ErrorCode::Io, "wait for the server: poll failed");
  if (ready == 0 && quiet_looks_ && --*quiet_looks_ <= 0) {
    return Error(ErrorCode::Io, fmt::format("{}: no answer in time", host()));
  }
  return ready > 0;
}

// Asks libpq after a wait in vain too: bytes may be in the buffers of TLS.
Status PgConnection::wait_for_input() {
  PV_TRY(wait(POLLIN));
  if (pq().consume_input(handle_.get()) == 0) return lost();
  return ok();
}

Status PgConnection::flush() {
  for (int left = pq().flush(handle_.get()); left != 0; left = pq().flush(handle_.get())) {
    if (left < 0) return lost();
    // The server may want to get rid of something first.
    PV_TRY(wait(POLLIN | POLLOUT));
    if (pq().consume_input(handle_.get()) == 0) return lost();
  }
  return ok();
}

// Row by row, so that there is a limit to what an answer takes.
Status PgConnection::sent(int outcome) {
  if (outcome == 0 || pq().set_single_row_mode(handle_.get()) == 0) return lost();
  return flush();
}

Status PgConnection::send(const std::string& command) {
  return sent(pq().send_query(handle_.get(), command.c_str()));
}

Result<PgAnswer> PgConnection::next_answer() {
  PgAnswer answer;
  std::size_t bytes = 0;
  while (true) {
    while (pq().is_busy(handle_.get()) != 0) PV_TRY(wait_for_input());
    PV_TRY(cancel_->check());
    const std::unique_ptr<PGresult, ResultCloser> result(pq().get_result(handle_.get()));
    if (result == nullptr) return answer;
    if (pq().result_status(result.get()) == PGRES_FATAL_ERROR) return server_error(result.get());
    answer.set_status(result.get());
    bytes += answer.add(result.get());
    is_overrun_ = bytes > kAnswerBytesMax;
    if (is_overrun_) return Error(ErrorCode::Io, "server: an answer that is too long");
    if (answer.status() != PGRES_SINGLE_TUPLE) return answer;
  }
}

// The last of all answers: the connection is free for the next command, also after an error.
Result<PgAnswer> PgConnection::last_answer() {
  PgAnswer last;
  std::optional<Error> failure;
  while (true) {
    Result<PgAnswer> next = next_answer();
    if (!next) {
      const bool is_over = pq().status(handle_.get()) != CONNECTION_OK || is_overrun_;
      if (failure || is_over || cancel_->cancelled()) return next;
      failure = next.error();
      continue;
    }
    if (!*next) break;
    const ExecStatusType status = next->status();
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      return Error(ErrorCode::Io,
                   fmt::format("server: unexpected answer {}", pq().status_name(status)));
    }
    last = std::move(*next);
  }
  if (failure) return *failure;
  if (!last) return Error(ErrorCode::Io, "server: no answer");
  return last;
}

Result<PgAnswer> PgConnection::query(const std::string& command) {
  PV_TRY(send(command));
  return last_answer();
}

Result<PgAnswer> PgConnection::query(const std::string& command,
                                     std::span<const std::string> parameters, Values values) {
  std::vector<const char*> texts;
  for (const std::string& parameter : parameters) texts.push_back(parameter.c_str());
  PV_TRY(sent(pq().send_query_params(handle_.get(), command.c_str(), static_cast<int>(texts.size()),
                                     nullptr, texts.data(), nullptr, nullptr,
                                     values == Values::Binary ? 1 : 0)));
  return last_answer();
}

Status PgConnection::put_copy(ByteView bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = as_text(bytes.first(std::min(bytes.size(), kCopyBytes)));
    const int outcome =
        pq().put_copy_data(handle_.get(), piece.data(), static_cast<int>(piece.size()));
    if (outcome < 0) return lost();
    PV_TRY(cancel_->check());
    PV_TRY(flush());
    if (outcome > 0) bytes = bytes.subspan(piece.size());
  }
  return ok();
}

Status PgConnection::end_copy() {
  while (true) {
    const int outcome = pq().put_copy_end(handle_.get(), nullptr);
    if (outcome < 0) return lost();
    PV_TRY(flush());
    if (outcome > 0) return ok();
  }
}

Result<std::optional<ByteView>> PgConnection::next_copy() {
  while (true) {
    PV_TRY(cancel_->check());
    char* bytes = nullptr;
    const int length = pq().get_copy_data(handle_.get(), &bytes, 1);
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
  const char* const severity = pq().result_error_field(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity == nullptr || std::string_view(severity) != "WARNING") return;
  if (warnings.size() < kWarningsMax) warnings.push_back(server_message(notice));
}

}  // namespace pagevault::pgsupport
