// Distillation: a network also learns from the probabilities of another, its teacher, which say
// more than labels do (Hinton, Vinyals, Dean 2015).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "layers/fields.h"

namespace bellows {

/// Table `training.distillation`.
struct DistillationConfig {
  /// "none"; with the joint schedule "widest": narrower widths learn from the widest, or
  /// "ensemble": every width learns from the mean of all; "model": every width learns from `model`.
  std::string teacher = "none";
  std::string model;       ///< path of a model file
  double weight = 0.5;     ///< of the teacher; the rest is the labels'
  double temperature = 2;  ///< that the logits of both are divided by

  [[nodiscard]] bool enabled() const { return teacher != "none"; }
  void visit_fields(FieldVisitor& visitor);
};

/// Adds softmax(logits / temperature), times `share`, to `sums`; both [N, classes], N from their
/// size. Throws Error(kInvalidArgument) for sizes that do not fit.
void add_softened(std::span<const float> logits, int classes, double temperature, double share,
                  std::span<float> sums);

/// With p = softmax(logits / T) and targets q, the distillation loss is T^2 KL(q || p), a mean over
/// the batch, which is returned; 0 where p equals q. `diff_logits`, the gradient of another loss,
/// becomes that of (1 - weight) * other + weight * distillation.
///
/// `targets`: [N, classes], rows that sum up to 1. Logits and their gradient stand class block by
/// class block as in loss.h. Thread safe.
double distil(const float* logits, std::span<const float> targets, int batch, int classes,
              int block, double weight, double temperature, float* diff_logits);

}  // namespace bellows
