#include "pagevault/chunker/chunk_id.h"

#include <sodium.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "blake2b_lanes.h"

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

unsigned char* uchars(ChunkId& id) {
  void* const bytes = id.bytes.data();
  return static_cast<unsigned char*>(bytes);
}

// The best one, or the next when that has lanes enough: a narrower kernel is sooner done.
const Blake2bKernel* kernel_for(std::size_t messages) {
  static const Blake2bKernel* const kBest = blake2b_kernel(0);
  static const Blake2bKernel* const kNext = blake2b_kernel(1);
  return kNext != nullptr && messages <= kNext->lanes ? kNext : kBest;
}

// With fewer messages than this share of its lanes a kernel is no faster than libsodium.
bool is_worth_it(const Blake2bKernel* kernel, std::size_t messages) {
  return kernel != nullptr && messages > kernel->lanes / 4;
}

void keyed_hashes(ByteView key, std::span<IdRequest> requests) {
  const Blake2bKernel* const kernel = kernel_for(requests.size());
  if (!is_worth_it(kernel, requests.size())) {
    for (IdRequest& request : requests) request.id = keyed_hash(key, request.plain);
    return;
  }
  std::vector<Blake2bMessage> messages;
  messages.reserve(requests.size());
  for (IdRequest& request : requests) {
    if (request.plain.empty()) {  // The kernels' messages have a last block of their own.
      request.id = keyed_hash(key, request.plain);
    } else {
      messages.push_back({uchars(request.plain), request.plain.size(), uchars(request.id)});
    }
  }
  // The longest first, so that lanes come to their ends together.
  std::ranges::sort(messages, std::greater(), &Blake2bMessage::length);
  blake2b_256_each(*kernel, uchars(key), messages.data(), messages.size());
}

}  // namespace

ChunkId chunk_id(const DataIdKey& key, ByteView plain) { return keyed_hash(key.expose(), plain); }
ChunkId chunk_id(const MetaIdKey& key, ByteView plain) { return keyed_hash(key.expose(), plain); }

void chunk_ids(const DataIdKey& key, std::span<IdRequest> requests) {
  keyed_hashes(key.expose(), requests);
}
void chunk_ids(const MetaIdKey& key, std::span<IdRequest> requests) {
  keyed_hashes(key.expose(), requests);
}

}  // namespace pagevault::chunker
