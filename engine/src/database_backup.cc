#include "database_backup.h"

#include <fmt/format.h>

namespace pagevault::engine {

namespace {

constexpr unsigned kTogetherAttempts = 100;

}  // namespace

// When all are still current after the last has begun, all see the state of that moment.
Status DatabaseBackup::begin_together() {
  const BackupRequest& request = writer_.request();
  for (unsigned attempt = 0; attempt < kTogetherAttempts; ++attempt) {
    PV_TRY(writer_.workspace().cancel().check());
    begun_.clear();
    for (const std::string& path : request.paths) {
      PV_TRY_ASSIGN(begun_[path], request.databases->transactions->begin(path));
    }
    bool all_current = true;
    for (const auto& [path, transaction] : begun_) {
      PV_TRY_ASSIGN(const bool current, transaction->is_current());
      all_current = all_current && current;
    }
    if (all_current) return ok();
  }
  begun_.clear();
  return Error(ErrorCode::Locked,
               fmt::format("the databases were written to so often that no instant was found that "
                           "all of them share, in {} tries; try again, or leave out --together",
                           kTogetherAttempts));
}

Result<std::unique_ptr<sqlitesupport::ReadTransaction>> DatabaseBackup::transaction_on(
    const std::string& path) {
  const auto found = begun_.find(path);
  if (found == begun_.end()) return writer_.request().databases->transactions->begin(path);
  auto out = std::move(found->second);
  begun_.erase(found);
  return out;
}

Result<DatabaseBackup::Outcome> DatabaseBackup::store(WalkItem& item) {
  auto mapped = read(item);
  const bool is_none = !mapped && mapped.error().code() == ErrorCode::InvalidArgument;
  if (is_none && writer_.request().databases->as_file) {
    item.entry.database.emplace().stored_as_file = true;
    count(*item.entry.database);
    return Outcome::AsFile;
  }
  if (!mapped) {
    PV_TRY(writer_.skip_source(item.path, mapped.error()));
    return Outcome::Skipped;
  }
  count(*item.entry.database);
  writer_.count_file(item.entry, item.parent);
  PV_TRY(writer_.tree().add_file(std::move(item.entry), std::move(mapped->map)));
  return Outcome::Stored;
}

void DatabaseBackup::count(const repo::DatabaseRecord& record) {
  auto& changed = writer_.report().pages_changed;
  const bool known = changed && record.pages_changed;
  changed = known ? std::optional(*changed + *record.pages_changed) : std::nullopt;
}

// The entry's content becomes that of the transaction. Its locks are held until the last byte was
// read, not until it is stored.
Result<MappingResult> DatabaseBackup::read(WalkItem& item) {
  PV_TRY_ASSIGN(auto transaction, transaction_on(item.path));
  PV_TRY_ASSIGN(const auto database, DatabaseSource::open(std::move(transaction), *item.dir,
                                                          item.entry.name, item.parent));
  item.entry.info = database->info();
  item.entry.racy = is_racy(database->info(), writer_.workspace().env().now_ns());
  item.entry.page_size = database->page_size();
  item.entry.database = database->record();
  PV_TRY_ASSIGN(auto mapped, map(*database, item, /*all=*/writer_.request().force));
  if (mapped.differs) {
    writer_.observer().on_warning(
        item.path + ": differs where its log says it did not change; reading all of it");
    PV_TRY_ASSIGN(mapped, map(*database, item, /*all=*/true));
  }
  PV_TRY(database->end());
  return mapped;
}

Result<MappingResult> DatabaseBackup::map(DatabaseSource& database, const WalkItem& item,
                                          bool all) {
  MappingInput input = mapping_input(writer_, item, database.info(), /*trust=*/false);
  input.page_size = database.page_size();
  const std::uint64_t length = database.info().size;
  if (length > 0) input.data = {{0, length}};
  if (!all && database.changed()) {
    input.changed = database.changed();
    PV_TRY_ASSIGN(input.data, writer_.mapper().ranges_to_read(input));
  }
  File& file = database.file();
  return writer_.map_bytes(
      input, SnapshotWriter::Samples{&file, std::min(length, database.file_bytes())}, [&] {
        return std::make_unique<OverlaidBlockSource>(writer_.queue(), writer_.pool(), file,
                                                     input.data, database.overlay());
      });
}

}  // namespace pagevault::engine
