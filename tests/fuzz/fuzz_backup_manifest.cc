// Any text as a manifest, with the right checksum on its last line, so that the JSON before it is
// read: refused, or written again and read as the same. Paths that come out are in normal form.

#include <string>

#include "pagevault/pgsupport/backup_manifest.h"

using namespace pagevault;
using namespace pagevault::pgsupport;

namespace {

std::string sealed(std::string text) {
  text += '\n';
  FileChecksum sum(ChecksumAlgorithm::Sha256);
  sum.update(as_bytes(text));
  return text + "\"Manifest-Checksum\": \"" + to_hex(sum.finish()) + "\"}\n";
}

std::string written(const BackupManifest& manifest) {
  std::string out;
  ManifestWriter writer(manifest.system_identifier, [&out](ByteView bytes) {
    out += as_text(bytes);
    return ok();
  });
  for (const ManifestFile& file : manifest.files) PV_CHECK(writer.add(file));
  PV_CHECK(writer.finish(manifest.wal_ranges));
  return out;
}

void check_same(const ManifestFile& a, const ManifestFile& b) {
  PV_CHECK(a.path == b.path && a.size == b.size && a.last_modified == b.last_modified);
  PV_CHECK(a.algorithm == b.algorithm && a.checksum == b.checksum);
  const std::string path = "/" + a.path + "/";
  PV_CHECK(path.find("//") == path.npos && path.find("/../") == path.npos);
  PV_CHECK(a.checksum.size() == digest_bytes(a.algorithm));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  parse_backup_manifest(input).ignore("no crash is what is asked for");
  const auto manifest = parse_backup_manifest(as_bytes(sealed(std::string(as_text(input)))));
  if (!manifest) return 0;
  const auto again = parse_backup_manifest(as_bytes(written(*manifest)));
  PV_CHECK(again.has_value() && again->system_identifier == manifest->system_identifier);
  PV_CHECK(again->wal_ranges == manifest->wal_ranges);
  PV_CHECK(again->files.size() == manifest->files.size());
  for (std::size_t i = 0; i < again->files.size(); ++i) {
    check_same(manifest->files[i], again->files[i]);
  }
  return 0;
}
