#include "training/data/digits.h"

#include <cmath>
#include <set>

#include "tests/data_fixtures.h"
#include "training/data/dataset.h"

namespace bellows {
namespace {

std::uint32_t fingerprint(const Dataset& dataset) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    for (const std::uint8_t value : dataset.image(i)) hash = (hash ^ value) * 16777619U;
  }
  return hash;
}

DigitsOptions few() {
  DigitsOptions options;
  options.train_images = 600;
  options.test_images = 600;
  return options;
}

TEST(Digits, AreTheSameForAnyNumberOfThreads) {
  DigitsOptions options = few();
  options.threads = 1;
  const std::uint32_t one = fingerprint(make_digits(options, 0));
  options.threads = 3;
  EXPECT_EQ(fingerprint(make_digits(options, 0)), one);
}

TEST(Digits, AreTheSameOnEveryMachine) {
  // A changed number means changed images: every accuracy that was written down for the drawn
  // digits then belongs to other images.
  EXPECT_EQ(fingerprint(make_digits(few(), 0)), 3239489138U);
}

TEST(Digits, DependOnSeedStreamAndDifficulty) {
  std::set<std::uint32_t> seen;
  DigitsOptions options = few();
  seen.insert(fingerprint(make_digits(options, 0)));
  seen.insert(fingerprint(make_digits(options, 1)));
  options.seed = 2;
  seen.insert(fingerprint(make_digits(options, 0)));
  options.difficulty = 0.5;
  seen.insert(fingerprint(make_digits(options, 0)));
  EXPECT_EQ(seen.size(), 4U);
}

TEST(Digits, FewerImagesAreAPrefixOfMore) {
  DigitsOptions options = few();
  const Dataset all = make_digits(options, 0);
  options.train_images = 7;
  const Dataset some = make_digits(options, 0);
  EXPECT_EQ(fingerprint(some), fingerprint(all.first(7)));
}

TEST(Digits, HaveEquallyManyOfEachClassAndNoTwoAlike) {
  const Dataset dataset = make_digits(few(), 0);
  EXPECT_EQ(dataset.count_per_class(), std::vector<std::size_t>(10, 60));
  EXPECT_EQ(dataset.shape(), kDigitsShape);
  std::set<Bytes> images;
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const auto image = dataset.image(i);
    images.insert(Bytes(image.begin(), image.end()));
  }
  EXPECT_EQ(images.size(), dataset.size());
}

// Share of images whose nearest class mean (over other images of the same kind) is their own.
double nearest_mean_accuracy(double difficulty) {
  DigitsOptions options = few();
  options.difficulty = difficulty;
  const Dataset train = make_digits(options, 0);
  const Dataset test = make_digits(options, 1);
  std::vector<std::vector<double>> means(10, std::vector<double>(784));
  for (std::size_t i = 0; i < train.size(); ++i) {
    for (std::size_t p = 0; p < 784; ++p) {
      means[static_cast<std::size_t>(train.label(i))][p] += train.image(i)[p] / 60.0;
    }
  }
  int right = 0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    std::size_t best = 0;
    double best_distance = 1e300;
    for (std::size_t label = 0; label < 10; ++label) {
      double distance = 0;
      for (std::size_t p = 0; p < 784; ++p) {
        distance += std::pow(test.image(i)[p] - means[label][p], 2);
      }
      if (distance < best_distance) {
        best_distance = distance;
        best = label;
      }
    }
    right += static_cast<int>(best) == test.label(i) ? 1 : 0;
  }
  return right / 600.0;
}

TEST(Digits, CarryTheirClassAndGetHarderWithDifficulty) {
  const double clean = nearest_mean_accuracy(0);
  const double usual = nearest_mean_accuracy(1);
  EXPECT_GT(clean, 0.95);
  EXPECT_GT(usual, 0.35) << "chance is 0.1";
  EXPECT_LT(usual, 0.85) << "a class mean must not be enough";
}

TEST(Digits, RefuseOptionsOutOfRange) {
  DigitsOptions options;
  options.test_images = 0;
  expect_error(ErrorCode::kInvalidArgument, {"digits", "0 images"},
               [&] { (void)make_digits(options, 1); });
  options = {};
  options.difficulty = std::nan("");
  expect_error(ErrorCode::kInvalidArgument, {"digits", "difficulty"},
               [&] { (void)make_digits(options, 0); });
  options.difficulty = 2.5;
  expect_error(ErrorCode::kInvalidArgument, {"difficulty is 2.5"},
               [&] { (void)make_digits(options, 0); });
  options = {};
  options.threads = -1;
  expect_error(ErrorCode::kInvalidArgument, {"threads is -1"},
               [&] { (void)make_digits(options, 0); });
}

}  // namespace
}  // namespace bellows
