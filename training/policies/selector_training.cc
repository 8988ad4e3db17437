#include "training/policies/selector_training.h"

#include <bellows/error.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "engine/softmax.h"
#include "training/data/random.h"
#include "training/policies/reinforce.h"

namespace bellows {
namespace {

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, "selector: " + problem);
}

float logistic(float x) { return 1 / (1 + std::exp(-x)); }

// A network of one hidden layer with rectifiers and one output, over batches.
class SmallNetwork {
 public:
  SmallNetwork(Eigen::Index inputs, Eigen::Index units, data::KeyedRandom& random)
      : inputs_(inputs), units_(units), values_(units * inputs + 2 * units + 1) {
    const float spread = std::sqrt(2.0F / static_cast<float>(inputs));
    for (float& value : values_) value = 0;
    for (Eigen::Index i = 0; i < units * inputs; ++i) values_[i] = spread * random.bell();
    for (Eigen::Index i = 0; i < units; ++i) {
      values_[units * inputs + units + i] = random.bell() / std::sqrt(static_cast<float>(units));
    }
    gradient_ = first_ = second_ = Eigen::VectorXf::Zero(values_.size());
  }

  // [inputs, N] to [N].
  [[nodiscard]] Eigen::VectorXf output(const Eigen::MatrixXf& inputs) const {
    const Eigen::MatrixXf hidden = activate(inputs);
    return (hidden.transpose() * weight()).array() + values_[values_.size() - 1];
  }

  // Takes the gradient by the output, [N], of what is to be made large.
  void learn(const Eigen::MatrixXf& inputs, const Eigen::VectorXf& gradient, float rate,
             float decay) {
    const Eigen::MatrixXf hidden = activate(inputs);
    const Eigen::MatrixXf by_hidden =
        ((weight() * gradient.transpose()).array() * (hidden.array() > 0).cast<float>()).matrix();
    gradient_.head(units_ * inputs_).reshaped(units_, inputs_) = by_hidden * inputs.transpose();
    gradient_.segment(units_ * inputs_, units_) = by_hidden.rowwise().sum();
    gradient_.segment(units_ * inputs_ + units_, units_) = hidden * gradient;
    gradient_[values_.size() - 1] = gradient.sum();
    step(rate, decay);
  }

  [[nodiscard]] StopNetwork network() const {
    StopNetwork result;
    const auto weights = values_.head(units_ * inputs_).reshaped(units_, inputs_);
    for (Eigen::Index unit = 0; unit < units_; ++unit) {
      for (Eigen::Index i = 0; i < inputs_; ++i) result.hidden_weight.push_back(weights(unit, i));
      result.hidden_bias.push_back(values_[units_ * inputs_ + unit]);
      result.weight.push_back(values_[units_ * inputs_ + units_ + unit]);
    }
    result.bias = values_[values_.size() - 1];
    return result;
  }

 private:
  [[nodiscard]] Eigen::MatrixXf activate(const Eigen::MatrixXf& inputs) const {
    const auto weights = values_.head(units_ * inputs_).reshaped(units_, inputs_);
    const Eigen::VectorXf bias = values_.segment(units_ * inputs_, units_);
    return ((weights * inputs).colwise() + bias).cwiseMax(0.0F);
  }
  [[nodiscard]] Eigen::VectorXf weight() const {
    return values_.segment(units_ * inputs_ + units_, units_);
  }

  // Adam, uphill.
  void step(float rate, float decay) {
    constexpr float kFirst = 0.9F;
    constexpr float kSecond = 0.999F;
    ++updates_;
    first_ = kFirst * first_ + (1 - kFirst) * gradient_;
    second_ = kSecond * second_ + (1 - kSecond) * gradient_.cwiseAbs2();
    const float first_scale = 1 / (1 - std::pow(kFirst, static_cast<float>(updates_)));
    const float second_scale = 1 / (1 - std::pow(kSecond, static_cast<float>(updates_)));
    values_.array() +=
        rate * first_scale * first_.array() / ((second_scale * second_).array().sqrt() + 1e-8F);
    values_ *= 1 - rate * decay;
  }

  Eigen::Index inputs_;
  Eigen::Index units_;
  Eigen::VectorXf values_;  // hidden weights, hidden biases, weights, bias
  Eigen::VectorXf gradient_;
  Eigen::VectorXf first_;
  Eigen::VectorXf second_;
  int updates_ = 0;
};

Eigen::MatrixXf columns(const Eigen::MatrixXf& all, std::span<const std::uint32_t> chosen) {
  Eigen::MatrixXf result(all.rows(), static_cast<Eigen::Index>(chosen.size()));
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    result.col(static_cast<Eigen::Index>(i)) = all.col(chosen[i]);
  }
  return result;
}

