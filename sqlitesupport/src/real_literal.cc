#include "real_literal.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstdint>

namespace pagevault::sqlitesupport {
namespace {

constexpr int kMantissaBits = 53;
constexpr int kStepBits = 62;  // Of a power of two that is an integer of SQLite.

// The shortest digits that a correct reader takes for `value`; never those of an integer.
std::string shortest_decimal(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// Every step is exact: no intermediate is smaller in magnitude or needs more bits than `value`.
std::string exact_product(double value) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  const auto mantissa = static_cast<std::int64_t>(std::ldexp(fraction, kMantissaBits));
  exponent -= kMantissaBits;
  const char operation = exponent < 0 ? '/' : '*';
  std::string text = fmt::format("(CAST({} AS REAL)", mantissa);
  for (int left = std::abs(exponent); left > 0; left -= kStepBits) {
    text += fmt::format("{}CAST({} AS REAL)", operation,
                        std::uint64_t{1} << static_cast<unsigned>(std::min(left, kStepBits)));
  }
  return text + ")";
}

}  // namespace

Result<std::string> RealLiterals::of(double value) {
  if (std::isinf(value)) return std::string(value > 0 ? "9e999" : "-9e999");
  std::string text = shortest_decimal(value);
  PV_TRY_ASSIGN(const double read, as_read_by_sqlite(text));
  const bool same = std::bit_cast<std::uint64_t>(read) == std::bit_cast<std::uint64_t>(value);
  return same || value == 0 ? text : exact_product(value);
}

Result<double> RealLiterals::as_read_by_sqlite(std::string_view text) {
  if (!reading_) {
    PV_TRY_ASSIGN(reading_, connection_.prepare("SELECT CAST(?1 AS REAL)"));
  }
  PV_TRY(reading_->bind_text(1, text));
  PV_TRY_ASSIGN(const bool row, reading_->step());
  const double value = row ? reading_->real(0) : 0;
  PV_TRY(reading_->reset());
  return value;
}

}  // namespace pagevault::sqlitesupport
