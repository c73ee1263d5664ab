#include "pagevault/chunker/chunk_id.h"

#include <sodium.h>

namespace pagevault::chunker {
namespace {

const unsigned char* uchars(ByteView bytes) {
  return static_cast<const unsigned char*>(static_cast<const void*>(bytes.data()));
}

ChunkId keyed_hash(ByteView key, ByteView plain) {
  ChunkId id;
  static_assert(ChunkId::kBytes == crypto_generichash_BYTES);
  void* out = id.bytes.data();
  PV_CHECK(crypto_generichash(static_cast<unsigned char*>(out), ChunkId::kBytes, uchars(plain),
                              plain.size(), uchars(key), key.size()) == 0);
  return id;
}

}  // namespace

ChunkId chunk_id(const DataIdKey& key, ByteView plain) { return keyed_hash(key.expose(), plain); }
ChunkId chunk_id(const MetaIdKey& key, ByteView plain) { return keyed_hash(key.expose(), plain); }

}  // namespace pagevault::chunker
