// What a policy does with every image of a prediction table, and figures from that.
#pragma once

#include <bellows/policy.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "training/policies/prediction_table.h"

namespace bellows {

/// Of each image: how probable it is that the answer is right and where it stops. A policy decides
/// for itself, so these are 0 or 1, unless it is a mixture, which deals images out.
struct Outcomes {
  std::vector<double> right;                 ///< [N]
  std::vector<std::vector<double>> stopped;  ///< [width - 1][N]

  [[nodiscard]] std::size_t size() const { return right.size(); }
  [[nodiscard]] double accuracy() const;
  /// Share that stops at each width.
  [[nodiscard]] std::vector<double> shares() const;
  /// Of image `index`, by the cost of stopping at each width.
  [[nodiscard]] double cost(std::size_t index, std::span<const double> width_costs) const;
  [[nodiscard]] double mean_cost(std::span<const double> width_costs) const;
};

/// Throws Error(kInvalidArgument) unless there is one cost for each of so many widths, finite, not
/// below 0 and none below that of the narrower width.
void check_width_costs(std::span<const double> costs, int widths);

/// The policy is asked exactly what a session asks it. Throws Error(kInvalidArgument) for a policy
/// wider than the table or for other classes.
[[nodiscard]] Outcomes outcomes_of(const Policy& policy, const PredictionTable& table);

/// Where 95 % of the means over resamplings of the images lie (percentile bootstrap).
struct Interval {
  double low = 0;
  double high = 0;
};
struct BootstrapIntervals {
  Interval accuracy;
  Interval cost;
};
[[nodiscard]] BootstrapIntervals bootstrap(const Outcomes& outcomes,
                                           std::span<const double> width_costs,
                                           int resamplings = 1000, std::uint64_t seed = 1);

}  // namespace bellows
