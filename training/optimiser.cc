#include "training/optimiser.h"

#include <bellows/error.h>

#include <Eigen/Core>
#include <cmath>
#include <utility>

namespace bellows {
namespace {

using Values = Eigen::Map<Eigen::ArrayXf>;
using ConstValues = Eigen::Map<const Eigen::ArrayXf>;

Values view(std::span<float> span) { return {span.data(), static_cast<Eigen::Index>(span.size())}; }

ConstValues const_view(std::span<const float> span) {
  return {span.data(), static_cast<Eigen::Index>(span.size())};
}

}  // namespace

void OptimiserOptions::visit_fields(FieldVisitor& visitor) {
  constexpr double kLeastRate = 1e-12;     // at 0 nothing is learned
  constexpr double kBelowOne = 0.9999999;  // at 1 nothing is forgotten, and a mean never moves
  visitor.field("kind", kind,
                {.help = "what turns gradients into updates", .choices = {"sgd", "adamw"}});
  visitor.field("learning_rate", learning_rate,
                {.help = "base rate, which the schedule scales", .minimum = kLeastRate});
  visitor.field(
      "weight_decay", weight_decay,
      {.help = "pull of weights towards zero; never of biases and normalisation", .minimum = 0});
  if (kind == "sgd") {
    visitor.field(
        "momentum", momentum,
        {.help = "share of the last update kept; for sgd", .minimum = 0, .maximum = kBelowOne});
    visitor.field("nesterov", nesterov, {.help = "look ahead along the momentum; for sgd"});
  }
  if (kind == "adamw") {
    visitor.field("beta1", beta1,
                  {.help = "memory of the mean; for adamw", .minimum = 0, .maximum = kBelowOne});
    visitor.field(
        "beta2", beta2,
        {.help = "memory of the mean square; for adamw", .minimum = 0, .maximum = kBelowOne});
    visitor.field("epsilon", epsilon,
                  {.help = "added to the root of the mean square; for adamw",
                   .minimum = 1e-30,
                   .maximum = 1});
  }
}

Optimiser::Optimiser(const OptimiserOptions& options, std::vector<ParameterBlock> blocks)
    : options_(options), adamw_(options.kind == "adamw"), blocks_(std::move(blocks)) {
  if (!adamw_ && options.kind != "sgd") {
    throw Error(ErrorCode::kInvalidArgument,
                "optimiser: unknown kind '" + options.kind + "', known are sgd, adamw");
  }
  for (const ParameterBlock& block : blocks_) {
    if (block.values.size() != block.gradients.size()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "optimiser: '" + block.name + "' has " + std::to_string(block.values.size()) +
                      " values and " + std::to_string(block.gradients.size()) + " gradients");
    }
    first_.emplace_back(block.values.size(), 0.0F);
    if (adamw_) second_.emplace_back(block.values.size(), 0.0F);
  }
}

void Optimiser::step(double learning_rate) {
  ++updates_;
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    if (adamw_) {
      step_adamw(block, learning_rate);
    } else {
      step_sgd(block, static_cast<float>(learning_rate));
    }
  }
}

void Optimiser::step_sgd(std::size_t block, float rate) {
  auto values = view(blocks_[block].values);
  auto velocity = view(first_[block]);
  const auto gradients = const_view(blocks_[block].gradients);
  const float decay = blocks_[block].decays ? static_cast<float>(options_.weight_decay) : 0.0F;
  const auto momentum = static_cast<float>(options_.momentum);
  // The decayed gradient is written out twice rather than stored: no array of its own is needed.
  velocity = momentum * velocity + (gradients + decay * values);
  if (options_.nesterov) {
    values -= rate * (gradients + decay * values + momentum * velocity);
  } else {
    values -= rate * velocity;
  }
}

void Optimiser::step_adamw(std::size_t block, double rate) {
  auto values = view(blocks_[block].values);
  auto mean = view(first_[block]);
  auto square = view(second_[block]);
  const auto gradients = const_view(blocks_[block].gradients);
  const auto beta1 = static_cast<float>(options_.beta1);
  const auto beta2 = static_cast<float>(options_.beta2);
  const auto updates = static_cast<double>(updates_);
  const double mean_correction = 1 - std::pow(options_.beta1, updates);
  const double square_correction = 1 - std::pow(options_.beta2, updates);
  const auto mean_rate = static_cast<float>(rate / mean_correction);
  const auto root_scale = static_cast<float>(1 / std::sqrt(square_correction));
  const auto epsilon = static_cast<float>(options_.epsilon);
  const auto decay = static_cast<float>(blocks_[block].decays ? rate * options_.weight_decay : 0.0);
  mean = beta1 * mean + (1 - beta1) * gradients;
  square = beta2 * square + (1 - beta2) * gradients.square();
  values -= mean_rate * mean / (root_scale * square.sqrt() + epsilon) + decay * values;
}

std::vector<Optimiser::StateArray> Optimiser::state() {
  std::vector<StateArray> arrays;
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    const std::string& name = blocks_[block].name;
    arrays.push_back({name + (adamw_ ? "/mean" : "/momentum"), first_[block]});
    if (adamw_) arrays.push_back({name + "/mean_square", second_[block]});
  }
  return arrays;
}

void Optimiser::set_updates(std::int64_t updates) {
  if (updates < 0) {
    throw Error(ErrorCode::kInvalidArgument, "optimiser: " + std::to_string(updates) +
                                                 " updates; the number cannot be negative");
  }
  updates_ = updates;
}

double clip_gradients(std::span<const std::span<float>> gradients, double max_norm) {
  // In one order, whatever the alignment of the blocks: equal gradients give an equal norm.
  double sum = 0;
  for (const std::span<float> block : gradients) {
    for (const float value : block) sum += static_cast<double>(value) * static_cast<double>(value);
  }
  const double norm = std::sqrt(sum);
  if (max_norm > 0 && std::isfinite(norm) && norm > max_norm) {
    const auto scale = static_cast<float>(max_norm / norm);
    for (const std::span<float> block : gradients) view(block) *= scale;
  }
  return norm;
}

}  // namespace bellows
