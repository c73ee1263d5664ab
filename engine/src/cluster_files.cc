#include "cluster_files.h"

#include <fmt/format.h>

#include "incremental_source.h"
#include "pagevault/pgsupport/relation_files.h"
#include "reference_proof.h"
#include "stream_crc.h"

namespace pagevault::engine {

namespace {

using pgsupport::FileChecksum;

Result<pgsupport::IncrementalHeader> read_header(ByteStream& stream, std::uint64_t file_bytes,
                                                 const pgsupport::RelationGeometry& geometry) {
  Bytes header(pgsupport::kIncrementalFixedBytes);
  PV_TRY(stream.read(header));
  PV_TRY_ASSIGN(const std::uint64_t length, pgsupport::incremental_header_bytes(header, geometry));
  if (length < header.size() || length > file_bytes) {
    return Error(ErrorCode::Corrupt, "its header is longer than the file");
  }
  header.resize(length);
  PV_TRY(stream.read(MutableBytes(header).subspan(pgsupport::kIncrementalFixedBytes)));
  return pgsupport::parse_incremental_header(header, file_bytes, geometry);
}

}  // namespace

Result<std::optional<ParentFile>> ClusterFiles::parent_file(const std::string& path) {
  PV_TRY_ASSIGN(const repo::Entry* const entry, parts_.parent.find(path));
  if (entry == nullptr || entry->info.type != FileType::Regular) {
    return std::optional<ParentFile>();
  }
  return std::optional(ParentFile{entry->map, entry->info.size, entry->page_size});
}

std::optional<PageCheck> ClusterFiles::page_check(const std::string& path) const {
  const auto relation = pgsupport::parse_relation_file(path);
  if (!relation) return std::nullopt;
  return PageCheck(parts_.geometry.block_bytes, relation->segment * parts_.geometry.segment_blocks);
}

Status ClusterFiles::store_whole(ClusterMember member) {
  SnapshotWriter& writer = parts_.writer;
  const std::uint64_t size = member.entry.info.size;
  MappingInput input;
  input.length = size;
  if (size > 0) input.data = {{0, size}};
  input.paranoid = writer.request().paranoid;
  input.audited = [&](std::uint64_t span) { return writer.audited(member.path, span); };
  PV_TRY_ASSIGN(input.parent, parent_file(member.path));
  auto pages = page_check(member.path);
  input.page_size = pages ? parts_.geometry.block_bytes : 0U;
  FileChecksum checksum(parts_.algorithm);
  FileChecksum crc(pgsupport::ChecksumAlgorithm::Crc32c);
  const bool is_crc = parts_.algorithm == pgsupport::ChecksumAlgorithm::Crc32c;
  std::unique_ptr<BlockSource> content;
  std::unique_ptr<BlockSource> with_crc;
  PV_TRY_ASSIGN(
      auto mapped, writer.map_bytes(input, SnapshotWriter::Samples{parts_.input.file(), size}, [&] {
        content = parts_.input.content(writer.queue(), writer.pool());
        BlockSource* source = content.get();
        if (!is_crc) {
          with_crc = std::make_unique<CheckedSource>(*source, crc, nullptr);
          source = with_crc.get();
        }
        return std::make_unique<CheckedSource>(*source, checksum, pages ? &*pages : nullptr);
      }));
  if (mapped.length != size) {
    return Error(ErrorCode::Corrupt,
                 fmt::format("{}: ends after {} of {} bytes", member.path, mapped.length, size));
  }
  member.entry.crc32c = is_crc ? checksum.crc32c() : crc.crc32c();
  member.entry.page_size = mapped.page_size;
  parts_.check.add_file(member.path, size, parts_.algorithm, checksum.finish());
  if (pages) parts_.check.add_pages(member.path, pages->take());
  return parts_.tree.add_file(member.path, std::move(member.entry), std::move(mapped.map));
}

Status ClusterFiles::store_incremental(ClusterMember member, const std::string& relation_path) {
  SnapshotWriter& writer = parts_.writer;
  PV_TRY_ASSIGN(const repo::Entry* const parent, parts_.parent.find(relation_path));
  if (parent == nullptr || parent->info.type != FileType::Regular) {
    if (const auto& failure = parts_.parent.failure()) {
      return failure->with_context(kParentUnreadable).with_context(member.path);
    }
    return Error(ErrorCode::WrongParent, member.path + ": the parent snapshot has no " +
                                             relation_path + " that it could be applied to");
  }
  writer.prepare_reading(0);
  const auto content = parts_.input.content(writer.queue(), writer.pool());
  FileChecksum checksum(parts_.algorithm);
  CheckedSource checked(*content, checksum, nullptr);
  ByteStream stream(checked);
  const std::uint64_t file_bytes = member.entry.info.size;
  PV_TRY_ASSIGN(const auto header,
                read_header(stream, file_bytes, parts_.geometry).context(member.path));
  const std::uint64_t size = std::uint64_t{header.blocks_after()} * parts_.geometry.block_bytes;
  totals_.blocks_changed += header.blocks.size();
  repo::Entry entry = std::move(member.entry);
  entry.info.size = size;
  auto pages = page_check(relation_path);
  PV_CHECK(pages.has_value());
  std::shared_ptr<MapBuilder> map;
  if (!header.blocks.empty() || size != parent->info.size) {
    PV_TRY_ASSIGN(map, map_update(*parent, header, stream, *pages).context(member.path));
  }
  PV_TRY(stream.drain());
  writer.report().stats.bytes_read += stream.position();
  parts_.check.add_file(member.path, stream.position(), parts_.algorithm, checksum.finish());
  parts_.check.add_pages(member.path, pages->take());
  if (!map) return take_over(relation_path, std::move(entry), *parent);
  entry.page_size = parts_.geometry.block_bytes;
  return parts_.tree.add_file(relation_path, std::move(entry), std::move(map));
}

// Nothing of it changed: the parent's map is its map (I6: proved where that is not known).
Status ClusterFiles::take_over(const std::string& path, repo::Entry entry,
                               const repo::Entry& parent) {
  SnapshotWriter& writer = parts_.writer;
  repo::ChunkReader& reader = writer.workspace().reader();
  if (writer.proves_references()) {
    PV_TRY_ASSIGN(const bool present,
                  references_are_present(writer.session(), reader, parent.map, parent.info.size));
    if (!present) {
      return Error(ErrorCode::Corrupt, path +
                                           ": the repository has lost what the parent snapshot "
                                           "had of it; take a full backup");
    }
  }
  entry.map = parent.map;
  entry.page_size = parent.page_size;
  entry.crc32c = parent.crc32c;
  if (!entry.crc32c) {
    MapReader map(reader, parent.map, parent.info.size);
    PV_TRY_ASSIGN(entry.crc32c, crc32c_of(map, {}).context(kParentUnreadable));
  }
  ++totals_.taken_over;
  PV_TRY(writer.tick(entry.info.size));
  return parts_.tree.add(path, std::move(entry));
}

Result<std::shared_ptr<MapBuilder>> ClusterFiles::map_update(
    const repo::Entry& parent, const pgsupport::IncrementalHeader& header, ByteStream& images,
    PageCheck& pages) {
  SnapshotWriter& writer = parts_.writer;
  const std::uint32_t block_bytes = parts_.geometry.block_bytes;
  const SegmentUpdate update = segment_update(header, block_bytes, parent.info.size);
  MappingInput input;
  input.length = update.bytes_after();
  input.page_size = block_bytes;
  input.parent = ParentFile{parent.map, parent.info.size, parent.page_size};
  input.changed = changed_ranges(update);
  PV_TRY_ASSIGN(input.data, writer.mapper().ranges_to_read(input).context(kParentUnreadable));
  MapReader map(writer.workspace().reader(), parent.map, parent.info.size);
  const auto next_image = [&](std::uint32_t block, MutableBytes out) -> Status {
    PV_TRY(images.read(out));
    pages.look_at(std::uint64_t{block} * block_bytes, out);
    return ok();
  };
  const std::uint64_t read_before = writer.report().stats.bytes_read;
  PV_TRY_ASSIGN(
      auto mapped,
      writer.map_bytes(input, SnapshotWriter::Samples{nullptr, update.bytes_after()}, [&] {
        return std::make_unique<IncrementalSource>(
            IncrementalSource::Parts{.workspace = writer.workspace(),
                                     .workers = writer.workers(),
                                     .completion = writer.completion(),
                                     .pool = writer.pool()},
            update, &map, input.data, next_image);
      }));
  writer.report().stats.bytes_read = read_before;  // The source gave only the images.
  // Each listed block was asked for once: what is left would be changes that are dropped.
  const bool all_used =
      images.position() == header.header_bytes + header.blocks.size() * std::uint64_t{block_bytes};
  if (mapped.differs || mapped.length != update.bytes_after() || !all_used) {
    return Error(ErrorCode::Corrupt,
                 "the parent snapshot's map does not fit it; take a full backup");
  }
  return std::move(mapped.map);
}

Result<Bytes> ClusterFiles::read_whole(const ClusterMember& member, std::uint64_t bytes_max) {
  SnapshotWriter& writer = parts_.writer;
  writer.prepare_reading(0);
  const auto content = parts_.input.content(writer.queue(), writer.pool());
  FileChecksum checksum(parts_.algorithm);
  CheckedSource checked(*content, checksum, nullptr);
  ByteStream stream(checked);
  PV_TRY_ASSIGN(Bytes bytes, stream.read_all(bytes_max).context(member.path));
  writer.report().stats.bytes_read += bytes.size();
  parts_.check.add_file(member.path, bytes.size(), parts_.algorithm, checksum.finish());
  return bytes;
}

Status ClusterFiles::pass_by(const ClusterMember& member) {
  SnapshotWriter& writer = parts_.writer;
  writer.prepare_reading(0);
  const auto content = parts_.input.content(writer.queue(), writer.pool());
  FileChecksum checksum(parts_.algorithm);
  CheckedSource checked(*content, checksum, nullptr);
  ByteStream stream(checked);
  PV_TRY(stream.drain());
  writer.report().stats.bytes_read += stream.position();
  parts_.check.add_file(member.path, stream.position(), parts_.algorithm, checksum.finish());
  return ok();
}

Status ClusterFiles::store_bytes(const std::string& path, repo::Entry entry, ByteView bytes) {
  SnapshotWriter& writer = parts_.writer;
  MappingInput input;
  input.length = bytes.size();
  if (!bytes.empty()) input.data = {{0, bytes.size()}};
  input.page_size = 0U;
  PV_TRY_ASSIGN(input.parent, parent_file(path));
  const std::uint64_t read_before = writer.report().stats.bytes_read;
  PV_TRY_ASSIGN(auto mapped, writer.map_bytes(input, std::nullopt, [&] {
    return std::make_unique<MemoryBlockSource>(writer.pool(), bytes);
  }));
  writer.report().stats.bytes_read = read_before;
  FileChecksum crc(pgsupport::ChecksumAlgorithm::Crc32c);
  crc.update(bytes);
  entry.info.size = bytes.size();
  entry.page_size = 0;
  entry.crc32c = crc.crc32c();
  return parts_.tree.add_file(path, std::move(entry), std::move(mapped.map));
}

Result<ClusterFiles::Stored> ClusterFiles::store_relation(const std::string& path,
                                                          const StreamSource& read) {
  SnapshotWriter& writer = parts_.writer;
  writer.prepare_reading(0);
  StreamBlockSource source(writer.pool(), read);
  MappingInput input;  // A stream: how long it is shows when it ends.
  input.page_size = parts_.geometry.block_bytes;
  PV_TRY_ASSIGN(input.parent, parent_file(path));
  PV_TRY_ASSIGN(auto mapped, writer.mapper().map(source, input));
  writer.report().stats.bytes_read += mapped.bytes_read;
  Stored out;
  out.entry.info.size = mapped.length;
  out.entry.page_size = mapped.page_size;
  out.map = std::move(mapped.map);
  return out;
}

}  // namespace pagevault::engine
