#include "engine/latency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <numeric>

#include "engine/model_file.h"

namespace bellows {
namespace {

using ::testing::Each;
using ::testing::Ge;

TEST(LatencyFigures, ArePercentilesByTheNearestRank) {
  std::vector<double> times(200);
  std::iota(times.rbegin(), times.rend(), 1.0);  // 200 down to 1
  const auto figures = latency_figures(times);
  EXPECT_EQ(figures.p50, 100);
  EXPECT_EQ(figures.p95, 190);
  EXPECT_EQ(figures.p99, 198);
  EXPECT_DOUBLE_EQ(figures.mean, 100.5);
  EXPECT_EQ(figures.runs, 200);
  EXPECT_EQ(figures.outliers, 0);
}

TEST(LatencyFigures, LeaveOutRunsOfMoreThanTenTimesTheMedian) {
  std::vector<double> times = {1, 1, 1, 10, 1, 10.1, 500};
  const auto figures = latency_figures(times);
  EXPECT_EQ(figures.runs, 5);
  EXPECT_EQ(figures.outliers, 2);
  EXPECT_EQ(figures.p99, 10);
  EXPECT_DOUBLE_EQ(figures.mean, 14.0 / 5);
}

TEST(LatencyFigures, OfOneRunAreThatRun) {
  std::vector<double> times = {7};
  const auto figures = latency_figures(times);
  EXPECT_EQ(figures.p50, 7);
  EXPECT_EQ(figures.p99, 7);
  EXPECT_EQ(figures.mean, 7);
}

TEST(MeasureLatency, TimesEveryWidthAtLeastAsOftenAsAsked) {
  const Model model = Model::load(BELLOWS_SOURCE_DIR "/tests/golden/tiny.safetensors");
  Session session(model);
  const std::vector<float> images(2 * model.image_elements(), 0.5F);
  std::vector<int> widths(static_cast<std::size_t>(model.groups()));
  std::iota(widths.begin(), widths.end(), 1);
  const auto figures =
      measure_latency(session, images, model.image_elements(), widths,
                      {.warm_up_runs = 1, .seconds = 0, .least_runs = 12, .turns = 3});
  ASSERT_EQ(figures.size(), widths.size());
  for (const auto& of_width : figures) {
    EXPECT_EQ(of_width.runs + of_width.outliers, 12);
    EXPECT_GT(of_width.p50, 0);
    EXPECT_THAT((std::vector{of_width.p95, of_width.p99}), Each(Ge(of_width.p50)));
  }
  EXPECT_EQ(session.width(), model.groups());
}

TEST(MeasureLatency, LeavesPausesAtARate) {
  const Model model = Model::load(BELLOWS_SOURCE_DIR "/tests/golden/tiny.safetensors");
  Session session(model);
  const std::vector<float> images(model.image_elements(), 0.5F);
  const auto begin = std::chrono::steady_clock::now();
  const auto figures = measure_latency(session, images, model.image_elements(), {1, 2},
                                       {.seconds = 0, .least_runs = 10, .rate = 200});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took.count(), 2 * 10 / 200.0);
  for (const auto& of_width : figures) EXPECT_LT(of_width.p50, 5000);  // without the pauses
}

}  // namespace
}  // namespace bellows
