#include "training/data/photograph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace bellows {
namespace {

std::size_t place(int side, int x, int y) {
  return static_cast<std::size_t>(y) * static_cast<std::size_t>(side) + static_cast<std::size_t>(x);
}

// Between pixels, blended linearly; edges are continued.
float sampled(std::span<const float> plane, int side, float x, float y) {
  const float last = static_cast<float>(side - 1);
  x = std::clamp(x, 0.0F, last);
  y = std::clamp(y, 0.0F, last);
  const int left = std::min(static_cast<int>(x), side - 2);
  const int top = std::min(static_cast<int>(y), side - 2);
  const float right_share = x - static_cast<float>(left);
  const float bottom_share = y - static_cast<float>(top);
  const auto row = [&](int at) {
    return plane[place(side, left, at)] * (1 - right_share) +
           plane[place(side, left + 1, at)] * right_share;
  };
  return row(top) * (1 - bottom_share) + row(top + 1) * bottom_share;
}

// The quantisation steps that the JPEG standard gives as examples (ITU-T T.81, annex K.1).
constexpr std::array<int, 64> kBrightnessSteps = {
    16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
    14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
    18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
constexpr std::array<int, 64> kColourSteps = {
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99,
    99, 99, 47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

using Block = std::array<float, 64>;

// cosines[u][x], orthonormal.
const std::array<std::array<float, 8>, 8>& cosines() {
  static const auto kCosines = [] {
    std::array<std::array<float, 8>, 8> table{};
    for (int u = 0; u < 8; ++u) {
      for (int x = 0; x < 8; ++x) {
        const double scale = u == 0 ? std::sqrt(1.0 / 8) : std::sqrt(2.0 / 8);
        table[static_cast<std::size_t>(u)][static_cast<std::size_t>(x)] =
            static_cast<float>(scale * std::cos((2 * x + 1) * u * std::numbers::pi / 16));
      }
    }
    return table;
  }();
  return kCosines;
}

// Rows, then columns; `back` is the inverse.
Block transformed(const Block& block, bool back) {
  const auto& table = cosines();
  const auto factor = [&](std::size_t to, std::size_t from) {
    return back ? table[from][to] : table[to][from];
  };
  Block rows{};
  for (std::size_t y = 0; y < 8; ++y) {
    for (std::size_t u = 0; u < 8; ++u) {
      for (std::size_t x = 0; x < 8; ++x) rows[y * 8 + u] += factor(u, x) * block[y * 8 + x];
    }
  }
  Block result{};
  for (std::size_t v = 0; v < 8; ++v) {
    for (std::size_t y = 0; y < 8; ++y) {
      for (std::size_t u = 0; u < 8; ++u) result[v * 8 + u] += factor(v, y) * rows[y * 8 + u];
    }
  }
  return result;
}

void quantise(std::span<float> plane, int side, const std::array<int, 64>& steps, float scale,
              int offset_x, int offset_y) {
  const auto inside = [side](int at) { return std::clamp(at, 0, side - 1); };
  for (int top = -offset_y; top < side; top += 8) {
    for (int left = -offset_x; left < side; left += 8) {
      Block block{};
      for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 8; ++x) {
          block[place(8, x, y)] = 255 * plane[place(side, inside(left + x), inside(top + y))] - 128;
        }
      }
      block = transformed(block, false);
      for (std::size_t i = 0; i < block.size(); ++i) {
        const float step = std::max(1.0F, static_cast<float>(steps[i]) * scale);
        block[i] = std::round(block[i] / step) * step;
      }
      block = transformed(block, true);
      for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 8; ++x) {
          if (left + x < 0 || left + x >= side || top + y < 0 || top + y >= side) continue;
          plane[place(side, left + x, top + y)] = (block[place(8, x, y)] + 128) / 255;
        }
      }
    }
  }
}

}  // namespace

