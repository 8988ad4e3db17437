#include "layers/dense.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace bellows {
namespace {

// Rows 0 and 1 stand in rows 2 and 0 of the padded matrix; columns 1 and 2 in columns 3 and 1.
DensePiece scattered() {
  DensePiece piece;
  piece.row_columns = 4;
  piece.column_begin = 1;
  piece.kernel = 2;
  piece.padded_columns = 5;
  piece.row_positions = {2, 0};
  piece.column_positions = {3, 1};
  return piece;
}

constexpr std::size_t kPlain = 2 * 4 * 2;
constexpr std::size_t kPadded = 3 * 5 * 2;

std::vector<float> counted(std::size_t size) {
  std::vector<float> values(size);
  std::iota(values.begin(), values.end(), 1.0F);
  return values;
}

TEST(Dense, PackingPutsEveryFilterWhereThePieceSays) {
  const std::vector<float> plain = counted(kPlain);
  std::vector<float> padded(kPadded, -1.0F);
  pack_dense(scattered(), plain.data(), nullptr, padded.data());
  std::vector<float> expected(kPadded, -1.0F);
  const DensePiece piece = scattered();
  for (std::size_t row = 0; row < 2; ++row) {
    for (std::size_t column = 0; column < 2; ++column) {
      for (std::size_t k = 0; k < 2; ++k) {
        const auto padded_row = static_cast<std::size_t>(piece.row_positions[row]);
        const auto padded_column = static_cast<std::size_t>(piece.column_positions[column]);
        expected[(padded_row * 5 + padded_column) * 2 + k] = plain[(row * 4 + 1 + column) * 2 + k];
      }
    }
  }
  EXPECT_EQ(padded, expected);
}

TEST(Dense, PackingMultipliesEachRowByItsScale) {
  const std::vector<float> plain = counted(kPlain);
  const std::vector<float> scale{0.5F, -3.0F};
  std::vector<float> once(kPadded, 0.0F);
  std::vector<float> scaled(kPadded, 0.0F);
  pack_dense(scattered(), plain.data(), nullptr, once.data());
  pack_dense(scattered(), plain.data(), scale.data(), scaled.data());
  for (std::size_t i = 0; i < kPadded; ++i) {
    const std::size_t padded_row = i / 10;  // row 0 of the plain matrix stands in row 2
    EXPECT_EQ(scaled[i], once[i] * (padded_row == 2 ? 0.5F : -3.0F)) << i;
  }
}

TEST(Dense, UnpackingIsTheInverseAndTouchesNothingElse) {
  const std::vector<float> plain = counted(kPlain);
  std::vector<float> padded(kPadded, 0.0F);
  pack_dense(scattered(), plain.data(), nullptr, padded.data());
  std::vector<float> back(kPlain, -1.0F);
  unpack_dense(scattered(), padded.data(), back.data());
  for (std::size_t i = 0; i < kPlain; ++i) {
    const std::size_t column = i / 2 % 4;
    EXPECT_EQ(back[i], column == 1 || column == 2 ? plain[i] : -1.0F) << i;
  }
}

TEST(Dense, IsTheIdentityOnlyWhenNothingIsPaddedMovedOrLeftOut) {
  DensePiece whole;
  whole.row_columns = 3;
  whole.kernel = 9;
  whole.padded_columns = 3;
  whole.row_positions = {0, 1};
  whole.column_positions = {0, 1, 2};
  EXPECT_TRUE(whole.is_identity(2));
  EXPECT_FALSE(whole.is_identity(16));

  DensePiece padded_columns = whole;
  padded_columns.padded_columns = 16;
  EXPECT_FALSE(padded_columns.is_identity(2));
  DensePiece moved_rows = whole;
  moved_rows.row_positions = {1, 0};
  EXPECT_FALSE(moved_rows.is_identity(2));
  DensePiece moved_columns = whole;
  moved_columns.column_positions = {0, 2, 1};
  EXPECT_FALSE(moved_columns.is_identity(2));
  DensePiece part = whole;
  part.column_begin = 1;
  part.column_positions = {0, 1};
  EXPECT_FALSE(part.is_identity(2));
}

TEST(Dense, AnIdentityCopies) {
  DensePiece whole;
  whole.row_columns = 4;
  whole.kernel = 3;
  whole.padded_columns = 4;
  whole.row_positions = {0, 1, 2};
  whole.column_positions = {0, 1, 2, 3};
  ASSERT_TRUE(whole.is_identity(3));
  const std::vector<float> plain = counted(36);
  std::vector<float> padded(36, 0.0F);
  pack_dense(whole, plain.data(), nullptr, padded.data());
  EXPECT_EQ(padded, plain);
}

}  // namespace
}  // namespace bellows
