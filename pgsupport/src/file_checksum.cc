#include "pagevault/pgsupport/file_checksum.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"

namespace pagevault::pgsupport {

namespace {

struct Kind {
  ChecksumAlgorithm algorithm;
  std::string_view name;
  std::size_t bytes;
  const EVP_MD* (*digest)();
};

constexpr std::array kKinds = {
    Kind{ChecksumAlgorithm::None, "NONE", 0, nullptr},
    Kind{ChecksumAlgorithm::Crc32c, "CRC32C", 4, nullptr},
    Kind{ChecksumAlgorithm::Sha224, "SHA224", 28, EVP_sha224},
    Kind{ChecksumAlgorithm::Sha256, "SHA256", 32, EVP_sha256},
    Kind{ChecksumAlgorithm::Sha384, "SHA384", 48, EVP_sha384},
    Kind{ChecksumAlgorithm::Sha512, "SHA512", 64, EVP_sha512},
};

const Kind& kind_of(ChecksumAlgorithm algorithm) {
  return kKinds[static_cast<std::size_t>(algorithm)];
}

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

std::optional<ChecksumAlgorithm> checksum_algorithm(std::string_view name) {
  for (const Kind& kind : kKinds) {
    if (std::ranges::equal(kind.name, name, {}, {}, upper)) return kind.algorithm;
  }
  return std::nullopt;
}

std::string_view to_text(ChecksumAlgorithm algorithm) { return kind_of(algorithm).name; }
std::size_t digest_bytes(ChecksumAlgorithm algorithm) { return kind_of(algorithm).bytes; }

Bytes crc32c_digest(std::uint32_t crc) {
  Bytes out(4);
  store_le32(out, crc);
  return out;
}

struct FileChecksum::State {
  ChecksumAlgorithm algorithm = ChecksumAlgorithm::None;
  std::uint32_t crc = 0;
  std::unique_ptr<EVP_MD_CTX, FreeContext> context;
};

FileChecksum::FileChecksum(ChecksumAlgorithm algorithm) : state_(std::make_unique<State>()) {
  state_->algorithm = algorithm;
  if (kind_of(algorithm).digest == nullptr) return;
  state_->context.reset(EVP_MD_CTX_new());
  PV_CHECK(state_->context != nullptr);
  PV_CHECK(EVP_DigestInit_ex(state_->context.get(), kind_of(algorithm).digest(), nullptr) == 1);
}
FileChecksum::~FileChecksum() = default;
FileChecksum::FileChecksum(FileChecksum&&) noexcept = default;
FileChecksum& FileChecksum::operator=(FileChecksum&&) noexcept = default;

void FileChecksum::update(ByteView bytes) {
  if (state_->algorithm == ChecksumAlgorithm::Crc32c) {
    state_->crc = pagevault::crc32c(bytes, state_->crc);
  } else if (state_->context) {
    PV_CHECK(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
  }
}

Bytes FileChecksum::finish() {
  if (state_->algorithm == ChecksumAlgorithm::Crc32c) return crc32c_digest(state_->crc);
  Bytes out(digest_bytes(state_->algorithm));
  if (!state_->context) return out;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  PV_CHECK(EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr) == 1);
  std::ranges::copy(std::as_bytes(std::span(digest)).first(out.size()), out.begin());
  return out;
}

std::uint32_t FileChecksum::crc32c() const { return state_->crc; }

}  // namespace pagevault::pgsupport
