// How far probabilities can be believed, and temperatures that mend them (Guo et al. 2017, "On
// Calibration of Modern Neural Networks").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bellows {

/// Answers whose most probable class has a probability of the same bin.
struct ReliabilityBin {
  std::int64_t count = 0;
  double confidence = 0;  ///< mean probability of the most probable class
  double accuracy = 0;    ///< share of right answers
};

/// Of one width.
struct Calibration {
  double temperature = 1;  ///< that the logits were divided by
  double negative_log_likelihood = 0;
  double expected_calibration_error = 0;  ///< mean over answers of |accuracy - confidence| of a bin
  std::vector<ReliabilityBin> bins;       ///< of equal width, from 0 to 1
};

/// `logits`: [N, classes]; `labels`: [N]. Throws Error(kInvalidArgument) where sizes do not fit,
/// there are no labels, or the temperature is not above 0.
[[nodiscard]] Calibration calibration(std::span<const float> logits,
                                      std::span<const std::int32_t> labels, double temperature = 1,
                                      int bins = 15);

/// The temperature of least negative log-likelihood, from 1/20 to 20. Throws as `calibration`.
[[nodiscard]] double fit_temperature(std::span<const float> logits,
                                     std::span<const std::int32_t> labels);

}  // namespace bellows
