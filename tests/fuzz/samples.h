// Files as the project's own writers make them, for fuzzing to begin with.
#pragma once

#include <bellows/bellows.h>

#include <string>

#include "engine/policy_data.h"
#include "engine/profile_data.h"

namespace bellows::fuzz {

/// The model that the other samples are about: two widths, images of two values, two classes.
inline const std::string kSampleModel = BELLOWS_SOURCE_DIR "/tests/golden/tiny.safetensors";
/// Adds its second group to its first.
inline const std::string kSampleGrowth = BELLOWS_SOURCE_DIR "/tests/golden/tiny_growth.safetensors";

[[nodiscard]] internal::ProfileData sample_profile();
[[nodiscard]] internal::PolicyData sample_policies();

}  // namespace bellows::fuzz
