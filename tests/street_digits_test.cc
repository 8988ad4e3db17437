#include "training/data/street_digits.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

#include "tests/data_fixtures.h"
#include "tests/street_faces.h"
#include "training/data/dataset.h"

namespace bellows {
namespace {

std::vector<std::uint8_t> drawn(std::uint64_t seed, std::uint64_t stream, std::uint64_t index,
                                int label) {
  std::vector<std::uint8_t> pixels(3072);
  draw_street_digit(*street_faces(), seed, stream, index, label, pixels);
  return pixels;
}

class StreetDigits : public ::testing::Test {
 protected:
  void SetUp() override {
    if (street_faces() == nullptr) GTEST_SKIP() << kNoStreetFaces;
  }
};

TEST_F(StreetDigits, DependOnSeedStreamIndexAndLabelAndNothingElse) {
  const std::set<std::vector<std::uint8_t>> images = {drawn(1, 0, 0, 3), drawn(2, 0, 0, 3),
                                                      drawn(1, 1, 0, 3), drawn(1, 0, 1, 3),
                                                      drawn(1, 0, 0, 4)};
  EXPECT_EQ(images.size(), 5U);
  EXPECT_EQ(drawn(1, 0, 0, 3), drawn(1, 0, 0, 3));
}

TEST_F(StreetDigits, AreTheSameForAnyNumberOfThreads) {
  StreetDigitsOptions options;
  options.train_images = 600;  // more than a thread takes at a time
  options.threads = 1;
  const Dataset one = make_street_digits(options, 0);
  options.threads = 3;
  EXPECT_EQ(make_street_digits(options, 0).sha256(), one.sha256());
  EXPECT_EQ(one.name(), kStreetDigitsName);
}

TEST_F(StreetDigits, HaveColoursAndContrast) {
  double colourful = 0;
  constexpr int kImages = 60;
  for (std::uint64_t i = 0; i < kImages; ++i) {
    const std::vector<std::uint8_t> pixels = drawn(1, 0, i, static_cast<int>(i % 10));
    const auto [low, high] = std::ranges::minmax(pixels);
    EXPECT_GT(high - low, 12) << i;
    double difference = 0;
    for (std::size_t p = 0; p < 1024; ++p) difference += std::abs(pixels[p] - pixels[2048 + p]);
    colourful += difference / 1024;
  }
  EXPECT_GT(colourful / kImages, 5);
}

// A nearest-neighbour search knows nothing of digits but what the images show.
TEST_F(StreetDigits, ShowTheirLabels) {
  constexpr int kTraining = 4000;
  constexpr int kTest = 150;
  StreetDigitsOptions options;
  options.train_images = kTraining;
  options.test_images = kTest;
  const Dataset training = make_street_digits(options, 0);
  const Dataset test = make_street_digits(options, 1);
  // Grey, without mean, of length 1 and either sign: dark digits on bright ground and the reverse.
  const auto features = [](std::span<const std::uint8_t> pixels) {
    std::array<float, 256> values{};
    for (std::size_t y = 0; y < 32; ++y) {
      for (std::size_t x = 0; x < 32; ++x) {
        for (std::size_t colour = 0; colour < 3; ++colour) {
          values[y / 2 * 16 + x / 2] += static_cast<float>(pixels[colour * 1024 + y * 32 + x]);
        }
      }
    }
    const float mean = std::accumulate(values.begin(), values.end(), 0.0F) / 256;
    float squares = 1e-6F;
    for (float& value : values) {
      value -= mean;
      squares += value * value;
    }
    for (float& value : values) value /= std::sqrt(squares);
    return values;
  };
  std::vector<std::array<float, 256>> known;
  known.reserve(kTraining);
  for (int i = 0; i < kTraining; ++i) {
    known.push_back(features(training.image(static_cast<std::size_t>(i))));
  }
  int right = 0;
  for (int i = 0; i < kTest; ++i) {
    const auto wanted = features(test.image(static_cast<std::size_t>(i)));
    float best = -1;
    std::int32_t label = -1;
    for (int k = 0; k < kTraining; ++k) {
      const auto& other = known[static_cast<std::size_t>(k)];
      const float alike =
          std::abs(std::inner_product(wanted.begin(), wanted.end(), other.begin(), 0.0F));
      if (alike > best) {
        best = alike;
        label = training.labels()[static_cast<std::size_t>(k)];
      }
    }
    right += label == test.labels()[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  // One in six by always naming the commonest.
  EXPECT_GT(right, kTest / 3);
}

TEST_F(StreetDigits, RefusesCountsThatCannotBe) {
  StreetDigitsOptions options;
  options.train_images = 0;
  expect_error(ErrorCode::kInvalidArgument, {"street digits", "0 images"},
               [&] { static_cast<void>(make_street_digits(options, 0)); });
}

TEST(StreetLabels, HaveTheClassSharesOfSvhnExactly) {
  // Netzer et al. 2011: of the training and the test images.
  const std::array<int, 10> training = {4948, 13861, 10585, 8497, 7458,
                                        6882, 5727,  5595,  5045, 4659};
  const std::array<int, 10> test = {1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595};
  for (const std::uint64_t stream : {0U, 1U}) {
    const std::array<int, 10>& shares = stream == 0 ? training : test;
    const int count = std::accumulate(shares.begin(), shares.end(), 0);
    EXPECT_EQ(count, stream == 0 ? 73257 : 26032);
    const auto labels = street_labels(1, stream, count);
    for (int digit = 0; digit < 10; ++digit) {
      EXPECT_EQ(std::ranges::count(labels, digit), shares[static_cast<std::size_t>(digit)]);
    }
    EXPECT_FALSE(std::ranges::is_sorted(labels));
  }
}

TEST(StreetLabels, AreSharedOutToBelowOneForAnyCount) {
  const auto labels = street_labels(3, 0, 100);
  ASSERT_EQ(labels.size(), 100U);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(labels, 1)), 18.9, 1);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(labels, 9)), 6.4, 1);
}

}  // namespace
}  // namespace bellows
