#include "server_message.h"

#include <algorithm>

#include "libpq.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view field_of(const PGresult* answer, int field) {
  const char* const text = pq().result_error_field(answer, field);
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// SQLSTATEs: PostgreSQL, src/backend/utils/errcodes.txt.
ErrorCode code_of(std::string_view sqlstate) {
  if (sqlstate == "42501") return ErrorCode::Locked;
  if (sqlstate == "58P01") return ErrorCode::NotFound;
  if (sqlstate == "XX001") return ErrorCode::Corrupt;
  return ErrorCode::Io;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    std::string_view part = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    part.remove_prefix(std::min(part.find_first_not_of(kSpace), part.size()));
    part = part.substr(0, part.find_last_not_of(kSpace) + 1);
    if (part.empty()) continue;
    if (!line.empty()) line += "; ";
    line += part;
  }
  return line;
}

std::string server_message(const PGresult* answer) {
  std::string text = one_line(field_of(answer, PG_DIAG_MESSAGE_PRIMARY));
  if (text.empty())
    text = one_line(pq().result_error_message(answer));  // libpq's own have no fields.
  const std::string_view detail = field_of(answer, PG_DIAG_MESSAGE_DETAIL);
  if (!detail.empty()) text += "; " + one_line(detail);
  const std::string_view hint = field_of(answer, PG_DIAG_MESSAGE_HINT);
  if (!hint.empty()) text += "; hint: " + one_line(hint);
  return text;
}

Error server_error(const PGresult* answer) {
  return {code_of(field_of(answer, PG_DIAG_SQLSTATE)), "server: " + server_message(answer)};
}

}  // namespace pagevault::pgsupport
