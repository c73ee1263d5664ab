// SQLite header, pg_control and relation names: what decides how a file is cut.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "pagevault/pgsupport/relation_files.h"
#include "pagevault/sqlitesupport/page_size.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const pagevault::ByteView input = std::as_bytes(std::span(data, size));
  const auto sqlite = pagevault::sqlitesupport::sqlite_page_size(input);
  if (sqlite && (*sqlite < 512 || *sqlite > 65536)) std::abort();
  const auto control = pagevault::pgsupport::block_size_from_control(input);
  if (control && (*control < 1024 || *control > 32768)) std::abort();
  static_cast<void>(pagevault::pgsupport::is_relation_file(pagevault::as_text(input)));
  return 0;
}
