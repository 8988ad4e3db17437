#include "training/search/rungs.h"

#include <gtest/gtest.h>

namespace bellows {
namespace {

RungReport report(double error, double latency = 10, int width = 1, double share = 0.5) {
  return {
      .width = width, .share = share, .error = error, .latency_us = latency, .energy_uj = latency};
}

TEST(Rungs, OfThoseThatCostTheSameTheWorseHalfIsStopped) {
  Rungs rungs(0.5, 4);
  EXPECT_FALSE(rungs.hopeless(report(0.4)));
  EXPECT_FALSE(rungs.hopeless(report(0.2)));
  EXPECT_FALSE(rungs.hopeless(report(0.6)));  // not enough were seen
  EXPECT_FALSE(rungs.hopeless(report(0.3)));  // the second of four
  EXPECT_TRUE(rungs.hopeless(report(0.5)));   // the fourth of five
  EXPECT_FALSE(rungs.hopeless(report(0.1)));
}

TEST(Rungs, WhoeverIsCheaperThanAllBetterOnesGoesOn) {
  Rungs rungs(0.5, 4);
  for (const double error : {0.1, 0.2, 0.3, 0.4}) rungs.add(report(error, 100 * error));
  for (const double error : {0.5, 0.6}) rungs.add(report(error, 100));
  EXPECT_FALSE(rungs.hopeless(report(0.9, 1)));
  EXPECT_TRUE(rungs.hopeless(report(0.9, 100)));
}

TEST(Rungs, WidthsAndSharesAreJudgedApart) {
  Rungs rungs(0.5, 2);
  for (int i = 0; i < 5; ++i) rungs.add(report(0.1));
  EXPECT_FALSE(rungs.hopeless(report(0.9, 10, 2)));
  EXPECT_FALSE(rungs.hopeless(report(0.9, 10, 1, 0.25)));
  EXPECT_TRUE(rungs.hopeless(report(0.9)));
}

}  // namespace
}  // namespace bellows
