#include "database_totals.h"

#include "pagevault/engine/tree.h"

namespace pagevault::cli {
namespace {

void add(DatabaseTotals& totals, const repo::DatabaseRecord& record) {
  ++totals.databases;
  totals.pages += record.page_count;
  if (!record.pages_changed) totals.pages_changed.reset();
  if (totals.pages_changed) *totals.pages_changed += *record.pages_changed;
}

}  // namespace

Result<DatabaseTotals> database_totals(engine::Workspace& workspace,
                                       const repo::Snapshot& snapshot) {
  DatabaseTotals totals;
  const auto visit = [&](const std::string&, const repo::Entry& entry) -> Result<bool> {
    PV_TRY(workspace.cancel().check());
    if (entry.database && !entry.database->stored_as_file) add(totals, *entry.database);
    return true;
  };
  PV_TRY(engine::walk_tree(workspace, engine::root_entry(snapshot), "", visit));
  return totals;
}

}  // namespace pagevault::cli
