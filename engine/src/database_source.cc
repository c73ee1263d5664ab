#include "database_source.h"

#include <utility>

#include "changed_places.h"
#include "file_stat.h"
#include "pagevault/sqlitesupport/sidecar_files.h"

namespace pagevault::engine {

namespace {

sqlitesupport::WalPosition position_of(const repo::WalPosition& recorded) {
  return {.salt = {recorded.salt1, recorded.salt2},
          .frames = recorded.frames,
          .checksum = {recorded.checksum1, recorded.checksum2}};
}

repo::WalPosition recorded(const sqlitesupport::WalPosition& position) {
  return {.salt1 = position.salt[0],
          .salt2 = position.salt[1],
          .frames = position.frames,
          .checksum1 = position.checksum[0],
          .checksum2 = position.checksum[1]};
}

std::optional<sqlitesupport::WalPosition> position_in(const repo::Entry* entry) {
  if (entry == nullptr || !entry->database || !entry->database->wal) return std::nullopt;
  return position_of(*entry->database->wal);
}

}  // namespace

Result<std::unique_ptr<DatabaseSource>> DatabaseSource::open(
    std::unique_ptr<sqlitesupport::ReadTransaction> transaction, Dir& dir, const std::string& name,
    const repo::Entry* parent) {
  std::unique_ptr<DatabaseSource> out(  // Private constructor.
      new DatabaseSource(std::move(transaction)));
  PV_TRY(out->open_files(dir, name));
  PV_TRY(out->open_image(parent));
  return out;
}

Status DatabaseSource::open_files(Dir& dir, const std::string& name) {
  PV_TRY_ASSIGN(file_, dir.open_file(name, OpenMode::Read));
  PV_TRY_ASSIGN(info_, file_->info());
  file_bytes_ = info_.size;
  if (!state().wal) return ok();
  auto wal = dir.open_file(name + std::string(sqlitesupport::kLogEnd), OpenMode::Read);
  const bool needed = state().wal->frames > 0 && !state().wal_is_in_file;
  if (wal) {
    wal_ = std::move(wal).value();
  } else if (needed || wal.error().code() != ErrorCode::NotFound) {
    return wal.error();
  }
  return ok();
}

Status DatabaseSource::open_image(const repo::Entry* parent) {
  // Whole extents are read around what changed, so frames that the parent had seen matter, too,
  // unless the database file has them all: then the log is only asked what changed.
  std::optional<sqlitesupport::WalPosition> since = position_in(parent);
  if (wal_ == nullptr || !state().wal_is_in_file) since.reset();
  PV_TRY_ASSIGN(auto image,
                sqlitesupport::DatabaseImage::open(state(), wal_.get(), {.since = since}));
  image_.emplace(std::move(image));
  info_.size = image_->length();
  if (parent != nullptr) changed_ = compare(*parent);
  return ok();
}

// The database file alone is the image.
bool DatabaseSource::lies_in_file() const {
  return !state().wal || state().wal->frames == 0 || state().wal_is_in_file;
}

std::optional<std::vector<ByteRange>> DatabaseSource::compare(const repo::Entry& parent) const {
  if (!parent.database || parent.database->stored_as_file || parent.page_size != page_size()) {
    return std::nullopt;
  }
  const repo::DatabaseRecord& before = *parent.database;
  const auto since = position_in(&parent);
  if (since && state().wal) {
    if (since == state().wal) return std::vector<ByteRange>{};
    if (wal_ != nullptr) return image_->changed_since(*since);
    return std::nullopt;
  }
  // Without logs: every transaction counts, and writes to the file while it does.
  const bool file_alone = lies_in_file() && !since;
  const bool unchanged = file_alone && before.change_counter == state().change_counter &&
                         before.page_count == state().page_count && !parent.racy &&
                         same_metadata(parent.info, info_);
  if (unchanged) return std::vector<ByteRange>{};
  return std::nullopt;
}

repo::DatabaseRecord DatabaseSource::record() const {
  const sqlitesupport::DatabaseState& seen = state();
  repo::DatabaseRecord out;
  out.journal = seen.journal == sqlitesupport::JournalMode::Wal ? repo::SqliteJournal::Wal
                                                                : repo::SqliteJournal::Rollback;
  out.page_count = seen.page_count;
  out.change_counter = seen.change_counter;
  out.schema_cookie = seen.schema_cookie;
  out.user_version = seen.user_version;
  out.application_id = seen.application_id;
  if (seen.wal) out.wal = recorded(*seen.wal);
  if (changed_) {
    out.pages_changed = bytes_in(*changed_) / page_size();
  }
  return out;
}

OverlaidBlockSource::Overlay DatabaseSource::overlay() {
  return [this](std::uint64_t offset, MutableBytes bytes, std::size_t) {
    return image_->overlay(offset, bytes);
  };
}

}  // namespace pagevault::engine
