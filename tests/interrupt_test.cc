#include "cli/interrupt.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace bellows::cli {
namespace {

TEST(InterruptWatch, RemembersTheFirstSignal) {
  const InterruptWatch watch;
  EXPECT_FALSE(InterruptWatch::interrupted());
  std::raise(SIGINT);
  EXPECT_TRUE(InterruptWatch::interrupted());
}

TEST(InterruptWatch, BeginsUninterruptedEveryTime) {
  {
    const InterruptWatch watch;
    std::raise(SIGTERM);
    EXPECT_TRUE(InterruptWatch::interrupted());
  }
  const InterruptWatch watch;
  EXPECT_FALSE(InterruptWatch::interrupted());
}

TEST(InterruptWatchDeathTest, LetsTheSecondSignalKill) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto twice = [] {
    const InterruptWatch watch;
    std::raise(SIGINT);
    if (InterruptWatch::interrupted()) std::raise(SIGTERM);
    std::exit(0);
  };
  EXPECT_EXIT(twice(), ::testing::KilledBySignal(SIGTERM), "");
}

TEST(InterruptWatchDeathTest, LetsSignalsKillAgainWhenItIsGone) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto after = [] {
    { const InterruptWatch watch; }
    std::raise(SIGINT);
    std::exit(0);
  };
  EXPECT_EXIT(after(), ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace bellows::cli
