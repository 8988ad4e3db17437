// Probabilities from logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace bellows {

/// probabilities[i] = exp(logits[i]) / sum of exp(logits), computed without overflow; all NaN when
/// a logit is. Both arrays have `classes` values, at least one; they may be the same array.
inline void softmax(const float* logits, std::size_t classes, float* probabilities) {
  const float largest = *std::max_element(logits, logits + classes);
  float sum = 0;
  for (std::size_t i = 0; i < classes; ++i) {
    probabilities[i] = std::exp(logits[i] - largest);
    sum += probabilities[i];
  }
  for (std::size_t i = 0; i < classes; ++i) probabilities[i] /= sum;
}

}  // namespace bellows
