// Whether floats are numbers, without a branch for each of them.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace bellows {

inline bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  std::uint32_t not_finite = 0;
  for (const float value : values) {
    not_finite |=
        static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent);
  }
  return not_finite == 0;
}

}  // namespace bellows
