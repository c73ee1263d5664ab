#include "pack_check.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <span>

#include "pagevault/base/codec.h"
#include "pagevault/repo/blob_batch.h"
#include "pagevault/repo/pack_reader.h"

namespace pagevault::engine {

namespace {

constexpr std::uint64_t kRunBytes = 4 * kMiB;
constexpr std::size_t kChecksumBytes = 8;
constexpr std::size_t kBlobsAtOnce = 128;  // Bounds what the bases of deltas take while they wait.

// XXH3 over the file as it goes by.
class RunningChecksum {
 public:
  RunningChecksum() : state_(XXH3_createState(), &XXH3_freeState) {
    XXH3_64bits_reset(state_.get());
  }
  void add(ByteView bytes) { XXH3_64bits_update(state_.get(), bytes.data(), bytes.size()); }
  std::uint64_t value() const { return XXH3_64bits_digest(state_.get()); }

 private:
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_;
};

class PackCheck {
 public:
  PackCheck(repo::ChunkReader& reader, const PackId& id)
      : reader_(reader), name_{repo::ObjectType::Pack, id.hex()}, id_(id) {}

  PackFindings run(const repo::PackInfo* indexed) {
    const auto& repository = reader_.repository();
    auto pack = repo::read_pack_directory(repository.store(), repository.keys(),
                                          repository.config().id, id_);
    if (!pack) {
      findings_.problems.push_back(pack.error());
      findings_.unusable = true;
      return std::move(findings_);
    }
    if (indexed != nullptr && !(pack->info == *indexed)) {
      findings_.problems.emplace_back(ErrorCode::Corrupt, "pack and index disagree");
    }
    const Status status = read_through(*pack);
    if (!status) findings_.problems.push_back(status.error());
    return std::move(findings_);
  }

 private:
  // Header, then blobs in runs, then directory, padding and trailer: every byte passes once.
  Status read_through(const repo::PackDirectory& pack) {
    std::vector<repo::BlobLocation> blobs;
    repo::for_each_blob(pack, [&](const repo::BlobLocation& where) { blobs.push_back(where); });
    PV_TRY(read(0, repo::kPackHeaderBytes));
    std::uint64_t at = repo::kPackHeaderBytes;
    for (std::size_t first = 0; first < blobs.size();) {
      std::size_t last = first;
      std::uint64_t end = at;
      do {
        end += blobs[last].entry.stored_bytes;
        ++last;
      } while (last < blobs.size() && end + blobs[last].entry.stored_bytes - at <= kRunBytes);
      PV_TRY(read(at, end - at));
      const std::span run = std::span(blobs).subspan(first, last - first);
      for (std::size_t i = 0; i < run.size(); i += kBlobsAtOnce) {
        check_blobs(run.subspan(i, std::min(kBlobsAtOnce, run.size() - i)), at);
      }
      at = end;
      first = last;
    }
    return check_tail(pack.info.file_bytes, at);
  }

  Status check_tail(std::uint64_t file_bytes, std::uint64_t at) {
    while (file_bytes - at > kRunBytes + kChecksumBytes) {
      PV_TRY(read(at, kRunBytes));
      at += kRunBytes;
    }
    PV_TRY(read(at, file_bytes - at - kChecksumBytes));
    const std::uint64_t computed = checksum_.value();
    PV_TRY(read(file_bytes - kChecksumBytes, kChecksumBytes));
    if (load_le64(buffer_) == computed) return ok();
    return Error(ErrorCode::Corrupt, "checksum of the file does not fit");
  }

  Status read(std::uint64_t offset, std::uint64_t length) {
    buffer_.resize(length);
    repo::RangeRead range{.name = name_, .offset = offset, .out = buffer_, .status = {}};
    reader_.repository().store().read_ranges({&range, 1});
    PV_TRY(range.status);
    findings_.bytes_read += length;
    checksum_.add(buffer_);
    return ok();
  }

  // The run in buffer_ starts at `run_offset` of the file.
  void check_blobs(std::span<const repo::BlobLocation> blobs, std::uint64_t run_offset) {
    const auto bases = repo::BlobBatch::fetch_bases(reader_, blobs);
    for (const repo::BlobLocation& where : blobs) {
      const auto base = bases->base_of(where.entry);
      if (!base) {
        findings_.blobs.push_back({where.entry.id, base.error(), /*in_base=*/true});
        continue;
      }
      const ByteView sealed =
          ByteView(buffer_).subspan(where.offset - run_offset, where.entry.stored_bytes);
      plain_.resize(where.entry.plain_bytes);
      const Status decoded = reader_.decode_onto(
          where, sealed, *base ? ByteView(**base) : ByteView(), plain_, /*verify_id=*/true);
      if (!decoded) findings_.blobs.push_back({where.entry.id, decoded.error()});
    }
  }

  repo::ChunkReader& reader_;
  const repo::ObjectName name_;
  const PackId id_;
  PackFindings findings_;
  RunningChecksum checksum_;
  Bytes buffer_;
  Bytes plain_;
};

}  // namespace

PackFindings check_pack(repo::ChunkReader& reader, const PackId& id,
                        const repo::PackInfo* indexed) {
  return PackCheck(reader, id).run(indexed);
}

}  // namespace pagevault::engine
