// 8-bit PNG images in and out of memory, through libpng.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "training/data/image_shape.h"

namespace bellows {

/// Pixels plane by plane, [C, H, W]; 1 channel is grey, 3 are red, green, blue.
struct PngImage {
  ImageShape shape;
  std::vector<std::uint8_t> pixels;
};

/// Neither side of an image may be longer, read or written.
inline constexpr int kMaxPngSide = 16384;

/// Reads grey, RGB, palette and alpha images of up to 8 bits per channel. `channels` 1 or 3
/// converts (colour to grey by luminance); 0 keeps grey as 1 and makes colour 3. Transparent parts
/// are laid on white. Throws Error naming the file: kNotFound, kIoError, kCorruptData (damaged, cut
/// off, larger than kMaxPngSide or 64 Mi pixels), kUnsupported (16 bits per channel).
[[nodiscard]] PngImage read_png(const std::filesystem::path& file, int channels = 0);

/// Whether the name ends in .png, in letters of any case.
[[nodiscard]] bool has_png_name(const std::filesystem::path& file);

/// Writes an image of 1 or 3 channels atomically. Throws Error: kInvalidArgument, kIoError.
void write_png(const std::filesystem::path& file, const ImageShape& shape,
               std::span<const std::uint8_t> pixels);

}  // namespace bellows
