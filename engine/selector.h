// Selectors: per width a small network that reads an answer and says stop or go (Guan et al. 2018).
// They are learned by training/policies/reinforce.h and stored in the model's metadata.
#pragma once

#include <cstddef>
#include <vector>

#include "layers/fields.h"

namespace bellows {

/// Hidden units that one may have.
inline constexpr int kMostSelectorUnits = 64;

/// Inputs of a selector for so many classes: the probabilities, margin, entropy (as confidences)
/// and the margin between the two largest logits.
inline constexpr std::size_t selector_inputs(std::size_t classes) { return classes + 3; }

/// Writes them. `logits` and `probabilities` (their softmax): [classes].
void write_selector_inputs(const float* logits, const float* probabilities, std::size_t classes,
                           float* inputs);

/// One hidden layer with rectifiers, one output: stop where that is 0 or more. Its logistic
/// function is the probability to stop that REINFORCE learns.
struct StopNetwork {
  std::vector<float> hidden_weight;  ///< [units, inputs]
  std::vector<float> hidden_bias;    ///< [units]
  std::vector<float> weight;         ///< [units]
  float bias = 0;

  [[nodiscard]] float output(const float* inputs, std::size_t count) const;
  void visit_fields(FieldVisitor& visitor);
  bool operator==(const StopNetwork&) const = default;
};

struct Selector {
  double alpha = 0;  ///< price of the widest width's cost, in losses, that it was learned with
  std::vector<StopNetwork> widths;  ///< of widths 1..G - 1

  /// Throws Error(kInvalidArgument) where sizes do not fit so many widths and classes.
  void check(int groups, int classes) const;
  void visit_fields(FieldVisitor& visitor);
  bool operator==(const Selector&) const = default;
};

}  // namespace bellows
