#include "training/learning_rate.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace bellows {
namespace {

constexpr int kEpochs = 10;
constexpr std::int64_t kBatches = 20;  // an epoch
constexpr double kBase = 0.4;

LearningRateSchedule schedule_of(const char* kind) {
  LearningRateSchedule schedule;
  schedule.kind = kind;
  return schedule;
}

double rate_at(const LearningRateSchedule& schedule, std::int64_t batch) {
  return learning_rate(schedule, kBase, batch, kBatches, kEpochs);
}

std::vector<double> all_rates(const LearningRateSchedule& schedule) {
  std::vector<double> rates;
  for (std::int64_t batch = 0; batch < kBatches * kEpochs; ++batch) {
    rates.push_back(rate_at(schedule, batch));
  }
  return rates;
}

void expect_rising(const std::vector<double>& rates, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin + 1; i < end; ++i) EXPECT_GT(rates.at(i), rates.at(i - 1)) << i;
}

void expect_falling(const std::vector<double>& rates, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin + 1; i < end; ++i) EXPECT_LT(rates.at(i), rates.at(i - 1)) << i;
}

TEST(LearningRate, ConstantNeverMoves) {
  for (const double rate : all_rates(schedule_of("constant"))) EXPECT_EQ(rate, kBase);
}

TEST(LearningRate, WarmupRisesInEqualStepsToTheBaseRate) {
  for (const char* kind : {"constant", "cosine", "step"}) {
    LearningRateSchedule schedule = schedule_of(kind);
    schedule.warmup_epochs = 1.5;
    const std::vector<double> rates = all_rates(schedule);
    for (std::size_t i = 0; i < 30; ++i) {
      EXPECT_NEAR(rates[i], kBase * static_cast<double>(i + 1) / 30, 1e-12) << kind << " " << i;
    }
    EXPECT_EQ(rates[30], kBase) << kind;
  }
}

TEST(LearningRate, WarmupLongerThanTheTrainingIsAllOfIt) {
  LearningRateSchedule schedule = schedule_of("cosine");
  schedule.warmup_epochs = 1000;
  const std::vector<double> rates = all_rates(schedule);
  expect_rising(rates, 0, rates.size());
  EXPECT_NEAR(rates.back(), kBase, 1e-12);
}

TEST(LearningRate, CosineFallsFromTheBaseRateToItsFinalFraction) {
  LearningRateSchedule schedule = schedule_of("cosine");
  schedule.final_fraction = 0.1;
  const std::vector<double> rates = all_rates(schedule);
  EXPECT_EQ(rates.front(), kBase);
  EXPECT_NEAR(rates[rates.size() / 2], kBase * (1 + 0.1) / 2, 1e-12);
  EXPECT_NEAR(rates.back(), kBase * 0.1, kBase * 0.001);
  EXPECT_GT(rates.back(), kBase * 0.1);
  expect_falling(rates, 0, rates.size());
}

TEST(LearningRate, StepDropsByTheFactorAtEachMilestone) {
  LearningRateSchedule schedule = schedule_of("step");
  schedule.milestones = {0.75, 0.5};  // in any order
  schedule.factor = 0.1;
  const std::vector<double> rates = all_rates(schedule);
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const double drops = i < 100 ? 0 : i < 150 ? 1 : 2;
    EXPECT_NEAR(rates[i], kBase * std::pow(0.1, drops), 1e-12) << i;
  }
}

TEST(LearningRate, OneCycleRisesToThePeakAndFallsBehindIt) {
  LearningRateSchedule schedule = schedule_of("one_cycle");
  schedule.peak = 0.3;
  schedule.initial_fraction = 0.04;
  schedule.final_fraction = 0.01;
  const std::vector<double> rates = all_rates(schedule);
  EXPECT_NEAR(rates.front(), kBase * 0.04, 1e-12);
  EXPECT_NEAR(rates[30], kBase * (0.04 + 1) / 2, 1e-12);
  EXPECT_NEAR(rates[60], kBase, 1e-12);
  EXPECT_NEAR(rates[130], kBase * (1 + 0.01) / 2, 1e-12);
  EXPECT_NEAR(rates.back(), kBase * 0.01, kBase * 0.001);
  expect_rising(rates, 0, 61);
  expect_falling(rates, 60, rates.size());
}

TEST(LearningRate, OneCycleMayPeakAtEitherEnd) {
  LearningRateSchedule schedule = schedule_of("one_cycle");
  schedule.peak = 0;
  std::vector<double> rates = all_rates(schedule);
  EXPECT_EQ(rates.front(), kBase);
  expect_falling(rates, 0, rates.size());
  schedule.peak = 1;
  rates = all_rates(schedule);
  EXPECT_NEAR(rates.front(), kBase * schedule.initial_fraction, 1e-12);
  expect_rising(rates, 0, rates.size());
}

TEST(LearningRate, StaysAtTheLastRateBeyondTheEnd) {
  for (const char* kind : {"constant", "cosine", "step", "one_cycle"}) {
    const LearningRateSchedule schedule = schedule_of(kind);
    EXPECT_EQ(rate_at(schedule, kBatches * kEpochs + 100),
              rate_at(schedule, kBatches * kEpochs - 1))
        << kind;
  }
}

TEST(LearningRate, WorksForASingleBatch) {
  for (const char* kind : {"constant", "cosine", "step"}) {
    EXPECT_EQ(learning_rate(schedule_of(kind), kBase, 0, 1, 1), kBase) << kind;
  }
}

TEST(LearningRate, RefusesWhatCannotBe) {
  const LearningRateSchedule schedule;
  EXPECT_THROW(learning_rate(schedule, kBase, -1, kBatches, kEpochs), Error);
  EXPECT_THROW(learning_rate(schedule, kBase, 0, 0, kEpochs), Error);
  EXPECT_THROW(learning_rate(schedule, kBase, 0, kBatches, 0), Error);
  EXPECT_THROW(learning_rate(schedule_of("zigzag"), kBase, 0, kBatches, kEpochs), Error);
}

TEST(LearningRate, WarmRestartsRepeatTheCosineInEqualParts) {
  LearningRateSchedule once{.kind = "cosine", .final_fraction = 0.1};
  LearningRateSchedule thrice = once;
  thrice.restarts = 2;
  for (std::int64_t batch = 0; batch < 30; ++batch) {
    EXPECT_NEAR(learning_rate(thrice, 2, batch, 10, 3), learning_rate(once, 2, batch % 10, 10, 1),
                1e-12)
        << batch;
  }
}

}  // namespace
}  // namespace bellows
