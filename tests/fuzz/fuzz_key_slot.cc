// Any bytes as a key slot and as changes to a good one, with a checksum that fits so that the
// fuzzer gets behind it. Opens with a key file only: no KDF runs.

#include "key_samples.h"
#include "pagevault/base/sim_env.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

namespace {

const repo::KeySlotId kSlotId = repo::id_of<repo::KeySlotId>(0x1d);

Bytes good_slot() {
  SimEnv env;
  return repo::make_key_slot(env, kSlotId, repo::golden_key_file(), repo::golden_master(), {}, {})
      .value();
}

void try_open(ByteView slot, ByteView good) {
  static const repo::Credential credential = repo::golden_key_file();
  PV_CHECK(repo::key_slot_kind(slot).has_value() == repo::describe_key_slot(slot).has_value());
  const auto opened = repo::open_key_slot(kSlotId, slot, credential);
  PV_CHECK(opened.has_value() == std::ranges::equal(slot, good));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const Bytes good = good_slot();
  const ByteView input = std::as_bytes(std::span(data, size));
  if (size >= 8) try_open(repo::with_checksum(to_bytes(input)), good);
  Bytes changed = good;
  for (std::size_t i = 0; i < std::min(size, good.size()); ++i) changed[i] ^= input[i];
  try_open(repo::with_checksum(std::move(changed)), good);
  return 0;
}
