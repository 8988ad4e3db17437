#include "training/search/machine_turn.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

// Each has descriptors of its own, as processes have.
TEST(MachineTurn, NobodyWorksWhileSomebodyMeasures) {
  const std::filesystem::path file = fresh_folder() / "turn";
  std::atomic<bool> measuring = false;
  std::atomic<int> disturbed = 0;
  std::atomic<int> worked = 0;
  std::atomic<bool> end = false;
  std::vector<std::thread> workers;
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back([&] {
      MachineTurn turn(file);
      while (!end) {
        turn.work();
        ++worked;
        for (int spin = 0; spin < 200; ++spin) disturbed += measuring ? 1 : 0;
      }
      turn.rest();
    });
  }
  MachineTurn turn(file);
  for (int i = 0; i < 50; ++i) {
    turn.measure();
    measuring = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    measuring = false;
    turn.rest();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  end = true;
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(disturbed, 0);
  EXPECT_GT(worked, 20);
}

TEST(MachineTurn, WhoWorksDoesNotKeepOthersFromWorking) {
  const std::filesystem::path file = fresh_folder() / "turn";
  MachineTurn one(file);
  MachineTurn other(file);
  one.work();
  other.work();  // would wait for ever
  SUCCEED();
}

TEST(MachineTurn, WhatAProcessHeldIsFreeWhenItIsGone) {
  const std::filesystem::path file = fresh_folder() / "turn";
  {
    MachineTurn gone(file);
    gone.measure();
  }
  MachineTurn next(file);
  next.measure();
  SUCCEED();
}

}  // namespace
}  // namespace bellows
