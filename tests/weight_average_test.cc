// The moving average of weights, beside its definition.
#include "training/weight_average.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bellows {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(WeightAverage, MovesTowardsTheWeightsByOneLessTheDecayButFasterAtFirst) {
  std::vector<float> weights = {0, 10};
  WeightAverage average(0.5, {weights});
  weights = {1, 20};
  average.update(1);  // decay 1 / 10
  EXPECT_THAT(average.state()[0], ElementsAre(FloatEq(0.9F), FloatEq(19.0F)));
  average.update(100);  // decay 0.5
  EXPECT_THAT(average.state()[0], ElementsAre(FloatEq(0.95F), FloatEq(19.5F)));
  EXPECT_THAT(weights, ElementsAre(1, 20));
}

TEST(WeightAverage, ChangesPlacesWithTheWeightsAndBack) {
  std::vector<float> one = {1};
  std::vector<float> other = {2, 3};
  WeightAverage average(0.9, {one, other});
  one = {5};
  average.swap();
  EXPECT_THAT(one, ElementsAre(1));
  EXPECT_THAT(average.state()[0], ElementsAre(5));
  average.swap();
  EXPECT_THAT(one, ElementsAre(5));
  EXPECT_THAT(other, ElementsAre(2, 3));
}

}  // namespace
}  // namespace bellows
