// Any bytes as the body of a snapshot, and as its fields under a signature and an id that fit.

#include "key_samples.h"
#include "pagevault/repo/snapshot.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

namespace {

const RepositoryId kRepository = repo::id_of<RepositoryId>(0x77);

Result<repo::Snapshot> decode(ByteView body) {
  const repo::KeySet& keys = repo::golden_keys();
  const SnapshotId id{repo::blake2b_256(keys.snapshot_id().expose(), body)};
  return repo::decode_snapshot(keys, kRepository, id, body);
}

Bytes signed_body(ByteView fields) {
  const repo::KeySet& keys = repo::golden_keys();
  Bytes message = to_bytes(as_bytes("pagevault snapshot v1"));
  append(message, kRepository.view());
  append(message, fields);
  Encoder out;
  out.u32(static_cast<std::uint32_t>(fields.size()));
  out.raw(fields);
  out.u8(1);
  out.raw(keys.signer_public());
  out.raw(keys.sign(message));
  return out.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  decode(input).ignore("must only not crash");
  if (const auto snapshot = decode(signed_body(input))) {
    const auto again = repo::encode_snapshot(repo::golden_keys(), kRepository, *snapshot);
    PV_CHECK(decode(again.body).has_value());
  }
  return 0;
}
