#include "cli/interrupt.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace bellows::cli {
namespace {

// The signals do what they do by default, however this program was started.
class InterruptWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, SIG_DFL);
  }
};
using InterruptWatchDeathTest = InterruptWatchTest;

TEST_F(InterruptWatchTest, RemembersTheFirstSignal) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    const InterruptWatch watch;
    EXPECT_FALSE(InterruptWatch::interrupted());
    std::raise(number);
    EXPECT_TRUE(InterruptWatch::interrupted());
  }
}

TEST_F(InterruptWatchTest, OutlivesATerminalThatHangsUpTwice) {
  const InterruptWatch watch;
  std::raise(SIGHUP);
  std::raise(SIGHUP);
  EXPECT_TRUE(InterruptWatch::interrupted());
}

TEST_F(InterruptWatchTest, LeavesSignalsIgnoredThatWereIgnored) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    std::signal(number, SIG_IGN);
    {
      const InterruptWatch watch;
      std::raise(number);
      EXPECT_FALSE(InterruptWatch::interrupted());
      for (const int other : {SIGINT, SIGTERM, SIGHUP}) {
        if (other != number) {
          std::raise(other);
          break;
        }
      }
      EXPECT_TRUE(InterruptWatch::interrupted());
      std::raise(number);
    }
    std::raise(number);
    std::signal(number, SIG_DFL);
  }
}

TEST_F(InterruptWatchTest, BeginsUninterruptedEveryTime) {
  {
    const InterruptWatch watch;
    std::raise(SIGTERM);
    EXPECT_TRUE(InterruptWatch::interrupted());
  }
  const InterruptWatch watch;
  EXPECT_FALSE(InterruptWatch::interrupted());
}

TEST_F(InterruptWatchDeathTest, LetsTheSecondSignalKill) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto twice = [] {
    const InterruptWatch watch;
    std::raise(SIGINT);
    if (InterruptWatch::interrupted()) std::raise(SIGTERM);
    std::exit(0);
  };
  EXPECT_EXIT(twice(), ::testing::KilledBySignal(SIGTERM), "");
}

TEST_F(InterruptWatchDeathTest, LetsSignalsKillAgainWhenItIsGone) {
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
