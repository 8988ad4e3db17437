// Images to be recognised, out of files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "training/data/image_shape.h"

namespace bellows::cli {

/// One image, [C, H, W], and what to call it: "seven.png", "t10k-images-idx3-ubyte.gz[12]".
using ImageVisitor =
    std::function<void(const std::string& name, std::span<const std::uint8_t> pixels)>;

/// Visits the images of `path`: a PNG file, a folder (its PNG files in order of names), or an idx
/// file of images, plain or compressed. Grey becomes colour and colour grey as `shape` wants it.
/// Throws Error naming the file: kNotFound (also a folder without PNG files), kCorruptData,
/// kInvalidArgument when an image has another size than `shape`, kUnsupported when `shape` has
/// neither 1 nor 3 channels. Images before the one at fault have been visited then.
void visit_images(const std::filesystem::path& path, const ImageShape& shape,
                  const ImageVisitor& visit);

}  // namespace bellows::cli
