#include "base_backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "copy_message.h"
#include "replication_command.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::uint64_t kOidMax = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kEstimateKbMax = std::uint64_t{1} << 52U;

Error bad_stream(std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("base backup stream: {}", problem)};
}

// Start and end: one row of a position and a timeline.
Result<WalPoint> parse_point(const PgAnswer& rows) {
  if (!rows || rows.status() != PGRES_TUPLES_OK || rows.rows() != 1 || rows.columns() != 2) {
    return bad_stream("no position where one is due");
  }
  WalPoint point;
  const Result<Lsn> lsn = parse_lsn(rows.text(0, 0));
  if (!lsn) return bad_stream("a position that is none");
  point.lsn = *lsn;
  PV_TRY_ASSIGN(const std::uint64_t timeline, rows.number(0, 1, kOidMax));
  point.timeline.value = static_cast<std::uint32_t>(timeline);
  return point;
}

Result<TablespaceLocation> parse_tablespace(const PgAnswer& rows, int row) {
  TablespaceLocation place;
  PV_TRY_ASSIGN(const std::uint64_t oid, rows.number(row, 0, kOidMax));
  place.oid = static_cast<std::uint32_t>(oid);
  place.path = rows.text(row, 1);
  if (place.in_place() && place.path != fmt::format("pg_tblspc/{}", oid)) {
    return bad_stream(fmt::format("tablespace {} at a place that is none", oid));
  }
  return place;
}

class ServerBackup final : public BaseBackup {
 public:
  explicit ServerBackup(std::unique_ptr<PgConnection> connection)
      : connection_(std::move(connection)) {}

  Status begin(const PostgresServer::Options& options) {
    PV_TRY_ASSIGN(const std::string command, base_backup_command(options));
    if (options.incremental_since) {
      PV_TRY(upload_manifest(*options.incremental_since).context("upload the manifest"));
    }
    if (options.include_wal) PV_TRY(reserve_wal());
    PV_TRY(connection_->send(command));
    PV_TRY_ASSIGN(const PgAnswer start, connection_->next_answer());
    PV_TRY_ASSIGN(start_, parse_point(start));
    PV_TRY(read_tablespaces());
    PV_TRY_ASSIGN(const PgAnswer copy, connection_->next_answer());
    if (!copy || copy.status() != PGRES_COPY_OUT) return bad_stream("no archives");
    return ok();
  }

  WalPoint start() const override { return start_; }
  const std::vector<TablespaceLocation>& tablespaces() const override { return tablespaces_; }
  std::uint64_t bytes_estimated() const override { return bytes_estimated_; }
  std::uint64_t bytes_done() const override { return bytes_done_; }

  Result<std::optional<Archive>> next_archive() override {
    while (!is_ended_ && !upcoming_) {
      PV_TRY_ASSIGN(const ByteView skipped, read());
      if (skipped.empty()) break;
    }
    if (!upcoming_) return std::optional<Archive>();
    Archive archive = std::move(*upcoming_);
    upcoming_.reset();
    is_inside_ = true;
    is_manifest_seen_ = archive.is_manifest;
    return std::optional(std::move(archive));
  }

  Result<ByteView> read() override {
    while (!is_ended_ && !upcoming_) {
      PV_TRY_ASSIGN(const auto bytes, connection_->next_copy());
      if (!bytes) {
        PV_TRY(end_copy());
        break;
      }
      PV_TRY_ASSIGN(CopyMessage message, parse_copy_message(*bytes));
      PV_TRY_ASSIGN(const ByteView data, take(message));
      if (!data.empty()) return data;
    }
    return ByteView();
  }

  Result<WalPoint> finish() override {
    if (!is_ended_) return Error(ErrorCode::InvalidArgument, "base backup: not read to its end");
    if (connection_ == nullptr) return end_;
    while (true) {
      Result<PgAnswer> answer = connection_->next_answer();
      if (!answer) return with_warnings(answer.error());
      if (!*answer) break;
      if (answer->status() != PGRES_COMMAND_OK) return bad_stream("an answer after the last one");
    }
    if (!is_manifest_seen_) return bad_stream("no manifest");
    connection_.reset();  // The slot goes with it: WAL is not needed any more.
    return end_;
  }

