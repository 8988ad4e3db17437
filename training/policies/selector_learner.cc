#include "training/policies/selector_learner.h"

#include <algorithm>
#include <cmath>

#include "engine/softmax.h"
#include "training/policies/reinforce.h"

namespace bellows {
namespace {

Eigen::MatrixXf outputs_of(const std::vector<SmallNetwork>& networks,
                           const std::vector<Eigen::MatrixXf>& inputs) {
  Eigen::MatrixXf outputs(static_cast<Eigen::Index>(networks.size()), inputs.front().cols());
  for (std::size_t width = 0; width < networks.size(); ++width) {
    outputs.row(static_cast<Eigen::Index>(width)) =
        networks[width].output(inputs[width]).transpose();
  }
  return outputs;
}

}  // namespace

JudgedAnswer judge_answer(std::span<const float> logits, std::int32_t label,
                          std::span<float> probabilities, float* inputs) {
  const std::size_t classes = logits.size();
  softmax(logits.data(), classes, probabilities.data());
  write_selector_inputs(logits.data(), probabilities.data(), classes, inputs);
  // A probability of 0 has no logarithm.
  constexpr float kLeast = 1e-30F;
  const float probability = probabilities[static_cast<std::size_t>(label)];
  return {.cross_entropy = -std::log(std::max(probability, kLeast)),
          .right = std::ranges::max_element(logits) - logits.begin() == label};
}

SelectorLearner::SelectorLearner(int widths, Eigen::Index inputs, int units,
                                 data::KeyedRandom& random) {
  for (int width = 1; width < widths; ++width) {
    deciding_.emplace_back(inputs, units, random);
    expecting_.emplace_back(inputs, units, random);
  }
}

Eigen::MatrixXf SelectorLearner::learn(const std::vector<Eigen::MatrixXf>& inputs,
                                       const Eigen::MatrixXf& rewards, float rate, float decay,
                                       float pull, data::KeyedRandom& random) {
  const Eigen::MatrixXf outputs = this->outputs(inputs);
  const Eigen::MatrixXf baselines = this->baselines(inputs);
  const Eigen::Index count = outputs.cols();
  std::vector<int> stopped;
  for (Eigen::Index n = 0; n < count; ++n) {
    int at = 1;
    while (at <= outputs.rows() && random.uniform() >= logistic(outputs(at - 1, n))) ++at;
    stopped.push_back(at);
  }
  const Eigen::MatrixXf gradient = reinforce_gradient(outputs, rewards, stopped, baselines);
  const auto scale = 1 / static_cast<float>(count);
  for (std::size_t width = 0; width < deciding_.size(); ++width) {
    const auto row = static_cast<Eigen::Index>(width);
    // Squared error of what was expected, downhill, for those who got there.
    Eigen::VectorXf missing = Eigen::VectorXf::Zero(count);
    for (Eigen::Index n = 0; n < count; ++n) {
      const int at = stopped[static_cast<std::size_t>(n)];
      if (at > row) missing[n] = rewards(at - 1, n) - baselines(row, n);
    }
    const Eigen::VectorXf wanted = (gradient.row(row) - pull * outputs.row(row)).transpose();
    deciding_[width].learn(inputs[width], scale * wanted, rate, decay);
    expecting_[width].learn(inputs[width], scale * missing, rate, decay);
  }
  return stop_probabilities(outputs);
}

Eigen::MatrixXf SelectorLearner::outputs(const std::vector<Eigen::MatrixXf>& inputs) const {
  return outputs_of(deciding_, inputs);
}

Eigen::MatrixXf SelectorLearner::baselines(const std::vector<Eigen::MatrixXf>& inputs) const {
  return outputs_of(expecting_, inputs);
}

Selector SelectorLearner::selector(double alpha) const {
  Selector result{.alpha = alpha, .widths = {}};
  for (const SmallNetwork& network : deciding_) result.widths.push_back(network.network());
  return result;
}

std::vector<std::span<float>> SelectorLearner::state() {
  std::vector<std::span<float>> all;
  for (std::vector<SmallNetwork>* networks : {&deciding_, &expecting_}) {
    for (SmallNetwork& network : *networks) {
      for (const std::span<float> values : network.state()) all.push_back(values);
    }
  }
  return all;
}

void SelectorLearner::set_updates(int updates) {
  for (SmallNetwork& network : deciding_) network.set_updates(updates);
  for (SmallNetwork& network : expecting_) network.set_updates(updates);
}

}  // namespace bellows
