// The built-in data set: drawn digits, distorted, 1x28x28. Needs no download.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "training/data/image_shape.h"

namespace bellows {

class Dataset;

/// What the generator draws. Equal options give equal bytes on every machine and for any number of
/// threads.
struct DigitsOptions {
  std::uint64_t seed = 1;
  /// Strength of every distortion: 0 = clean digits, 1 = default, at most 2.
  double difficulty = 1.0;
  int train_images = 20000;
  int test_images = 4000;
  /// 0 = as many as the machine has.
  int threads = 0;
};

inline constexpr ImageShape kDigitsShape{1, 28, 28};
/// Name of the data set.
inline constexpr const char* kDigitsName = "drawn digits";

/// Draws image number `index` of stream `stream` (train 0, test 1) into `pixels` (28 * 28 bytes,
/// ink is bright) and returns its label: `index % 10`. Thread safe.
/// REQUIRES: pixels.size() == 784; options as `make_digits` accepts them.
int draw_digit(const DigitsOptions& options, std::uint64_t stream, std::uint64_t index,
               std::span<std::uint8_t> pixels);

/// The training images (`stream` 0) or the test images (`stream` 1). Classes are equally frequent.
/// Throws Error(kInvalidArgument) for counts below 1 or above 10,000,000 or a difficulty outside
/// 0..2.
[[nodiscard]] Dataset make_digits(const DigitsOptions& options, std::uint64_t stream);

}  // namespace bellows
