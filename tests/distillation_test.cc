// Learning from a teacher's probabilities, beside the definition and a numeric gradient.
#include "training/distillation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/refusal.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;

constexpr int kBatch = 5;
constexpr int kClasses = 10;

std::vector<float> random_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// A number of elements as an index.
std::size_t index(int elements) { return static_cast<std::size_t>(elements); }

std::size_t place(int block, int n, int c) {
  return index((c / block * kBatch + n) * block + c % block);
}

std::vector<float> targets_of(double temperature) {
  std::vector<float> targets(kBatch * kClasses);
  add_softened(random_values(targets.size(), 2), kClasses, temperature, 1, targets);
  return targets;
}

// T^2 KL(q || softmax(logits / T)), as it is written.
double definition(const std::vector<double>& logits, const std::vector<float>& targets,
                  double temperature) {
  double loss = 0;
  for (std::size_t n = 0; n < kBatch; ++n) {
    double sum = 0;
    for (std::size_t c = 0; c < kClasses; ++c) {
      sum += std::exp(logits[n * kClasses + c] / temperature);
    }
    for (std::size_t c = 0; c < kClasses; ++c) {
      const double q = static_cast<double>(targets[n * kClasses + c]);
      loss += q * std::log(q / (std::exp(logits[n * kClasses + c] / temperature) / sum));
    }
  }
  return temperature * temperature * loss / kBatch;
}

TEST(Distillation, SoftenedLogitsAreProbabilitiesAtATemperature) {
  const std::vector<float> logits = {0, std::log(3.0F), 1e30F, 0};
  std::vector<float> sums(4, 0.5F);
  add_softened(logits, 2, 1, 0.5, sums);
  EXPECT_THAT(sums,
              ::testing::Pointwise(::testing::FloatNear(1e-6F), {0.625F, 0.875F, 1.0F, 0.5F}));
}

TEST(Distillation, LossAndGradientAreThoseOfTheDefinitionInEveryLayout) {
  for (const double temperature : {1.0, 2.0, 5.0}) {
    for (const int block : {1, 8, 10, 16}) {
      const std::vector<float> targets = targets_of(temperature);
      const std::vector<float> plain = random_values(kBatch * kClasses, 1);
      std::vector<double> exact(plain.begin(), plain.end());
      const std::size_t stored = index((kClasses + block - 1) / block * block * kBatch);
      std::vector<float> logits(stored, 1000.0F);  // padding that would be noticed
      std::vector<float> diff(stored, 0.0F);
      for (int n = 0; n < kBatch; ++n) {
        for (int c = 0; c < kClasses; ++c) {
          logits[place(block, n, c)] = plain[index(n * kClasses + c)];
          diff[place(block, n, c)] = 0.5F;  // of the other loss
        }
      }
      const double loss =
          distil(logits.data(), targets, kBatch, kClasses, block, 0.3, temperature, diff.data());
      EXPECT_NEAR(loss, definition(exact, targets, temperature), 1e-6);
      for (int n = 0; n < kBatch; ++n) {
        for (int c = 0; c < kClasses; ++c) {
          double& logit = exact[index(n * kClasses + c)];
          const double kept = logit;
          logit = kept + 1e-4;
          const double above = definition(exact, targets, temperature);
          logit = kept - 1e-4;
          const double below = definition(exact, targets, temperature);
          logit = kept;
          EXPECT_NEAR(static_cast<double>(diff[place(block, n, c)]),
                      0.7 * 0.5 + 0.3 * (above - below) / 2e-4, 1e-5);
        }
      }
    }
  }
}

TEST(Distillation, ATeacherOfTheSameOpinionTeachesNothing) {
  const std::vector<float> logits = random_values(kBatch * kClasses, 4);
  std::vector<float> targets(logits.size());
  add_softened(logits, kClasses, 3, 1, targets);
  std::vector<float> diff(logits.size(), 0.0F);
  EXPECT_NEAR(distil(logits.data(), targets, kBatch, kClasses, kClasses, 1, 3, diff.data()), 0,
              1e-6);
  for (const float value : diff) EXPECT_NEAR(value, 0.0F, 1e-6F);
}

TEST(Distillation, RefusesTargetsOfAnotherSize) {
  std::vector<float> sums(10);
  EXPECT_THAT(refusal([&] { add_softened(std::vector<float>(20), 10, 1, 1, sums); }),
              HasSubstr("20 logits"));
}

}  // namespace
}  // namespace bellows