void blur(std::span<float> plane, int side, float sigma) {
  if (sigma < 0.05F) return;
  const int reach = std::max(1, static_cast<int>(std::ceil(3 * sigma)));
  std::vector<float> kernel;
  float sum = 0;
  for (int i = -reach; i <= reach; ++i) {
    kernel.push_back(std::exp(-static_cast<float>(i * i) / (2 * sigma * sigma)));
    sum += kernel.back();
  }
  std::vector<float> before(plane.begin(), plane.end());
  for (const bool across : {true, false}) {
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        float total = 0;
        int away = -reach;
        for (const float share : kernel) {
          const int from_x = across ? std::clamp(x + away, 0, side - 1) : x;
          const int from_y = across ? y : std::clamp(y + away, 0, side - 1);
          total += share * before[place(side, from_x, from_y)];
          ++away;
        }
        plane[place(side, x, y)] = total / sum;
      }
    }
    std::ranges::copy(plane, before.begin());
  }
}

void smear(std::span<float> plane, int side, float x, float y, float length) {
  const int samples = 1 + static_cast<int>(std::ceil(length));
  if (samples < 2) return;
  const std::vector<float> before(plane.begin(), plane.end());
  for (int row = 0; row < side; ++row) {
    for (int column = 0; column < side; ++column) {
      float total = 0;
      for (int i = 0; i < samples; ++i) {
        const float along =
            length * (static_cast<float>(i) / static_cast<float>(samples - 1) - 0.5F);
        total += sampled(before, side, static_cast<float>(column) + along * x,
                         static_cast<float>(row) + along * y);
      }
      plane[place(side, column, row)] = total / static_cast<float>(samples);
    }
  }
}

Photograph resized(Photograph& photograph, int side) {
  Photograph result(side);
  const float ratio = static_cast<float>(photograph.side) / static_cast<float>(side);
  const int samples = std::max(1, static_cast<int>(std::ceil(ratio)));
  for (int colour = 0; colour < 3; ++colour) {
    const std::span<const float> from = photograph.plane(colour);
    const std::span<float> to = result.plane(colour);
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        // Points spread evenly over the pixel's area.
        float total = 0;
        for (int j = 0; j < samples; ++j) {
          for (int i = 0; i < samples; ++i) {
            const auto at = [&](int pixel, int sample) {
              const float inside =
                  (static_cast<float>(sample) + 0.5F) / static_cast<float>(samples);
              return (static_cast<float>(pixel) + inside) * ratio - 0.5F;
            };
            total += sampled(from, photograph.side, at(x, i), at(y, j));
          }
        }
        to[place(side, x, y)] = total / static_cast<float>(samples * samples);
      }
    }
  }
  return result;
}

void compress(Photograph& photograph, float quality, int offset_x, int offset_y) {
  // Brightness and two differences of colour, as JFIF has them.
  for (std::size_t i = 0; i < photograph.area(); ++i) {
    float& red = photograph.plane(0)[i];
    float& green = photograph.plane(1)[i];
    float& blue = photograph.plane(2)[i];
    const float brightness = 0.299F * red + 0.587F * green + 0.114F * blue;
    const float to_blue = 0.5F + (blue - brightness) / 1.772F;
    const float to_red = 0.5F + (red - brightness) / 1.402F;
    red = brightness;
    green = to_blue;
    blue = to_red;
  }
  const float scale = (quality < 50 ? 5000 / quality : 200 - 2 * quality) / 100;
  for (int part = 0; part < 3; ++part) {
    quantise(photograph.plane(part), photograph.side, part == 0 ? kBrightnessSteps : kColourSteps,
             scale, offset_x, offset_y);
  }
  for (std::size_t i = 0; i < photograph.area(); ++i) {
    float& red = photograph.plane(0)[i];
    float& green = photograph.plane(1)[i];
    float& blue = photograph.plane(2)[i];
    const float brightness = red;
    const float to_blue = 1.772F * (green - 0.5F);
    const float to_red = 1.402F * (blue - 0.5F);
    red = brightness + to_red;
    blue = brightness + to_blue;
    green = (brightness - 0.299F * red - 0.114F * blue) / 0.587F;
  }
}

}  // namespace bellows
