#include "training/search/pareto.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>

namespace bellows {
namespace {

constexpr double kNowhere = -std::numeric_limits<double>::infinity();

// The mean of max(0, limit - z) for a normal z.
double expected_below(double limit, double mean, double stddev) {
  if (limit == kNowhere) return 0;
  if (stddev <= 0) return std::max(0.0, limit - mean);
  const double z = (limit - mean) / stddev;
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  const double probability = std::erfc(-z / std::numbers::sqrt2) / 2;
  return (limit - mean) * probability + stddev * density;
}

bool betters(const Objectives& point, const Objectives& reference) {
  for (std::size_t i = 0; i < point.size(); ++i) {
    if (!(point[i] < reference[i])) return false;
  }
  return true;
}

// In the first `objectives` of them. Points are sorted by the objective behind those.
double volume(std::vector<const Objectives*> points, std::size_t objectives,
              const Objectives& reference) {
  const std::size_t last = objectives - 1;
  if (objectives == 1) {
    double least = reference[0];
    for (const Objectives* point : points) least = std::min(least, (*point)[0]);
    return reference[0] - least;
  }
  std::ranges::sort(points,
                    [last](const auto* a, const auto* b) { return (*a)[last] < (*b)[last]; });
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double end = i + 1 < points.size() ? (*points[i + 1])[last] : reference[last];
    const double height = end - (*points[i])[last];
    if (height <= 0) continue;
    const std::vector<const Objectives*> below(points.begin(),
                                               points.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    sum += height * volume(below, last, reference);
  }
  return sum;
}

// The front of those that better the reference.
std::vector<const Objectives*> front_of(std::span<const Objectives> points,
                                        const Objectives& reference) {
  std::vector<const Objectives*> front;
  for (const std::size_t i : pareto_indices(points)) {
    if (betters(points[i], reference)) front.push_back(&points[i]);
  }
  return front;
}

}  // namespace

bool dominates(const Objectives& a, const Objectives& b) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better = better || a[i] < b[i];
  }
  return better;
}

std::vector<std::size_t> pareto_indices(std::span<const Objectives> points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order,
                           [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
  // In this order nothing dominates what stands before it.
  std::vector<std::size_t> front;
  for (const std::size_t i : order) {
    const bool beaten = std::ranges::any_of(front, [&](std::size_t other) {
      return points[other] == points[i] || dominates(points[other], points[i]);
    });
    if (!beaten) front.push_back(i);
  }
  return front;
}

std::vector<int> front_numbers(std::span<const Objectives> points) {
  std::vector<int> numbers(points.size(), -1);
  std::size_t left = points.size();
  for (int number = 0; left > 0; ++number) {
    std::vector<std::size_t> front;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (numbers[i] >= 0) continue;
      const bool beaten = [&] {
        for (std::size_t j = 0; j < points.size(); ++j) {
          if (numbers[j] < 0 && dominates(points[j], points[i])) return true;
        }
        return false;
      }();
      if (!beaten) front.push_back(i);
    }
    for (const std::size_t i : front) numbers[i] = number;
    left -= front.size();
  }
  return numbers;
}

std::vector<double> crowding_distances(std::span<const Objectives> points,
                                       std::span<const int> fronts) {
  std::vector<double> room(points.size(), 0);
  const int last = points.empty() ? -1 : *std::ranges::max_element(fronts);
  for (int number = 0; number <= last; ++number) {
    std::vector<std::size_t> front;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (fronts[i] == number) front.push_back(i);
    }
    for (std::size_t objective = 0; objective < points.front().size(); ++objective) {
      std::ranges::sort(front, [&](std::size_t a, std::size_t b) {
        return points[a][objective] < points[b][objective];
      });
      const double length = points[front.back()][objective] - points[front.front()][objective];
      room[front.front()] = room[front.back()] = std::numeric_limits<double>::infinity();
      for (std::size_t i = 1; i + 1 < front.size() && length > 0; ++i) {
        room[front[i]] +=
            (points[front[i + 1]][objective] - points[front[i - 1]][objective]) / length;
      }
    }
  }
  return room;
}

double hypervolume(std::span<const Objectives> points, const Objectives& reference) {
  const std::vector<const Objectives*> front = front_of(points, reference);
  return front.empty() ? 0 : volume(front, reference.size(), reference);
}

FreeSpace::FreeSpace(std::span<const Objectives> points, const Objectives& reference)
    : dimensions_(reference.size()), marks_(dimensions_), open_(2 * dimensions_) {
  const std::vector<const Objectives*> front = front_of(points, reference);
  for (std::size_t objective = 0; objective < dimensions_; ++objective) {
    std::vector<double>& marks = marks_[objective];
    marks = {kNowhere, reference[objective]};
    for (const Objectives* point : front) marks.push_back((*point)[objective]);
    std::ranges::sort(marks);
    marks.erase(std::unique(marks.begin(), marks.end()), marks.end());
  }
  cut(front, dimensions_ - 1);
}

// Slabs of the objective in which the same points may dominate, and each of them in turn by the
// objectives before it.
void FreeSpace::cut(const std::vector<const Objectives*>& points, std::size_t objective) {
  const std::vector<double>& marks = marks_[objective];
  const auto mark_of = [&](const Objectives* point) {
    return static_cast<std::size_t>(std::ranges::lower_bound(marks, (*point)[objective]) -
                                    marks.begin());
  };
  std::vector<std::size_t> ends;
  ends.reserve(points.size() + 1);
  for (const Objectives* point : points) ends.push_back(mark_of(point));
  ends.push_back(marks.size() - 1);
  std::ranges::sort(ends);
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  if (objective == 0) ends.resize(1);  // behind the first point all is dominated
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    open_[2 * objective] = begin;
    open_[2 * objective + 1] = end;
    if (objective == 0) {
      boxes_.insert(boxes_.end(), open_.begin(), open_.end());
    } else {
      std::vector<const Objectives*> below;
      for (const Objectives* point : points) {
        if (mark_of(point) <= begin) below.push_back(point);
      }
      cut(below, objective - 1);
    }
    begin = end;
  }
}

double FreeSpace::expected_improvement(const Objectives& mean, const Objectives& stddev) const {
  // Of each objective and mark: how far below it the point is expected to lie.
  std::vector<std::vector<double>> below(dimensions_);
  for (std::size_t objective = 0; objective < dimensions_; ++objective) {
    for (const double mark : marks_[objective]) {
      below[objective].push_back(expected_below(mark, mean[objective], stddev[objective]));
    }
  }
  double sum = 0;
  for (std::size_t box = 0; box < boxes_.size(); box += 2 * dimensions_) {
    double part = 1;
    for (std::size_t objective = 0; objective < dimensions_; ++objective) {
      const std::vector<double>& lengths = below[objective];
      part *= lengths[boxes_[box + 2 * objective + 1]] - lengths[boxes_[box + 2 * objective]];
    }
    sum += part;
  }
  return sum;
}

double expected_improvement(std::span<const Objectives> points, const Objectives& reference,
                            const Objectives& mean, const Objectives& stddev) {
  return FreeSpace(points, reference).expected_improvement(mean, stddev);
}

}  // namespace bellows
