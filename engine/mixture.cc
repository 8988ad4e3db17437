#include "engine/mixture.h"

#include <bellows/error.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "engine/number_text.h"

namespace bellows {

std::vector<std::size_t> upper_hull(std::span<const double> costs,
                                    std::span<const double> accuracies) {
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Of equal costs the most accurate first.
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return costs[a] != costs[b] ? costs[a] < costs[b] : accuracies[a] > accuracies[b];
  });
  std::vector<std::size_t> hull;
  for (const std::size_t point : order) {
    if (!hull.empty() && accuracies[point] <= accuracies[hull.back()]) continue;
    // The last corner goes while it lies on or below the line from the one before it to this point.
    while (hull.size() > 1) {
      const std::size_t last = hull.back();
      const std::size_t before = hull[hull.size() - 2];
      const double to_last =
          (accuracies[last] - accuracies[before]) * (costs[point] - costs[before]);
      const double to_point =
          (accuracies[point] - accuracies[before]) * (costs[last] - costs[before]);
      if (to_last > to_point) break;
      hull.pop_back();
    }
    hull.push_back(point);
  }
  return hull;
}

std::vector<MixturePart> best_mixture(std::span<const double> costs,
                                      std::span<const double> accuracies, double budget) {
  if (costs.empty() || costs.size() != accuracies.size()) {
    throw Error(ErrorCode::kInvalidArgument, "a mixture of " + std::to_string(costs.size()) +
                                                 " costs and " + std::to_string(accuracies.size()) +
                                                 " accuracies; give one of each a point");
  }
  const std::vector<std::size_t> hull = upper_hull(costs, accuracies);
  const double least = costs[hull.front()];
  if (!(budget >= least)) {
    throw Error(ErrorCode::kInvalidArgument, "the budget, " + number_text(budget) +
                                                 ", lies below the cheapest point, " +
                                                 number_text(least) + "; raise it");
  }
  const auto dearer = std::ranges::find_if(hull, [&](std::size_t i) { return costs[i] > budget; });
  const std::size_t below = *(dearer - 1);
  if (dearer == hull.end() || costs[below] == budget) return {{.point = below, .share = 1}};
  const double share = (budget - costs[below]) / (costs[*dearer] - costs[below]);
  return {{.point = below, .share = 1 - share}, {.point = *dearer, .share = share}};
}

}  // namespace bellows
