#include "training/policies/small_network.h"

#include <cmath>

namespace bellows {

SmallNetwork::SmallNetwork(Eigen::Index inputs, Eigen::Index units, data::KeyedRandom& random)
    : inputs_(inputs), units_(units), values_(units * inputs + 2 * units + 1) {
  const float spread = std::sqrt(2.0F / static_cast<float>(inputs));
  for (float& value : values_) value = 0;
  for (Eigen::Index i = 0; i < units * inputs; ++i) values_[i] = spread * random.bell();
  for (Eigen::Index i = 0; i < units; ++i) {
    values_[units * inputs + units + i] = random.bell() / std::sqrt(static_cast<float>(units));
  }
  gradient_ = first_ = second_ = Eigen::VectorXf::Zero(values_.size());
}

Eigen::VectorXf SmallNetwork::output(const Eigen::MatrixXf& inputs) const {
  const Eigen::MatrixXf hidden = activate(inputs);
  return (hidden.transpose() * weight()).array() + values_[values_.size() - 1];
}

void SmallNetwork::learn(const Eigen::MatrixXf& inputs, const Eigen::VectorXf& gradient, float rate,
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

StopNetwork SmallNetwork::network() const {
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

std::vector<std::span<float>> SmallNetwork::state() {
  std::vector<std::span<float>> all;
  for (Eigen::VectorXf* vector : {&values_, &first_, &second_}) {
    all.emplace_back(vector->data(), static_cast<std::size_t>(vector->size()));
  }
  return all;
}

Eigen::MatrixXf SmallNetwork::activate(const Eigen::MatrixXf& inputs) const {
  const auto weights = values_.head(units_ * inputs_).reshaped(units_, inputs_);
  const Eigen::VectorXf bias = values_.segment(units_ * inputs_, units_);
  return ((weights * inputs).colwise() + bias).cwiseMax(0.0F);
}

Eigen::VectorXf SmallNetwork::weight() const {
  return values_.segment(units_ * inputs_ + units_, units_);
}

// Adam (Kingma and Ba 2015), uphill.
void SmallNetwork::step(float rate, float decay) {
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

}  // namespace bellows
