// Content of a simulated regular file: sparse pages of 4 KiB, shared between copies until written.

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/env.h"

namespace pagevault::sim {

inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr std::uint64_t kSectorBytes = 512;

using Page = std::array<std::byte, kPageBytes>;

/// A value; copying costs one pointer per 256 KiB. Bytes past the size are zero inside pages.
class Content {
 public:
  std::uint64_t size() const { return size_; }
  /// Bytes of pages that are not holes.
  std::uint64_t allocated() const { return pages_used_ * kPageBytes; }
  /// Bytes a write of this range would add to allocated().
  std::uint64_t growth(ByteRange range) const;

  /// Fills `out` as far as the file goes; returns the bytes.
  std::size_t read(std::uint64_t offset, MutableBytes out) const;
  void write(std::uint64_t offset, ByteView data);
  void resize(std::uint64_t size);
  /// Makes the range zero, as far as the file goes; whole pages of it become holes.
  void punch(ByteRange range);

  /// Runs of pages that are not holes, clipped to the size.
  std::vector<ByteRange> ranges() const;

  /// Null for a hole.
  const Page* page(std::uint64_t index) const;
  /// The page for changing; a hole becomes a page of zeros.
  Page& edit(std::uint64_t index);
  /// Makes page `index` the one of `from`.
  void share(std::uint64_t index, const Content& from);
  /// Pages that are not the same object in both, ascending.
  std::vector<std::uint64_t> pages_unlike(const Content& other) const;

 private:
  static constexpr std::uint64_t kGroupPages = 64;
  // Shared by copies of a content; one that has a single owner is changed in place.
  using PagePointer = std::shared_ptr<Page>;
  using Group = std::array<PagePointer, kGroupPages>;

  PagePointer& slot(std::uint64_t index);
  void drop_from(std::uint64_t index);
  void zero_tail();

  std::map<std::uint64_t, std::shared_ptr<Group>> groups_;  // Shared as pages are.
  std::uint64_t pages_used_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace pagevault::sim
