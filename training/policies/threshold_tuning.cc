#include "training/policies/threshold_tuning.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "engine/confidence.h"
#include "training/policies/outcomes.h"

namespace bellows {
namespace {

// The candidates of one width, ascending: 0 stops all, kNever none.
std::vector<float> candidates(const std::vector<float>& confidences, std::size_t most) {
  std::vector<float> sorted = confidences;
  std::ranges::sort(sorted);
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  // Stopping all is a threshold of 0, which the smallest confidence stands for too.
  std::vector<float> chosen = {0.0F};
  const std::size_t inner = std::min(most - 2, sorted.size() - 1);
  for (std::size_t i = 1; i <= inner; ++i)
    chosen.push_back(sorted[i * (sorted.size() - 1) / inner]);
  chosen.push_back(static_cast<float>(Thresholds::kNever));
  return chosen;
}

// Over a grid with one axis for each width but the widest, position j of an axis being its j-th
// candidate: how many images stop at a width, and how many of these are answered rightly.
class Counts {
 public:
  explicit Counts(std::vector<std::size_t> sizes)
      : sizes_(std::move(sizes)), cells_(product(sizes_)), images_(cells_), right_(cells_) {}

  void add(const std::vector<std::size_t>& at, bool right) {
    std::size_t cell = 0;
    for (std::size_t axis = 0; axis < sizes_.size(); ++axis) cell = cell * sizes_[axis] + at[axis];
    ++images_[cell];
    right_[cell] += right ? 1 : 0;
  }

  // Makes every cell the sum over those before it on the axis, without itself.
  void sum_before(std::size_t axis) { sum(axis, /*before=*/true); }
  // Makes every cell the sum over itself and those behind it on the axis.
  void sum_from(std::size_t axis) { sum(axis, /*before=*/false); }

  [[nodiscard]] std::uint32_t images(std::size_t cell) const { return images_[cell]; }
  [[nodiscard]] std::uint32_t right(std::size_t cell) const { return right_[cell]; }

 private:
  static std::size_t product(const std::vector<std::size_t>& sizes) {
    return std::accumulate(sizes.begin(), sizes.end(), std::size_t{1}, std::multiplies<>());
  }

  void sum(std::size_t axis, bool before) {
    std::size_t inner = 1;
    for (std::size_t i = axis + 1; i < sizes_.size(); ++i) inner *= sizes_[i];
    const std::size_t length = sizes_[axis];
    for (std::vector<std::uint32_t>* values : {&images_, &right_}) {
      for (std::size_t block = 0; block < cells_; block += inner * length) {
        for (std::size_t offset = 0; offset < inner; ++offset) {
          std::uint32_t total = 0;
          for (std::size_t step = 0; step < length; ++step) {
            const std::size_t j = before ? step : length - 1 - step;
            std::uint32_t& value = (*values)[block + j * inner + offset];
            const std::uint32_t own = value;
            value = before ? total : total + own;
            total += own;
          }
        }
      }
    }
  }

