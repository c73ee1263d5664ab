// Real SQLite databases for tests: writing them, and what SQLite itself says their bytes are.

#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/linux_env.h"
#include "pagevault/sqlitesupport/database_image.h"
#include "pagevault/sqlitesupport/read_transaction.h"
#include "scratch_dir.h"

namespace pagevault::testing {

/// A connection that may write. Fails the test where SQLite fails, unless said otherwise.
class Database {
 public:
  explicit Database(const std::string& path) {
    sqlite3* opened = nullptr;
    EXPECT_EQ(sqlite3_open(path.c_str(), &opened), SQLITE_OK);
    db_.reset(opened);
    sqlite3_busy_timeout(opened, 2000);
  }
  int try_run(const std::string& sql) {
    return sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  }
  void run(const std::string& sql) {
    ASSERT_EQ(try_run(sql), SQLITE_OK) << sql << ": " << sqlite3_errmsg(db_.get());
  }
  /// First column of the first row, or "".
  std::string ask(const std::string& sql) {
    std::string answer;
    const auto keep = [](void* to, int, char** values, char**) {
      if (values[0] != nullptr) *static_cast<std::string*>(to) = values[0];
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db_.get(), sql.c_str(), keep, &answer, nullptr), SQLITE_OK)
        << sql << ": " << sqlite3_errmsg(db_.get());
    return answer;
  }
  /// Stays open as if its process was killed: neither a checkpoint nor removed files at the end.
  void keep_log() { sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }
  void close() { db_.reset(); }
  sqlite3* handle() { return db_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::unique_ptr<sqlite3, Close> db_;
};

/// Every page as SQLite reads it now.
inline Bytes serialized(Database& database) {
  sqlite3_int64 size = 0;
  const std::unique_ptr<unsigned char, void (*)(void*)> data(
      sqlite3_serialize(database.handle(), "main", &size, 0), sqlite3_free);
  EXPECT_NE(data, nullptr);
  return to_bytes(std::as_bytes(std::span(data.get(), static_cast<std::size_t>(size))));
}

/// The result of sqlite3_backup now.
inline Bytes backed_up(Database& database) {
  const ScratchDir scratch;
  Database copy(scratch.path() + "/copy.db");
  copy.run("PRAGMA page_size=" + database.ask("PRAGMA page_size"));
  sqlite3_backup* backup = sqlite3_backup_init(copy.handle(), "main", database.handle(), "main");
  EXPECT_NE(backup, nullptr);
  EXPECT_EQ(sqlite3_backup_step(backup, -1), SQLITE_DONE);
  sqlite3_backup_finish(backup);
  return serialized(copy);
}

/// Zeroes what sqlite3_backup sets in its copy: the versions (18, 19), the change counter, the
/// schema cookie, and the version-valid-for with SQLite's own number.
inline Bytes without_marks_of_backup(Bytes image) {
  const auto clear = [&image](std::size_t at, std::size_t count) {
    std::fill_n(image.begin() + static_cast<std::ptrdiff_t>(at), count, std::byte{0});
  };
  clear(18, 2);
  clear(24, 4);
  clear(40, 4);
  clear(92, 8);
  return image;
}

/// Reads images by raw descriptors and keeps these open as long as it lives: closing one would drop
/// the locks of this process's connections (F8.11).
class RawReader {
 public:
  explicit RawReader(const std::string& dir)
      : env_(make_linux_env({.io = LinuxEnvOptions::Io::ThreadPool})),
        dir_(env_->open_dir(dir).value()) {}

  Result<sqlitesupport::DatabaseImage> open(const std::string& name,
                                            const sqlitesupport::DatabaseState& state,
                                            sqlitesupport::DatabaseImage::Options options = {}) {
    File* const log = state.wal && state.wal->frames > 0 ? keep(name + "-wal") : nullptr;
    return sqlitesupport::DatabaseImage::open(state, log, options);
  }

  /// The whole image, overlaid in pieces of `piece_pages`.
  Bytes read(const std::string& name, const sqlitesupport::DatabaseState& state,
             std::uint32_t piece_pages = 7) {
    const auto image = open(name, state);
    EXPECT_TRUE(image) << image.error().message();
    if (!image) return {};
    File* const file = keep(name);
    Bytes bytes(image->length());
    EXPECT_TRUE(file->read_at(0, bytes));
    const std::uint64_t piece = std::uint64_t{piece_pages} * state.page_size;
    for (std::uint64_t at = 0; at < bytes.size(); at += piece) {
      const auto part = MutableBytes(bytes).subspan(at, std::min(piece, bytes.size() - at));
      const Status overlaid = image->overlay(at, part);
      EXPECT_TRUE(overlaid) << overlaid.error().message();
    }
    return bytes;
  }

  File* keep(const std::string& name) {
    files_.push_back(dir_->open_file(name, OpenMode::Read).value());
    return files_.back().get();
  }

 private:
  std::unique_ptr<Env> env_;
  std::unique_ptr<Dir> dir_;
  std::vector<std::unique_ptr<File>> files_;
};

/// 1 + the first page that differs, 0 when the images are equal.
inline std::size_t first_difference(ByteView a, ByteView b, std::uint32_t page_size) {
  for (std::size_t at = 0; at < std::max(a.size(), b.size()); at += page_size) {
    const auto page = [at, page_size](ByteView of) {
      return at < of.size() ? of.subspan(at, std::min<std::size_t>(page_size, of.size() - at))
                            : ByteView();
    };
    if (!equal_bytes(page(a), page(b))) return at / page_size + 1;
  }
  return 0;
}

}  // namespace pagevault::testing
