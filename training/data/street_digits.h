// Drawn house numbers: crops of a digit with its neighbours, as on photographs of houses, 3x32x32.
// Made for want of enough real ones; they are no SVHN and are never called so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "training/data/image_shape.h"
#include "training/data/street_fonts.h"

namespace bellows {

class Dataset;

/// What the generator draws. Equal options, fonts and version of FreeType give equal images on
/// machines of one kind, for any number of threads.
struct StreetDigitsOptions {
  std::uint64_t seed = 1;
  int train_images = 73257;  ///< as many as SVHN has
  int test_images = 26032;
  std::filesystem::path fonts = "/usr/share/fonts";  ///< with all folders below
  int threads = 0;                                   ///< 0 = as many as the machine has
};

inline constexpr ImageShape kStreetDigitsShape{3, 32, 32};
/// Name of the data set.
inline constexpr const char* kStreetDigitsName = "street digits";

/// Draws image number `index` of stream `stream` (train 0, test 1), of the digit `label`, into
/// `pixels` ([3, 32, 32] bytes). Thread safe. REQUIRES: pixels.size() == 3072, label 0..9.
void draw_street_digit(const StreetFonts& fonts, std::uint64_t seed, std::uint64_t stream,
                       std::uint64_t index, int label, std::span<std::uint8_t> pixels);

/// The labels of so many images of a stream, in a random order, with the class shares of SVHN's
/// training images (`stream` 0) or test images (`stream` 1).
[[nodiscard]] std::vector<std::int32_t> street_labels(std::uint64_t seed, std::uint64_t stream,
                                                      int count);

/// The training images (`stream` 0) or the test images (`stream` 1). Throws Error(kInvalidArgument)
/// for counts below 1 or above 10,000,000, and as StreetFonts does.
[[nodiscard]] Dataset make_street_digits(const StreetDigitsOptions& options, std::uint64_t stream);

}  // namespace bellows