  std::vector<std::size_t> sizes_;
  std::size_t cells_;
  std::vector<std::uint32_t> images_;
  std::vector<std::uint32_t> right_;
};

// As many on each axis as together are no more than `most`, and no more than there are images.
std::size_t axis_length(std::size_t axes, std::size_t most, std::size_t images) {
  auto length = static_cast<std::size_t>(
      std::pow(static_cast<double>(most), 1 / static_cast<double>(axes)) + 1e-9);
  return std::clamp<std::size_t>(length, 2, images + 2);
}

}  // namespace

ConfidenceTable confidence_table(const PredictionTable& table, Confidence confidence,
                                 std::span<const double> costs, std::vector<double> temperatures) {
  const auto widths = static_cast<std::size_t>(table.widths());
  check_width_costs(costs, table.widths());
  const auto classes = static_cast<std::size_t>(table.classes);
  ConfidenceTable result{.confidence = confidence,
                         .temperatures = std::move(temperatures),
                         .costs = {costs.begin(), costs.end()}};
  std::vector<float> probabilities(classes);
  for (std::size_t width = 0; width < widths; ++width) {
    std::vector<std::uint8_t>& right = result.right.emplace_back();
    std::vector<float> sure;
    const float temperature = result.temperatures.empty() || width + 1 == widths
                                  ? 1.0F
                                  : static_cast<float>(result.temperatures[width]);
    for (std::size_t i = 0; i < table.size(); ++i) {
      const auto answer = table.answer(static_cast<int>(width + 1), i);
      const auto label = std::ranges::max_element(answer) - answer.begin();
      right.push_back(label == table.labels[i] ? 1 : 0);
      if (width + 1 == widths) continue;
      if (temperature == 1) {
        softmax(answer.data(), classes, probabilities.data());
      } else {
        tempered_softmax(answer.data(), classes, temperature, probabilities.data());
      }
      sure.push_back(confidence_of(confidence, probabilities.data(), classes));
    }
    if (width + 1 < widths) result.confidences.push_back(std::move(sure));
  }
  return result;
}

ThresholdPoint judge(const ConfidenceTable& table, std::vector<double> thresholds) {
  ThresholdPoint point{.thresholds = std::move(thresholds)};
  std::size_t right = 0;
  double cost = 0;
  const std::size_t last = table.widths() - 1;
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::size_t width = 0;
    while (width < last &&
           table.confidences[width][i] < static_cast<float>(point.thresholds[width])) {
      ++width;
    }
    right += table.right[width][i];
    cost += table.costs[width];
  }
  const auto count = static_cast<double>(table.size());
  point.accuracy = static_cast<double>(right) / count;
  point.cost = cost / count;
  return point;
}

std::vector<double> quantile_thresholds(const ConfidenceTable& table,
                                        std::span<const double> stopping) {
  std::vector<double> thresholds;
  std::vector<std::size_t> left(table.size());
  std::iota(left.begin(), left.end(), std::size_t{0});
  for (const std::vector<float>& confidences : table.confidences) {
    const auto stop = static_cast<std::size_t>(
        std::llround(stopping[thresholds.size()] * static_cast<double>(left.size())));
    if (stop == 0) {
      thresholds.push_back(Thresholds::kNever);
      continue;
    }
    std::vector<float> sorted;
    sorted.reserve(left.size());
    for (const std::size_t i : left) sorted.push_back(confidences[i]);
    std::ranges::sort(sorted, std::greater<>());
    const float threshold = stop == sorted.size() ? 0.0F : sorted[stop - 1];
    thresholds.push_back(double{threshold});
    std::erase_if(left, [&](std::size_t i) { return confidences[i] >= threshold; });
  }
  return thresholds;
}

std::vector<ThresholdPoint> pareto_front(std::vector<ThresholdPoint> points) {
  std::ranges::stable_sort(points, [](const ThresholdPoint& a, const ThresholdPoint& b) {
    return a.cost != b.cost ? a.cost < b.cost : a.accuracy > b.accuracy;
  });
  std::vector<ThresholdPoint> front;
  for (ThresholdPoint& point : points) {
    if (front.empty() || point.accuracy > front.back().accuracy) front.push_back(std::move(point));
  }
  return front;
}

std::vector<ThresholdPoint> quantile_family(const ConfidenceTable& table, int steps) {
  std::vector<ThresholdPoint> points;
  for (int i = 0; i <= steps; ++i) {
    const std::vector<double> stopping(table.confidences.size(), static_cast<double>(i) / steps);
    points.push_back(judge(table, quantile_thresholds(table, stopping)));
  }
  return pareto_front(std::move(points));
}

