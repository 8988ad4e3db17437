#include "training/data/split.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

// counts[c] images of class c, classes interleaved as far as they go.
Dataset with_counts(std::vector<std::size_t> counts, bool related = false) {
  DatasetContent content{.name = "counted",
                         .provenance = "",
                         .shape = {1, 1, 1},
                         .pixels = {},
                         .labels = {},
                         .class_names = {},
                         .neighbours_related = related};
  for (std::size_t c = 0; c < counts.size(); ++c) content.class_names.push_back(std::to_string(c));
  for (bool more = true; more;) {
    more = false;
    for (std::size_t c = 0; c < counts.size(); ++c) {
      if (counts[c] == 0) continue;
      --counts[c];
      more = true;
      content.labels.push_back(static_cast<std::int32_t>(c));
      content.pixels.push_back(0);
    }
  }
  return Dataset(std::move(content));
}

TEST(HoldOut, PartsAreDisjointAscendingAndComplete) {
  const Dataset dataset = with_counts({50, 30, 20});
  const HoldOut parts = hold_out(dataset, {.fraction = 0.2});
  EXPECT_TRUE(std::is_sorted(parts.kept.begin(), parts.kept.end()));
  EXPECT_TRUE(std::is_sorted(parts.held_out.begin(), parts.held_out.end()));
  std::vector<std::uint32_t> all;
  std::merge(parts.kept.begin(), parts.kept.end(), parts.held_out.begin(), parts.held_out.end(),
             std::back_inserter(all));
  std::vector<std::uint32_t> expected(100);
  std::iota(expected.begin(), expected.end(), 0U);
  EXPECT_EQ(all, expected);
}

TEST(HoldOut, TakesItsShareOfEveryClass) {
  const Dataset dataset = with_counts({50, 30, 20});
  EXPECT_EQ(dataset.subset(hold_out(dataset, {.fraction = 0.2}).held_out).count_per_class(),
            (std::vector<std::size_t>{10, 6, 4}));
}

TEST(HoldOut, RoundsSharesSoThatTheSumIsExact) {
  // Shares of 7 out of 10: 3.5, 2.1, 1.4; the largest remainder gets what is left.
  const Dataset dataset = with_counts({5, 3, 2});
  EXPECT_EQ(dataset.subset(hold_out(dataset, {.count = 7}).held_out).count_per_class(),
            (std::vector<std::size_t>{4, 2, 1}));
}

TEST(HoldOut, DependsOnTheSeedAlone) {
  const Dataset dataset = with_counts({100, 100});
  const auto chosen = [&](std::uint64_t seed) {
    return hold_out(dataset, {.count = 50, .seed = seed}).held_out;
  };
  EXPECT_EQ(chosen(1), chosen(1));
  EXPECT_NE(chosen(1), chosen(2));
}

TEST(HoldOut, TakesTheTailWhenNeighboursAreRelated) {
  const HoldOut parts = hold_out(with_counts({6, 4}, true), {.count = 3, .seed = 9});
  EXPECT_EQ(parts.held_out, (std::vector<std::uint32_t>{7, 8, 9}));
  EXPECT_EQ(parts.kept.size(), 7U);
}

TEST(HoldOut, RefusesToLeaveAPartEmpty) {
  const Dataset dataset = with_counts({5, 5});
  for (const std::size_t count : {std::size_t{10}, std::size_t{11}}) {
    expect_error(ErrorCode::kInvalidArgument, {std::to_string(count), "10 images"},
                 [&] { (void)hold_out(dataset, {.count = count}); });
  }
  expect_error(ErrorCode::kInvalidArgument, {"at least one"},
               [&] { (void)hold_out(dataset, {.fraction = 0.01}); });
  for (const double fraction : {0.0, 1.0, -0.5, std::nan("")}) {
    expect_error(ErrorCode::kInvalidArgument, {"fraction"},
                 [&] { (void)hold_out(dataset, {.fraction = fraction}); });
  }
}

}  // namespace
}  // namespace bellows
