// Which tables and indexes of a SQLite database changed between two snapshots.

#pragma once

#include <cstdint>
#include <vector>

#include "pagevault/engine/workspace.h"
#include "pagevault/repo/directory_entry.h"
#include "pagevault/sqlitesupport/page_owners.h"

namespace pagevault::engine {

/// A table, an index, or one of the other owners of pages, as it was before and is after.
struct OwnerDifference {
  sqlitesupport::PageOwner owner;
  std::uint32_t pages_before = 0;
  std::uint32_t pages_after = 0;
  /// Of those after: where the page of this number was not there before or held other bytes,
  /// whoever had it.
  std::uint32_t pages_changed = 0;
};

struct DatabaseDiff {
  std::uint32_t page_size = 0;
  std::uint32_t pages_before = 0;
  std::uint32_t pages_after = 0;
  std::uint32_t pages_changed = 0;
  /// Those of which a number differs or a page changed; most changed pages first, then those whose
  /// size changed most.
  std::vector<OwnerDifference> owners;
  /// Every page of both images has an owner. If not, the images are damaged, or a database that
  /// was stored as a file while it changed.
  bool complete = true;
  std::uint64_t bytes_read = 0;  ///< Plain bytes of the chunks that were decoded for it.
};

/// Compares two images of a database page by page where their maps differ, and counts by owner.
/// What was dropped and made again under its name is the same.
///
/// Reads the chunks that differ, and of each image those with the roots and inner pages of its
/// trees; when rows overflow their pages, up to all of it (sqlitesupport/page_owners.h).
/// Memory: about 12 bytes for each page of both, and about 16 MiB.
/// The index must be as new as the snapshots (Workspace::refresh_index).
/// Errors: Unsupported (no database record on one side, other page sizes, encrypted or no database
///   after all); NotFound, Corrupt, AuthFailed, Io (the repository's); Cancelled.
Result<DatabaseDiff> diff_databases(Workspace& workspace, const repo::Entry& before,
                                    const repo::Entry& after);

}  // namespace pagevault::engine
