// The weights of a stacked sum are the best ones, and the classifier made of them answers with that
// sum.
#include "training/stacking.h"

#include <bellows/bellows.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/model_state.h"
#include "tests/data_fixtures.h"
#include "tests/grouped_networks.h"

namespace bellows {
namespace {

struct Answers {
  std::vector<float> narrower;
  std::vector<float> own;
  std::vector<std::int32_t> labels;
};

constexpr int kClasses = 4;

// Labels drawn from the softmax of truth.narrower * narrower + truth.own * own.
Answers drawn(int samples, const StackingWeights& truth) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0.0F, 2.0F);
  Answers answers;
  for (int n = 0; n < samples; ++n) {
    std::vector<double> chances;
    for (int c = 0; c < kClasses; ++c) {
      const float a = answers.narrower.emplace_back(normal(random));
      const float b = answers.own.emplace_back(normal(random));
      chances.push_back(std::exp(truth.narrower * double{a} + truth.own * double{b}));
    }
    std::discrete_distribution<std::int32_t> label(chances.begin(), chances.end());
    answers.labels.push_back(label(random));
  }
  return answers;
}

StackingWeights fit(const Answers& answers) {
  return fit_stacking(answers.narrower, answers.own, answers.labels);
}

double mean_cross_entropy(const Answers& answers, double narrower, double own) {
  double loss = 0;
  for (std::size_t n = 0; n < answers.labels.size(); ++n) {
    std::vector<double> sum;
    double total = 0;
    for (std::size_t i = n * kClasses; i < (n + 1) * kClasses; ++i) {
      sum.push_back(narrower * double{answers.narrower[i]} + own * double{answers.own[i]});
      total += std::exp(sum.back());
    }
    loss += std::log(total) - sum[static_cast<std::size_t>(answers.labels[n])];
  }
  return loss / static_cast<double>(answers.labels.size());
}

TEST(FitStacking, FindsNothingBetterByTryingManyWeights) {
  const Answers answers = drawn(300, {.narrower = 0.4, .own = 0.9});
  const StackingWeights fitted = fit(answers);
  const double best = mean_cross_entropy(answers, fitted.narrower, fitted.own);
  for (int i = -20; i <= 20; ++i) {
    for (int j = -20; j <= 20; ++j) {
      // Around the fit, and over the whole plane; the pull moves it by less than this tolerance.
      EXPECT_LE(
          best,
          mean_cross_entropy(answers, fitted.narrower + 0.01 * i, fitted.own + 0.01 * j) + 1e-6);
      EXPECT_LE(best, mean_cross_entropy(answers, 0.15 * i, 0.15 * j) + 1e-6);
    }
  }
}

TEST(FitStacking, RecoversTheWeightsThatMadeTheLabels) {
  for (const StackingWeights& truth :
       {StackingWeights{0.4, 0.9}, {1.2, 0.1}, {0.0, 1.0}, {-0.3, 0.5}}) {
    const StackingWeights fitted = fit(drawn(20000, truth));
    EXPECT_NEAR(fitted.narrower, truth.narrower, 0.05);
    EXPECT_NEAR(fitted.own, truth.own, 0.05);
  }
}

TEST(FitStacking, StaysFiniteWhereTheSamplesLeaveAWeightOpen) {
  Answers answers = drawn(50, {.narrower = 1, .own = 1});
  for (std::size_t n = 0; n < answers.labels.size(); ++n) {  // always right: the surer the better
    const auto row = std::span(answers.own).subspan(n * kClasses, kClasses);
    answers.labels[n] = static_cast<std::int32_t>(std::ranges::max_element(row) - row.begin());
  }
  EXPECT_GT(fit(answers).own, 1);
  EXPECT_LT(fit(answers).own, 1000);
  std::ranges::fill(answers.narrower, 0.0F);  // says nothing
  EXPECT_EQ(fit(answers).narrower, 0);
  answers.own.assign(answers.own.size(), 1e6F);
  EXPECT_EQ(fit(answers).own, 1);
}

TEST(FitStacking, RefusesLogitsAndLabelsThatDoNotFit) {
  const std::vector<float> eight(8, 0.0F);
  const std::vector<float> six(6, 0.0F);
  const std::vector<std::int32_t> two{0, 3};
  const std::vector<std::int32_t> beyond{0, 4};
  const auto refused = [](const std::string& part, const auto& narrower, const auto& own,
                          const std::vector<std::int32_t>& labels) {
    expect_error(ErrorCode::kInvalidArgument, {part},
                 [&] { static_cast<void>(fit_stacking(narrower, own, labels)); });
  };
  refused("8 and 6 logits for 2 labels", eight, six, two);
  refused("8 and 8 logits for 0 labels", eight, eight, {});
  refused("label 4 is not one of 4", eight, eight, beyond);
}

