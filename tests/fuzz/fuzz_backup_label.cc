// Any text as backup_label and as tablespace_map: refused or read, and what remains of a label
// without its incremental lines is the label of a full backup.

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/pgsupport/backup_label.h"

using namespace pagevault;
using namespace pagevault::pgsupport;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  const std::string full = without_incremental_lines(text);
  PV_CHECK(full.size() <= text.size());
  if (const auto label = parse_backup_label(text)) {
    const auto again = parse_backup_label(full);
    PV_CHECK(again.has_value() && again->start == label->start && !again->incremental_from);
    PV_CHECK(label->incremental_from.has_value() == (full.size() < text.size()));
  }
  if (const auto map = parse_tablespace_map(text)) {
    for (const auto& [oid, path] : *map) PV_CHECK(oid != 0 && path.starts_with('/'));
  }
  return 0;
}
