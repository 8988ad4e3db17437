#include "training/loss.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace bellows {
namespace {

struct Case {
  int batch;
  int classes;
  int block;
  double label_smoothing;
};

std::size_t size(int value) { return static_cast<std::size_t>(value); }

std::size_t stored(const Case& c) {
  return size((c.classes + c.block - 1) / c.block * c.block) * size(c.batch);
}

// Where the layout puts a logit: by class blocks, then samples, then the classes of the block.
std::size_t place(const Case& c, int n, int k) {
  return size(((k / c.block) * c.batch + n) * c.block + k % c.block);
}

// Padding gets a value that would be noticed in every result.
std::vector<float> random_logits(const Case& c, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(stored(c), 1000.0F);
  for (int n = 0; n < c.batch; ++n) {
    for (int k = 0; k < c.classes; ++k) logits[place(c, n, k)] = normal(random);
  }
  return logits;
}

std::vector<std::int32_t> random_labels(const Case& c, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::int32_t> labels(size(c.batch));
  for (std::int32_t& label : labels) {
    label = static_cast<std::int32_t>(random() % static_cast<unsigned>(c.classes));
  }
  return labels;
}

// -sum over classes of target * log(probability), as the definition has it.
long double direct_loss(const Case& c, const std::vector<float>& logits,
                        const std::vector<std::int32_t>& labels) {
  long double total = 0;
  for (int n = 0; n < c.batch; ++n) {
    long double sum = 0;
    for (int k = 0; k < c.classes; ++k) {
      sum += std::exp(static_cast<long double>(logits[place(c, n, k)]));
    }
    for (int k = 0; k < c.classes; ++k) {
      const long double target = static_cast<long double>(c.label_smoothing) / c.classes +
                                 (k == labels[size(n)] ? 1 - c.label_smoothing : 0.0);
      total -= target * std::log(std::exp(static_cast<long double>(logits[place(c, n, k)])) / sum);
    }
  }
  return total / c.batch;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const double smoothing : {0.0, 0.1, 1.0}) {
    for (const int block : {1, 3, 8, 10, 16}) all.push_back({7, 10, block, smoothing});
    all.push_back({1, 2, 16, smoothing});
    all.push_back({3, 35, 16, smoothing});
    all.push_back({3, 1, 1, smoothing});
  }
  return all;
}

std::string text(const Case& c) {
  return std::to_string(c.batch) + " samples, " + std::to_string(c.classes) + " classes, block " +
         std::to_string(c.block) + ", smoothing " + std::to_string(c.label_smoothing);
}

TEST(Loss, EqualsTheDefinitionInEveryLayout) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(text(c));
    const auto logits = random_logits(c, 1);
    const auto labels = random_labels(c, 2);
    const LossResult result = softmax_cross_entropy(logits.data(), labels.data(), c.batch,
                                                    c.classes, c.block, c.label_smoothing, nullptr);
    EXPECT_NEAR(result.mean, static_cast<double>(direct_loss(c, logits, labels)), 1e-12);
  }
}

TEST(Loss, GradientEqualsTheNumericOneAndPaddingGetsZero) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(text(c));
    auto logits = random_logits(c, 3);
    const auto labels = random_labels(c, 4);
    std::vector<float> diff(logits.size(), std::numeric_limits<float>::quiet_NaN());
    (void)softmax_cross_entropy(logits.data(), labels.data(), c.batch, c.classes, c.block,
                                c.label_smoothing, diff.data());
    std::vector<bool> logical(logits.size(), false);
    for (int n = 0; n < c.batch; ++n) {
      for (int k = 0; k < c.classes; ++k) {
        const std::size_t i = place(c, n, k);
        logical[i] = true;
        const float kept = logits[i];
        logits[i] = kept + 0x1p-8F;
        const float above = logits[i];
        const long double loss_above = direct_loss(c, logits, labels);
        logits[i] = kept - 0x1p-8F;
        const float below = logits[i];
        const long double loss_below = direct_loss(c, logits, labels);
        logits[i] = kept;
        const long double numeric = (loss_above - loss_below) / (static_cast<long double>(above) -
                                                                 static_cast<long double>(below));
        EXPECT_NEAR(static_cast<double>(diff[i]), static_cast<double>(numeric), 2e-6);
      }
    }
    for (std::size_t i = 0; i < diff.size(); ++i) {
      if (logical[i]) continue;
      EXPECT_EQ(diff[i], 0.0F) << i;
    }
  }
}