Network grown(const char* connectivity, const char* head = "per_width") {
  return Network::read(
      config::network({1, 9, 9}, 5, 3, connectivity, head,
                      {config::conv("conv1", {5, 3, 4}, 3, 0), config::layer("relu", "relu1")}));
}

std::vector<std::vector<float>> answers_of(const Network& network, const WeightSet& weights) {
  WeightSet copy(network, network.groups());
  for (int group = 1; group <= network.groups(); ++group) {
    std::ranges::copy(weights.group_values(group), copy.group_values(group).begin());
  }
  Session session(internal::make_model(std::make_shared<internal::ModelState>(
                      network.first_groups(network.groups()), ModelInfo{}, std::move(copy))),
                  {.max_batch = 6});
  session.run(random_images(network, 6, 2), network.groups());
  std::vector<std::vector<float>> answers;
  for (int width = 1; width <= network.groups(); ++width) {
    const auto logits = session.logits(width);
    answers.emplace_back(logits.begin(), logits.end());
  }
  return answers;
}

TEST(Stacking, AWidthAnswersWithTheWeightedSumAndNoOtherChanges) {
  for (const char* connectivity : {"triangular", "grouped"}) {
    const Network network = grown(connectivity);
    WeightSet weights = random_weights(network, 3, 7);
    for (const int group : {2, 3}) forget_narrower(network, group, weights);
    const auto alone = answers_of(network, weights);
    auto expected = alone;
    const std::vector<StackingWeights> stackings{{0.3, 0.8}, {1.7, -0.2}};
    for (std::size_t width = 1; width < 3; ++width) {
      stack(network, static_cast<int>(width) + 1, stackings[width - 1], weights);
      for (std::size_t i = 0; i < alone[width].size(); ++i) {
        expected[width][i] =
            static_cast<float>(stackings[width - 1].narrower * double{expected[width - 1][i]} +
                               stackings[width - 1].own * double{alone[width][i]});
      }
      const auto stacked = answers_of(network, weights);
      for (std::size_t other = 0; other < 3; ++other) {
        if (other > width) continue;
        for (std::size_t i = 0; i < stacked[other].size(); ++i) {
          EXPECT_NEAR(stacked[other][i], expected[other][i], 1e-5) << connectivity;
        }
      }
      EXPECT_EQ(stacked[0], alone[0]);
    }
  }
}

TEST(Stacking, ForgetsWhatIsReadOfNarrowerGroupsAndNothingElse) {
  const Network network = grown("triangular");
  constexpr std::size_t kPixels = 49;
  const WeightSet before = random_weights(network, 3, 7);
  WeightSet after = random_weights(network, 3, 7);
  const std::size_t channels_below[] = {0, 5, 8};
  for (int group = 1; group <= 3; ++group) {
    forget_narrower(network, group, after);
    for (const ParameterKey& key : network.parameters(group)) {
      const auto was = before.values(key);
      const auto is = std::as_const(after).values(key);
      const bool classifier = key.node + 1 == static_cast<int>(network.nodes().size()) &&
                              key.spec.role == ParameterRole::kWeight;
      const std::size_t columns = is.size() / 5;
      const std::size_t forgotten = classifier ? channels_below[group - 1] * kPixels : 0;
      for (std::size_t i = 0; i < is.size(); ++i) {
        ASSERT_EQ(is[i], classifier && i % columns < forgotten ? 0.0F : was[i]);
      }
    }
  }
}

TEST(Stacking, RefusesTheFirstGroupAndAdditiveHeads) {
  const Network additive = grown("grouped", "additive");
  WeightSet weights = random_weights(additive, 3, 7);
  expect_error(ErrorCode::kInvalidArgument, {"per_width"},
               [&] { stack(additive, 2, {}, weights); });
  const Network network = grown("grouped");
  WeightSet others = random_weights(network, 3, 7);
  expect_error(ErrorCode::kInvalidArgument, {"group 1"}, [&] { stack(network, 1, {}, others); });
}

}  // namespace
}  // namespace bellows
