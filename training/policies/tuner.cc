#include "training/policies/tuner.h"

#include <algorithm>
#include <utility>

#include "engine/mixture.h"
#include "engine/policy_rule.h"
#include "training/policies/outcomes.h"

namespace bellows {
namespace {

// The corners of the hull, then others evenly over the costs.
std::vector<std::size_t> chosen_of(const std::vector<ThresholdPoint>& front, std::size_t most) {
  std::vector<std::size_t> chosen;
  if (front.size() <= most) {
    for (std::size_t i = 0; i < front.size(); ++i) chosen.push_back(i);
    return chosen;
  }
  std::vector<double> costs;
  std::vector<double> accuracies;
  for (const ThresholdPoint& point : front) {
    costs.push_back(point.cost);
    accuracies.push_back(point.accuracy);
  }
  chosen = upper_hull(costs, accuracies);
  if (chosen.size() > most) {
    std::vector<std::size_t> fewer;
    for (std::size_t i = 0; i < most; ++i) {
      fewer.push_back(chosen[i * (chosen.size() - 1) / std::max<std::size_t>(1, most - 1)]);
    }
    chosen = fewer;
  }
  const std::size_t more = most - chosen.size();
  for (std::size_t i = 1; i <= more; ++i) {
    const double cost = costs.front() + (costs.back() - costs.front()) * static_cast<double>(i) /
                                            static_cast<double>(more + 1);
    chosen.push_back(
        static_cast<std::size_t>(std::ranges::lower_bound(costs, cost) - costs.begin()));
  }
  std::ranges::sort(chosen);
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

}  // namespace

PolicyScore score_policy(const Policy& policy, const PredictionTable& table,
                         std::span<const double> costs, bool intervals) {
  const Outcomes outcomes = outcomes_of(policy, table);
  // Sums of rounded shares may be a little above 1.
  PolicyScore score{.accuracy = std::min(1.0, outcomes.accuracy()),
                    .cost = outcomes.mean_cost(costs),
                    .stopped = outcomes.shares()};
  for (double& share : score.stopped) share = std::min(1.0, share);
  if (intervals) {
    const BootstrapIntervals found = bootstrap(outcomes, costs);
    score.accuracy_interval = {found.accuracy.low, found.accuracy.high};
    score.cost_interval = {found.cost.low, found.cost.high};
  }
  return score;
}

std::vector<PolicyPoint> width_points(const PredictionTable& table, std::span<const double> costs) {
  std::vector<PolicyPoint> points;
  for (int width = 1; width <= table.widths(); ++width) {
    points.push_back({.kind = "width",
                      .found_by = "width",
                      .width = width,
                      .tuning = score_policy(Policy::at_width(width), table, costs)});
  }
  return points;
}

std::vector<PolicyPoint> threshold_points(const std::vector<ThresholdPoint>& front,
                                          const ConfidenceTable& confidences,
                                          const std::string& found_by, const PredictionTable& table,
                                          std::size_t most) {
  std::vector<PolicyPoint> points;
  for (const std::size_t i : chosen_of(front, most)) {
    const Thresholds thresholds{.confidence = confidences.confidence,
                                .values = front[i].thresholds,
                                .temperatures = confidences.temperatures};
    points.push_back(
        {.kind = "thresholds",
         .found_by = found_by,
         .confidence = confidence_name(confidences.confidence),
         .thresholds = thresholds.values,
         .temperatures = thresholds.temperatures,
         .tuning = score_policy(Policy::with_thresholds(thresholds), table, confidences.costs)});
  }
  return points;
}

ObjectiveFunction threshold_objective(const ConfidenceTable& table) {
  return [&table](const SearchPoint& stopping) {
    const ThresholdPoint point = judge(table, quantile_thresholds(table, stopping));
    return Objectives{point.cost / table.costs.back(), 1 - point.accuracy};
  };
}

std::vector<PolicyPoint> selector_points(const std::vector<Selector>& selectors, int first,
                                         const PredictionTable& table,
                                         std::span<const double> costs) {
  std::vector<PolicyPoint> points;
  int number = first;
  for (const Selector& selector : selectors) {
    points.push_back(
        {.kind = "selector",
         .found_by = "reinforce",
         .selector = number,
         .tuning = score_policy(internal::selector_policy(selector, number), table, costs)});
    ++number;
  }
  return points;
}

PolicyPoint mixture_point(const std::vector<PolicyPoint>& points, int first, MixtureProblem problem,
                          const std::string& found_by) {
  problem.accuracies.clear();
  problem.costs.clear();
  for (const PolicyPoint& point : points) {
    problem.accuracies.push_back(point.tuning.accuracy);
    problem.costs.push_back(point.tuning.cost);
  }
  const MixtureSolution solution = solve_mixture(problem);
  PolicyPoint mixture{.kind = "mixture", .found_by = found_by};
  mixture.tuning = {.accuracy = std::min(1.0, solution.accuracy), .cost = solution.cost};
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double share = solution.shares[i];
    if (share <= 0) continue;
    mixture.parts.push_back(first + static_cast<int>(i));
    mixture.shares.push_back(share);
    const std::vector<double>& stopped = points[i].tuning.stopped;
    mixture.tuning.stopped.resize(std::max(mixture.tuning.stopped.size(), stopped.size()));
    for (std::size_t width = 0; width < stopped.size(); ++width) {
      mixture.tuning.stopped[width] += share * stopped[width];
    }
  }
  for (double& share : mixture.tuning.stopped) share = std::min(1.0, share);
  return mixture;
}

std::size_t cheapest_at(const std::vector<PolicyPoint>& points, double accuracy,
                        const std::string& found_by) {
  std::size_t best = points.size();
  for (std::size_t i = 0; i < points.size(); ++i) {
    const PolicyPoint& point = points[i];
    if (!found_by.empty() && point.found_by != found_by) continue;
    if (point.tuning.accuracy < accuracy) continue;
    if (best == points.size() || point.tuning.cost < points[best].tuning.cost) best = i;
  }
  return best;
}

}  // namespace bellows
