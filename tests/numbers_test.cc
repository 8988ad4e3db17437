#include "cli/numbers.h"

#include <gtest/gtest.h>

#include <limits>

namespace bellows::cli {
namespace {

TEST(Numbers, HaveCommasBetweenThousands) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(1234567), "1,234,567");
  EXPECT_EQ(count_text(-123456), "-123,456");
}

TEST(Numbers, AreScaledWithoutReachingAThousand) {
  EXPECT_EQ(scaled_text(999), "999");
  EXPECT_EQ(scaled_text(1000), "1.00 k");
  EXPECT_EQ(scaled_text(96100), "96.1 k");
  EXPECT_EQ(scaled_text(999949), "999.9 k");
  EXPECT_EQ(scaled_text(999950), "1.00 M");
  EXPECT_EQ(scaled_text(2290000), "2.29 M");
  EXPECT_EQ(bytes_text(12), "12 B");
  EXPECT_EQ(bytes_text(1720000), "1.72 MB");
}

TEST(Numbers, ShowSharesAsPercentAndTimesAsClock) {
  EXPECT_EQ(percent_text(0.98314), "98.31 %");
  EXPECT_EQ(percent_text(1), "100.00 %");
  EXPECT_EQ(duration_text(7.4), "0:07");
  EXPECT_EQ(duration_text(754), "12:34");
  EXPECT_EQ(duration_text(3723), "1:02:03");
  EXPECT_EQ(duration_text(-1), "0:00");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(scientific_text(0.0000013), "1.3e-06");
}

}  // namespace
}  // namespace bellows::cli
