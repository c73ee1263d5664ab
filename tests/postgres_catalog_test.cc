// Names of relation files from catalogs made by hand. postgres_catalog_e2e.py compares those of
// real servers with what they say themselves.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "catalog_samples.h"
#include "relation_map.h"

namespace pagevault::testing {
namespace {

using pgsupport::Catalog;

std::string text_of(const Result<std::optional<pgsupport::RelationName>>& name) {
  if (!name) return name.error().message();
  if (!*name) return "no name";
  const pgsupport::RelationName& found = **name;
  return fmt::format("{}.{}.{} {}{}{}", found.database, found.schema, found.name, found.kind,
                     found.toast_of.empty() ? "" : " of ", found.toast_of);
}

class Names {
 public:
  explicit Names(const SampleCluster& cluster, std::size_t piece_bytes = 10'007)
      : Names(cluster.version, cluster.reader(piece_bytes)) {}
  Names(std::uint32_t version, pgsupport::CatalogFileReader read)
      : catalog_(std::move(Catalog::open(version, kSampleBlockBytes, std::move(read))).value()) {}

  std::string of(std::string_view path) {
    return text_of(catalog_.name_of(*pgsupport::parse_relation_file(path)));
  }

 private:
  Catalog catalog_;
};

TEST(PostgresCatalog, NamesEveryKindOfRelationInEveryKnownVersion) {
  for (std::uint32_t version = 13; version <= 18; ++version) {
    SCOPED_TRACE(version);
    SampleCluster cluster(
        version,
        {{.oid = 16384, .name = "orders", .file = 16390, .toast = 16387},
         {.oid = 16385, .name = "orders_pkey", .file = 16385, .kind = 'i'},
         {.oid = 16387, .name = "pg_toast_16384", .file = 16391, .kind = 't', .schema = 11},
         {.oid = 16400, .name = "a view", .kind = 'v'}});
    Names names(cluster);
    EXPECT_EQ(names.of("base/5/16390"), "app.public.orders r");
    EXPECT_EQ(names.of("base/5/16390_vm.3"), "app.public.orders r");
    EXPECT_EQ(names.of("base/5/16385"), "app.public.orders_pkey i");
    EXPECT_EQ(names.of("base/5/16391"), "app.pg_catalog.pg_toast_16384 t of public.orders");
    EXPECT_EQ(names.of("base/5/6000"), "app.pg_catalog.pg_class r") << "by the map";
    EXPECT_EQ(names.of("global/7001"), ".pg_catalog.pg_authid r") << "by the global map";
    for (const std::string_view path : {"base/5/16384", "base/5/1259", "base/4/16390",
                                        "global/1260", "pg_tblspc/9/PG_17_1/5/16390"}) {
      EXPECT_EQ(names.of(path), "no name") << path;
    }
  }
}

TEST(PostgresCatalog, RefusesWhatItDoesNotKnow) {
  const SampleCluster cluster(17);
  for (const std::uint32_t version : {0U, 12U, 19U}) {
    const auto refused = Catalog::open(version, 8192, cluster.reader());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Unsupported);
  }
  for (const std::uint32_t block_bytes : {0U, 512U, 8191U, 65536U}) {
    const auto refused = Catalog::open(17, block_bytes, cluster.reader());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Corrupt);
  }
}

TEST(PostgresCatalog, FollowsADatabaseIntoItsTablespace) {
  for (const std::uint32_t version : {14U, 17U}) {
    SampleCluster cluster(version);
    const std::string folder = fmt::format("pg_tblspc/16400/PG_{}_202406281/16401", version);
    cluster.files["global/1262"] = pages_of(
        {database_sample(version, 5, "app"), database_sample(version, 16401, "far", 16400)});
    cluster.files["global/pg_control"] = Bytes(8192);
    store_le32(MutableBytes(cluster.files["global/pg_control"]).subspan(12), 202406281);
    cluster.files[folder + "/pg_filenode.map"] = cluster.files["base/5/pg_filenode.map"];
    cluster.files[folder + "/2615"] = cluster.files["base/5/2615"];
    cluster.set_classes({{.oid = 16402, .name = "there", .file = 16402},
                         {.oid = 16403, .name = "here", .file = 16403, .tablespace = 1663}},
                        folder);
    Names names(cluster);
    EXPECT_EQ(names.of(folder + "/16402"), "far.public.there r");
    EXPECT_EQ(names.of("base/16401/16403"), "far.public.here r");
    EXPECT_EQ(names.of("base/16401/16402"), "no name");
  }
}

TEST(PostgresCatalog, ReadsAllSegmentsHoweverTheirBytesCome) {
  SampleCluster cluster(17, {{.oid = 20000, .name = "first", .file = 20000}});
  std::vector<SampleRow> rows;
  std::vector<std::string> texts(300);
  for (std::uint32_t i = 0; i < 300; ++i) {
    texts[i] = fmt::format("t{}", i);
    rows.push_back(class_sample(17, {.oid = 30000 + i, .name = texts[i], .file = 30000 + i}));
  }
  cluster.files["base/5/6000.1"] = pages_of(rows);
  cluster.files["base/5/6000.2"] =
      pages_of({class_sample(17, {.oid = 40000, .name = "last", .file = 40000})});
  append(cluster.files["base/5/6000.1"], Bytes(100, std::byte{7}));  // Part of a block: no row.
  for (const std::size_t piece_bytes : {1U, 4096U, 8191U, 8192U, 8193U, 1U << 20U}) {
    Names names(cluster, piece_bytes);
    EXPECT_EQ(names.of("base/5/20000"), "app.public.first r") << piece_bytes;
    EXPECT_EQ(names.of("base/5/30000"), "app.public.t0 r") << piece_bytes;
    EXPECT_EQ(names.of("base/5/30299"), "app.public.t299 r") << piece_bytes;
    EXPECT_EQ(names.of("base/5/40000"), "app.public.last r") << piece_bytes;
  }
}

/// The name that one row with this header gives its file. In the log 1000 is committed, 1001
/// aborted, 1002 in progress, and a segment of it is missing for 3,000,000.
std::string seen(const RowHeader& header) {
  SampleCluster cluster(17, {{.oid = 16384, .name = "t", .file = 16384, .header = header}});
  Bytes log(8192);
  log[250] = std::byte{0b00'00'10'01};
  cluster.files["pg_xact/0000"] = log;
  return Names(cluster).of("base/5/16384");
}

TEST(PostgresCatalog, GoesByHintBitsThenByTheTransactionLog) {
  const std::string yes = "app.public.t r";
  const std::string no = "no name";
  EXPECT_EQ(seen({.xmin = 1001, .infomask = kMade | kNeverGone}), yes) << "hints first";
  EXPECT_EQ(seen({.xmin = 1000, .infomask = kNeverMade | kNeverGone}), no);
  EXPECT_EQ(seen({.xmin = 1001, .infomask = kFrozen | kNeverGone}), yes);
  EXPECT_EQ(seen({.xmin = 1000, .infomask = kNeverGone}), yes);
  EXPECT_EQ(seen({.xmin = 1001, .infomask = kNeverGone}), no);
  EXPECT_EQ(seen({.xmin = 1, .infomask = kNeverGone}), yes) << "of initdb";
  EXPECT_EQ(seen({.xmin = 0, .infomask = kNeverGone}), no);
  EXPECT_EQ(seen({.xmax = 0, .infomask = kFrozen}), yes);
  EXPECT_EQ(seen({.xmax = 1001, .infomask = kFrozen | kGone}), no);
  EXPECT_EQ(seen({.xmax = 1000, .infomask = kFrozen | kNeverGone}), yes);
  EXPECT_EQ(seen({.xmax = 1000, .infomask = kFrozen}), no);
  EXPECT_EQ(seen({.xmax = 1001, .infomask = kFrozen}), yes);
  EXPECT_EQ(seen({.xmax = 1000, .infomask = kFrozen | kOnlyLocked | kExclusivelyLocked}), yes);
  EXPECT_EQ(seen({.xmax = 1000, .infomask = kFrozen | kExclusivelyLocked}), yes);
  EXPECT_EQ(seen({.xmax = 1000, .infomask = kFrozen | kExclusivelyLocked | kKeyShareLocked}), no);
  EXPECT_EQ(seen({.xmin = 1002, .xmax = 1002, .infomask = 0}), no) << "replaced by its maker";
  // Undecided: there is nothing newer.
  EXPECT_EQ(seen({.xmin = 1002, .infomask = kNeverGone}), yes);
  EXPECT_EQ(seen({.xmax = 1002, .infomask = kFrozen}), yes);
  EXPECT_EQ(seen({.xmin = 3'000'000, .infomask = kNeverGone}), yes);
  EXPECT_EQ(seen({.xmax = 1000, .infomask = kFrozen | kManyLockers}), yes);
}

TEST(PostgresCatalog, OfUndecidedVersionsTheNewestCountsAndALiveOneBeforeThem) {
  const auto version = [](std::uint32_t xmin, std::string_view name, std::uint16_t infomask) {
    return ClassSample{
        .oid = 16384, .name = name, .file = 16384, .header = {.xmin = xmin, .infomask = infomask}};
  };
  constexpr std::uint16_t kUndecided = kNeverGone;
  const auto name_of = [](std::vector<ClassSample> versions) {
    const std::string name = Names(SampleCluster(17, versions)).of("base/5/16384");
    std::ranges::reverse(versions);
    EXPECT_EQ(Names(SampleCluster(17, versions)).of("base/5/16384"), name);
    return name;
  };
  EXPECT_EQ(name_of({version(900, "old", kUndecided), version(901, "new", kUndecided)}),
            "app.public.new r");
  EXPECT_EQ(name_of({version(UINT32_MAX, "old", kUndecided), version(5, "new", kUndecided)}),
            "app.public.new r")
      << "numbers of transactions wrap around";
  EXPECT_EQ(name_of({version(900, "live", kMade | kNeverGone), version(901, "new", kUndecided)}),
            "app.public.live r");
}

TEST(PostgresCatalog, WhatIsNotThereOrDamagedHasNoNameAndTheRestHas) {
  const SampleCluster whole(17, {{.oid = 16384, .name = "t", .file = 16384}});
  for (const auto& [path, content] : whole.files) {
    SampleCluster cluster = whole;
    cluster.files.erase(path);
    EXPECT_EQ(Names(cluster).of("base/5/16384"), path == "base/5/2615" ? "app..t r" : "no name")
        << path;
  }
  SampleCluster cluster = whole;
  cluster.files["global/pg_filenode.map"][20] ^= std::byte{1};
  EXPECT_EQ(Names(cluster).of("base/5/16384"), "no name");
}

TEST(PostgresCatalog, ARepositorysErrorIsSaidOnceForEachDatabase) {
  const SampleCluster cluster(17, {{.oid = 16384, .name = "t", .file = 16384}});
  Names names(17, [read = cluster.reader()](const std::string& path, const auto& sink) -> Status {
    if (path == "base/5/6000") return Error(ErrorCode::Corrupt, "bad chunk");
    return read(path, sink);
  });
  EXPECT_EQ(names.of("base/5/16384"), "bad chunk");
  EXPECT_EQ(names.of("base/5/16384"), "no name");
  EXPECT_EQ(names.of("global/7001"), "no name");
}

// covers F6.3 S15
TEST(PostgresCatalog, AnEndlessFileEnds) {
  const SampleCluster cluster(17, {{.oid = 16384, .name = "t", .file = 16384}});
  for (const std::string endless :
       {"base/5/6000.1", "base/5/2615", "base/5/pg_filenode.map", "global/pg_filenode.map",
        "global/pg_control", "pg_xact/0000"}) {
    std::uint64_t bytes = 0;
    const auto read = [&](const std::string& path, const auto& sink) -> Status {
      if (path != endless) return cluster.reader()(path, sink);
      const Bytes zeros(8 * kMiB);
      for (;;) {
        bytes += zeros.size();
        PV_TRY(sink(zeros));
      }
    };
    Names(17, read).of("base/5/16384");
    EXPECT_LE(bytes, 4 * kGiB + 8 * kMiB) << endless;
  }
}

// covers F6.3 S15
TEST(PostgresCatalog, LooksIntoFewSegmentsOfTheTransactionLog) {
  SampleCluster cluster(17);
  std::vector<SampleRow> rows;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    rows.push_back(class_sample(17, {.oid = 20000 + i,
                                     .name = "t",
                                     .file = 20000 + i,
                                     .header = {.xmin = i << 20U | 7U, .infomask = kNeverGone}}));
  }
  cluster.files["base/5/6000.1"] = pages_of(rows);
  std::uint32_t reads = 0;
  Names names(17, [&](const std::string& path, const auto& sink) {
    reads += path.starts_with("pg_xact/") ? 1U : 0U;
    return cluster.reader()(path, sink);
  });
  EXPECT_EQ(names.of("base/5/23999"), "app.public.t r");
  EXPECT_EQ(reads, 64U);
}

// covers F6.5 S16
TEST(PostgresCatalog, SurvivesMutatedFiles) {
  constexpr std::uint64_t kSeed = 61;
  std::mt19937_64 random(kSeed);
  const SampleCluster whole(17, {{.oid = 16384, .name = "orders", .file = 16384, .toast = 16385},
                                 {.oid = 16385, .name = "toast", .file = 16385, .kind = 't'}});
  for (int round = 0; round < 20'000; ++round) {
    SampleCluster cluster = whole;
    for (auto& [path, content] : cluster.files) {
      if (path.ends_with(".map")) continue;
      for (std::uint64_t edits = random() % 5; edits > 0; --edits) {
        // Half of them in the header and line pointers.
        const std::uint64_t range = random() % 2 == 0 ? 48 : content.size();
        content[random() % range] = static_cast<std::byte>(random());
      }
    }
    Names names(cluster);
    for (const std::string_view path : {"base/5/16384", "base/5/16385", "global/7001"}) {
      EXPECT_FALSE(names.of(path).empty()) << "seed " << kSeed << " round " << round;
    }
  }
}

Bytes golden(const std::string& name) {
  std::ifstream in(std::string(PAGEVAULT_GOLDEN_DIR) + "/postgres_catalog/" + name,
                   std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  return to_bytes(as_bytes(content.str()));
}

TEST(RelationMapFile, OfRealServersSaysWhereTheCatalogsAre) {
  const auto of_15 = pgsupport::parse_relation_map(golden("postgresql-15.map"));
  ASSERT_TRUE(of_15) << of_15.error().message();
  EXPECT_EQ(of_15->at(1259), 16414U);
  EXPECT_EQ(of_15->at(1249), 1249U);
  const auto of_17 = pgsupport::parse_relation_map(golden("postgresql-17.map"));
  ASSERT_TRUE(of_17) << of_17.error().message();
  EXPECT_EQ(of_17->at(1259), 16414U);
  EXPECT_EQ(of_17->size(), of_15->size());
}

// covers F6.5
TEST(RelationMapFile, DamagedOrCutIsCorrupt) {
  for (const std::string name : {"postgresql-15.map", "postgresql-17.map"}) {
    Bytes map = golden(name);
    for (std::size_t bit = 0; bit < map.size() * 8; ++bit) {
      const std::byte mask{static_cast<unsigned char>(1U << bit % 8)};
      map[bit / 8] ^= mask;
      const bool is_padding = map.size() == 512 && bit / 8 >= 508;
      EXPECT_EQ(pgsupport::parse_relation_map(map).has_value(), is_padding) << bit;
      map[bit / 8] ^= mask;
    }
    for (std::size_t length = 0; length < map.size(); ++length) {
      const auto cut = pgsupport::parse_relation_map(ByteView(map).first(length));
      ASSERT_FALSE(cut) << length;
      EXPECT_EQ(cut.error().code(), ErrorCode::Corrupt);
    }
  }
}

TEST(RelationMapFile, WithMoreMappingsThanItHoldsIsCorrupt) {
  Bytes map = map_bytes(17, {{1259, 1}});
  const MutableBytes bytes(map);
  for (const std::uint32_t count : {64U, 65U, UINT32_MAX}) {
    store_le32(bytes.subspan(4), count);
    store_le32(bytes.subspan(520), crc32c(bytes.first(520)));
    EXPECT_EQ(pgsupport::parse_relation_map(map).has_value(), count <= 64) << count;
  }
}

}  // namespace
}  // namespace pagevault::testing
