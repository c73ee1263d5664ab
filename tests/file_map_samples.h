// Span nodes, map roots and directory entries for tests: random ones from a seed, and those of the
// golden files in golden/file_map/v1.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "pagevault/repo/directory_entry.h"
#include "pagevault/repo/file_map.h"

namespace pagevault::repo {

class RandomSamples {
 public:
  explicit RandomSamples(std::uint64_t seed) : random_(seed) {
    testing::Test::RecordProperty("seed", std::to_string(seed));
  }

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool coin() { return below(2) == 0; }

  /// Up to `bits` bits, small values as likely as large ones.
  std::uint64_t number(unsigned bits) {
    const std::uint64_t width = below(bits + 1);
    return width == 0 ? 0 : random_() >> (64 - width);
  }

  ChunkId id() {
    ChunkId id;
    for (std::byte& byte : id.bytes) byte = static_cast<std::byte>(below(256));
    return id;
  }

  std::string text(std::size_t size_min, std::size_t size_max) {
    std::string out(size_min + below(size_max - size_min + 1), 'x');
    for (char& c : out) c = static_cast<char>(1 + below(255));
    return out;
  }

  Extent extent() {
    Extent extent;
    extent.hole = below(4) == 0;
    extent.length = 1 + below(300'000);
    if (extent.hole) return extent;
    extent.chunk = id();
    extent.whole_chunk = coin();
    if (!extent.whole_chunk) extent.chunk_offset = below(kChunkBytesMax - extent.length + 1);
    for (std::byte& byte : extent.gate.bytes) byte = static_cast<std::byte>(below(256));
    extent.crc32c = static_cast<std::uint32_t>(random_());
    return extent;
  }

  SpanNode node() {
    SpanNode node(1 + below(12));
    for (Extent& each : node) each = extent();
    return node;
  }

  /// A root and the length it stands for.
  std::pair<MapRoot, std::uint64_t> root() {
    MapRoot root;
    root.form = static_cast<MapRoot::Form>(below(4));
    switch (root.form) {
      case MapRoot::Form::Empty:
        return {root, 0};
      case MapRoot::Form::Inline: {
        const SpanNode only = node();
        root.inline_node = encode_span_node(only);
        return {root, length_of(only)};
      }
      case MapRoot::Form::Nodes:
        add_ids(root, 5);
        return {root, root.ids.size() * kSpanBytes - below(kSpanBytes)};
      case MapRoot::Form::Lists:
        add_ids(root, 3);
        return {root, (root.ids.size() * kNodesPerList - below(kNodesPerList)) * kSpanBytes};
    }
    return {root, 0};
  }

  DatabaseRecord database() {
    DatabaseRecord record;
    record.journal = coin() ? SqliteJournal::Wal : SqliteJournal::Rollback;
    record.stored_as_file = coin();
    for (std::uint32_t* each : {&record.page_count, &record.change_counter, &record.schema_cookie,
                                &record.user_version, &record.application_id}) {
      *each = static_cast<std::uint32_t>(number(32));
    }
    if (record.journal == SqliteJournal::Wal && coin()) {
      record.wal.emplace();
      for (std::uint32_t* each : {&record.wal->salt1, &record.wal->salt2, &record.wal->frames,
                                  &record.wal->checksum1, &record.wal->checksum2}) {
        *each = static_cast<std::uint32_t>(number(32));
      }
    }
    if (coin()) record.pages_changed = number(64);
    return record;
  }

  Entry entry(std::string name) {
    Entry entry;
    entry.name = std::move(name);
    entry.info = info();
    entry.user = text(0, 20);
    entry.group = text(0, 20);
    entry.racy = coin();
    entry.changed_while_read = coin();
    fill_content(entry);
    if (entry.info.type == FileType::Regular && coin()) entry.database = database();
    if (entry.info.type == FileType::Regular && coin()) {
      entry.crc32c = static_cast<std::uint32_t>(number(32));
    }
    for (std::uint64_t i = below(4); i > 0; --i) entry.xattrs.push_back({text(1, 9), text(0, 40)});
    const auto by_name = [](const Xattr& a, const Xattr& b) { return a.name < b.name; };
    const auto same = [](const Xattr& a, const Xattr& b) { return a.name == b.name; };
    std::sort(entry.xattrs.begin(), entry.xattrs.end(), by_name);
    entry.xattrs.erase(std::unique(entry.xattrs.begin(), entry.xattrs.end(), same),
                       entry.xattrs.end());
    return entry;
  }

  /// Entries with distinct names in order.
  std::vector<Entry> directory(std::size_t count) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) {
      std::string name = text(1, 40);
      std::replace(name.begin(), name.end(), '/', '_');
      if (is_valid_entry_name(name)) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::vector<Entry> entries;
    for (const std::string& name : names) entries.push_back(entry(name));
    return entries;
  }

