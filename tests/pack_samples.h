// A small repository of packs in memory, for tests of packs and of the index.

#pragma once

#include <random>

#include "key_samples.h"
#include "pagevault/base/sim_env.h"
#include "pagevault/repo/directory_store.h"
#include "pagevault/repo/index_object.h"
#include "pagevault/repo/pack_reader.h"
#include "pagevault/repo/pack_writer.h"

namespace pagevault::repo {

inline const RepositoryId kSampleRepository = id_of<RepositoryId>(0x11);

inline Bytes random_sample(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes out(size);
  for (std::byte& b : out) b = static_cast<std::byte>(random());
  return out;
}

/// A blob entry of `plain` that is stored raw.
inline BlobEntry raw_entry(BlobType type, ByteView plain) {
  BlobEntry entry;
  entry.id = golden_keys().chunk_id(type, plain);
  entry.type = type;
  entry.plain_bytes = static_cast<std::uint32_t>(plain.size());
  return entry;
}

/// A store in the simulator and writers into it.
struct PackBench {
  SimEnv env;
  std::unique_ptr<Store> store = create_directory_store(env, "/repo").value();

  std::unique_ptr<PackWriter> writer(PackContent content = PackContent::Data,
                                     Cipher cipher = preferred_cipher()) {
    return PackWriter::create(env, *store, golden_keys(), {content, cipher, kSampleRepository})
        .value();
  }

  /// A pack of these chunks, raw.
  PackDirectory write(const std::vector<Bytes>& chunks, PackContent content = PackContent::Data,
                      Cipher cipher = preferred_cipher()) {
    const auto pack = writer(content, cipher);
    const auto type = content == PackContent::Data ? BlobType::Data : BlobType::Metadata;
    for (const Bytes& chunk : chunks) {
      PV_CHECK(pack->add(raw_entry(type, chunk), chunk).has_value());
    }
    return pack->finish().value();
  }

  Bytes file(const PackId& id) {
    return store->read_all({ObjectType::Pack, id.hex()}, kPackBytesMax).value();
  }
};

/// The bytes of blob `where` of a pack in memory.
inline Result<Bytes> unseal_from(const Aead& aead, const BlobLocation& where, ByteView pack) {
  Bytes out(where.entry.stored_bytes - kTagBytes);
  PV_TRY(unseal_blob(aead, kSampleRepository, where,
                     pack.subspan(where.offset, where.entry.stored_bytes), out));
  return out;
}

}  // namespace pagevault::repo
