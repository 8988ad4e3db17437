// SHA-256 (FIPS 180-4), by libsodium.
#pragma once

#include <sodium/crypto_hash_sha256.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bellows {

/// The digest of bytes that arrive in pieces. One thread at a time.
class Sha256 {
 public:
  Sha256();

  void update(std::span<const std::uint8_t> bytes);
  void update(std::string_view text);

  /// The digest of everything so far as 64 lower-case hexadecimal digits; more may follow.
  [[nodiscard]] std::string hex() const;

 private:
  crypto_hash_sha256_state state_;
};

/// The digest of `bytes`, as `Sha256::hex`.
[[nodiscard]] std::string sha256_hex(std::span<const std::uint8_t> bytes);

}  // namespace bellows
