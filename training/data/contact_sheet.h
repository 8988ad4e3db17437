// An overview of a data set as one picture.
#pragma once

#include <filesystem>

#include "training/data/dataset.h"
#include "training/data/png_image.h"

namespace bellows {

struct ContactSheetOptions {
  int per_class = 16;  ///< images per row; a class with fewer leaves the rest of its row blank
  int scale = 0;       ///< enlargement, 1..16; 0 chooses so that a tile is about 56 pixels high
  int gap = 2;         ///< pixels between tiles
};

/// One row per class, in label order, with its first images.
/// Throws Error(kInvalidArgument) for options out of range or a sheet beyond kMaxPngSide.
[[nodiscard]] PngImage make_contact_sheet(const Dataset& dataset,
                                          const ContactSheetOptions& options = {});

/// Makes the sheet and writes it as PNG, atomically.
void write_contact_sheet(const Dataset& dataset, const std::filesystem::path& file,
                         const ContactSheetOptions& options = {});

}  // namespace bellows