  /// `bytes` with one to four places changed, cut out, cut off or doubled.
  Bytes damaged(Bytes bytes) {
    for (std::uint64_t i = 1 + below(4); i > 0 && !bytes.empty(); --i) damage_once(bytes);
    return bytes;
  }

 private:
  void add_ids(MapRoot& root, std::uint64_t count_max) {
    for (std::uint64_t i = 1 + below(count_max); i > 0; --i) root.ids.push_back(id());
  }

  FileInfo info() {
    FileInfo info;
    info.type = static_cast<FileType>(1 + below(7));
    info.mode = static_cast<std::uint32_t>(number(12));
    info.uid = static_cast<std::uint32_t>(number(32));
    info.gid = static_cast<std::uint32_t>(number(32));
    info.mtime_ns = static_cast<std::int64_t>(random_());
    info.ctime_ns = static_cast<std::int64_t>(random_());
    info.device = number(64);
    info.inode = number(64);
    info.links = number(64);
    return info;
  }

  void fill_content(Entry& entry) {
    FileInfo& info = entry.info;
    switch (info.type) {
      case FileType::Regular:
        if (coin()) entry.page_size = 1U << (9 + below(8));
        [[fallthrough]];
      case FileType::Directory:
        std::tie(entry.map, info.size) = root();
        return;
      case FileType::Symlink:
        entry.link_target = text(1, 60);
        info.size = entry.link_target.size();
        return;
      case FileType::CharDevice:
      case FileType::BlockDevice:
        info.device_major = static_cast<std::uint32_t>(number(32));
        info.device_minor = static_cast<std::uint32_t>(number(32));
        return;
      case FileType::Fifo:
      case FileType::Socket:
        return;
    }
  }

  void damage_once(Bytes& bytes) {
    const auto at = static_cast<std::ptrdiff_t>(below(bytes.size()));
    switch (below(4)) {
      case 0:
        bytes[static_cast<std::size_t>(at)] ^= static_cast<std::byte>(1U << below(8));
        return;
      case 1:
        bytes[static_cast<std::size_t>(at)] = static_cast<std::byte>(below(256));
        return;
      case 2:
        bytes.erase(bytes.begin() + at);
        return;
      default:
        bytes.resize(static_cast<std::size_t>(at));
    }
  }

  std::mt19937_64 random_;
};

inline ChunkId filled_id(int byte) {
  ChunkId id;
  id.bytes.fill(static_cast<std::byte>(byte));
  return id;
}

inline SpanNode golden_node() {
  Extent hole;
  hole.hole = true;
  hole.length = 65'536;
  Extent whole;
  whole.chunk = filled_id(0xa1);
  whole.length = 4'096;
  whole.gate.bytes.fill(std::byte{0x61});
  whole.crc32c = 0x11223344;
  Extent part;
  part.chunk = filled_id(0xa2);
  part.whole_chunk = false;
  part.chunk_offset = 8'192;
  part.length = 100;
  part.gate.bytes.fill(std::byte{0x62});
  part.crc32c = 0x55667788;
  return {hole, whole, part};
}

inline std::vector<ChunkId> golden_ids() { return {filled_id(0xb1), ChunkId(), filled_id(0xb2)}; }

/// Of the golden file directory_database.txt, its first entry.
inline DatabaseRecord golden_database() {
  DatabaseRecord record;
  record.journal = SqliteJournal::Wal;
  record.page_count = 300;
  record.change_counter = 7;
  record.schema_cookie = 5;
  record.user_version = 42;
  record.application_id = 0x0f055112;
  record.wal = WalPosition{.salt1 = 0x01020304,
                           .salt2 = 0x05060708,
                           .frames = 12,
                           .checksum1 = 0x090a0b0c,
                           .checksum2 = 0x0d0e0f10};
  record.pages_changed = 9;
  return record;
}

/// One of each form.
inline std::vector<MapRoot> golden_roots() {
  std::vector<MapRoot> roots(4);
  Extent hole;
  hole.hole = true;
  hole.length = 300;
  roots[1].form = MapRoot::Form::Inline;
  roots[1].inline_node = encode_span_node({hole});
  roots[2].form = MapRoot::Form::Nodes;
  roots[2].ids = {filled_id(0xb1), filled_id(0xb2)};
  roots[3].form = MapRoot::Form::Lists;
  roots[3].ids = {filled_id(0xb3)};
  return roots;
}

}  // namespace pagevault::repo
