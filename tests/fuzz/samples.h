// Files as the project's own writers make them, for fuzzing to begin with.
#pragma once

#include <bellows/bellows.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/policy_data.h"
#include "engine/profile_data.h"

namespace bellows::fuzz {

/// The model that the other samples are about: two widths, images of two values, two classes.
inline const std::string kSampleModel = BELLOWS_SOURCE_DIR "/tests/golden/tiny.safetensors";
/// Adds its second group to its first.
inline const std::string kSampleGrowth = BELLOWS_SOURCE_DIR "/tests/golden/tiny_growth.safetensors";

/// RFC 8032, section 7.1, test 1, as libsodium keeps it: with the public key behind.
inline const std::string kSamplePublicKey =
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
inline const std::string kSampleSecretKey =
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60" + kSamplePublicKey;

/// Of samples that are signed.
inline constexpr std::int64_t kSampleGeneration = 7;

[[nodiscard]] internal::ProfileData sample_profile();
/// Of the sample model with its selector.
[[nodiscard]] internal::PolicyData sample_policies();

/// Writes the sample model with a selector in it.
void write_sample_with_selector(const std::filesystem::path& path);

}  // namespace bellows::fuzz
