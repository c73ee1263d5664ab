// Any bytes as a pack. Noise never gets past checksum and keys, so the input is also taken as the
// directory of an otherwise sound pack, which is where the parsing is.

#include "pagevault/repo/pack_reader.h"

using namespace pagevault;

namespace {

const repo::KeySet& keys() {
  static const repo::KeySet set = repo::KeySet::derive(repo::MasterSecret());
  return set;
}

void fuzz_directory(ByteView input) {
  for (const auto content : {repo::PackContent::Data, repo::PackContent::Metadata}) {
    Decoder in(input, "pack directory");
    const std::uint64_t count = input.empty() ? 0 : std::to_integer<std::uint64_t>(input[0]);
    const auto blobs = repo::decode_blob_entries(in, count, content);
    if (!blobs) continue;
    Encoder out;
    for (const repo::BlobEntry& blob : *blobs) repo::encode_blob_entry(out, blob);
    PV_CHECK(std::ranges::equal(out.view(), input.first(in.position())));
    PV_CHECK(repo::pack_file_bytes(*blobs) > out.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  repo::parse_pack(keys(), RepositoryId{}, PackId{}, input).ignore("must only not crash");
  repo::PackInfo info;
  repo::open_pack_header(keys(), PackId{}, input, info).ignore("must only not crash");
  fuzz_directory(input);
  return 0;
}
