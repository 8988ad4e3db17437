#include "training/data/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tests/data_fixtures.h"

namespace bellows::data {
namespace {

TEST(KeyedRandom, GivesTheSameSequenceForTheSameKeyOnly) {
  std::set<std::uint64_t> firsts;
  for (std::uint64_t a = 0; a < 3; ++a) {
    for (std::uint64_t b = 0; b < 3; ++b) {
      for (std::uint64_t c = 0; c < 3; ++c) {
        KeyedRandom one(7, a, b, c);
        KeyedRandom other(7, a, b, c);
        firsts.insert(one.next());
        EXPECT_EQ(other.next(), *firsts.find(KeyedRandom(7, a, b, c).next()));
        EXPECT_EQ(one.next(), other.next());
      }
    }
  }
  EXPECT_EQ(firsts.size(), 27U) << "the order of the words matters too";
}

TEST(KeyedRandom, IsUniformBelowABound) {
  KeyedRandom random(1);
  std::vector<int> counts(10);
  for (int i = 0; i < 100000; ++i) ++counts[random.below(10)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);  // five standard deviations
}

TEST(KeyedRandom, HasTheMeanAndVarianceItStates) {
  KeyedRandom random(2);
  constexpr int kCount = 100000;
  double sum = 0;
  double squares = 0;
  double largest = 0;
  double uniform = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.bell();
    sum += x;
    squares += x * x;
    largest = std::max(largest, std::abs(x));
    uniform += random.uniform(2, 4);
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(squares / kCount, 1, 0.03);
  EXPECT_LE(largest, 3.47);
  EXPECT_NEAR(uniform / kCount, 3, 0.01);
}

TEST(Shuffle, ReachesEveryOrderEquallyOften) {
  std::vector<int> counts(27);
  for (std::uint64_t seed = 0; seed < 6000; ++seed) {
    std::vector<std::uint32_t> values{0, 1, 2};
    KeyedRandom random(seed);
    shuffle(values, random);
    ++counts[values[0] * 9 + values[1] * 3 + values[2]];
  }
  int orders = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    ++orders;
    EXPECT_NEAR(count, 1000, 150);
  }
  EXPECT_EQ(orders, 6);
}

}  // namespace
}  // namespace bellows::data
