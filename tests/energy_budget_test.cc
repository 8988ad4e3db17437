#include "engine/energy_budget.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bellows {
namespace {

constexpr double kPower = 2;  // W
constexpr double kSize = 10;  // J

TEST(EnergyBudget, BeginsHalfFullAndAllowsWhatThePowerGives) {
  const EnergyBudget budget;
  EXPECT_DOUBLE_EQ(budget.tokens_j(kSize), 5);
  EXPECT_DOUBLE_EQ(budget.allowed_j(kPower, kSize, 0.25), 0.5);
}

TEST(EnergyBudget, WithoutAKnownIntervalItAllowsWhatItHolds) {
  const EnergyBudget budget;
  EXPECT_DOUBLE_EQ(budget.allowed_j(kPower, kSize, 0), 5);
}

TEST(EnergyBudget, FillsWithTimeUpToItsSize) {
  EnergyBudget budget;
  budget.refill(kPower, kSize, 1);
  EXPECT_DOUBLE_EQ(budget.tokens_j(kSize), 7);
  budget.refill(kPower, kSize, 100);
  EXPECT_DOUBLE_EQ(budget.tokens_j(kSize), 10);
  EXPECT_TRUE(std::isinf(budget.allowed_j(kPower, kSize, 0.25)));
}

TEST(EnergyBudget, WhatIsSpentBeyondEmptyIsNotOwed) {
  EnergyBudget budget;
  budget.spend(kSize, 3);
  EXPECT_DOUBLE_EQ(budget.tokens_j(kSize), 2);
  budget.spend(kSize, 30);
  EXPECT_DOUBLE_EQ(budget.tokens_j(kSize), 0);
  EXPECT_DOUBLE_EQ(budget.allowed_j(kPower, kSize, 0.25), 0);
  budget.refill(kPower, kSize, 1);
  EXPECT_DOUBLE_EQ(budget.tokens_j(kSize), 2);
}

TEST(EnergyBudget, AllowsMoreTheFullerItIs) {
  EnergyBudget budget;
  budget.spend(kSize, 5);
  double before = -1;
  for (int i = 0; i < 100; ++i) {
    const double allowed = budget.allowed_j(kPower, kSize, 0.25);
    EXPECT_GT(allowed, before);
    before = allowed;
    budget.refill(kPower, kSize, 0.049);
  }
}

}  // namespace
}  // namespace bellows
