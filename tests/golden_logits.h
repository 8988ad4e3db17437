// What tests/golden/every_kind.logits holds: the logits of tests/golden/every_kind.safetensors at
// every width, by the slow reference, for images that a formula draws. Standard headers only, so
// that an embedded build can compare its own with them.
#pragma once

#include <cstddef>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace bellows::golden {

inline constexpr int kImages = 3;

/// `kImages` images of `elements` values each, in 0..1.
inline std::vector<float> images(std::size_t elements) {
  std::vector<float> values(kImages * elements);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>((i * 37 + i / elements * 11) % 101) / 100.0F;
  }
  return values;
}

/// `[width - 1]`: [kImages, classes]. A '#' begins a line of comment. Throws std::runtime_error.
inline std::vector<std::vector<double>> read_logits(const std::string& path, int widths,
                                                    int classes) {
  std::ifstream stream(path);
  std::vector<std::vector<double>> logits(static_cast<std::size_t>(widths));
  for (auto& of_width : logits) {
    while ((stream >> std::ws).peek() == '#') {
      stream.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    of_width.resize(static_cast<std::size_t>(kImages) * static_cast<std::size_t>(classes));
    for (double& value : of_width) stream >> value;
  }
  if (!stream) throw std::runtime_error(path + ": cannot be read, or ends too early");
  return logits;
}

}  // namespace bellows::golden
