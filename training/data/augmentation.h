// From a stored image to what the network sees: random changes, then normalisation.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "training/data/image_shape.h"
#include "training/data/normalisation.h"

namespace bellows {

/// Zero switches a change off. Applied in this order: rotation, scale and shift as one bilinear
/// resampling; pad and crop; flip; cutout.
struct AugmentationOptions {
  int crop_padding = 0;        ///< pixels added on each side before cropping back to size
  bool flip = false;           ///< mirror left to right, every second time
  int cutout = 0;              ///< side of the erased square, pixels (DeVries, Taylor 2017)
  float rotation_degrees = 0;  ///< uniform in +- this, about the centre
  float shift_pixels = 0;      ///< uniform in +- this, both directions
  float scale = 0;             ///< factor uniform in 1 +- this

  [[nodiscard]] bool any() const {
    return crop_padding != 0 || flip || cutout != 0 || rotation_degrees != 0 || shift_pixels != 0 ||
           scale != 0;
  }
};

inline constexpr double kMaxRotationDegrees = 180;
inline constexpr double kMaxScale = 0.95;

/// An option that cannot be used.
struct AugmentationProblem {
  std::string option;  ///< its name, as in AugmentationOptions
  std::string text;    ///< "is 9, it must be 0..8 for images of 8x10"
};

/// The first option that is negative, not finite, above the limits here, or more pixels than the
/// smaller side of images of this size; none when all can be used.
[[nodiscard]] std::optional<AugmentationProblem> find_problem(const AugmentationOptions& options,
                                                              int height, int width);

/// Turns uint8 images into normalised float ones. What is random depends on (seed, epoch, sample)
/// alone. Padding and erased parts are 0 after normalisation, which is the mean colour.
/// Immutable after construction; any number of threads may call it.
class ImageTransform {
 public:
  /// Throws Error(kInvalidArgument) for an option in which `find_problem` finds one, naming it, or
  /// an ill-fitting normalisation.
  ImageTransform(const ImageShape& shape, const Normalisation& normalisation,
                 const AugmentationOptions& options, std::uint64_t seed);

  /// Normalises without any change. REQUIRES: both spans hold shape.elements().
  void plain(std::span<const std::uint8_t> image, std::span<float> out) const;
  /// Changes and normalises. Equal to `plain` when no option is set.
  void augmented(std::span<const std::uint8_t> image, std::uint64_t epoch, std::uint64_t sample,
                 std::span<float> out) const;

 private:
  ImageShape shape_;
  AugmentationOptions options_;
  std::uint64_t seed_;
  std::vector<float> table_;  // [channels, 256]: pixel value to normalised value
};

}  // namespace bellows
