#include "engine/group_times.h"

#include <gtest/gtest.h>

namespace bellows {
namespace {

TEST(GroupTimes, KnowsNothingBeforeTheFirstRun) {
  const GroupTimes times({100, 200});
  EXPECT_EQ(times.expected(1), 0.0);
  EXPECT_EQ(times.expected(2), 0.0);
}

TEST(GroupTimes, ExpectsOfAGroupThatHasNotRunTwiceWhatItsMacsTookElsewhere) {
  GroupTimes times({100, 200, 400});
  times.measured(1, 1e-5);
  EXPECT_DOUBLE_EQ(times.expected(2), 4e-5);
  times.measured(2, 8e-5);  // slower for each: 4e-7 s
  EXPECT_DOUBLE_EQ(times.expected(3), 3.2e-4);
}

TEST(GroupTimes, OverlooksOneDisturbanceAndBelievesTheSecond) {
  GroupTimes times({100});
  times.measured(1, 2e-5);
  times.measured(1, 1.0);
  EXPECT_DOUBLE_EQ(times.expected(1), 2e-5);
  times.measured(1, 6e-5);
  EXPECT_DOUBLE_EQ(times.expected(1), 6e-5);
}

TEST(GroupTimes, ExpectsAllGroupsToBeSlowedWhenOneIs) {
  GroupTimes times({100, 100, 100});
  times.measured(1, 1e-5);
  times.measured(2, 3e-5);
  times.measured(1, 4e-5);
  times.measured(1, 4e-5);
  EXPECT_DOUBLE_EQ(times.expected(2), 12e-5);
  EXPECT_DOUBLE_EQ(times.expected(3), 2 * 3e-5 * 4);
}

TEST(GroupTimes, GivesAGroupAnotherChanceAfterItWasPassedOverSixteenTimes) {
  GroupTimes times({100, 100});
  times.measured(1, 1e-5);
  for (int i = 0; i < 3; ++i) times.measured(1, 1e-2);
  EXPECT_DOUBLE_EQ(times.expected(1), 1e-2);
  for (int i = 0; i < 15; ++i) times.passed_over(1);
  EXPECT_DOUBLE_EQ(times.expected(1), 1e-2);
  times.passed_over(1);
  EXPECT_DOUBLE_EQ(times.expected(1), 1e-5);
}

TEST(GroupTimes, KeepsToWhatNarrowerGroupsShowWhenAWiderOneIsPassedOver) {
  GroupTimes times({100, 100});
  for (int group : {1, 2}) times.measured(group, 1e-5);
  for (int i = 0; i < 40; ++i) {
    times.measured(1, 5e-5);
    times.measured(1, 5e-5);
    times.passed_over(2);
    EXPECT_DOUBLE_EQ(times.expected(2), 5e-5) << i;
  }
}

TEST(GroupTimes, DoesNotBelieveForEverThatAGroupIsAsSlowAsItsOnlyRun) {
  GroupTimes times({100, 300});
  times.measured(1, 1e-5);
  times.measured(2, 1.0);
  for (int i = 0; i < 16; ++i) times.passed_over(2);
  EXPECT_DOUBLE_EQ(times.expected(2), 2 * 3e-5);
  times.measured(2, 4e-5);
  EXPECT_LT(times.expected(2), 6e-5);
}

TEST(GroupTimes, ForgetsADisturbanceAfterSixteenQuietRuns) {
  GroupTimes times({100, 100});
  for (int group : {1, 2}) times.measured(group, 1e-5);
  for (int i = 0; i < 5; ++i) times.measured(1, 9e-5);
  for (int i = 0; i < 15; ++i) {
    EXPECT_DOUBLE_EQ(times.expected(2), 9e-5) << i;
    times.measured(1, 1e-5);
  }
  times.measured(1, 1e-5);
  EXPECT_DOUBLE_EQ(times.expected(2), 1e-5);
}

}  // namespace
}  // namespace bellows