SweepResult sweep_thresholds(const ConfidenceTable& table, std::size_t most_vectors) {
  SweepResult result;
  const std::size_t axes = table.widths() - 1;
  if (axes == 0) {
    result.front.push_back(judge(table, {}));
    result.vectors = 1;
    return result;
  }
  if (axes >= 32 || (std::size_t{1} << axes) > most_vectors) {
    throw Error(ErrorCode::kInvalidArgument,
                "a sweep over " + std::to_string(axes) + " thresholds has more vectors than " +
                    std::to_string(most_vectors) + "; use a Bayesian search");
  }
  const std::size_t length = axis_length(axes, most_vectors, table.size());
  std::vector<std::vector<float>> grid;
  for (const std::vector<float>& confidences : table.confidences) {
    grid.push_back(candidates(confidences, length));
    result.grid.push_back(grid.back().size());
  }
  // Where an image stands on each axis: at the highest threshold that it reaches. It stops at the
  // thresholds up to there.
  std::vector<std::vector<std::size_t>> reached(table.size(), std::vector<std::size_t>(axes));
  for (std::size_t axis = 0; axis < axes; ++axis) {
    for (std::size_t i = 0; i < table.size(); ++i) {
      const auto above = std::ranges::upper_bound(grid[axis], table.confidences[axis][i]);
      reached[i][axis] = static_cast<std::size_t>(above - grid[axis].begin()) - 1;
    }
  }
  // Of each width: over the axes up to it, how many stop there. Those of the widest are the ones
  // that nothing has stopped.
  std::vector<Counts> counts;
  for (std::size_t width = 0; width <= axes; ++width) {
    const std::size_t used = std::min(width + 1, axes);
    Counts& count = counts.emplace_back(std::vector<std::size_t>(
        result.grid.begin(), result.grid.begin() + static_cast<std::ptrdiff_t>(used)));
    for (std::size_t i = 0; i < table.size(); ++i)
      count.add(reached[i], table.right[width][i] != 0);
    for (std::size_t axis = 0; axis < used; ++axis) {
      if (axis == width) {
        count.sum_from(axis);
      } else {
        count.sum_before(axis);
      }
    }
  }

  result.vectors =
      std::accumulate(result.grid.begin(), result.grid.end(), std::size_t{1}, std::multiplies<>());
  // Of each vector its cost and how many it answers rightly: first by position, then by cost.
  struct Judged {
    double cost = 0;
    std::uint32_t right = 0;
    std::uint32_t cell = 0;
  };
  std::vector<Judged> judged(result.vectors);
  for (std::size_t cell = 0; cell < result.vectors; ++cell) {
    double cost = 0;
    std::uint32_t right = 0;
    std::size_t behind = result.vectors;  // cells of the axes that a width does not use
    for (std::size_t width = 0; width <= axes; ++width) {
      if (width < axes) behind /= result.grid[width];
      const std::size_t prefix = cell / behind;
      cost += table.costs[width] * counts[width].images(prefix);
      right += counts[width].right(prefix);
    }
    judged[cell] = {.cost = cost, .right = right, .cell = static_cast<std::uint32_t>(cell)};
  }
  std::ranges::sort(judged, [](const Judged& a, const Judged& b) {
    if (a.cost != b.cost) return a.cost < b.cost;
    return a.right != b.right ? a.right > b.right : a.cell < b.cell;
  });
  const auto count = static_cast<double>(table.size());
  std::int64_t most = -1;
  for (const Judged& vector : judged) {
    if (vector.right <= most) continue;
    most = vector.right;
    ThresholdPoint point{.thresholds = std::vector<double>(axes),
                         .accuracy = vector.right / count,
                         .cost = vector.cost / count};
    std::size_t rest = vector.cell;
    for (std::size_t axis = axes; axis-- > 0;) {
      point.thresholds[axis] = double{grid[axis][rest % result.grid[axis]]};
      rest /= result.grid[axis];
    }
    result.front.push_back(std::move(point));
  }
  return result;
}

}  // namespace bellows
