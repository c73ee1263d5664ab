// Any bytes as a sealed object and as changes to a good one, with a checksum that fits; then as the
// body of one, which must come back.

#include "key_samples.h"
#include "pagevault/base/sim_env.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

namespace {

const repo::ObjectPlace kPlace{.type = repo::ObjectType::Index,
                               .repository = repo::id_of<RepositoryId>(0x77),
                               .id = repo::id_of<PackId>(0x66).bytes};

Result<Bytes> open(ByteView object) {
  return repo::open_object(repo::golden_keys(), kPlace, object);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static SimEnv env;
  static const Bytes good =
      repo::seal_object(env, repo::golden_keys(), kPlace, as_bytes("some body"));
  const ByteView input = std::as_bytes(std::span(data, size));
  if (size >= 8) PV_CHECK(!open(repo::with_checksum(to_bytes(input))));
  Bytes changed = good;
  for (std::size_t i = 0; i < std::min(size, good.size()); ++i) changed[i] ^= input[i];
  changed = repo::with_checksum(std::move(changed));
  PV_CHECK(open(changed).has_value() == (changed == good));

  const Bytes object = repo::seal_object(env, repo::golden_keys(), kPlace, input);
  PV_CHECK(open(object).value() == to_bytes(input));
  return 0;
}
