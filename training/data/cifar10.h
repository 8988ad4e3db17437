// CIFAR-10, binary version: records of one label byte and 3x32x32 pixels, 10,000 to a file.
// Source: https://www.cs.toronto.edu/~kriz/cifar.html
#pragma once

#include <filesystem>
#include <string_view>

#include "training/data/dataset.h"

namespace bellows {

inline constexpr ImageShape kCifar10Shape{3, 32, 32};
/// The tar as it is distributed.
inline constexpr std::string_view kCifar10Archive = "cifar-10-binary.tar.gz";

/// Loads the five `data_batch_<n>.bin` (train) or `test_batch.bin` (test), each plain, .gz or .xz.
/// `path`: a folder with them, a folder with `cifar-10-batches-bin/` or with the distributed tar in
/// it, or a tar file, compressed or not. Class names come from `batches.meta.txt` beside them when
/// it is there. Any whole number of records, at least one, is accepted per file, so that data of
/// one's own can be read; but a file that begins as the published one and has fewer records, beside
/// another that has all of them, was cut off. Throws Error: kNotFound naming the first missing
/// file, kCorruptData.
[[nodiscard]] Dataset load_cifar10(const std::filesystem::path& path, Split split);

/// The folder with the batches, or the tar, that `load_cifar10(path)` reads; empty when `path` is
/// or has neither. A file is taken for a tar.
[[nodiscard]] std::filesystem::path locate_cifar10(const std::filesystem::path& path);

/// Whether `path` is something that `load_cifar10` would open.
[[nodiscard]] bool looks_like_cifar10(const std::filesystem::path& path);

}  // namespace bellows
