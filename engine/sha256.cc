#include "engine/sha256.h"

#include <bellows/error.h>
#include <sodium/core.h>

#include <array>

namespace bellows {

Sha256::Sha256() : state_{} {
  // libsodium wants this before anything else; it may be called from any thread, any number of
  // times.
  if (sodium_init() < 0) {
    throw Error(ErrorCode::kUnsupported,
                "libsodium cannot start: the system gives it no random numbers; provide "
                "getrandom() or a readable random device");
  }
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
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string sha256_hex(std::span<const std::uint8_t> bytes) {
  Sha256 sha256;
  sha256.update(bytes);
  return sha256.hex();
}

}  // namespace bellows
