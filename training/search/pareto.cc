#include "training/search/pareto.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace bellows {
namespace {

// The staircase below which nothing has been found: from x on, the second objective is y.
struct Step {
  double x = 0;
  double y = 0;
};

// Its first step begins where nothing can lie. What does not better the reference is left out.
std::vector<Step> staircase(std::span<const Objectives> points, const Objectives& reference) {
  std::vector<Step> steps = {{-std::numeric_limits<double>::infinity(), reference[1]}};
  for (const std::size_t i : pareto_indices(points)) {
    const auto [x, y] = points[i];
    if (x >= reference[0] || y >= steps.back().y) continue;
    steps.push_back({x, y});
  }
  return steps;
}

// The mean of max(0, limit - z) for a normal z.
double expected_below(double limit, double mean, double stddev) {
  if (limit == -std::numeric_limits<double>::infinity()) return 0;
  if (stddev <= 0) return std::max(0.0, limit - mean);
  const double z = (limit - mean) / stddev;
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  const double probability = std::erfc(-z / std::numbers::sqrt2) / 2;
  return (limit - mean) * probability + stddev * density;
}

}  // namespace

std::vector<std::size_t> pareto_indices(std::span<const Objectives> points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order,
                           [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
  std::vector<std::size_t> front;
  for (const std::size_t i : order) {
    if (front.empty() || points[i][1] < points[front.back()][1]) front.push_back(i);
  }
  return front;
}

double hypervolume(std::span<const Objectives> points, const Objectives& reference) {
  const std::vector<Step> steps = staircase(points, reference);
  double area = 0;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    const double end = i + 1 < steps.size() ? steps[i + 1].x : reference[0];
    area += (end - steps[i].x) * (reference[1] - steps[i].y);
  }
  return area;
}

double expected_improvement(std::span<const Objectives> points, const Objectives& reference,
                            const Objectives& mean, const Objectives& stddev) {
  const std::vector<Step> steps = staircase(points, reference);
  // Over each step, the length of it that lies to the right of the point, times how far the point
  // lies below it.
  double sum = 0;
  double before = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double end = i + 1 < steps.size() ? steps[i + 1].x : reference[0];
    const double length = expected_below(end, mean[0], stddev[0]);
    sum += (length - before) * expected_below(steps[i].y, mean[1], stddev[1]);
    before = length;
  }
  return sum;
}

}  // namespace bellows
