#include "training/policies/calibration.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace bellows {
namespace {

// Labels drawn by the probabilities that the logits give: calibrated, but for chance.
struct Answers {
  std::vector<float> logits;
  std::vector<std::int32_t> labels;
};

Answers calibrated(std::size_t count, int classes) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 2);
  Answers answers;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<double> weights;
    for (int c = 0; c < classes; ++c) {
      answers.logits.push_back(normal(random));
      weights.push_back(std::exp(double{answers.logits.back()}));
    }
    std::discrete_distribution<std::int32_t> draw(weights.begin(), weights.end());
    answers.labels.push_back(draw(random));
  }
  return answers;
}

TEST(Calibration, OfLabelsDrawnByTheProbabilitiesTheErrorIsChanceAlone) {
  const Answers answers = calibrated(20000, 5);
  const Calibration found = calibration(answers.logits, answers.labels);
  EXPECT_LT(found.expected_calibration_error, 0.01);
  EXPECT_NEAR(fit_temperature(answers.logits, answers.labels), 1, 0.03);
}

TEST(Calibration, TheTemperatureUndoesAScale) {
  Answers answers = calibrated(20000, 5);
  for (float& logit : answers.logits) logit *= 3;
  const double temperature = fit_temperature(answers.logits, answers.labels);
  EXPECT_NEAR(temperature, 3, 0.1);
  const Calibration before = calibration(answers.logits, answers.labels);
  const Calibration after = calibration(answers.logits, answers.labels, temperature);
  EXPECT_GT(before.expected_calibration_error, 0.05);
  EXPECT_LT(after.expected_calibration_error, 0.01);
  EXPECT_LT(after.negative_log_likelihood, before.negative_log_likelihood);
}

// Four answers by hand: probabilities of the first class 0.9, 0.9, 0.6, 0.6; labels 0, 1, 0, 0.
TEST(Calibration, BinsAndErrorAreThoseOfTheirDefinition) {
  const auto logit = [](double p) { return static_cast<float>(std::log(p / (1 - p))); };
  const std::vector<float> logits = {logit(0.9), 0, logit(0.9), 0, logit(0.6), 0, logit(0.6), 0};
  const std::vector<std::int32_t> labels = {0, 1, 0, 0};
  const Calibration found = calibration(logits, labels, 1, 2);
  ASSERT_EQ(found.bins.size(), 2U);
  EXPECT_EQ(found.bins[0].count, 0);
  EXPECT_EQ(found.bins[1].count, 4);
  EXPECT_NEAR(found.bins[1].confidence, 0.75, 1e-6);
  EXPECT_NEAR(found.bins[1].accuracy, 0.75, 1e-6);
  EXPECT_NEAR(found.expected_calibration_error, 0, 1e-6);
  const Calibration finer = calibration(logits, labels, 1, 10);
  // |0.9 - 0.5| of one half, |0.6 - 1| of the other.
  EXPECT_NEAR(finer.expected_calibration_error, 0.4, 1e-6);
  EXPECT_NEAR(finer.negative_log_likelihood,
              -(std::log(0.9) + std::log(0.1) + 2 * std::log(0.6)) / 4, 1e-6);
}

TEST(Calibration, WhatDoesNotFitIsRefused) {
  const std::vector<float> logits(6);
  EXPECT_THROW(calibration(logits, std::vector<std::int32_t>{}), Error);
  EXPECT_THROW(calibration(logits, std::vector<std::int32_t>(4)), Error);
  EXPECT_THROW(calibration(logits, std::vector<std::int32_t>(3), 0), Error);
}

}  // namespace
}  // namespace bellows
