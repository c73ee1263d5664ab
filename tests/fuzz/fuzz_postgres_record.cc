// Any bytes as the PostgreSQL record of a snapshot: what is read is written again the same.

#include "pagevault/repo/postgres_record.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto record = repo::decode_postgres_record(std::as_bytes(std::span(data, size)));
  if (!record) return 0;
  PV_CHECK(repo::check_postgres_record(*record).has_value());
  const auto again = repo::decode_postgres_record(repo::encode_postgres_record(*record));
  PV_CHECK(again.has_value() && *again == *record);
  return 0;
}
