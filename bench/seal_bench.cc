// Speed of the ciphers on blobs of 64 KiB, of making a key ready, and of the passphrase KDF: the
// numbers of docs/adr/0004-keys-and-ciphers.md.

#include <benchmark/benchmark.h>

#include "pagevault/base/sim_env.h"
#include "pagevault/repo/aead.h"
#include "pagevault/repo/format.h"
#include "pagevault/repo/key_slot.h"

namespace pagevault::repo {

namespace {

constexpr std::size_t kBlobBytes = 64 * kKiB;
constexpr std::size_t kBindingBytes = 136;  // docs/format.md, 4: authenticated data of a blob.

void seal(benchmark::State& state, Cipher cipher) {
  if (!cipher_from_byte(static_cast<std::uint8_t>(cipher))) {
    state.SkipWithError("not on this processor");
    return;
  }
  const Aead aead(cipher, SecretBytes(32));
  const Bytes plain(kBlobBytes, std::byte{7});
  const Bytes binding(kBindingBytes);
  Bytes sealed(kBlobBytes + kTagBytes);
  std::uint64_t counter = 0;
  for (auto _ : state) {
    aead.seal(counter++, plain, binding, sealed);
    benchmark::DoNotOptimize(sealed.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBlobBytes));
}

void open(benchmark::State& state, Cipher cipher) {
  if (!cipher_from_byte(static_cast<std::uint8_t>(cipher))) {
    state.SkipWithError("not on this processor");
    return;
  }
  const Aead aead(cipher, SecretBytes(32));
  Bytes plain(kBlobBytes, std::byte{7});
  const Bytes binding(kBindingBytes);
  Bytes sealed(kBlobBytes + kTagBytes);
  aead.seal(0, plain, binding, sealed);
  for (auto _ : state) {
    PV_CHECK(aead.open(0, sealed, binding, plain));
    benchmark::DoNotOptimize(plain.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBlobBytes));
}

BENCHMARK_CAPTURE(seal, Aes256Gcm, Cipher::Aes256Gcm);
BENCHMARK_CAPTURE(seal, XChaCha20Poly1305, Cipher::XChaCha20Poly1305);
BENCHMARK_CAPTURE(open, Aes256Gcm, Cipher::Aes256Gcm);
BENCHMARK_CAPTURE(open, XChaCha20Poly1305, Cipher::XChaCha20Poly1305);

/// Key of one pack or object: derivation, commitment, key schedule, guarded memory.
void make_key_ready(benchmark::State& state) {
  const KeySet keys = KeySet::derive(MasterSecret());
  for (auto _ : state) {
    benchmark::DoNotOptimize(keys.pack_aead(PackContent::Data, preferred_cipher(), PackId()));
  }
}
BENCHMARK(make_key_ready);

/// Argument: passes with 64 MiB.
void open_passphrase_slot(benchmark::State& state) {
  SimEnv env;
  const Argon2Cost cost{.passes = static_cast<std::uint32_t>(state.range(0))};
  const Credential credential = Passphrase{SecretBytes::copy_of(as_bytes("passphrase"))};
  const Bytes slot = make_key_slot(env, {}, credential, MasterSecret(), {}, cost).value();
  for (auto _ : state) PV_CHECK(open_key_slot({}, slot, credential));
}
BENCHMARK(open_passphrase_slot)->Arg(1)->Arg(4)->Arg(16)->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace pagevault::repo
