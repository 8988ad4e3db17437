#include "training/data/contact_sheet.h"

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

// Images of one brightness each: 10, 20, 30 of classes 1, 0, 1.
Dataset three(int channels) {
  DatasetContent content{.name = "three",
                         .provenance = "",
                         .shape = {channels, 2, 3},
                         .pixels = {},
                         .labels = {1, 0, 1},
                         .class_names = {"a", "b"},
                         .neighbours_related = false};
  for (const std::uint8_t value : Bytes{10, 20, 30}) {
    content.pixels.insert(content.pixels.end(), content.shape.elements(), value);
  }
  return Dataset(std::move(content));
}

TEST(ContactSheet, HasOneRowPerClassWithItsFirstImages) {
  for (const int channels : {1, 3}) {
    const PngImage sheet =
        make_contact_sheet(three(channels), {.per_class = 2, .scale = 1, .gap = 1});
    ASSERT_EQ(sheet.shape, (ImageShape{channels, 7, 9}));
    const auto at = [&](int c, int y, int x) {
      return sheet.pixels[static_cast<std::size_t>(c * 63) + static_cast<std::size_t>(y * 9 + x)];
    };
    const std::uint8_t blank = at(0, 0, 0);
    for (int c = 0; c < channels; ++c) {
      EXPECT_EQ(at(c, 1, 1), 20);
      EXPECT_EQ(at(c, 2, 3), 20);
      EXPECT_EQ(at(c, 1, 5), blank) << "class a has one image only";
      EXPECT_EQ(at(c, 4, 1), 10);
      EXPECT_EQ(at(c, 5, 7), 30);
    }
  }
}

TEST(ContactSheet, EnlargesSmallImages) {
  const PngImage sheet = make_contact_sheet(three(1), {.per_class = 1, .scale = 0, .gap = 0});
  EXPECT_EQ(sheet.shape, (ImageShape{1, 2 * 2 * 16, 3 * 16})) << "16 is the largest scale";
  EXPECT_EQ(sheet.pixels.front(), 20);
  EXPECT_EQ(sheet.pixels.back(), 10);
}

TEST(ContactSheet, IsWrittenAsPng) {
  const auto file = fresh_folder() / "sheet.png";
  write_contact_sheet(three(3), file, {.per_class = 2, .scale = 3, .gap = 2});
  EXPECT_EQ(read_png(file).pixels,
            make_contact_sheet(three(3), {.per_class = 2, .scale = 3, .gap = 2}).pixels);
}

TEST(ContactSheet, RefusesOptionsOutOfRange) {
  expect_error(ErrorCode::kInvalidArgument, {"per_class"},
               [] { (void)make_contact_sheet(three(1), {.per_class = 0}); });
  expect_error(ErrorCode::kInvalidArgument, {"pixels"},
               [] { (void)make_contact_sheet(three(1), {.per_class = 1000, .scale = 16}); });
  expect_error(ErrorCode::kInvalidArgument, {"three"},
               [] { (void)make_contact_sheet(three(1).first(0)); });
}

}  // namespace
}  // namespace bellows
