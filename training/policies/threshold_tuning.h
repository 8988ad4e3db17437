// Finding confidence thresholds on a prediction table (LEANets, 2020): a family of one parameter,
// an exact sweep over a grid, and what a search needs to judge a vector of thresholds.
#pragma once

#include <bellows/policy.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "training/policies/prediction_table.h"

namespace bellows {

/// What thresholds see of a prediction table.
struct ConfidenceTable {
  Confidence confidence = Confidence::kMaxProbability;
  std::vector<double> temperatures = {};              ///< of each width but the widest; empty: 1
  std::vector<std::vector<float>> confidences = {};   ///< [width - 1][N], the widest left out
  std::vector<std::vector<std::uint8_t>> right = {};  ///< [width - 1][N], all widths
  std::vector<double> costs = {};                     ///< of stopping at each width; any unit

  [[nodiscard]] std::size_t size() const { return right.front().size(); }
  [[nodiscard]] std::size_t widths() const { return right.size(); }
};

/// Throws Error(kInvalidArgument) where costs are not one for each width, or fall.
[[nodiscard]] ConfidenceTable confidence_table(const PredictionTable& table, Confidence confidence,
                                               std::span<const double> costs,
                                               std::vector<double> temperatures = {});

/// Thresholds with what they give on the table.
struct ThresholdPoint {
  std::vector<double> thresholds;  ///< of each width but the widest
  double accuracy = 0;
  double cost = 0;  ///< mean
};

[[nodiscard]] ThresholdPoint judge(const ConfidenceTable& table, std::vector<double> thresholds);

/// The thresholds at which of the images that are still there a share stops at each width:
/// `stopping` (0..1) has one entry for each but the widest.
[[nodiscard]] std::vector<double> quantile_thresholds(const ConfidenceTable& table,
                                                      std::span<const double> stopping);

/// Of these points, those that no other one betters: by rising cost, which is rising accuracy.
[[nodiscard]] std::vector<ThresholdPoint> pareto_front(std::vector<ThresholdPoint> points);

/// The front over the family in which the same share stops at every width: `steps` + 1 shares from
/// 0 to 1.
[[nodiscard]] std::vector<ThresholdPoint> quantile_family(const ConfidenceTable& table, int steps);

struct SweepResult {
  std::vector<ThresholdPoint> front;
  std::vector<std::size_t> grid;  ///< thresholds tried at each width
  std::size_t vectors = 0;        ///< judged: the product of the grid
};

/// The exact front over a grid: at each width all confidences where so many vectors can be judged,
/// else as many of their quantiles as `most_vectors` allows, "always" and "never" included. Counts
/// are summed up over the whole grid at once, so the work is its size and not that times the
/// images.
/// Throws Error(kInvalidArgument) where "always" and "never" alone make more.
[[nodiscard]] SweepResult sweep_thresholds(const ConfidenceTable& table,
                                           std::size_t most_vectors = std::size_t{1} << 22);

}  // namespace bellows
