// The 512-byte header of a tar member, ustar or GNU, as far as base backups use it: regular files,
// directories, symbolic links. Source: PostgreSQL, src/port/tar.c; POSIX.1-2017, pax, "ustar
// Interchange Format".

#pragma once

#include <array>
#include <cstddef>

#include "pagevault/pgsupport/archive_reader.h"

namespace pagevault::pgsupport {

inline constexpr std::size_t kTarBlockBytes = 512;

/// Bytes that fill up the last block of a member with `size` bytes.
constexpr std::size_t tar_padding(std::uint64_t size) {
  return static_cast<std::size_t>((kTarBlockBytes - size % kTarBlockBytes) % kTarBlockBytes);
}

/// `block`: kTarBlockBytes (checked). The path is in normal form, and empty for the root itself
/// ("./"). Errors: Corrupt (magic, checksum, numbers, types and names that have no place there).
Result<ArchiveMember> parse_tar_header(ByteView block);

/// Errors: InvalidArgument (what parse_tar_header refuses, or the fields cannot hold).
Result<std::array<std::byte, kTarBlockBytes>> format_tar_header(const ArchiveMember& member);

}  // namespace pagevault::pgsupport
