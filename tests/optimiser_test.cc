#include "training/optimiser.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace bellows {
namespace {

constexpr int kUpdates = 12;
constexpr std::size_t kSize = 37;  // no multiple of any vector's length

OptimiserOptions sgd(bool nesterov) {
  OptimiserOptions options;
  options.kind = "sgd";
  options.nesterov = nesterov;
  options.momentum = 0.85;
  options.weight_decay = 0.03;
  return options;
}

OptimiserOptions adamw() {
  OptimiserOptions options;
  options.kind = "adamw";
  options.beta1 = 0.8;
  options.beta2 = 0.95;
  options.epsilon = 1e-3;
  options.weight_decay = 0.2;
  return options;
}

float gradient(int update, std::size_t block, std::size_t i) {
  return std::sin(static_cast<float>(update * 7 + 3) + static_cast<float>(i) * 0.7F +
                  static_cast<float>(block));
}

float rate(int update) { return 0.05F / static_cast<float>(update + 1); }

// Two tensors of one group: a weight, which decays, and a bias, which does not.
struct Fixture {
  std::vector<std::vector<float>> values{std::vector<float>(kSize), std::vector<float>(kSize)};
  std::vector<std::vector<float>> gradients{std::vector<float>(kSize), std::vector<float>(kSize)};

  Fixture() {
    for (std::size_t i = 0; i < kSize; ++i) {
      values[0][i] = std::cos(static_cast<float>(i));
      values[1][i] = 1.0F / static_cast<float>(i + 1);
    }
  }
  std::vector<ParameterBlock> blocks() {
    return {{"conv1.weight", values[0], gradients[0], true},
            {"conv1.bias", values[1], gradients[1], false}};
  }
  void run(Optimiser& optimiser, int from, int to) {
    for (int update = from; update < to; ++update) {
      for (std::size_t block = 0; block < 2; ++block) {
        for (std::size_t i = 0; i < kSize; ++i) gradients[block][i] = gradient(update, block, i);
      }
      optimiser.step(static_cast<double>(rate(update)));
    }
  }
};

// What one number goes through, in double: (number, update from 1, gradient, rate) -> new number.
using Scalar = std::function<double(double, int, double, double)>;

void expect_follows(const OptimiserOptions& options,
                    const std::function<Scalar(bool decays)>& make_scalar) {
  Fixture fixture;
  const auto initial = fixture.values;
  Optimiser optimiser(options, fixture.blocks());
  fixture.run(optimiser, 0, kUpdates);
  for (std::size_t block = 0; block < 2; ++block) {
    for (std::size_t i = 0; i < kSize; ++i) {
      const Scalar scalar = make_scalar(block == 0);
      double value = static_cast<double>(initial[block][i]);
      for (int update = 0; update < kUpdates; ++update) {
        value = scalar(value, update + 1, static_cast<double>(gradient(update, block, i)),
                       static_cast<double>(rate(update)));
      }
      EXPECT_NEAR(static_cast<double>(fixture.values[block][i]), value, 2e-6) << block << " " << i;
    }
  }
}

TEST(Optimiser, SgdFollowsItsFormula) {
  for (const bool nesterov : {false, true}) {
    SCOPED_TRACE(nesterov ? "nesterov" : "plain momentum");
    const OptimiserOptions options = sgd(nesterov);
    expect_follows(options, [&options](bool decays) -> Scalar {
      return [&options, decays, velocity = 0.0](double w, int, double g, double r) mutable {
        if (decays) g += options.weight_decay * w;
        velocity = options.momentum * velocity + g;
        const double direction = options.nesterov ? g + options.momentum * velocity : velocity;
        return w - r * direction;
      };
    });
  }
}

TEST(Optimiser, AdamwFollowsItsFormula) {
  const OptimiserOptions options = adamw();
  expect_follows(options, [&options](bool decays) -> Scalar {
    return [&options, decays, m = 0.0, v = 0.0](double w, int t, double g, double r) mutable {
      m = options.beta1 * m + (1 - options.beta1) * g;
      v = options.beta2 * v + (1 - options.beta2) * g * g;
      const double m_hat = m / (1 - std::pow(options.beta1, t));
      const double v_hat = v / (1 - std::pow(options.beta2, t));
      const double decay = decays ? options.weight_decay * w : 0;
      return w - r * (m_hat / (std::sqrt(v_hat) + options.epsilon) + decay);
    };
  });
}

TEST(Optimiser, WithoutGradientOnlyWhatDecaysMoves) {
  for (const OptimiserOptions& options : {sgd(true), adamw()}) {
    Fixture fixture;
    const auto initial = fixture.values;
    Optimiser optimiser(options, fixture.blocks());
    optimiser.step(0.1);
    EXPECT_NE(fixture.values[0], initial[0]) << options.kind;
    EXPECT_EQ(fixture.values[1], initial[1]) << options.kind;
  }
}

TEST(Optimiser, MovesOnlyWhatItIsHanded) {
  for (const OptimiserOptions& options : {sgd(true), adamw()}) {
    std::vector<float> values(3 * kSize, 0.5F);
    const std::vector<float> gradients(kSize, 1.0F);
    const std::span<float> middle(values.data() + kSize, kSize);
    Optimiser optimiser(options, {{"weight", middle, gradients, true}});
    for (int i = 0; i < kUpdates; ++i) optimiser.step(0.1);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool handed = i >= kSize && i < 2 * kSize;
      EXPECT_EQ(values[i] != 0.5F, handed) << options.kind << " " << i;
    }
  }
}

