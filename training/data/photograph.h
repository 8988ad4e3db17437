// What a camera makes of a scene: planes of light, blurred, small, noisy and compressed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "training/data/random.h"

namespace bellows {

/// Three planes, red, green and blue, of side * side values, 0 dark and 1 bright, row by row.
struct Photograph {
  explicit Photograph(int pixels) : side(pixels), values(3 * area()) {}

  int side;
  std::vector<float> values;

  [[nodiscard]] std::size_t area() const {
    return static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  }
  [[nodiscard]] std::span<float> plane(int colour) {
    return std::span(values).subspan(static_cast<std::size_t>(colour) * area(), area());
  }
};

/// One plane convolved with a Gaussian of deviation `sigma` pixels; edges are continued. 0: nothing
/// happens.
void blur(std::span<float> plane, int side, float sigma);
/// The same along a line of `length` pixels in direction (x, y), of length 1: the camera moved.
void smear(std::span<float> plane, int side, float x, float y, float length);
/// The image at another side: means over areas where it becomes smaller, else blended linearly.
[[nodiscard]] Photograph resized(Photograph& photograph, int side);
/// Quantises blocks of 8 x 8 cosine coefficients as JPEG does at `quality` 1..100, brightness finer
/// than colour; the grid of blocks begins `offset_x`, `offset_y` pixels outside.
void compress(Photograph& photograph, float quality, int offset_x, int offset_y);

}  // namespace bellows
