// The checksums that a backup_manifest holds.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

enum class ChecksumAlgorithm : std::uint8_t { None, Crc32c, Sha224, Sha256, Sha384, Sha512 };

/// As in a manifest ("CRC32C"), any case.
std::optional<ChecksumAlgorithm> checksum_algorithm(std::string_view name);
std::string_view to_text(ChecksumAlgorithm algorithm);
/// Bytes of its digest; 0 for None.
std::size_t digest_bytes(ChecksumAlgorithm algorithm);

/// The digest of CRC-32C as manifests of little-endian servers hold it: least significant byte
/// first.
Bytes crc32c_digest(std::uint32_t crc);

/// One file's checksum, piece by piece. Not thread-safe.
class FileChecksum {
 public:
  explicit FileChecksum(ChecksumAlgorithm algorithm);
  ~FileChecksum();
  FileChecksum(FileChecksum&&) noexcept;
  FileChecksum& operator=(FileChecksum&&) noexcept;

  void update(ByteView bytes);
  /// Once. Empty for None.
  Bytes finish();
  /// So far, with Crc32c; 0 otherwise.
  std::uint32_t crc32c() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pagevault::pgsupport
