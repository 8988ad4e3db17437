#include "training/policies/joint_selector.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

#include "tests/grouped_networks.h"

namespace bellows {
namespace {

constexpr std::size_t kImages = 64;
constexpr std::size_t kClasses = 4;

Network network(int groups) {
  std::vector<int> channels(static_cast<std::size_t>(groups), 4);
  return Network::read(config::network({1, 5, 5}, static_cast<int>(kClasses), groups, "triangular",
                                       "per_width", {config::conv("conv1", channels, 3, 1)}));
}

// Answers of three widths: half of the images are easy, the others only for the widest.
struct Batch {
  std::vector<std::vector<float>> logits;
  std::vector<std::int32_t> labels;
};

Batch batch(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> noise(0, 0.3F);
  Batch made;
  made.logits.resize(3);
  for (std::size_t i = 0; i < kImages; ++i) {
    const auto label = static_cast<std::int32_t>(random() % kClasses);
    made.labels.push_back(label);
    for (std::size_t width = 0; width < 3; ++width) {
      const bool knows = i % 2 == 0 || width == 2;
      for (std::size_t c = 0; c < kClasses; ++c) {
        const bool is = c == static_cast<std::size_t>(label);
        made.logits[width].push_back((knows && is ? 4.0F : 0.0F) + noise(random));
      }
    }
  }
  return made;
}

TEST(JointSelector, TheWeightsOfABatchComeToOneOnAverage) {
  const Network of = network(3);
  JointSelector selector(of, {.alpha = 0.3, .share = 0.7}, 1);
  const Batch given = batch(1);
  const auto& weights = selector.learn(given.logits, given.labels, 0, 0);
  ASSERT_EQ(weights.size(), 3U);
  double sum = 0;
  for (std::size_t i = 0; i < kImages; ++i) {
    double of_image = 0;
    for (const std::vector<float>& width : weights) {
      EXPECT_GE(width[i], 0.3F - 1e-6F);
      of_image += width[i];
    }
    EXPECT_NEAR(of_image, 3, 1e-5);
    sum += of_image;
  }
  EXPECT_NEAR(sum / (3 * kImages), 1, 1e-6);
}

TEST(JointSelector, WithoutAShareEveryLossCountsAlike) {
  const Network of = network(3);
  JointSelector selector(of, {.alpha = 0.3, .share = 0}, 1);
  const Batch given = batch(1);
  for (const auto& width : selector.learn(given.logits, given.labels, 0, 0)) {
    for (const float weight : width) EXPECT_EQ(weight, 1);
  }
}

TEST(JointSelector, LearnsToStopEasyImagesEarlyAndHardOnesLate) {
  const Network of = network(3);
  JointSelector selector(of, {.alpha = 0.5, .share = 1}, 1);
  for (unsigned step = 0; step < 1500; ++step) {
    const Batch given = batch(step);
    selector.learn(given.logits, given.labels, step, step / 1500.0);
  }
  selector.take_means();
  const Batch given = batch(9999);
  const auto weights = selector.learn(given.logits, given.labels, 1500, 1);
  double easy_at_first = 0;
  double hard_at_last = 0;
  for (std::size_t i = 0; i < kImages; ++i) {
    (i % 2 == 0 ? easy_at_first : hard_at_last) += weights[i % 2 == 0 ? 0 : 2][i] / 3;
  }
  EXPECT_GT(easy_at_first / (kImages / 2.0), 0.8);
  EXPECT_GT(hard_at_last / (kImages / 2.0), 0.8);
  const JointSelector::Means means = selector.take_means();
  EXPECT_LT(means.error, 0.15);
  EXPECT_LT(means.cost, 0.85);
}

TEST(JointSelector, WrittenBackItGoesOnToTheSameBits) {
  const Network of = network(3);
  const JointSelectorConfig config{.alpha = 0.3};
  JointSelector whole(of, config, 5);
  JointSelector first(of, config, 5);
  for (unsigned step = 0; step < 6; ++step) {
    const Batch given = batch(step);
    whole.learn(given.logits, given.labels, step, 0.1);
    if (step < 3) first.learn(given.logits, given.labels, step, 0.1);
  }
  JointSelector second(of, config, 5);
  const auto from = first.state();
  const auto to = second.state();
  ASSERT_EQ(from.size(), to.size());
  for (std::size_t i = 0; i < from.size(); ++i) std::ranges::copy(from[i], to[i].begin());
  second.set_updates(3);
  for (unsigned step = 3; step < 6; ++step) {
    const Batch given = batch(step);
    second.learn(given.logits, given.labels, step, 0.1);
  }
  EXPECT_EQ(second.selector(), whole.selector());
}

TEST(JointSelector, ANetworkOfOneWidthIsRefused) {
  const Network of = network(1);
  EXPECT_THROW(JointSelector(of, {.alpha = 0.3}, 1), Error);
}

}  // namespace
}  // namespace bellows