Eigen::MatrixXf outputs_of(const std::vector<SmallNetwork>& networks,
                           const std::vector<Eigen::MatrixXf>& inputs) {
  Eigen::MatrixXf outputs(static_cast<Eigen::Index>(networks.size()), inputs.front().cols());
  for (std::size_t width = 0; width < networks.size(); ++width) {
    outputs.row(static_cast<Eigen::Index>(width)) =
        networks[width].output(inputs[width]).transpose();
  }
  return outputs;
}

void check(const SelectorOptions& options) {
  if (!(options.alpha >= 0 && std::isfinite(options.alpha))) {
    refuse("alpha is " + std::to_string(options.alpha) + "; it must be 0 or more");
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
  if (costs.size() != static_cast<std::size_t>(widths) || !std::ranges::is_sorted(costs) ||
      !(costs.back() > 0)) {
    refuse("there are " + std::to_string(costs.size()) + " costs for " + std::to_string(widths) +
           " widths; give one for each, rising to more than 0");
  }
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
      const auto logits = table.answer(width, static_cast<std::size_t>(i));
      softmax(logits.data(), classes, probabilities.data());
      write_selector_inputs(logits.data(), probabilities.data(), classes, inputs.col(i).data());
      const auto label = static_cast<std::size_t>(table.labels[static_cast<std::size_t>(i)]);
      const auto answer =
          static_cast<std::size_t>(std::ranges::max_element(logits) - logits.begin());
      constexpr float kLeast = 1e-6F;
      result.losses(width - 1, i) = loss == SelectorLoss::kError
                                        ? (answer == label ? 0.0F : 1.0F)
                                        : -std::log(std::max(probabilities[label], kLeast));
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
  const auto networks_count = static_cast<std::size_t>(table.widths() - 1);
  const Eigen::Index inputs = table.inputs.front().rows();
  data::KeyedRandom random(options.seed, 0x5e1ec7);
  std::vector<SmallNetwork> networks;
  std::vector<SmallNetwork> values;  // what is to be expected by whoever gets to a width
  for (std::size_t i = 0; i < networks_count; ++i) {
    networks.emplace_back(inputs, options.units, random);
    values.emplace_back(inputs, options.units, random);
  }
  const Eigen::MatrixXf rewards =
      -(table.losses.colwise() + static_cast<float>(options.alpha) * table.costs);

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
      const Eigen::MatrixXf outputs = outputs_of(networks, seen);
      const Eigen::MatrixXf baselines = outputs_of(values, seen);
      const Eigen::MatrixXf batch_rewards = columns(rewards, chosen);
      std::vector<int> stopped;
      for (Eigen::Index n = 0; n < outputs.cols(); ++n) {
        int at = 1;
        while (at <= outputs.rows() && random.uniform() >= logistic(outputs(at - 1, n))) ++at;
        stopped.push_back(at);
      }
      const Eigen::MatrixXf gradient =
          reinforce_gradient(outputs, batch_rewards, stopped, baselines);
      const auto scale = 1 / static_cast<float>(batch);
      const double done =
          (epoch + static_cast<double>(b) / static_cast<double>(batches)) / options.epochs;
      const auto rate =
          static_cast<float>(options.learning_rate * (1 + std::cos(std::numbers::pi * done)) / 2);
      const auto decay = static_cast<float>(options.weight_decay);
      for (std::size_t width = 0; width < networks_count; ++width) {
        const auto row = static_cast<Eigen::Index>(width);
        // Squared error of the baseline, downhill, for those who got there.
        Eigen::VectorXf missing = Eigen::VectorXf::Zero(outputs.cols());
        for (Eigen::Index n = 0; n < outputs.cols(); ++n) {
          const int at = stopped[static_cast<std::size_t>(n)];
          if (at > row) missing[n] = batch_rewards(at - 1, n) - baselines(row, n);
        }
        networks[width].learn(seen[width], scale * gradient.row(row).transpose(), rate, decay);
        values[width].learn(seen[width], scale * missing, rate, decay);
      }
    }
  }

  const Eigen::MatrixXf outputs = outputs_of(networks, table.inputs);
  const Eigen::MatrixXf baselines = outputs_of(values, table.inputs);
  LearnedSelector result;
  result.selector.alpha = options.alpha;
  for (const SmallNetwork& network : networks) {
    result.selector.widths.push_back(network.network());
  }
  result.expected_reward =
      (stop_probabilities(outputs).array() * rewards.array()).colwise().sum().cast<double>().mean();
  result.variance = reinforce_variance(outputs, rewards, baselines);
  result.variance_without_baseline =
      reinforce_variance(outputs, rewards, Eigen::MatrixXf::Zero(outputs.rows(), outputs.cols()));
  return result;
}

}  // namespace bellows
