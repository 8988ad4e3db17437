#include "training/data/normalisation.h"

#include <cmath>
#include <limits>

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

Dataset noisy(int channels, std::size_t count) {
  const ImageShape shape{channels, 4, 5};
  return Dataset({.name = "noise",
                  .provenance = "",
                  .shape = shape,
                  .pixels = noise(count * shape.elements()),
                  .labels = std::vector<std::int32_t>(count, 0),
                  .class_names = {"a"},
                  .neighbours_related = false});
}

TEST(Normalisation, IsMeanAndDeviationOfEveryChannel) {
  const Dataset dataset = noisy(3, 7);
  const Normalisation result = compute_normalisation(dataset);
  ASSERT_EQ(result.mean.size(), 3U);
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 0; i < 7; ++i) {
      for (std::size_t p = 0; p < 20; ++p) {
        const double x = dataset.image(i)[c * 20 + p] / 255.0;
        sum += x;
        squares += x * x;
      }
    }
    EXPECT_NEAR(result.mean[c], sum / 140, 1e-6);
    EXPECT_NEAR(result.stddev[c], std::sqrt(squares / 140 - std::pow(sum / 140, 2)), 1e-6);
  }
}

TEST(Normalisation, IsOverTheImagesOfASubsetOnly) {
  const Dataset dataset = noisy(1, 4);
  const Dataset part = dataset.subset(std::vector<std::uint32_t>{3});
  double sum = 0;
  for (const std::uint8_t value : dataset.image(3)) sum += value;
  EXPECT_NEAR(compute_normalisation(part).mean[0], sum / 20 / 255, 1e-6);
}

TEST(Normalisation, DividesAChannelWithoutVariationByOne) {
  const Dataset flat({.name = "flat",
                      .provenance = "",
                      .shape = {1, 1, 2},
                      .pixels = {51, 51},
                      .labels = {0},
                      .class_names = {"a"},
                      .neighbours_related = false});
  const Normalisation result = compute_normalisation(flat);
  EXPECT_FLOAT_EQ(result.mean[0], 0.2F);
  EXPECT_EQ(result.stddev[0], 1.0F);
}

TEST(Normalisation, RefusesAnEmptyDataSet) {
  expect_error(ErrorCode::kInvalidArgument, {"noise", "empty"},
               [] { (void)compute_normalisation(noisy(1, 2).first(0)); });
}

TEST(Normalisation, RefusesNumbersThatCannotBe) {
  const auto refuse = [](const Normalisation& normalisation, const std::string& part) {
    expect_error(ErrorCode::kInvalidArgument, {part},
                 [&] { check_normalisation(normalisation, 2); });
  };
  check_normalisation({{0, 0.5F}, {1, 0.1F}}, 2);
  refuse({{0}, {1}}, "2 channels");
  refuse({{0, 0}, {1, 0}}, "channel 1");
  refuse({{0, 0}, {-1, 1}}, "channel 0");
  refuse({{0, std::numeric_limits<float>::quiet_NaN()}, {1, 1}}, "channel 1");
}

}  // namespace
}  // namespace bellows
