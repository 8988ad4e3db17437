// Thresholds found on tables: every figure beside a loop over the images.
#include "training/policies/threshold_tuning.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <vector>

#include "engine/confidence.h"
#include "tests/prediction_fixtures.h"
#include "training/policies/outcomes.h"

namespace bellows {
namespace {

constexpr std::array kKinds = {Confidence::kMaxProbability, Confidence::kMargin,
                               Confidence::kEntropy};

TEST(ThresholdTuning, JudgesAsThePolicyItselfDecides) {
  const PredictionTable table = random_table(300, 4);
  const std::vector<double> costs = doubling_costs(4);
  for (const Confidence kind : kKinds) {
    for (const std::vector<double>& temperatures :
         {std::vector<double>{}, std::vector<double>{2, 1, 0.5}}) {
      const ConfidenceTable seen = confidence_table(table, kind, costs, temperatures);
      const ThresholdPoint point = judge(seen, {0.8, 0.5, 0.6});
      const Outcomes outcomes = outcomes_of(
          Policy::with_thresholds(
              {.confidence = kind, .values = {0.8, 0.5, 0.6}, .temperatures = temperatures}),
          table);
      EXPECT_NEAR(point.accuracy, outcomes.accuracy(), 1e-12);
      EXPECT_NEAR(point.cost, outcomes.mean_cost(costs), 1e-12);
    }
  }
}

TEST(ThresholdTuning, QuantilesStopTheShareThatIsAsked) {
  const PredictionTable table = random_table(1000, 4);
  const ConfidenceTable seen = confidence_table(table, Confidence::kMargin, doubling_costs(4));
  const std::vector<double> thresholds =
      quantile_thresholds(seen, std::vector<double>{0.5, 0.25, 0});
  EXPECT_EQ(thresholds[2], Thresholds::kNever);
  const Outcomes outcomes = outcomes_of(
      Policy::with_thresholds({.confidence = Confidence::kMargin, .values = thresholds}), table);
  const std::vector<double> shares = outcomes.shares();
  EXPECT_NEAR(shares[0], 0.5, 0.002);
  EXPECT_NEAR(shares[1], 0.125, 0.002);
  EXPECT_EQ(shares[2], 0);
  EXPECT_NEAR(shares[3], 0.375, 0.003);
}

// The sweep's counting beside judging every vector of the grid by itself.
TEST(ThresholdTuning, TheSweepFindsTheFrontOfItsGrid) {
  for (const int widths : {2, 3, 4}) {
    const PredictionTable table = random_table(60, widths);
    const ConfidenceTable seen =
        confidence_table(table, Confidence::kMaxProbability, doubling_costs(widths));
    const SweepResult sweep = sweep_thresholds(seen, 1000);
    ASSERT_EQ(sweep.grid.size(), static_cast<std::size_t>(widths - 1));
    EXPECT_LE(sweep.vectors, 1000U);

    // The grid is documented: 0, evenly chosen confidences, never.
    std::vector<std::vector<double>> grid;
    for (std::size_t axis = 0; axis < seen.confidences.size(); ++axis) {
      std::vector<float> sorted = seen.confidences[axis];
      std::ranges::sort(sorted);
      const std::size_t inner = sweep.grid[axis] - 2;
      grid.push_back({0.0});
      for (std::size_t i = 1; i <= inner; ++i) {
        grid.back().push_back(double{sorted[i * (sorted.size() - 1) / inner]});
      }
      grid.back().push_back(Thresholds::kNever);
    }
    std::vector<ThresholdPoint> all;
    std::vector<std::size_t> at(grid.size());
    for (std::size_t n = 0; n < sweep.vectors; ++n) {
      std::size_t rest = n;
      std::vector<double> thresholds;
      for (const auto& axis : grid) {
        thresholds.push_back(axis[rest % axis.size()]);
        rest /= axis.size();
      }
      all.push_back(judge(seen, thresholds));
    }
    const std::vector<ThresholdPoint> front = pareto_front(all);
    ASSERT_EQ(sweep.front.size(), front.size());
    for (std::size_t i = 0; i < front.size(); ++i) {
      EXPECT_NEAR(sweep.front[i].cost, front[i].cost, 1e-9);
      EXPECT_NEAR(sweep.front[i].accuracy, front[i].accuracy, 1e-9);
      // And its own thresholds give just that.
      const ThresholdPoint judged = judge(seen, sweep.front[i].thresholds);
      EXPECT_NEAR(judged.cost, front[i].cost, 1e-9);
      EXPECT_NEAR(judged.accuracy, front[i].accuracy, 1e-9);
    }
  }
}

TEST(ThresholdTuning, WithTwoWidthsTheSweepTriesEveryConfidence) {
  const PredictionTable table = random_table(200, 2);
  const SweepResult sweep =
      sweep_thresholds(confidence_table(table, Confidence::kMargin, doubling_costs(2)));
  EXPECT_EQ(sweep.vectors, 201U);  // as many as images, and never
}

TEST(ThresholdTuning, TheSweepIsNoWorseThanTheFamilyOfOneParameter) {
  const PredictionTable table = random_table(2000, 4);
  const ConfidenceTable seen = confidence_table(table, Confidence::kMargin, doubling_costs(4));
  const SweepResult sweep = sweep_thresholds(seen);
  for (const ThresholdPoint& point : quantile_family(seen, 40)) {
    double best = 0;
    for (const ThresholdPoint& other : sweep.front) {
      if (other.cost <= point.cost * 1.01) best = std::max(best, other.accuracy);
    }
    EXPECT_GE(best, point.accuracy - 0.002);
  }
}

TEST(ThresholdTuning, OneWidthHasOnePoint) {
  const PredictionTable table = random_table(50, 1);
  const SweepResult sweep =
      sweep_thresholds(confidence_table(table, Confidence::kMargin, doubling_costs(1)));
  ASSERT_EQ(sweep.front.size(), 1U);
  EXPECT_TRUE(sweep.front[0].thresholds.empty());
}

TEST(ThresholdTuning, ASweepOverTooManyWidthsIsRefused) {
  const PredictionTable table = random_table(10, 12);
  const ConfidenceTable seen = confidence_table(table, Confidence::kMargin, doubling_costs(12));
  EXPECT_THROW(sweep_thresholds(seen, 1000), Error);
  EXPECT_LE(sweep_thresholds(seen, 3000).vectors, 3000U);
}

TEST(ThresholdTuning, CostsMustRiseAndBeOneForEachWidth) {
  const PredictionTable table = random_table(10, 3);
  EXPECT_THROW(confidence_table(table, Confidence::kMargin, std::vector<double>{1, 2}), Error);
  EXPECT_THROW(confidence_table(table, Confidence::kMargin, std::vector<double>{1, 3, 2}), Error);
}

}  // namespace
}  // namespace bellows
