#include "training/policies/joint_selector.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "training/policies/selector_learner.h"

namespace bellows {
namespace {

constexpr int kUnits = 8;
constexpr double kRate = 0.005;  // of Adam, at first
constexpr float kDecay = 1e-4F;
constexpr double kPull = 0.005;  // at first, see SelectorLearner::learn
// A surer wrong answer counts no more, or a few of them would be all that is learned from.
constexpr float kMostLoss = 5;

}  // namespace

void JointSelectorConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("alpha", alpha,
                {.help = "of a selector learned along with a joint schedule: price of the widest "
                         "width's cost, in cross-entropy; absent: no selector",
                 .minimum = 0,
                 .maximum = 1e6});
  visitor.field("share", share,
                {.help = "of the classifiers' loss that follows where the selector stops; the rest "
                         "counts every width alike",
                 .minimum = 0,
                 .maximum = 1});
}

struct JointSelector::State {
  State(const Network& network, const JointSelectorConfig& config, std::uint64_t random_seed,
        data::KeyedRandom random)
      : alpha(config.alpha.value_or(0)),
        share(config.share),
        seed(random_seed),
        costs(network.groups()),
        learner(
            network.groups(),
            static_cast<Eigen::Index>(selector_inputs(static_cast<std::size_t>(network.classes()))),
            kUnits, random) {
    double sum = 0;
    for (int group = 1; group <= network.groups(); ++group) {
      sum += static_cast<double>(network.macs(group));
      costs[group - 1] = static_cast<float>(sum);
    }
    costs /= static_cast<float>(sum);
  }

  double alpha;
  double share;
  std::uint64_t seed;
  Eigen::VectorXf costs;  // of each width, by the widest's
  SelectorLearner learner;
  std::vector<std::vector<float>> weights = {};
  Means sums = {};
  int batches = 0;
};

JointSelector::JointSelector(const Network& network, const JointSelectorConfig& config,
                             std::uint64_t seed) {
  if (network.groups() < 2) {
    throw Error(ErrorCode::kInvalidArgument,
                "a selector needs a network of at least 2 groups to choose between");
  }
  state_ = std::make_unique<State>(network, config, seed, data::KeyedRandom(seed, 0x5e1ec7));
}

JointSelector::~JointSelector() = default;

Selector JointSelector::selector() const { return state_->learner.selector(state_->alpha); }

std::vector<std::span<float>> JointSelector::state() { return state_->learner.state(); }

void JointSelector::set_updates(int updates) { state_->learner.set_updates(updates); }

const std::vector<std::vector<float>>& JointSelector::learn(
    const std::vector<std::vector<float>>& logits, std::span<const std::int32_t> labels,
    std::uint64_t step, double progress) {
  const std::size_t widths = logits.size();
  const std::size_t count = labels.size();
  const std::size_t classes = logits.front().size() / count;
  std::vector<Eigen::MatrixXf> inputs;
  Eigen::MatrixXf rewards(static_cast<Eigen::Index>(widths), static_cast<Eigen::Index>(count));
  Eigen::MatrixXf wrong(static_cast<Eigen::Index>(widths), static_cast<Eigen::Index>(count));
  std::vector<float> probabilities(classes);
  for (std::size_t width = 0; width < widths; ++width) {
    const auto row = static_cast<Eigen::Index>(width);
    Eigen::MatrixXf seen(static_cast<Eigen::Index>(selector_inputs(classes)),
                         static_cast<Eigen::Index>(count));
    for (std::size_t i = 0; i < count; ++i) {
      const auto column = static_cast<Eigen::Index>(i);
      const JudgedAnswer answer =
          judge_answer(std::span(logits[width]).subspan(i * classes, classes), labels[i],
                       probabilities, seen.col(column).data());
      const float loss = std::min(answer.cross_entropy, kMostLoss);
      rewards(row, column) = -loss - static_cast<float>(state_->alpha) * state_->costs[row];
      wrong(row, column) = answer.right ? 0.0F : 1.0F;
    }
    if (width + 1 < widths) inputs.push_back(std::move(seen));
  }
  data::KeyedRandom random(state_->seed, 0x57e9, step);
  const double rate = kRate * (1 + std::cos(std::numbers::pi * progress)) / 2;
  const Eigen::MatrixXf stops =
      state_->learner.learn(inputs, rewards, static_cast<float>(rate), kDecay,
                            static_cast<float>(kPull * (1 - progress)), random);
  state_->weights.assign(widths, std::vector<float>(count));
  const auto follows = static_cast<float>(state_->share * static_cast<double>(widths));
  for (std::size_t width = 0; width < widths; ++width) {
    for (std::size_t i = 0; i < count; ++i) {
      state_->weights[width][i] =
          static_cast<float>(1 - state_->share) +
          follows * stops(static_cast<Eigen::Index>(width), static_cast<Eigen::Index>(i));
    }
  }
  const auto images = static_cast<double>(count);
  state_->sums.cost += static_cast<double>((state_->costs.transpose() * stops).sum()) / images;
  state_->sums.error += static_cast<double>((wrong.array() * stops.array()).sum()) / images;
  ++state_->batches;
  return state_->weights;
}

JointSelector::Means JointSelector::take_means() {
  const double batches = std::max(1, state_->batches);
  const Means means{.cost = state_->sums.cost / batches,
                    .error = state_->sums.error / batches,
                    .batches = state_->batches};
  state_->sums = {};
  state_->batches = 0;
  return means;
}

}  // namespace bellows
