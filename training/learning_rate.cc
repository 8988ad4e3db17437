#include "training/learning_rate.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bellows {
namespace {

// From `from` at 0 to `to` at 1, level at both ends.
double half_cosine(double from, double to, double progress) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

}  // namespace

void LearningRateSchedule::visit_fields(FieldVisitor& visitor) {
  visitor.field("kind", kind,
                {.help = "how the rate moves from the first batch of a group to its last",
                 .choices = {"constant", "cosine", "step", "one_cycle"}});
  if (kind != "one_cycle") {
    visitor.field("warmup_epochs", warmup_epochs,
                  {.help = "epochs of linear rise from zero; not for one_cycle", .minimum = 0});
  }
  if (kind == "cosine" || kind == "one_cycle") {
    visitor.field("final_fraction", final_fraction,
                  {.help = "share of the rate left at the end; for cosine and one_cycle",
                   .minimum = 0,
                   .maximum = 1});
  }
  if (kind == "cosine") {
    visitor.field("restarts", restarts,
                  {.help = "times that the rate starts anew, after equal parts; for cosine",
                   .minimum = 0,
                   .maximum = 1000});
  }
  if (kind == "step") {
    visitor.field("milestones", milestones,
                  {.help = "shares of the training after which the rate drops; for step",
                   .minimum = 0,
                   .maximum = 1});
    visitor.field("factor", factor,
                  {.help = "of every drop; for step", .minimum = 0, .maximum = 1});
  }
  if (kind == "one_cycle") {
    visitor.field("peak", peak,
                  {.help = "share of the training after which the rate is highest; for one_cycle",
                   .minimum = 0,
                   .maximum = 1});
    visitor.field("initial_fraction", initial_fraction,
                  {.help = "share of the rate at the first batch; for one_cycle",
                   .minimum = 0,
                   .maximum = 1});
  }
}

double learning_rate(const LearningRateSchedule& schedule, double base_rate, std::int64_t batch,
                     std::int64_t batches_per_epoch, int epochs) {
  if (batch < 0 || batches_per_epoch < 1 || epochs < 1) {
    throw Error(ErrorCode::kInvalidArgument, "learning rate: batch " + std::to_string(batch) +
                                                 " of " + std::to_string(epochs) + " epochs of " +
                                                 std::to_string(batches_per_epoch) + " batches");
  }
  const double total = static_cast<double>(batches_per_epoch) * epochs;
  const double at = std::min(static_cast<double>(batch), total - 1);
  const double fraction = at / total;
  if (schedule.kind == "one_cycle") {
    if (fraction < schedule.peak) {
      return base_rate * half_cosine(schedule.initial_fraction, 1, fraction / schedule.peak);
    }
    // A peak of 1 leaves no batch for the way down, so there is no division by zero.
    return base_rate * half_cosine(1, schedule.final_fraction,
                                   (fraction - schedule.peak) / (1 - schedule.peak));
  }
  const double warmup =
      std::min(total, std::round(schedule.warmup_epochs * static_cast<double>(batches_per_epoch)));
  if (at < warmup) return base_rate * (at + 1) / warmup;
  if (schedule.kind == "constant") return base_rate;
  if (schedule.kind == "cosine") {
    const double progress = (at - warmup) / (total - warmup) * (schedule.restarts + 1);
    return base_rate * half_cosine(1, schedule.final_fraction, progress - std::floor(progress));
  }
  if (schedule.kind == "step") {
    const auto reached = std::count_if(schedule.milestones.begin(), schedule.milestones.end(),
                                       [fraction](double share) { return share <= fraction; });
    return base_rate * std::pow(schedule.factor, static_cast<double>(reached));
  }
  throw Error(ErrorCode::kInvalidArgument,
              "learning rate: unknown kind of schedule '" + schedule.kind + "'");
}

}  // namespace bellows
