// Any bytes as the headers of SQLite's files: refused or read, within what they promise.

#include "pagevault/sqlitesupport/database_header.h"
#include "pagevault/sqlitesupport/wal_format.h"
#include "pagevault/sqlitesupport/wal_index_header.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (const auto header = sqlitesupport::parse_database_header(input)) {
    PV_CHECK(header->page_size >= 512 && header->page_size <= 65536);
    static_cast<void>(sqlitesupport::page_count_of(*header, size));
  }
  if (const auto header = sqlitesupport::parse_wal_header(input)) {
    PV_CHECK(header->page_size >= 512 && header->page_size <= 65536);
  }
  if (const auto head = sqlitesupport::parse_wal_index_head(input)) {
    PV_CHECK(head->header.frames == 0 || head->header.page_size >= 512);
  }
  return 0;
}
