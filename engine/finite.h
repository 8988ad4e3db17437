// Whether floats are numbers, without a branch for each of them.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace bellows {

/// Of each (value - offset) * factor.
inline bool all_finite(std::span<const float> values, float offset, float factor) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  std::uint32_t not_finite = 0;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>((value - offset) * factor);
    not_finite |= static_cast<std::uint32_t>((bits & kExponent) == kExponent);
  }
  return not_finite == 0;
}

inline bool all_finite(std::span<const float> values) { return all_finite(values, 0, 1); }

}  // namespace bellows
