#include "training/initialise.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string_view>

#include "layers/counter_random.h"

namespace bellows {
namespace {

std::uint64_t key_of(std::string_view name, std::uint64_t seed) {
  std::uint64_t key = scatter(seed + 1);
  for (const char c : name) key = scatter(key ^ static_cast<unsigned char>(c));
  return key;
}

// Uniform in (0, 1], number `counter` of the sequence `key`.
double uniform(std::uint64_t key, std::uint64_t counter) {
  const std::uint64_t bits = scatter(key + (counter + 1) * kSplitMixIncrement);
  return static_cast<double>((bits >> 11) + 1) * 0x1p-53;
}

// Two uniform numbers make two normal ones (Box, Muller 1958).
void fill_normal(std::uint64_t key, double deviation, std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const double radius = deviation * std::sqrt(-2 * std::log(uniform(key, i)));
    const double angle = 2 * std::numbers::pi * uniform(key, i + 1);
    values[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < values.size()) values[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

}  // namespace

void initialise(const ParameterSpec& spec, LayerKind kind, const std::string& name,
                std::uint64_t seed, std::span<float> values) {
  if (static_cast<std::int64_t>(values.size()) != spec.elements()) {
    throw Error(ErrorCode::kInvalidArgument,
                "tensor '" + name + "' has " + std::to_string(spec.elements()) +
                    " elements, room for " + std::to_string(values.size()) + " was given");
  }
  switch (spec.role) {
    case ParameterRole::kWeight: {
      const double gain = kind == LayerKind::kHead ? 1 : 2;
      const double variance = gain / static_cast<double>(std::max<std::int64_t>(1, spec.fan_in));
      fill_normal(key_of(name, seed), std::sqrt(variance), values);
      return;
    }
    case ParameterRole::kScale:
    case ParameterRole::kVariance:
      std::fill(values.begin(), values.end(), 1.0F);
      return;
    case ParameterRole::kBias:
    case ParameterRole::kShift:
    case ParameterRole::kMean:
      std::fill(values.begin(), values.end(), 0.0F);
      return;
  }
}

}  // namespace bellows