TEST(Optimiser, ContinuesFromItsStateBitForBit) {
  for (const OptimiserOptions& options : {sgd(false), sgd(true), adamw()}) {
    SCOPED_TRACE(options.kind);
    Fixture whole;
    Optimiser uninterrupted(options, whole.blocks());
    whole.run(uninterrupted, 0, kUpdates);

    Fixture first;
    Optimiser before(options, first.blocks());
    first.run(before, 0, 5);

    Fixture second;
    second.values = first.values;
    Optimiser after(options, second.blocks());
    const auto saved = before.state();
    const auto restored = after.state();
    ASSERT_EQ(saved.size(), restored.size());
    for (std::size_t i = 0; i < saved.size(); ++i) {
      EXPECT_EQ(saved[i].name, restored[i].name);
      ASSERT_EQ(saved[i].values.size(), restored[i].values.size());
      std::copy(saved[i].values.begin(), saved[i].values.end(), restored[i].values.begin());
    }
    after.set_updates(before.updates());
    second.run(after, 5, kUpdates);
    EXPECT_EQ(second.values, whole.values);
    EXPECT_EQ(after.updates(), kUpdates);
  }
}

TEST(Optimiser, NamesItsStateAfterItsBlocks) {
  Fixture fixture;
  std::vector<std::string> names;
  Optimiser momentum(sgd(true), fixture.blocks());
  for (const auto& array : momentum.state()) names.push_back(array.name);
  Optimiser moments(adamw(), fixture.blocks());
  for (const auto& array : moments.state()) names.push_back(array.name);
  EXPECT_EQ(names, (std::vector<std::string>{"conv1.weight/momentum", "conv1.bias/momentum",
                                             "conv1.weight/mean", "conv1.weight/mean_square",
                                             "conv1.bias/mean", "conv1.bias/mean_square"}));
}

TEST(Optimiser, RefusesWhatCannotBe) {
  std::vector<float> values(3);
  const std::vector<float> gradients(2);
  EXPECT_THROW(Optimiser(sgd(true), {{"weight", values, gradients, true}}), Error);
  OptimiserOptions unknown;
  unknown.kind = "lion";
  EXPECT_THROW(Optimiser(unknown, {}), Error);
  Optimiser optimiser(sgd(true), {});
  EXPECT_THROW(optimiser.set_updates(-1), Error);
}

TEST(ClipGradients, ScalesAllTogetherToTheLargestNorm) {
  std::vector<float> a = {3, 0};
  std::vector<float> b = {0, 4, 12};
  const std::vector<std::span<float>> all = {a, b};
  EXPECT_DOUBLE_EQ(clip_gradients(all, 6.5), 13);
  EXPECT_EQ(a, (std::vector<float>{1.5F, 0}));
  EXPECT_EQ(b, (std::vector<float>{0, 2, 6}));
}

TEST(ClipGradients, LeavesSmallOnesAndOnesWithoutLimitAlone) {
  std::vector<float> a = {3, 4};
  const std::vector<std::span<float>> all = {a};
  EXPECT_DOUBLE_EQ(clip_gradients(all, 5), 5);
  EXPECT_DOUBLE_EQ(clip_gradients(all, 0), 5);
  EXPECT_EQ(a, (std::vector<float>{3, 4}));
}

TEST(ClipGradients, ReportsANormThatIsNotFiniteAndChangesNothing) {
  std::vector<float> a = {3, std::numeric_limits<float>::infinity()};
  const std::vector<float> kept = a;
  const std::vector<std::span<float>> all = {a};
  EXPECT_FALSE(std::isfinite(clip_gradients(all, 1)));
  EXPECT_EQ(a, kept);
}

}  // namespace
}  // namespace bellows
