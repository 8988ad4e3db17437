// Signatures of model files: Ed25519 (RFC 8032), by libsodium. docs/security.md says against whom
// they help.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bellows {

/// Both halves of a key, in lower-case hexadecimal digits.
struct SigningKey {
  std::string public_key;  ///< 64 digits, for everybody
  std::string secret_key;  ///< 128 digits, which end in those of the public one
};

/// What a signed model carries.
struct Signature {
  /// Rises from release to release, so that an old one that somebody puts back is noticed.
  std::int64_t generation = 0;
  std::string public_key;  ///< of whoever signed
  std::string value;       ///< 128 digits

  bool operator==(const Signature&) const = default;
};

/// Throws Error(kUnsupported) where the system has no random numbers.
[[nodiscard]] SigningKey make_signing_key();

/// Throws Error(kInvalidArgument), naming `what`, unless `key` is one.
void check_public_key(std::string_view key, const std::string& what);
void check_secret_key(std::string_view key, const std::string& what);

/// Signs the metadata of a model, which have the hashes of all its groups in them, by their
/// SHA-256. REQUIRES: the key is one.
[[nodiscard]] Signature sign_metadata(std::string_view metadata_sha256, std::int64_t generation,
                                      const std::string& secret_key);

/// Whether `signature` is of these metadata and by the key that it names.
[[nodiscard]] bool is_valid(const Signature& signature, std::string_view metadata_sha256);

/// Throws Error(kInvalidArgument) unless that can be asked of a signature: `public_key` is one, or
/// absent and `min_generation` 0.
void check_signature_wanted(const std::optional<std::string>& public_key,
                            std::int64_t min_generation);

/// Throws Error(kUntrusted), naming `file`, unless its `signature`, known to be valid, is by
/// `public_key` and of `min_generation` or later.
void require_signature(const std::string& file, const std::optional<Signature>& signature,
                       const std::string& public_key, std::int64_t min_generation);

}  // namespace bellows
