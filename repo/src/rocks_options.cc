#include "rocks_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <memory>

#include "pagevault/base/bytes.h"

namespace pagevault::repo {

namespace {

// RocksDB's log would be a second place for messages, and costs a file and a rename at each open.
class SilentLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// A chunk's places, oldest first: new records are put behind the old ones without reading them.
class AppendPlaces final : public rocksdb::AssociativeMergeOperator {
 public:
  bool Merge(const rocksdb::Slice&, const rocksdb::Slice* existing, const rocksdb::Slice& added,
             std::string* out, rocksdb::Logger*) const override {
    out->clear();
    if (existing != nullptr) out->assign(existing->data(), existing->size());
    out->append(added.data(), added.size());
    return true;
  }
  const char* Name() const override { return "pagevault.append_places"; }
};

rocksdb::BlockBasedTableOptions table_options(std::shared_ptr<rocksdb::Cache> cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = std::move(cache);
  table.format_version = 5;
  table.block_size = 4 * kKiB;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Filters and indexes live in the block cache, in pieces of one block: memory has one limit, and
  // an index larger than that gets slower by a read, not by megabytes of filter per look-up.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.pin_top_level_index_and_filter = true;
  table.metadata_block_size = 4 * kKiB;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  return table;
}

void set_memory(rocksdb::Options& options, std::uint64_t memory_max) {
  const std::uint64_t memtables = std::max<std::uint64_t>(memory_max / 3, 2 * kMiB);
  auto cache = rocksdb::NewLRUCache(memory_max, /*num_shard_bits=*/4,
                                    /*strict_capacity_limit=*/false, /*high_pri_pool_ratio=*/0.5);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(cache)));
  // Memtables take their share of the cache, so that the sum has one limit.
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(memtables, std::move(cache));
  options.write_buffer_size = memtables / 2;
  options.max_write_buffer_number = 2;
  options.arena_block_size = 1 * kMiB;
}

// Ids are spread evenly, so every run overlaps every other: merging runs of like size writes each
// record least often, and the small run that each backup adds never makes a large one move.
void set_compaction(rocksdb::Options& options) {
  options.compaction_style = rocksdb::kCompactionStyleUniversal;
  options.level0_file_num_compaction_trigger = 4;
  options.target_file_size_base = 128 * kMiB;
  options.compression = rocksdb::kNoCompression;  // Ids are random.
  options.max_background_jobs = 2;
}

// An unchanged backup opens, looks and closes: nothing may start on its own.
void set_fast_open(rocksdb::Options& options) {
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_open_files = 256;
  options.max_file_opening_threads = 1;  // 16 by default, made anew at each open for a dozen files.
  options.info_log = std::make_shared<SilentLogger>();
}

}  // namespace

rocksdb::Options rocks_options(std::uint64_t memory_max) {
  rocksdb::Options options;
  options.merge_operator = std::make_shared<AppendPlaces>();
  set_memory(options, memory_max);
  set_compaction(options);
  set_fast_open(options);
  return options;
}

}  // namespace pagevault::repo
