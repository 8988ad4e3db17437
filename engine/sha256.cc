#include "engine/sha256.h"

#include <array>

#include "engine/sodium.h"

namespace bellows {

Sha256::Sha256() : state_{} {
  start_sodium();
  crypto_hash_sha256_init(&state_);
}

void Sha256::update(std::span<const std::uint8_t> bytes) {
  crypto_hash_sha256_update(&state_, bytes.data(), bytes.size());
}

void Sha256::update(std::string_view text) {
  update({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string Sha256::hex() const {
  crypto_hash_sha256_state copy = state_;
  std::array<std::uint8_t, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256_final(&copy, digest.data());
  return hex_of(digest);
}

std::string sha256_hex(std::span<const std::uint8_t> bytes) {
  Sha256 sha256;
  sha256.update(bytes);
  return sha256.hex();
}

}  // namespace bellows
