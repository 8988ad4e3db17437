#include "engine/confidence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace bellows {
namespace {

TEST(Confidence, IsWhatItsNameSays) {
  const std::vector<float> p = {0.1F, 0.6F, 0.3F};
  EXPECT_FLOAT_EQ(confidence_of(Confidence::kMaxProbability, p.data(), 3), 0.6F);
  EXPECT_FLOAT_EQ(confidence_of(Confidence::kMargin, p.data(), 3), 0.3F);
  const double entropy = -(0.1 * std::log(0.1) + 0.6 * std::log(0.6) + 0.3 * std::log(0.3));
  EXPECT_NEAR(confidence_of(Confidence::kEntropy, p.data(), 3), 1 - entropy / std::log(3), 1e-6);
}

TEST(Confidence, IsOneWhereNothingElseIsProbableAndLowestWhereAllIs) {
  const std::vector<float> sure = {0, 1, 0, 0};
  const std::vector<float> unsure(4, 0.25F);
  EXPECT_EQ(confidence_of(Confidence::kMaxProbability, sure.data(), 4), 1);
  EXPECT_EQ(confidence_of(Confidence::kMargin, sure.data(), 4), 1);
  EXPECT_EQ(confidence_of(Confidence::kEntropy, sure.data(), 4), 1);
  EXPECT_EQ(confidence_of(Confidence::kMaxProbability, unsure.data(), 4), 0.25F);
  EXPECT_EQ(confidence_of(Confidence::kMargin, unsure.data(), 4), 0);
  EXPECT_NEAR(confidence_of(Confidence::kEntropy, unsure.data(), 4), 0, 1e-6);
}

TEST(Confidence, TheTwoLargestMayStandAnywhereAndBeEqual) {
  for (const std::vector<float>& values :
       {std::vector<float>{5, 4, 1}, {4, 5, 1}, {1, 4, 5}, {4, 1, 5}, {1, 5, 4}}) {
    const LargestTwo two = largest_two(values.data(), values.size());
    EXPECT_EQ(two.first, 5);
    EXPECT_EQ(two.second, 4);
  }
  const std::vector<float> equal = {2, 7, 7};
  EXPECT_EQ(largest_two(equal.data(), 3).second, 7);
}

TEST(Confidence, ATemperatureAboveOneMakesLessSure) {
  const std::vector<float> logits = {1, 3, 2};
  std::vector<float> p(3);
  tempered_softmax(logits.data(), 3, 2, p.data());
  const double sum = std::exp(0.5) + std::exp(1.5) + std::exp(1.0);
  EXPECT_NEAR(p[1], std::exp(1.5) / sum, 1e-6);
}

}  // namespace
}  // namespace bellows
