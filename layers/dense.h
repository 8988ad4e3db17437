// Moving weights between their plain form (as in the model file, logical channels only) and the
// padded one that the fast code works on. No oneDNN here: the padded form is plain row-major too.
#pragma once

#include <vector>

namespace bellows {

/// Where the rows (outputs) and columns (inputs) of a piece of a plain weight matrix
/// [rows, row_columns, kernel] stand in a padded one [padded rows, padded_columns, kernel].
/// Columns column_begin .. column_begin + column_positions.size() - 1 are moved.
struct DensePiece {
  int row_columns = 0;   ///< columns of a plain row
  int column_begin = 0;  ///< first column moved
  int kernel = 1;        ///< elements of a filter: Kh * Kw
  int padded_columns = 0;
  std::vector<int> row_positions;     ///< padded row of each plain row
  std::vector<int> column_positions;  ///< padded column of each plain column moved

  /// The piece is the whole matrix and the padded form equals the plain one.
  [[nodiscard]] bool is_identity(int padded_rows) const;
};

/// A vector (bias, scale, shift) as a piece: a column of one-column rows.
[[nodiscard]] DensePiece vector_piece(std::vector<int> positions);

/// Writes the piece into `padded`, leaving every other element as it is. Row r is multiplied by
/// `row_scale[r]` unless `row_scale` is null.
void pack_dense(const DensePiece& piece, const float* plain, const float* row_scale, float* padded);

/// The inverse: reads the piece out of `padded`.
void unpack_dense(const DensePiece& piece, const float* padded, float* plain);

}  // namespace bellows
