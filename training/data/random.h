// Random numbers that depend on a key only, never on who asked before: what makes batches and drawn
// images independent of threads and lets training resume inside an epoch.
#pragma once

#include <cstdint>
#include <vector>

#include "layers/counter_random.h"

namespace bellows::data {

/// A generator whose sequence is fixed by up to four key words. Integer arithmetic (SplitMix64), so
/// equal on every machine. Not for secrets. Cheap to make; one thread at a time.
class KeyedRandom {
 public:
  explicit KeyedRandom(std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0,
                       std::uint64_t d = 0)
      : state_(scatter(scatter(scatter(scatter(a) ^ b) ^ c) ^ d)) {}

  std::uint64_t next() { return scatter(state_ += kSplitMixIncrement); }

  /// Uniform in 0 .. bound - 1; the bias is below bound / 2^32. REQUIRES: bound > 0.
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }
  /// Uniform in [0, 1): a multiple of 2^-24, exact in float.
  float uniform() { return static_cast<float>(next() >> 40) * 0x1p-24F; }
  /// Uniform in [low, high).
  float uniform(float low, float high) { return low + (high - low) * uniform(); }
  /// Bell-shaped with mean 0, variance 1 and bounds +-3.46: a sum of four uniform numbers, because
  /// library logarithms differ between machines.
  float bell() {
    const std::uint64_t bits = next();
    const auto sum = static_cast<std::int32_t>((bits & 0xffff) + ((bits >> 16) & 0xffff) +
                                               ((bits >> 32) & 0xffff) + (bits >> 48));
    return static_cast<float>(sum - 131070) * (1.7320508F / 65536.0F);
  }
  bool chance(float probability) { return uniform() < probability; }

 private:
  std::uint64_t state_;
};

/// Puts `values` into the order that `random` decides (Fisher-Yates).
void shuffle(std::vector<std::uint32_t>& values, KeyedRandom& random);

}  // namespace bellows::data
