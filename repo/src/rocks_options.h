// How the RocksDB index is set up: a cache that is opened by short programs and may grow to
// hundreds of millions of records. Reasons and measurements: docs/adr/0006-index-cache.md.

#pragma once

#include <rocksdb/options.h>

#include <cstdint>

namespace pagevault::repo {

/// Block cache, memtables, filters and table indexes together stay near `memory_max` bytes.
rocksdb::Options rocks_options(std::uint64_t memory_max);

/// Sorted runs that a flush leaves at most, once it has waited for what was under way.
inline constexpr int kSortedRunsMax = 6;

}  // namespace pagevault::repo
