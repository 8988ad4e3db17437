#include "training/weight_average.h"

#include <algorithm>

namespace bellows {

WeightAverage::WeightAverage(double decay, std::vector<std::span<float>> weights)
    : decay_(decay), weights_(std::move(weights)) {
  for (const std::span<float> array : weights_) average_.emplace_back(array.begin(), array.end());
}

void WeightAverage::update(std::int64_t update) {
  const auto t = static_cast<double>(update);
  const auto share = static_cast<float>(1 - std::min(decay_, t / (t + 9)));
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    float* average = average_[i].data();
    const float* weights = weights_[i].data();
    for (std::size_t k = 0; k < average_[i].size(); ++k) {
      average[k] += share * (weights[k] - average[k]);
    }
  }
}

void WeightAverage::swap() {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    std::ranges::swap_ranges(weights_[i], average_[i]);
  }
}

std::vector<std::span<float>> WeightAverage::state() { return {average_.begin(), average_.end()}; }

}  // namespace bellows
