#include "training/policies/selector_training.h"

#include <bellows/error.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "engine/number_text.h"
#include "training/data/random.h"
#include "training/policies/outcomes.h"
#include "training/policies/reinforce.h"
#include "training/policies/selector_learner.h"

namespace bellows {
namespace {

// -log of a millionth: surer wrong answers count no more.
constexpr float kMostLoss = 13.8155F;

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, "selector: " + problem);
}

Eigen::MatrixXf columns(const Eigen::MatrixXf& all, std::span<const std::uint32_t> chosen) {
  Eigen::MatrixXf result(all.rows(), static_cast<Eigen::Index>(chosen.size()));
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    result.col(static_cast<Eigen::Index>(i)) = all.col(chosen[i]);
  }
  return result;
}

void check(const SelectorOptions& options) {
  if (!(options.alpha >= 0 && std::isfinite(options.alpha))) {
    refuse("alpha is " + number_text(options.alpha) + "; it must be 0 or more");
  }
  if (options.units < 1 || options.units > kMostSelectorUnits) {
    refuse("it has " + std::to_string(options.units) + " units; it must have 1 to " +
           std::to_string(kMostSelectorUnits));
  }
  if (options.epochs < 1 || options.batch < 1 || !(options.learning_rate > 0)) {
    refuse("epochs, batch and learning rate must be above 0");
  }
}

// What selectors are learned from.
struct SelectorTable {
  std::vector<Eigen::MatrixXf> inputs;  // [width - 1] [inputs, N], the widest left out
  Eigen::MatrixXf losses;               // [widths, N]
  Eigen::VectorXf costs;                // [widths], the last 1

  [[nodiscard]] Eigen::Index size() const { return losses.cols(); }
  [[nodiscard]] int widths() const { return static_cast<int>(losses.rows()); }
};

SelectorTable selector_table(const PredictionTable& table, std::span<const double> costs,
                             SelectorLoss loss) {
  const int widths = table.widths();
  if (widths < 2) refuse("a model of one width has nothing to decide");
  check_width_costs(costs, widths);
  if (!(costs.back() > 0)) refuse("the widest width costs nothing");
  const auto classes = static_cast<std::size_t>(table.classes);
  const auto count = static_cast<Eigen::Index>(table.size());
  SelectorTable result{
      .inputs = {}, .losses = Eigen::MatrixXf(widths, count), .costs = Eigen::VectorXf(widths)};
  std::vector<float> probabilities(classes);
  for (int width = 1; width <= widths; ++width) {
    result.costs[width - 1] =
        static_cast<float>(costs[static_cast<std::size_t>(width - 1)] / costs.back());
    Eigen::MatrixXf inputs(static_cast<Eigen::Index>(selector_inputs(classes)), count);
    for (Eigen::Index i = 0; i < count; ++i) {
      const auto image = static_cast<std::size_t>(i);
      const JudgedAnswer answer = judge_answer(table.answer(width, image), table.labels[image],
                                               probabilities, inputs.col(i).data());
      result.losses(width - 1, i) = loss == SelectorLoss::kError
                                        ? (answer.right ? 0.0F : 1.0F)
                                        : std::min(answer.cross_entropy, kMostLoss);
    }
    if (width < widths) result.inputs.push_back(std::move(inputs));
  }
  return result;
}

}  // namespace

LearnedSelector learn_selector(const PredictionTable& predictions, std::span<const double> costs,
                               const SelectorOptions& options) {
  check(options);
  const SelectorTable table = selector_table(predictions, costs, options.loss);
  const Eigen::MatrixXf rewards =
      -(table.losses.colwise() + static_cast<float>(options.alpha) * table.costs);
  data::KeyedRandom random(options.seed, 0x5e1ec7);
  SelectorLearner learner(table.widths(), table.inputs.front().rows(), options.units, random);

  std::vector<std::uint32_t> order(static_cast<std::size_t>(table.size()));
  std::iota(order.begin(), order.end(), 0U);
  const std::size_t batch = std::min(order.size(), static_cast<std::size_t>(options.batch));
  const std::size_t batches = order.size() / batch;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    data::shuffle(order, random);
    for (std::size_t b = 0; b < batches; ++b) {
      const auto chosen = std::span(order).subspan(b * batch, batch);
      std::vector<Eigen::MatrixXf> seen;
      for (const Eigen::MatrixXf& all : table.inputs) seen.push_back(columns(all, chosen));
      const double done =
          (epoch + static_cast<double>(b) / static_cast<double>(batches)) / options.epochs;
      const double rate = options.learning_rate * (1 + std::cos(std::numbers::pi * done)) / 2;
      learner.learn(seen, columns(rewards, chosen), static_cast<float>(rate),
                    static_cast<float>(options.weight_decay),
                    static_cast<float>(options.pull * (1 - done)), random);
    }
  }

  const Eigen::MatrixXf outputs = learner.outputs(table.inputs);
  const Eigen::MatrixXf none = Eigen::MatrixXf::Zero(outputs.rows(), outputs.cols());
  return {.selector = learner.selector(options.alpha),
          .expected_reward = (stop_probabilities(outputs).array() * rewards.array())
                                 .colwise()
                                 .sum()
                                 .cast<double>()
                                 .mean(),
          .variance = reinforce_variance(outputs, rewards, learner.baselines(table.inputs)),
          .variance_without_baseline = reinforce_variance(outputs, rewards, none)};
}

}  // namespace bellows
