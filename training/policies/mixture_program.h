// The optimal mixture of operating points as a linear or integer programme (Mirzadeh and
// Ghasemzadeh 2020, "Optimal Policy for Deployment of Machine Learning Models on Energy-Bounded
// Systems"), for what engine/mixture.h has no closed form for.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace bellows {

/// One entry a point in each vector. At least one of `budget` and `min_accuracy` is set: the most
/// accurate mixture within the budget, or, without one, the cheapest of that accuracy.
struct MixtureProblem {
  std::vector<double> accuracies = {};
  std::vector<double> costs = {};
  std::optional<double> budget = {};        ///< of the mean cost
  std::optional<double> min_accuracy = {};  ///< of the mean accuracy
  std::vector<double> times = {};           ///< or none
  std::optional<double> time_budget = {};   ///< of their mean
  /// Every point answers a whole number of so many requests; 0: any shares.
  int requests = 0;
  /// What each switch from one point to another costs, where requests are served in one block for
  /// each point. Needs `requests`. Between widths of one weight set it is nothing.
  double switching_cost = 0;
};

struct MixtureSolution {
  std::vector<double> shares = {};  ///< of each point; sum 1
  double accuracy = 0;
  double cost = 0;  ///< mean, switches included
};

/// Throws Error(kInvalidArgument) for sizes that do not fit, numbers that are none, neither budget
/// nor accuracy, negative requests or switching cost, and constraints that no mixture keeps, saying
/// which.
[[nodiscard]] MixtureSolution solve_mixture(const MixtureProblem& problem);

}  // namespace bellows
