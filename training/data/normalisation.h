// Bringing pixels to mean 0 and deviation 1, per channel.
#pragma once

#include <vector>

#include "training/data/dataset.h"

namespace bellows {

/// Per channel, in units of the pixel range 0..1: x = (pixel / 255 - mean) / stddev.
struct Normalisation {
  std::vector<float> mean;
  std::vector<float> stddev;
};

/// Mean and standard deviation over all pixels of each channel; exact integer sums, so the order of
/// the images does not matter. A channel without variation gets deviation 1.
/// Throws Error(kInvalidArgument) for an empty data set.
[[nodiscard]] Normalisation compute_normalisation(const Dataset& dataset);

/// Throws Error(kInvalidArgument) unless there are `channels` finite means and positive deviations.
void check_normalisation(const Normalisation& normalisation, int channels);

}  // namespace bellows
