#include "training/data/normalisation.h"

#include <bellows/error.h>

#include <array>
#include <cmath>
#include <string>

namespace bellows {

Normalisation compute_normalisation(const Dataset& dataset) {
  if (dataset.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "data set \"" + dataset.name() + "\" is empty: nothing to normalise by");
  }
  const auto channels = static_cast<std::size_t>(dataset.shape().channels);
  const std::size_t plane = dataset.shape().elements() / channels;
  std::vector<std::array<std::uint64_t, 256>> histogram(channels);
  for (auto& bins : histogram) bins.fill(0);
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const auto image = dataset.image(i);
    for (std::size_t c = 0; c < channels; ++c) {
      for (const std::uint8_t value : image.subspan(c * plane, plane)) ++histogram[c][value];
    }
  }
  Normalisation result;
  for (const auto& bins : histogram) {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    for (std::size_t value = 0; value < bins.size(); ++value) {
      count += bins[value];
      sum += bins[value] * value;
    }
    const double mean = static_cast<double>(sum) / static_cast<double>(count);
    double squares = 0;
    for (std::size_t value = 0; value < bins.size(); ++value) {
      const double distance = static_cast<double>(value) - mean;
      squares += static_cast<double>(bins[value]) * distance * distance;
    }
    const double deviation = std::sqrt(squares / static_cast<double>(count)) / 255;
    result.mean.push_back(static_cast<float>(mean / 255));
    result.stddev.push_back(deviation > 0 ? static_cast<float>(deviation) : 1.0F);
  }
  return result;
}

void check_normalisation(const Normalisation& normalisation, int channels) {
  const auto wanted = static_cast<std::size_t>(channels);
  if (normalisation.mean.size() != wanted || normalisation.stddev.size() != wanted) {
    throw Error(ErrorCode::kInvalidArgument,
                "normalisation has " + std::to_string(normalisation.mean.size()) + " means and " +
                    std::to_string(normalisation.stddev.size()) + " deviations, the images have " +
                    std::to_string(channels) + " channels");
  }
  for (std::size_t c = 0; c < wanted; ++c) {
    if (!std::isfinite(normalisation.mean[c]) || !std::isfinite(normalisation.stddev[c]) ||
        normalisation.stddev[c] <= 0) {
      throw Error(ErrorCode::kInvalidArgument,
                  "normalisation of channel " + std::to_string(c) + ": mean " +
                      std::to_string(normalisation.mean[c]) + ", deviation " +
                      std::to_string(normalisation.stddev[c]));
    }
  }
}

}  // namespace bellows
