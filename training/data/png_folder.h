// A data set as folders of PNG files, one folder per class.
#pragma once

#include <filesystem>

#include "training/data/dataset.h"

namespace bellows {

/// Loads `<root>/train/<class>/*.png` or `<root>/test/<class>/*.png`; without these two folders
/// `<root>/<class>/*.png` is the training part and there is no test part (Error(kNotFound)).
/// Classes are the folder names in byte order (those of train, for both parts); a class without a
/// training image is an error. Files are taken in byte order of their names, the ending in letters
/// of any case. Every image must have the size of the first; `channels` as for `read_png`, 0 taking
/// for both parts those of the first training image. At most 2^31 bytes of pixels. Throws Error
/// naming the odd file.
[[nodiscard]] Dataset load_png_folder(const std::filesystem::path& root, Split split,
                                      int channels = 0);

/// Whether `root` has a sub-folder with PNG files in one of the two forms. Throws Error(kIoError)
/// for a folder that cannot be listed.
[[nodiscard]] bool looks_like_png_folder(const std::filesystem::path& root);

}  // namespace bellows
