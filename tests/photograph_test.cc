#include "training/data/photograph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bellows {
namespace {

using ::testing::Each;
using ::testing::FloatNear;

float sum(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0F);
}

float& at(std::span<float> plane, int side, int x, int y) {
  return plane[static_cast<std::size_t>(y) * static_cast<std::size_t>(side) +
               static_cast<std::size_t>(x)];
}

// A single bright pixel in the middle.
Photograph point(int side) {
  Photograph photograph(side);
  at(photograph.plane(0), side, side / 2, side / 2) = 1;
  return photograph;
}

TEST(Photograph, BlurSpreadsLightAsAGaussianAndKeepsItsSum) {
  constexpr int kSide = 33;
  Photograph photograph = point(kSide);
  const std::span<float> plane = photograph.plane(0);
  blur(plane, kSide, 2);
  EXPECT_NEAR(sum(plane), 1, 1e-4);
  const float middle = at(plane, kSide, 16, 16);
  for (const int away : {1, 2, 3}) {
    const float expected = middle * std::exp(-static_cast<float>(away * away) / 8);
    EXPECT_NEAR(at(plane, kSide, 16 + away, 16), expected, 1e-5) << away;
    EXPECT_NEAR(at(plane, kSide, 16, 16 - away), expected, 1e-5) << away;
  }
}

TEST(Photograph, BlurLeavesAnEvenPlaneEvenUpToItsEdges) {
  Photograph photograph(9);
  std::ranges::fill(photograph.values, 0.25F);
  blur(photograph.plane(1), 9, 3);
  EXPECT_THAT(photograph.values, Each(FloatNear(0.25F, 1e-6F)));
}

TEST(Photograph, NoBlurChangesNothing) {
  Photograph photograph = point(9);
  const std::vector<float> before = photograph.values;
  blur(photograph.plane(0), 9, 0);
  EXPECT_EQ(photograph.values, before);
}

TEST(Photograph, SmearSpreadsLightAlongItsLineOnly) {
  constexpr int kSide = 21;
  Photograph photograph = point(kSide);
  const std::span<float> plane = photograph.plane(0);
  smear(plane, kSide, 1, 0, 5);
  EXPECT_NEAR(sum(plane), 1, 0.05);
  float row = 0;
  for (int x = 0; x < kSide; ++x) row += at(plane, kSide, x, kSide / 2);
  EXPECT_NEAR(row, sum(plane), 1e-6);
  EXPECT_LT(at(plane, kSide, 10, 10), 0.5F);
  EXPECT_NEAR(at(plane, kSide, 8, 10), at(plane, kSide, 12, 10), 1e-5);
}

TEST(Photograph, HalvingTheSideTakesMeansOfFour) {
  Photograph photograph(4);
  std::iota(photograph.values.begin(), photograph.values.end(), 0.0F);
  Photograph half = resized(photograph, 2);
  EXPECT_EQ(half.side, 2);
  EXPECT_NEAR(half.plane(0)[0], (0 + 1 + 4 + 5) / 4.0, 1e-5);
  EXPECT_NEAR(half.plane(0)[3], (10 + 11 + 14 + 15) / 4.0, 1e-5);
  EXPECT_NEAR(half.plane(2)[1], (32 + 2 + 32 + 3 + 32 + 6 + 32 + 7) / 4.0, 1e-4);
}

TEST(Photograph, EnlargingStaysBetweenNeighbours) {
  Photograph photograph(2);
  const std::span<float> plane = photograph.plane(0);
  plane[0] = plane[2] = 0;
  plane[1] = plane[3] = 1;
  Photograph large = resized(photograph, 8);
  for (int x = 1; x < 8; ++x) {
    EXPECT_GE(at(large.plane(0), 8, x, 3), at(large.plane(0), 8, x - 1, 3));
  }
  EXPECT_NEAR(at(large.plane(0), 8, 0, 0), 0, 1e-5);
  EXPECT_NEAR(at(large.plane(0), 8, 7, 7), 1, 1e-5);
}

Photograph pattern(int side) {
  Photograph photograph(side);
  for (int colour = 0; colour < 3; ++colour) {
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        at(photograph.plane(colour), side, x, y) =
            0.5F + 0.3F * std::sin(static_cast<float>((colour + 1) * x + 2 * y));
      }
    }
  }
  return photograph;
}

double error_after(float quality) {
  constexpr int kSide = 24;
  const Photograph before = pattern(kSide);
  Photograph after = before;
  compress(after, quality, 3, 5);
  double squares = 0;
  for (std::size_t i = 0; i < before.values.size(); ++i) {
    squares += std::pow(double{after.values[i]} - double{before.values[i]}, 2);
  }
  return std::sqrt(squares / static_cast<double>(before.values.size()));
}

TEST(Photograph, CompressionLosesLittleAtHighQualityAndMoreAtLow) {
  EXPECT_LT(error_after(100), 0.01);
  EXPECT_LT(error_after(90), error_after(30));
  EXPECT_GT(error_after(10), 0.03);
}

// Colours without a value of their own in 8 bits are rounded.
TEST(Photograph, CompressionKeepsAnEvenGreyToAnEightBitValue) {
  Photograph photograph(16);
  std::ranges::fill(photograph.values, 128.0F / 255.0F);
  compress(photograph, 50, 0, 0);
  EXPECT_THAT(photograph.values, Each(FloatNear(128.0F / 255.0F, 1.0F / 255)));
}

}  // namespace
}  // namespace bellows
