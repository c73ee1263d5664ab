#include "integrity_scan.h"

#include <fmt/format.h>

#include "pagevault/sqlitesupport/database_check.h"
#include "sqlite_connection.h"

namespace pagevault::sqlitesupport {
namespace {

// What SQLite calls damage is what was looked for.
bool is_finding(const Error& error) {
  return error.code() == ErrorCode::Corrupt || error.code() == ErrorCode::InvalidArgument;
}

class Findings {
 public:
  explicit Findings(const TextSink& sink) : sink_(sink) {}

  Status add(std::string_view text) {
    if (is_full()) return ok();
    ++count_;
    return sink_(text);
  }
  bool is_full() const { return count_ == kFindingsMax; }

 private:
  const TextSink& sink_;
  std::size_t count_ = 0;
};

Status scan_pages(SqliteConnection& connection, Findings& findings) {
  PV_TRY_ASSIGN(SqliteStatement rows,
                connection.prepare(fmt::format("PRAGMA integrity_check({})", kFindingsMax)));
  for (;;) {
    PV_TRY_ASSIGN(const bool row, rows.step());
    if (!row) return ok();
    if (rows.text(0) != "ok") PV_TRY(findings.add(rows.text(0)));
  }
}

std::string foreign_key_text(const SqliteStatement& row) {
  const std::string which =
      row.type(1) == SQLITE_NULL ? std::string("a row") : fmt::format("row {}", row.integer(1));
  return fmt::format("foreign key {} of {}: {} refers to nothing in {}", row.integer(3),
                     row.text(0), which, row.text(2));
}

Status scan_foreign_keys(SqliteConnection& connection, Findings& findings) {
  PV_TRY_ASSIGN(SqliteStatement rows, connection.prepare("PRAGMA foreign_key_check"));
  while (!findings.is_full()) {
    PV_TRY_ASSIGN(const bool row, rows.step());
    if (!row) break;
    PV_TRY(findings.add(foreign_key_text(rows)));
  }
  return ok();
}

}  // namespace

Status scan_integrity(const std::string& path, const TextSink& found, const Abandoned& abandoned) {
  PV_TRY_ASSIGN(SqliteConnection connection, SqliteConnection::open_immutable(path));
  connection.interrupt_when(abandoned);
  Findings findings(found);
  for (const auto scan : {scan_pages, scan_foreign_keys}) {
    Status scanned = scan(connection, findings);
    if (scanned) continue;
    if (!is_finding(scanned.error())) return scanned;
    PV_TRY(findings.add(scanned.error().message()));
  }
  return ok();
}

}  // namespace pagevault::sqlitesupport
