// Any bytes as an archive: compressed, plain, or (first byte odd) a tar header with its checksum
// made right, so that what the fields say is read. Names that come out are in normal form.

#include "tar_vocabulary.h"

using namespace pagevault;
using namespace pagevault::pgsupport;

namespace {

std::string archive_of(ByteView input) {
  std::string bytes(as_text(input.subspan(1)));
  if ((input[0] & std::byte{1}) == std::byte{0} || bytes.size() < 512) return bytes;
  bytes.replace(257, 8, std::string("ustar\00000", 8));
  bytes.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : bytes.substr(0, 512)) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  bytes.replace(148, 7, std::string(text, 7));
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string archive = archive_of(std::as_bytes(std::span(data, size)));
  const auto reader = ArchiveReader::open(test::source_of(archive, 4096));
  if (!reader) return 0;
  std::uint64_t content = 0;
  Bytes buffer(64 * kKiB);
  while (content < 64 * kMiB) {
    const auto member = (*reader)->next();
    if (!member || !*member) return 0;
    const std::string path = "/" + (*member)->path + "/";
    PV_CHECK(path.find("//") == path.npos && path.find("/../") == path.npos);
    for (std::size_t count = 1; count > 0 && content < 64 * kMiB; content += count) {
      const auto read = (*reader)->read(buffer);
      if (!read) return 0;
      count = *read;
    }
  }
  return 0;
}
