// Confidences from probabilities: one code for tuning and for running, so that a threshold means
// the same to the bit.
#pragma once

#include <bellows/policy.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/softmax.h"

namespace bellows {

/// The largest two of `values`, at least two.
struct LargestTwo {
  float first = 0;
  float second = 0;
};
inline LargestTwo largest_two(const float* values, std::size_t count) {
  LargestTwo two{std::max(values[0], values[1]), std::min(values[0], values[1])};
  for (std::size_t i = 2; i < count; ++i) {
    if (values[i] > two.first) {
      two = {values[i], two.first};
    } else if (values[i] > two.second) {
      two.second = values[i];
    }
  }
  return two;
}

/// Of at least two classes.
inline float confidence_of(Confidence kind, const float* probabilities, std::size_t classes) {
  switch (kind) {
    case Confidence::kMaxProbability:
      return *std::max_element(probabilities, probabilities + classes);
    case Confidence::kMargin: {
      const LargestTwo two = largest_two(probabilities, classes);
      return two.first - two.second;
    }
    case Confidence::kEntropy:
      break;
  }
  float sum = 0;  // of p log p
  for (std::size_t i = 0; i < classes; ++i) {
    const float p = probabilities[i];
    if (p > 0) sum += p * std::log(p);
  }
  return std::clamp(1 + sum / std::log(static_cast<float>(classes)), 0.0F, 1.0F);
}

/// softmax(logits / temperature).
inline void tempered_softmax(const float* logits, std::size_t classes, float temperature,
                             float* probabilities) {
  for (std::size_t i = 0; i < classes; ++i) probabilities[i] = logits[i] / temperature;
  softmax(probabilities, classes, probabilities);
}

}  // namespace bellows
