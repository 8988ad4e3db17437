// SVHN format 2, cropped digits: MAT v5 files with `X` uint8 [32, 32, 3, N] (column-major) and `y`
// [N, 1] with labels 1..10, where 10 is the digit 0. Source:
// http://ufldl.stanford.edu/housenumbers/
#pragma once

#include <filesystem>

#include "training/data/dataset.h"

namespace bellows {

inline constexpr ImageShape kSvhnShape{3, 32, 32};

/// Reads one .mat, plain, .gz or .xz. Labels become 0..9. Throws Error naming the file and the
/// variable or place: kCorruptData for damaged or cut-off data (checksums are compared), a missing
/// `X` or `y`, a wrong type or shape, or a label outside 1..10.
[[nodiscard]] Dataset read_svhn_file(const std::filesystem::path& file);

/// Loads `train_32x32.mat` or `test_32x32.mat` of a folder. When the whole training file is
/// missing, `train_part_32x32.mat` is taken and the provenance says so. A missing test file is
/// Error(kNotFound): hold out a part of the training images instead (`hold_out` takes the tail,
/// since neighbours are cut from one photo and overlap; in the part of 1,083 images the last 200
/// are a cut between two photos).
[[nodiscard]] Dataset load_svhn(const std::filesystem::path& folder, Split split);

/// Whether `load_svhn` would find a training file in `folder`.
[[nodiscard]] bool looks_like_svhn(const std::filesystem::path& folder);

}  // namespace bellows
