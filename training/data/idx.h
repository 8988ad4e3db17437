// The idx format of MNIST and Fashion-MNIST, plain or compressed: big-endian magic number and
// sizes, then bytes. Source: http://yann.lecun.com/exdb/mnist/ (section "file formats").
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "training/data/dataset.h"

namespace bellows {

struct IdxImages {
  int count = 0;
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> pixels;  ///< [count, height, width]
};

/// Reads an image file (magic 2051). Throws Error naming the file; kCorruptData for a wrong magic
/// number, no items, sizes out of range (height or width 0 or above 4096), too few or left-over
/// bytes.
[[nodiscard]] IdxImages read_idx_images(const std::filesystem::path& file);
/// Reads a label file (magic 2049). kCorruptData also for a label that is not below `classes`.
[[nodiscard]] std::vector<std::int32_t> read_idx_labels(const std::filesystem::path& file,
                                                        int classes);

/// Write the same formats, uncompressed and atomically. Throw Error(kIoError) naming the file, or
/// kInvalidArgument when sizes or labels do not fit the format.
void write_idx_images(const std::filesystem::path& file, int count, int height, int width,
                      std::span<const std::uint8_t> pixels);
void write_idx_labels(const std::filesystem::path& file, std::span<const std::int32_t> labels);

/// Loads a folder with the four files of MNIST (`fashion` false) or Fashion-MNIST.
[[nodiscard]] Dataset load_idx_folder(const std::filesystem::path& folder, Split split,
                                      bool fashion);

}  // namespace bellows
