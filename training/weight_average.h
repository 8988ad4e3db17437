// A moving average of weights, which generalises better than where the last updates happen to end
// (Polyak, Juditsky 1992).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bellows {

/// Of some arrays of weights, which are the caller's and must stay where they are. With decay d the
/// update number t (from 1) moves the average to the weights by 1 - min(d, t / (t + 9)): young
/// averages forget sooner. Not thread safe.
class WeightAverage {
 public:
  /// Begins with the weights as they are. REQUIRES: 0 < decay < 1.
  WeightAverage(double decay, std::vector<std::span<float>> weights);

  /// After update number `update` of the weights, from 1. Allocates nothing.
  void update(std::int64_t update);
  /// Exchanges weights and average.
  void swap();
  /// The average, one array for each of the weights; to be saved and written back.
  [[nodiscard]] std::vector<std::span<float>> state();

 private:
  double decay_;
  std::vector<std::span<float>> weights_;
  std::vector<std::vector<float>> average_;
};

}  // namespace bellows
