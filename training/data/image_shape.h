// The shape of one image.
#pragma once

#include <cstddef>
#include <string>

namespace bellows {

/// Channels, height and width of an image, which is stored plane by plane: [C, H, W].
struct ImageShape {
  int channels = 0;
  int height = 0;
  int width = 0;

  [[nodiscard]] std::size_t elements() const {
    return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) *
           static_cast<std::size_t>(width);
  }
  /// "3x32x32".
  [[nodiscard]] std::string text() const {
    return std::to_string(channels) + "x" + std::to_string(height) + "x" + std::to_string(width);
  }
  bool operator==(const ImageShape&) const = default;
};

}  // namespace bellows
