#include "pagevault/engine/database_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "changed_pages.h"
#include "pagevault/sqlitesupport/database_header.h"

namespace pagevault::engine {
namespace {

using sqlitesupport::PageOwner;
using sqlitesupport::PageOwners;

constexpr std::uint64_t kExtentBytesKept = 8 * kMiB;
constexpr std::uint64_t kDatabasePagesMax = 4294967294;

Error undiffable(std::string problem) { return {ErrorCode::Unsupported, std::move(problem)}; }

// 0 for a database without pages, which has no page size yet.
Result<std::uint32_t> page_size_of(const repo::Entry& file) {
  if (!file.database) return undiffable("not stored as a database");
  if (file.info.size == 0) return std::uint32_t{0};
  if (file.page_size == 0) return undiffable("encrypted, or not a database");
  return file.page_size;
}

Result<std::uint32_t> common_page_size(const repo::Entry& before, const repo::Entry& after) {
  PV_TRY_ASSIGN(const std::uint32_t left, page_size_of(before));
  PV_TRY_ASSIGN(const std::uint32_t right, page_size_of(after));
  if (left != 0 && right != 0 && left != right) {
    return undiffable(fmt::format("pages of {} bytes before, of {} after", left, right));
  }
  const std::uint32_t size = std::max(left, right);
  if (size != 0 && repo::kSpanBytes % size != 0) {
    return undiffable(fmt::format("pages of {} bytes", size));
  }
  return size;
}

// An image and who has its pages.
class OwnedImage {
 public:
  static Result<std::unique_ptr<OwnedImage>> open(Workspace& workspace, ExtentCache& cache,
                                                  const repo::Entry& file,
                                                  std::uint32_t page_size) {
    std::unique_ptr<OwnedImage> out(new OwnedImage(workspace, cache, file, page_size));
    if (out->image_.page_count() > kDatabasePagesMax) return undiffable("too many pages");
    if (out->page_count() > 0) PV_TRY(out->walk(page_size));
    return out;
  }

  std::uint32_t page_count() const { return static_cast<std::uint32_t>(image_.page_count()); }
  PageImage& image() { return image_; }
  const PageOwners& owners() const { return owners_; }

 private:
  OwnedImage(Workspace& workspace, ExtentCache& cache, const repo::Entry& file,
             std::uint32_t page_size)
      : image_(workspace, cache, file, page_size), owners_(0) {}

  Status walk(std::uint32_t page_size) {
    PV_TRY_ASSIGN(const ByteView first, image_.page(1));
    if (sqlitesupport::sqlite_page_size(first) != page_size) {
      return undiffable("encrypted, or not a database");
    }
    const auto read = [this](std::uint32_t number) { return image_.page(number); };
    PV_TRY_ASSIGN(owners_, sqlitesupport::find_page_owners(read, page_size, page_count()));
    return ok();
  }

  PageImage image_;
  PageOwners owners_;
};

// Rows of the result by owner; those of both images with the same type and names share one.
class OwnerTable {
 public:
  OwnerTable(const PageOwners& before, const PageOwners& after)
      : row_before_(rows_of(before)), row_after_(rows_of(after)) {
    for (std::uint32_t page = 1; page <= before.page_count(); ++page) {
      ++rows_[row_before_[before.owner_of(page)]].pages_before;
    }
    for (std::uint32_t page = 1; page <= after.page_count(); ++page) {
      ++rows_[row_after_[after.owner_of(page)]].pages_after;
    }
  }

  // `owner`: as the image after numbers them.
  void count_changed(std::uint32_t owner) { ++rows_[row_after_[owner]].pages_changed; }

  std::vector<OwnerDifference> take_differing() {
    std::erase_if(rows_, [](const OwnerDifference& row) {
      return row.pages_changed == 0 && row.pages_before == row.pages_after;
    });
    std::ranges::sort(rows_, std::ranges::greater(), [](const OwnerDifference& row) {
      const auto [less, more] = std::minmax(row.pages_before, row.pages_after);
      return std::tuple(row.pages_changed, more - less);
    });
    return std::move(rows_);
  }

 private:
  using Key = std::tuple<sqlitesupport::PageOwnerType, std::string, std::string>;

  std::vector<std::size_t> rows_of(const PageOwners& owners) {
    std::vector<std::size_t> out;
    for (const PageOwner& owner : owners.owners()) {
      const auto [at, is_new] =
          by_owner_.try_emplace({owner.type, owner.name, owner.table}, rows_.size());
      if (is_new) rows_.push_back({.owner = owner});
      out.push_back(at->second);
    }
    return out;
  }

  std::map<Key, std::size_t> by_owner_;
  std::vector<OwnerDifference> rows_;
  std::vector<std::size_t> row_before_;
  std::vector<std::size_t> row_after_;
};

class DatabaseComparison {
 public:
  DatabaseComparison(OwnedImage& before, OwnedImage& after, std::uint32_t page_size)
      : before_(before),
        after_(after),
        page_size_(page_size),
        owners_(before.owners(), after.owners()) {}

  void count_changed(std::uint32_t page) {
    ++pages_changed_;
    owners_.count_changed(after_.owners().owner_of(page));
  }

  DatabaseDiff finish() {
    for (std::uint32_t page = pages_in_both(); page < after_.page_count(); ++page) {
      count_changed(page + 1);
    }
    return {.page_size = page_size_,
            .pages_before = before_.page_count(),
            .pages_after = after_.page_count(),
            .pages_changed = pages_changed_,
            .owners = owners_.take_differing(),
            .complete = before_.owners().complete() && after_.owners().complete()};
  }

 private:
  std::uint32_t pages_in_both() const {
    return std::min(before_.page_count(), after_.page_count());
  }

  OwnedImage& before_;
  OwnedImage& after_;
  std::uint32_t page_size_;
  OwnerTable owners_;
  std::uint32_t pages_changed_ = 0;
};

}  // namespace

Result<DatabaseDiff> diff_databases(Workspace& workspace, const repo::Entry& before,
                                    const repo::Entry& after) {
  PV_TRY_ASSIGN(const std::uint32_t page_size, common_page_size(before, after));
  if (page_size == 0) return DatabaseDiff{};
  ExtentCache cache(workspace, kExtentBytesKept);
  PV_TRY_ASSIGN(const auto left, OwnedImage::open(workspace, cache, before, page_size));
  PV_TRY_ASSIGN(const auto right, OwnedImage::open(workspace, cache, after, page_size));
  DatabaseComparison comparison(*left, *right, page_size);
  PV_TRY(visit_changed_pages(workspace, {before, left->image()}, {after, right->image()}, page_size,
                             [&comparison](std::uint64_t page) {
                               comparison.count_changed(static_cast<std::uint32_t>(page));
                             }));
  DatabaseDiff diff = comparison.finish();
  diff.bytes_read = cache.bytes_read();
  return diff;
}

}  // namespace pagevault::engine
