#include "layers/dense.h"

#include <cstddef>
#include <utility>

namespace bellows {
namespace {

// Calls move(plain offset, padded offset, row) for every filter of the piece.
template <class Move>
void for_each_filter(const DensePiece& piece, const Move& move) {
  const auto kernel = static_cast<std::size_t>(piece.kernel);
  for (std::size_t row = 0; row < piece.row_positions.size(); ++row) {
    const std::size_t plain_row = row * static_cast<std::size_t>(piece.row_columns) +
                                  static_cast<std::size_t>(piece.column_begin);
    const std::size_t padded_row = static_cast<std::size_t>(piece.row_positions[row]) *
                                   static_cast<std::size_t>(piece.padded_columns);
    for (std::size_t column = 0; column < piece.column_positions.size(); ++column) {
      const auto position = static_cast<std::size_t>(piece.column_positions[column]);
      move((plain_row + column) * kernel, (padded_row + position) * kernel, row);
    }
  }
}

bool counts_up(const std::vector<int>& positions) {
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] != static_cast<int>(i)) return false;
  }
  return true;
}

}  // namespace

bool DensePiece::is_identity(int padded_rows) const {
  return column_begin == 0 && static_cast<int>(column_positions.size()) == row_columns &&
         row_columns == padded_columns && static_cast<int>(row_positions.size()) == padded_rows &&
         counts_up(row_positions) && counts_up(column_positions);
}

DensePiece vector_piece(std::vector<int> positions) {
  DensePiece piece;
  piece.row_columns = 1;
  piece.padded_columns = 1;
  piece.row_positions = std::move(positions);
  piece.column_positions = {0};
  return piece;
}

void pack_dense(const DensePiece& piece, const float* plain, const float* row_scale,
                float* padded) {
  for_each_filter(piece, [&](std::size_t from, std::size_t to, std::size_t row) {
    const float scale = row_scale == nullptr ? 1.0F : row_scale[row];
    for (std::size_t k = 0; k < static_cast<std::size_t>(piece.kernel); ++k) {
      padded[to + k] = plain[from + k] * scale;
    }
  });
}

void unpack_dense(const DensePiece& piece, const float* padded, float* plain) {
  for_each_filter(piece, [&](std::size_t to, std::size_t from, std::size_t /*row*/) {
    for (std::size_t k = 0; k < static_cast<std::size_t>(piece.kernel); ++k) {
      plain[to + k] = padded[from + k];
    }
  });
}

}  // namespace bellows
