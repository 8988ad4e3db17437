// Random numbers from a counter: what dropout draws from, equal on every machine and with any
// number of threads.
#pragma once

#include <cmath>
#include <cstdint>

namespace bellows {

/// Scatters every bit over all others: the finaliser of SplitMix64, by Steele, Lea and Flood, "Fast
/// Splittable Pseudorandom Number Generators", OOPSLA 2014.
[[nodiscard]] constexpr std::uint64_t scatter(std::uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
  return bits ^ (bits >> 31);
}

/// Between the states of SplitMix64.
inline constexpr std::uint64_t kSplitMixIncrement = 0x9e3779b97f4a7c15U;

/// Draw number i is true with the given probability, for each i on its own.
class CounterDraws {
 public:
  CounterDraws(std::uint64_t seed, double probability)
      : start_(scatter(seed * kSplitMixIncrement)),
        threshold_(static_cast<std::uint64_t>(std::ldexp(probability, 32))) {}
  bool operator()(std::uint64_t i) const {
    return (scatter((start_ + i) * kSplitMixIncrement) >> 32) < threshold_;
  }

 private:
  std::uint64_t start_;
  std::uint64_t threshold_;
};

}  // namespace bellows
