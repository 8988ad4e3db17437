// How the learning rate moves while a group is trained.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layers/fields.h"

namespace bellows {

/// With T batches in all, W of warm-up, b the batch's index and p = (b - W) / (T - W), the rate is
/// the base rate times
///   warm-up    (b + 1) / W while b < W; after it
///   constant   1
///   cosine     final_fraction + (1 - final_fraction) (1 + cos(pi q)) / 2, q being p, or with
///              `restarts` r the fraction of (r + 1) p: warm restarts (Loshchilov, Hutter 2017)
///   step       factor ^ (number of milestones that b / T has reached)
///   one_cycle  half a cosine from initial_fraction up to 1 at b / T = peak, then half a cosine
///              down to final_fraction (after Smith, Topin 2018); it is its own warm-up
struct LearningRateSchedule {
  std::string kind = "cosine";
  double warmup_epochs = 0;
  double final_fraction = 0;
  int restarts = 0;
  std::vector<double> milestones = {0.5, 0.75};
  double factor = 0.1;
  double peak = 0.3;
  double initial_fraction = 0.04;

  /// Only the fields that `kind` has.
  void visit_fields(FieldVisitor& visitor);
};

/// The rate for batch `batch`, from 0, of a training of `epochs` epochs with `batches_per_epoch`
/// batches each. Depends on its arguments alone. Batches past the end get the last one's rate.
/// Throws Error(kInvalidArgument) when `epochs` or `batches_per_epoch` is below 1, `batch` below 0,
/// or the kind unknown.
double learning_rate(const LearningRateSchedule& schedule, double base_rate, std::int64_t batch,
                     std::int64_t batches_per_epoch, int epochs);

}  // namespace bellows
