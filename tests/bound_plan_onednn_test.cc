// A plan is shared; what is bound to it is not.
#include "engine/bound_plan_onednn.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "engine/threads.h"
#include "tests/grouped_networks.h"

namespace bellows {
namespace {

constexpr int kBatch = 2;
constexpr int kGroups = 3;

Network small_network() {
  return Network::read(config::network(
      {2, 9, 8}, 5, kGroups, "triangular", "additive",
      {config::conv("conv1", {3, 5, 2}, 3, 1), config::layer("relu", "relu1"),
       config::layer("global_avg_pool", "pool1"), config::linear("linear2", {7, 3, 9})}));
}

class BoundPlanTest : public ::testing::Test {
 protected:
  BoundPlanTest() {
    const ThreadCount threads(1);
    const WeightSet weights = random_weights(network_, kGroups, 5);
    plan_ = std::make_shared<const Plan>(
        build_plan(network_, &weights, packed_,
                   {.batch = kBatch, .groups = kGroups, .allocated_groups = kGroups}));
  }

  void load(BoundPlan& bound, std::uint64_t seed) const {
    const std::vector<float> images = random_images(network_, kBatch, seed);
    load_images(bound.plan(), images.data(), kBatch, {0, 0}, {1, 1}, bound.input());
  }

  static std::vector<float> logits(const BoundPlan& bound, int group) {
    const ActivationLayout& layout = bound.plan().logits.layout;
    std::vector<float> values;
    for (int sample = 0; sample < kBatch; ++sample) {
      for (int label = 0; label < 5; ++label) {
        values.push_back(bound.logits(group)[layout.index(sample, label, 0)]);
      }
    }
    return values;
  }

  std::vector<std::vector<float>> run_all(std::uint64_t seed) const {
    const ThreadCount threads(1);
    BoundPlan bound(plan_);
    load(bound, seed);
    std::vector<std::vector<float>> all;
    for (int group = 1; group <= kGroups; ++group) {
      bound.run({group, group});
      all.push_back(logits(bound, group));
    }
    return all;
  }

  Network network_ = small_network();
  PackedWeights packed_;
  std::shared_ptr<const Plan> plan_;
};

TEST_F(BoundPlanTest, KeepsTheLogitsOfEveryWidthThatHasRun) {
  const ThreadCount threads(1);
  BoundPlan bound(plan_);
  load(bound, 1);
  for (int group = 1; group <= kGroups; ++group) bound.run({group, group});
  const auto expected = run_all(1);
  for (int group = 1; group <= kGroups; ++group) {
    EXPECT_EQ(logits(bound, group), expected[static_cast<std::size_t>(group - 1)]);
  }
  EXPECT_NE(expected[0], expected[1]);
  EXPECT_NE(expected[1], expected[2]);
}

TEST_F(BoundPlanTest, AnswersTheSameHoweverTheGroupsAreSplitIntoCalls) {
  const ThreadCount threads(1);
  const auto expected = run_all(1);
  for (int split = 1; split <= kGroups; ++split) {
    BoundPlan bound(plan_);
    load(bound, 1);
    bound.run({1, split});
    bound.run({split + 1, kGroups});
    for (int group = 1; group <= kGroups; ++group) {
      EXPECT_EQ(logits(bound, group), expected[static_cast<std::size_t>(group - 1)]);
    }
  }
}

TEST_F(BoundPlanTest, DoesNotDisturbAnotherOneOfTheSamePlan) {
  const ThreadCount threads(1);
  BoundPlan first(plan_);
  BoundPlan second(plan_);
  load(first, 1);
  load(second, 2);
  for (int group = 1; group <= kGroups; ++group) {
    first.run({group, group});
    second.run({group, group});
  }
  EXPECT_EQ(logits(first, kGroups), run_all(1).back());
  EXPECT_EQ(logits(second, kGroups), run_all(2).back());
  EXPECT_NE(logits(first, kGroups), logits(second, kGroups));
}

TEST_F(BoundPlanTest, AnswersTheSameAfterOtherImages) {
  const ThreadCount threads(1);
  BoundPlan bound(plan_);
  for (const std::uint64_t seed : {1U, 2U, 1U}) {
    load(bound, seed);
    const auto expected = run_all(seed);
    for (int group = 1; group <= kGroups; ++group) {
      bound.run({group, group});
      EXPECT_EQ(logits(bound, group), expected[static_cast<std::size_t>(group - 1)]);
    }
  }
}

TEST_F(BoundPlanTest, KeepsItsPlanAliveAndCountsItsBytes) {
  const ThreadCount threads(1);
  BoundPlan bound(plan_);
  const auto expected = run_all(1);
  const std::weak_ptr<const Plan> watched = plan_;
  plan_.reset();
  EXPECT_FALSE(watched.expired());
  load(bound, 1);
  bound.run({1, 1});
  EXPECT_EQ(logits(bound, 1), expected[0]);
  // At least the input and conv1's channels, each 9 x 8 floats a sample.
  EXPECT_GE(bound.bytes(), kBatch * (2 + 10) * 9 * 8 * sizeof(float));
}

}  // namespace
}  // namespace bellows
