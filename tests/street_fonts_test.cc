#include "training/data/street_fonts.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/data_fixtures.h"
#include "tests/street_faces.h"

namespace bellows {
namespace {

Mask blank(int side) {
  return {side,
          std::vector<float>(static_cast<std::size_t>(side) * static_cast<std::size_t>(side))};
}

// The height of a 0 is `height` pixels, its base line 2 pixels above the lower edge.
Mask drawn(const StreetFonts& fonts, std::size_t face, int digit, float height = 24) {
  Mask mask = blank(32);
  fonts.draw(
      face, digit,
      [height](MaskPoint point) {
        return MaskPoint{4 + point.x * height, 30 - point.y * height};
      },
      mask);
  return mask;
}

TEST(StreetFonts, HaveTenDifferentDigitsOfPlausibleSize) {
  const StreetFonts* fonts = street_faces();
  if (fonts == nullptr) GTEST_SKIP() << kNoStreetFaces;
  EXPECT_TRUE(std::ranges::is_sorted(fonts->names()));
  for (std::size_t face = 0; face < fonts->size(); ++face) {
    SCOPED_TRACE(fonts->names()[face]);
    std::vector<Mask> masks;
    for (int digit = 0; digit < 10; ++digit) {
      const StreetFonts::Extent& extent = fonts->extent(face, digit);
      EXPECT_GT(extent.right, extent.left);
      EXPECT_GT(extent.top, extent.bottom);
      if (digit == 0) {
        EXPECT_NEAR(extent.top - extent.bottom, 1, 1e-4);
      }
      masks.push_back(drawn(*fonts, face, digit, 16));
      const std::vector<float>& values = masks.back().values;
      EXPECT_GT(std::accumulate(values.begin(), values.end(), 0.0F), 8) << digit;
      EXPECT_LE(*std::ranges::max_element(values), 1.0F);
      for (int other = 0; other < digit; ++other) {
        EXPECT_NE(masks[static_cast<std::size_t>(other)].values, values) << digit << ' ' << other;
      }
    }
  }
}

// The y axis grows upwards where outlines are and downwards in masks.
TEST(StreetFonts, AreDrawnUpright) {
  const StreetFonts* fonts = street_faces();
  if (fonts == nullptr) GTEST_SKIP() << kNoStreetFaces;
  const auto& names = fonts->names();
  const auto found = std::ranges::find(names, "DejaVu Sans Book");
  if (found == names.end()) GTEST_SKIP() << "without DejaVu Sans";
  const auto face = static_cast<std::size_t>(found - names.begin());
  const auto centre = [&](int digit) {
    const Mask mask = drawn(*fonts, face, digit);
    float weighted = 0;
    float total = 0;
    for (int y = 0; y < mask.side; ++y) {
      for (int x = 0; x < mask.side; ++x) {
        const float value =
            mask.values[static_cast<std::size_t>(y) * static_cast<std::size_t>(mask.side) +
                        static_cast<std::size_t>(x)];
        weighted += value * static_cast<float>(y);
        total += value;
      }
    }
    return weighted / total;
  };
  // A 7 is heavy at its top, a 6 at its bottom.
  EXPECT_LT(centre(7), centre(0) - 0.5F);
  EXPECT_GT(centre(6), centre(9) + 0.5F);
}

TEST(StreetFonts, WhatIsDrawnOutsideOfTheMaskIsLeftOut) {
  const StreetFonts* fonts = street_faces();
  if (fonts == nullptr) GTEST_SKIP() << kNoStreetFaces;
  Mask mask = blank(16);
  fonts->draw(
      0, 8,
      [](MaskPoint point) {
        return MaskPoint{100 + point.x * 1e6F, point.y * -1e9F};
      },
      mask);
  EXPECT_EQ(std::ranges::count(mask.values, 0.0F), 256);
}

TEST(StreetFonts, TooFewAreRefusedWithAWayToGetMore) {
  const std::filesystem::path folder = fresh_folder();
  expect_error(ErrorCode::kNotFound, {folder.string(), "0 fonts", "install.sh --fonts"},
               [&] { StreetFonts fonts(folder); });
  // Broken files are no fonts.
  write_file(folder / "broken.ttf", noise(5000));
  write_file(folder / "empty.otf", {});
  expect_error(ErrorCode::kNotFound, {"0 fonts"}, [&] { StreetFonts fonts(folder); });
  expect_error(ErrorCode::kNotFound, {(folder / "none").string()},
               [&] { StreetFonts fonts(folder / "none"); });
}

}  // namespace
}  // namespace bellows