 private:
  Status upload_manifest(ByteView manifest) {
    PV_TRY(connection_->send("UPLOAD_MANIFEST"));
    PV_TRY_ASSIGN(const PgAnswer ready, connection_->next_answer());
    if (!ready || ready.status() != PGRES_COPY_IN) return bad_stream("the manifest is not wanted");
    PV_TRY(connection_->put_copy(manifest));
    PV_TRY(connection_->end_copy());
    while (true) {
      PV_TRY_ASSIGN(const PgAnswer answer, connection_->next_answer());
      if (!answer) return ok();
      if (answer.status() != PGRES_COMMAND_OK) return bad_stream("the manifest is not wanted");
    }
  }

  // A temporary slot keeps the WAL that is sent last; it goes with the connection. When the server
  // has none to give, it may remove that WAL meanwhile, notices, and fails the backup: so it is not
  // an error here.
  Status reserve_wal() {
    const auto slot = connection_->query(
        fmt::format("CREATE_REPLICATION_SLOT pagevault_{} TEMPORARY PHYSICAL RESERVE_WAL",
                    static_cast<unsigned>(connection_->backend())));
    if (!slot && slot.error().code() == ErrorCode::Cancelled) return slot.error();
    return ok();
  }

  // The base comes last, without an OID; estimates are in kB.
  Status read_tablespaces() {
    PV_TRY_ASSIGN(const PgAnswer rows, connection_->next_answer());
    if (!rows || rows.status() != PGRES_TUPLES_OK || rows.columns() != 3 || rows.rows() < 1) {
      return bad_stream("no tablespaces");
    }
    for (int row = 0; row < rows.rows(); ++row) {
      if (!rows.is_null(row, 2)) {
        PV_TRY_ASSIGN(const std::uint64_t kb, rows.number(row, 2, kEstimateKbMax));
        bytes_estimated_ += kb * kKiB;
      }
      if (rows.is_null(row, 0)) continue;
      PV_TRY_ASSIGN(TablespaceLocation place, parse_tablespace(rows, row));
      tablespaces_.push_back(std::move(place));
    }
    return ok();
  }

  // What a message means here: bytes of the current archive, or none.
  Result<ByteView> take(CopyMessage& message) {
    switch (message.kind) {
      case CopyMessage::Kind::Data:
        if (!is_inside_) return bad_stream("bytes outside of an archive");
        return message.data;
      case CopyMessage::Kind::Progress:
        bytes_done_ = std::max(bytes_done_, message.bytes_done);
        return ByteView();
      case CopyMessage::Kind::Manifest:
      case CopyMessage::Kind::Archive:
        if (is_manifest_seen_) return bad_stream("something after the manifest");
        upcoming_ = Archive{.is_manifest = message.kind == CopyMessage::Kind::Manifest,
                            .name = std::move(message.name),
                            .tablespace = std::move(message.tablespace)};
        is_inside_ = false;
        return ByteView();
    }
    return ByteView();
  }

  // The stream may also have ended for an error, which comes in place of the end position.
  Status end_copy() {
    PV_TRY_ASSIGN(const PgAnswer end, connection_->next_answer());
    PV_TRY_ASSIGN(end_, parse_point(end));
    is_ended_ = true;
    is_inside_ = false;
    return ok();
  }

  // Failing checksums are counted in the error and named in warnings.
  Error with_warnings(const Error& error) const {
    if (error.code() != ErrorCode::Corrupt) return error;
    std::string text = error.message();
    for (const std::string& warning : connection_->warnings()) text += "; " + warning;
    return {error.code(), text};
  }

  std::unique_ptr<PgConnection> connection_;  // Null when finished.
  WalPoint start_;
  WalPoint end_;
  std::vector<TablespaceLocation> tablespaces_;
  std::uint64_t bytes_estimated_ = 0;
  std::uint64_t bytes_done_ = 0;
  std::optional<Archive> upcoming_;  // Announced by the server, not yet given to the caller.
  bool is_inside_ = false;           // An archive or the manifest has begun.
  bool is_manifest_seen_ = false;
  bool is_ended_ = false;
};

}  // namespace

Result<std::unique_ptr<BaseBackup>> begin_base_backup(std::unique_ptr<PgConnection> connection,
                                                      const PostgresServer::Options& options) {
  auto backup = std::make_unique<ServerBackup>(std::move(connection));
  PV_TRY(backup->begin(options));
  return std::unique_ptr<BaseBackup>(std::move(backup));
}

}  // namespace pagevault::pgsupport
