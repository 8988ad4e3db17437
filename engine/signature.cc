#include "engine/signature.h"

#include <bellows/error.h>
#include <sodium/crypto_sign_ed25519.h>
#include <sodium/utils.h>

#include <array>
#include <cstdint>
#include <span>

#include "engine/sodium.h"

namespace bellows {
namespace {

constexpr std::size_t kPublicBytes = crypto_sign_ed25519_PUBLICKEYBYTES;
constexpr std::size_t kSecretBytes = crypto_sign_ed25519_SECRETKEYBYTES;
constexpr std::size_t kSignatureBytes = crypto_sign_ed25519_BYTES;

template <std::size_t Count>
bool read_digits(std::string_view text, std::array<std::uint8_t, Count>& bytes) {
  if (text.size() != 2 * Count ||
      text.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return false;
  }
  return sodium_hex2bin(bytes.data(), Count, text.data(), text.size(), nullptr, nullptr, nullptr) ==
         0;
}

// What is signed. Begins with what it is, so that no signature of anything else can be taken for
// it.
std::string message(std::string_view metadata_sha256, std::int64_t generation) {
  return "bellows model signature 1\n" + std::to_string(generation) + "\n" +
         std::string(metadata_sha256) + "\n";
}

const unsigned char* octets(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

template <std::size_t Count>
void check_digits(std::string_view key, const std::string& what, const char* kind) {
  std::array<std::uint8_t, Count> bytes{};
  const bool fine = read_digits(key, bytes);
  sodium_memzero(bytes.data(), bytes.size());
  if (fine) return;
  throw Error(ErrorCode::kInvalidArgument,
              what + ": is no " + kind + " key, which has " + std::to_string(2 * Count) +
                  " lower-case hexadecimal digits; 'bellows sign --new-key' makes a pair");
}

}  // namespace

SigningKey make_signing_key() {
  start_sodium();
  std::array<std::uint8_t, kPublicBytes> public_key{};
  std::array<std::uint8_t, kSecretBytes> secret_key{};
  crypto_sign_ed25519_keypair(public_key.data(), secret_key.data());
  SigningKey key{hex_of(public_key), hex_of(secret_key)};
  sodium_memzero(secret_key.data(), secret_key.size());
  return key;
}

void check_public_key(std::string_view key, const std::string& what) {
  check_digits<kPublicBytes>(key, what, "public");
}

void check_secret_key(std::string_view key, const std::string& what) {
  check_digits<kSecretBytes>(key, what, "secret");
}

Signature sign_metadata(std::string_view metadata_sha256, std::int64_t generation,
                        const std::string& secret_key) {
  start_sodium();
  std::array<std::uint8_t, kSecretBytes> secret{};
  read_digits(secret_key, secret);
  std::array<std::uint8_t, kPublicBytes> public_key{};
  crypto_sign_ed25519_sk_to_pk(public_key.data(), secret.data());
  std::array<std::uint8_t, kSignatureBytes> value{};
  const std::string text = message(metadata_sha256, generation);
  crypto_sign_ed25519_detached(value.data(), nullptr, octets(text), text.size(), secret.data());
  sodium_memzero(secret.data(), secret.size());
  return {.generation = generation, .public_key = hex_of(public_key), .value = hex_of(value)};
}

bool is_valid(const Signature& signature, std::string_view metadata_sha256) {
  start_sodium();
  std::array<std::uint8_t, kPublicBytes> public_key{};
  std::array<std::uint8_t, kSignatureBytes> value{};
  if (signature.generation < 0 || !read_digits(signature.public_key, public_key) ||
      !read_digits(signature.value, value)) {
    return false;
  }
  const std::string text = message(metadata_sha256, signature.generation);
  return crypto_sign_ed25519_verify_detached(value.data(), octets(text), text.size(),
                                             public_key.data()) == 0;
}

void check_signature_wanted(const std::optional<std::string>& public_key,
                            std::int64_t min_generation) {
  if (public_key) check_public_key(*public_key, "the public key");
  if (min_generation < 0) {
    throw Error(
        ErrorCode::kInvalidArgument,
        "the least generation is " + std::to_string(min_generation) + ", it must be 0 or more");
  }
  if (min_generation > 0 && !public_key) {
    throw Error(ErrorCode::kInvalidArgument,
                "a least generation was asked for without a public key; anybody can sign a model "
                "with any generation, so say whose signature it must have");
  }
}

void require_signature(const std::string& file, const std::optional<Signature>& signature,
                       const std::string& public_key, std::int64_t min_generation) {
  const auto refuse = [&file](const std::string& problem) {
    throw Error(ErrorCode::kUntrusted, file + ": " + problem);
  };
  if (!signature) {
    refuse("is not signed, and a signature was asked for; 'bellows sign' signs models");
  }
  if (signature->public_key != public_key) {
    refuse("is signed by the key " + signature->public_key + ", not by " + public_key);
  }
  if (signature->generation < min_generation) {
    refuse("is of generation " + std::to_string(signature->generation) + ", at least " +
           std::to_string(min_generation) +
           " was asked for; it is older than what was there before");
  }
}

}  // namespace bellows
