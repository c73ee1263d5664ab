// A process that changes the database of a World.
//
// Beside another writer none leaves WAL mode, since that loses transactions in SQLite itself
// (3.40.1, about one seed of 1,500): `PRAGMA journal_mode = delete` by one connection, when there
// is no log yet, waits for its EXCLUSIVE lock; meanwhile another begins a log, commits to it and
// closes, which cannot bring the log's content to the file as the first holds SHARED; the first
// then goes on as if there were no log. A reader has no transactions to lose.

#pragma once

#include <cstdint>

#include "sqlite_vfs/world.h"

namespace pagevault::testing {

enum class WriterRole : std::uint8_t {
  Alone,   ///< Transactions, VACUUM, page sizes, journal modes, checkpoints; dies now and then.
  First,   ///< The same beside another writer, without what changes the journal mode.
  Second,  ///< Transactions and checkpoints only; does not die.
};

/// Spawns it. It stops after `operations_max`, or when the world is told to.
void spawn_writer(World& world, WriterRole role, unsigned operations_max);

}  // namespace pagevault::testing