TEST(Loss, GradientMayOverwriteTheLogits) {
  const Case c{7, 10, 16, 0.1};
  auto logits = random_logits(c, 5);
  const auto labels = random_labels(c, 6);
  std::vector<float> diff(logits.size());
  const LossResult apart = softmax_cross_entropy(logits.data(), labels.data(), c.batch, c.classes,
                                                 c.block, c.label_smoothing, diff.data());
  const LossResult in_place = softmax_cross_entropy(
      logits.data(), labels.data(), c.batch, c.classes, c.block, c.label_smoothing, logits.data());
  EXPECT_EQ(apart.mean, in_place.mean);
  EXPECT_EQ(apart.correct, in_place.correct);
  EXPECT_EQ(diff, logits);
}

TEST(Loss, SurvivesLogitsThatWouldOverflowAnExponential) {
  const std::vector<float> logits = {1e30F, -1e30F, 0.0F, -3e4F, 3e4F, 0.0F};
  const std::vector<std::int32_t> labels = {0, 1};
  std::vector<float> diff(logits.size());
  const LossResult result =
      softmax_cross_entropy(logits.data(), labels.data(), 2, 3, 3, 0, diff.data());
  EXPECT_EQ(result.mean, 0.0);
  EXPECT_EQ(result.correct, 2);
  EXPECT_EQ(diff, std::vector<float>(6, 0.0F));
  const std::vector<std::int32_t> wrong = {2, 0};
  EXPECT_DOUBLE_EQ(softmax_cross_entropy(logits.data(), wrong.data(), 2, 3, 3, 0, nullptr).mean,
                   (static_cast<double>(1e30F) + 6e4) / 2);
}

TEST(Loss, CountsTheFirstOfEqualLogitsAsTheAnswer) {
  const std::vector<float> logits = {1, 2, 2, 2, 2, 2};
  const std::vector<std::int32_t> labels = {1, 2};
  EXPECT_EQ(softmax_cross_entropy(logits.data(), labels.data(), 2, 3, 3, 0, nullptr).correct, 1);
}

TEST(Loss, RefusesALabelWithoutAClassAndWritesNothing) {
  const std::vector<float> logits(6, 0.0F);
  for (const std::int32_t label : {-1, 3}) {
    const std::vector<std::int32_t> labels = {0, label};
    std::vector<float> diff(6, 7.0F);
    try {
      (void)softmax_cross_entropy(logits.data(), labels.data(), 2, 3, 3, 0, diff.data());
      FAIL() << "label " << label << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(std::to_string(label)), std::string::npos);
    }
    EXPECT_EQ(diff, std::vector<float>(6, 7.0F));
  }
}

TEST(Loss, RefusesSizesAndSmoothingThatCannotBe) {
  const float logit = 0;
  const std::int32_t label = 0;
  EXPECT_THROW(softmax_cross_entropy(&logit, &label, 0, 1, 1, 0, nullptr), Error);
  EXPECT_THROW(softmax_cross_entropy(&logit, &label, 1, 0, 1, 0, nullptr), Error);
  EXPECT_THROW(softmax_cross_entropy(&logit, &label, 1, 1, 0, 0, nullptr), Error);
  EXPECT_THROW(softmax_cross_entropy(&logit, &label, 1, 1, 1, -0.1, nullptr), Error);
  EXPECT_THROW(softmax_cross_entropy(&logit, &label, 1, 1, 1, 1.1, nullptr), Error);
}

}  // namespace
}  // namespace bellows
