#include "training/data/street_digits.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <utility>

#include "training/data/dataset.h"
#include "training/data/parallel.h"
#include "training/data/photograph.h"
#include "training/data/random.h"

namespace bellows {
namespace {

using data::KeyedRandom;

constexpr std::uint64_t kKey = 0x737472656574;  // keeps this use of the seed apart from others
constexpr int kMaxImages = 10000000;
constexpr int kSide = kStreetDigitsShape.width;
constexpr std::size_t kImageBytes = std::size_t{3} * kSide * kSide;
// Drawn at twice the size, so that edges are soft.
constexpr int kDrawn = 2 * kSide;
constexpr std::size_t kDrawnArea = static_cast<std::size_t>(kDrawn) * kDrawn;

// Images of each class in SVHN's training and test part (Netzer et al. 2011).
constexpr std::array<std::array<int, 10>, 2> kShares = {
    {{4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659},
     {1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595}}};

using Colour = std::array<float, 3>;

// Place of a pixel drawn.
std::size_t pixel(int x, int y) {
  return static_cast<std::size_t>(y) * kDrawn + static_cast<std::size_t>(x);
}

float brightness(const Colour& colour) {
  return 0.299F * colour[0] + 0.587F * colour[1] + 0.114F * colour[2];
}

// Hue and saturation 0..1, value 0..1.
Colour from_hue(float hue, float saturation, float value) {
  Colour colour{};
  for (std::size_t i = 0; i < 3; ++i) {
    const float place = hue * 6 + static_cast<float>((5 - 2 * i) % 6);
    const float k = std::fmod(place, 6.0F);
    const float slope = std::clamp(std::min(k, 4 - k), 0.0F, 1.0F);
    colour[i] = value - value * saturation * slope;
  }
  return colour;
}

// Walls and plates are grey, white, brown or blue more often than anything else.
Colour random_colour(KeyedRandom& random) {
  const float kind = random.uniform();
  const float value = random.uniform(0.08F, 0.95F);
  if (kind < 0.5F) return from_hue(random.uniform(), random.uniform(0, 0.18F), value);
  if (kind < 0.68F)
    return from_hue(random.uniform(0.02F, 0.13F), random.uniform(0.2F, 0.8F), value);
  if (kind < 0.85F)
    return from_hue(random.uniform(0.55F, 0.68F), random.uniform(0.2F, 0.9F), value);
  return from_hue(random.uniform(), random.uniform(0.1F, 0.9F), value);
}

// Smooth noise of about -1..1: random values on a grid, blended, the finer the fainter.
std::vector<float> texture(KeyedRandom& random, float coarse, int octaves) {
  std::vector<float> result(kDrawnArea, 0.0F);
  float strength = 1;
  for (int octave = 0; octave < octaves; ++octave, coarse /= 2, strength *= 0.6F) {
    const float cell = std::max(1.0F, coarse);
    const int cells = static_cast<int>(kDrawn / cell) + 2;
    std::vector<float> grid(static_cast<std::size_t>(cells) * static_cast<std::size_t>(cells));
    for (float& value : grid) value = 0.6F * random.bell();
    const auto at = [&](int x, int y) {
      return grid[static_cast<std::size_t>(y) * static_cast<std::size_t>(cells) +
                  static_cast<std::size_t>(x)];
    };
    for (int y = 0; y < kDrawn; ++y) {
      const float v = static_cast<float>(y) / cell;
      const int row = static_cast<int>(v);
      const float down = v - static_cast<float>(row);
      for (int x = 0; x < kDrawn; ++x) {
        const float u = static_cast<float>(x) / cell;
        const int column = static_cast<int>(u);
        const float across = u - static_cast<float>(column);
        const float top = at(column, row) * (1 - across) + at(column + 1, row) * across;
        const float bottom = at(column, row + 1) * (1 - across) + at(column + 1, row + 1) * across;
        result[pixel(x, y)] += strength * (top * (1 - down) + bottom * down);
      }
    }
  }
  return result;
}

// What the camera sees of a number: turned, slanted, in perspective. Units of pixels drawn; the
// labelled digit's middle is the origin before.
struct View {
  explicit View(KeyedRandom& random) {
    // Most are level; a loose plate is not.
    const float angle = random.chance(0.12F) ? random.uniform(-0.45F, 0.45F)
                                             : std::clamp(0.09F * random.bell(), -0.35F, 0.35F);
    const float shear = std::clamp(0.12F * random.bell(), -0.4F, 0.4F);
    height = random.uniform(0.53F, 1.02F) * kDrawn;
    // Narrow figures, and plates seen from the side, are as common as others: a crop as high as
    // they are holds two or three of them.
    const float width =
        height * (random.chance(0.35F) ? random.uniform(0.40F, 0.80F)
                                       : std::clamp(1 + 0.17F * random.bell(), 0.6F, 1.5F));
    xx = std::cos(angle) * width;
    xy = (std::cos(angle) * shear - std::sin(angle)) * height;
    yx = std::sin(angle) * width;
    yy = (std::sin(angle) * shear + std::cos(angle)) * height;
    tilt_x = 0.002F * random.bell();
    tilt_y = 0.002F * random.bell();
    x = kDrawn / 2.0F + std::clamp(2.8F * random.bell(), -7.0F, 7.0F);
    y = kDrawn / 2.0F + std::clamp(2.8F * random.bell(), -7.0F, 7.0F);
  }
  // y upwards before, downwards after.
  [[nodiscard]] MaskPoint operator()(MaskPoint p) const {
    const float u = xx * p.x + xy * -p.y;
    const float v = yx * p.x + yy * -p.y;
    const float away = std::max(0.3F, 1 + tilt_x * u + tilt_y * v);
    return {x + u / away, y + v / away};
  }
  float height;
  float xx, xy, yx, yy, tilt_x, tilt_y, x, y;
};

// A number of one to four digits of which one is the label's.
struct Number {
  Number(KeyedRandom& random, int label) {
    const float kind = random.uniform();
    const std::size_t length = kind < 0.18F ? 1 : kind < 0.66F ? 2 : kind < 0.94F ? 3 : 4;
    for (std::size_t i = 0; i < length; ++i) digits.push_back(static_cast<int>(random.below(10)));
    labelled = random.below(static_cast<std::uint32_t>(length));
    digits[labelled] = label;
  }
  std::vector<int> digits;
  std::size_t labelled = 0;
};

Mask draw_number(const StreetFonts& fonts, KeyedRandom& random, const View& view, int label) {
  Mask mask{kDrawn, std::vector<float>(kDrawnArea, 0.0F)};
  const std::size_t face = random.below(static_cast<std::uint32_t>(fonts.size()));
  const Number number(random, label);
  const float spacing = std::clamp(1 + 0.10F * random.bell(), 0.8F, 1.5F);
  const float slope = random.chance(0.15F) ? 0.25F * random.bell() : 0;
  // Where the pen stands for each digit, the label's middle being 0.
  std::vector<float> pens;
  float pen = 0;
  for (const int digit : number.digits) {
    pens.push_back(pen);
    pen += fonts.extent(face, digit).advance * spacing + 0.02F * random.bell();
  }
  const StreetFonts::Extent& extent = fonts.extent(face, label);
  const float middle = pens[number.labelled] + (extent.left + extent.right) / 2;
  const float level = (extent.bottom + extent.top) / 2;
  for (std::size_t i = 0; i < number.digits.size(); ++i) {
    const float right = pens[i] - middle;
    const float up = slope * (pens[i] - pens[number.labelled]) - level +
                     (i == number.labelled ? 0 : 0.02F * random.bell());
    fonts.draw(
        face, number.digits[i],
        [&](MaskPoint p) {
          return view(MaskPoint{p.x + right, p.y + up});
        },
        mask);
  }
  return mask;
}

// Mask, thicker by about `by` pixels, or thinner where that is negative.
std::vector<float> grown(const Mask& mask, float by) {
  std::vector<float> result = mask.values;
  blur(result, kDrawn, std::abs(by));
  for (float& value : result) value = std::clamp(by > 0 ? 3 * value : 3 * value - 2, 0.0F, 1.0F);
  return result;
}

std::vector<float> moved(const std::vector<float>& mask, int x, int y) {
  std::vector<float> result(kDrawnArea, 0.0F);
  for (int row = 0; row < kDrawn; ++row) {
    for (int column = 0; column < kDrawn; ++column) {
      const int from_x = column - x;
      const int from_y = row - y;
      if (from_x < 0 || from_x >= kDrawn || from_y < 0 || from_y >= kDrawn) continue;
      result[pixel(column, row)] = mask[pixel(from_x, from_y)];
    }
  }
  return result;
}

void paint(Photograph& scene, const std::vector<float>& mask, const Colour& colour, float cover) {
  for (int c = 0; c < 3; ++c) {
    const std::span<float> plane = scene.plane(c);
    for (std::size_t i = 0; i < plane.size(); ++i) {
      plane[i] += (colour[static_cast<std::size_t>(c)] - plane[i]) * cover * mask[i];
    }
  }
}

void shade(Photograph& scene, const std::vector<float>& factors) {
  for (int c = 0; c < 3; ++c) {
    const std::span<float> plane = scene.plane(c);
    for (std::size_t i = 0; i < plane.size(); ++i) plane[i] *= std::max(0.0F, factors[i]);
  }
}

// Lines across the scene: joints of bricks, planks, the rim of a plate.
std::vector<float> lines(KeyedRandom& random, const View& view) {
  std::vector<float> mask(kDrawnArea, 0.0F);
  const bool level = random.chance(0.6F);
  const float distance = random.uniform(0.25F, 0.9F) * view.height;
  const float thickness = random.uniform(0.5F, 2.5F);
  const float offset = random.uniform(0, distance);
  const float lean = 0.1F * random.bell();
  for (int y = 0; y < kDrawn; ++y) {
    for (int x = 0; x < kDrawn; ++x) {
      const auto along = static_cast<float>(level ? x : y);
      const auto across = static_cast<float>(level ? y : x);
      const float place = std::fmod(across + lean * along + offset + 10 * distance, distance);
      const float away = std::min(place, distance - place);
      mask[pixel(x, y)] = std::clamp(thickness - away + 0.5F, 0.0F, 1.0F);
    }
  }
  return mask;
}

// 1 inside a rectangle around the number, 0 outside.
std::vector<float> plate(KeyedRandom& random, const View& view) {
  const float half_width = random.uniform(0.45F, 2.0F);
  const float half_height = random.uniform(0.52F, 0.8F);
  const float x = random.uniform(-0.3F, 0.3F) * half_width;
  std::vector<float> mask(kDrawnArea, 0.0F);
  const MaskPoint middle = view({0, 0});
  // The view's inverse, without its perspective.
  const float determinant = view.xx * view.yy - view.xy * view.yx;
  for (int row = 0; row < kDrawn; ++row) {
    for (int column = 0; column < kDrawn; ++column) {
      const float dx = static_cast<float>(column) - middle.x;
      const float dy = static_cast<float>(row) - middle.y;
      const float u = (view.yy * dx - view.xy * dy) / determinant;
      const float v = (-view.yx * dx + view.xx * dy) / determinant;
      const float inside = std::min(half_width - std::abs(u - x), half_height - std::abs(v));
      mask[pixel(column, row)] = std::clamp(inside * view.height + 0.5F, 0.0F, 1.0F);
    }
  }
  return mask;
}

// 1 on one side of a line beyond the labelled digit: the end of a wall, a door's frame, a pipe.
std::vector<float> side(KeyedRandom& random) {
  const float turn = (random.chance(0.8F) ? 0.0F : std::numbers::pi_v<float> / 2) +
                     (random.chance(0.5F) ? 0.0F : std::numbers::pi_v<float>)+0.12F * random.bell();
  const float edge = random.uniform(0.24F, 0.5F) * kDrawn;
  const float width = random.chance(0.3F) ? random.uniform(2, 10) : 2.0F * kDrawn;
  std::vector<float> mask(kDrawnArea, 0.0F);
  for (int row = 0; row < kDrawn; ++row) {
    for (int column = 0; column < kDrawn; ++column) {
      const float away = (static_cast<float>(column) - kDrawn / 2.0F) * std::cos(turn) +
                         (static_cast<float>(row) - kDrawn / 2.0F) * std::sin(turn) - edge;
      mask[pixel(column, row)] = std::clamp(std::min(away, width - away) + 0.5F, 0.0F, 1.0F);
    }
  }
  return mask;
}

void paint_ground(Photograph& scene, KeyedRandom& random, const View& view, const Colour& ground) {
  const std::vector<float> everywhere(kDrawnArea, 1.0F);
  paint(scene, everywhere, ground, 1);
  if (random.chance(0.3F)) paint(scene, lines(random, view), random_colour(random), 0.6F);
  if (random.chance(0.25F)) paint(scene, side(random), random_colour(random), 1);
  if (random.chance(0.35F)) {
    // What is around a plate; the plate itself has the ground's colour.
    const std::vector<float> inside = plate(random, view);
    std::vector<float> outside(kDrawnArea);
    for (std::size_t i = 0; i < kDrawnArea; ++i) outside[i] = 1 - inside[i];
    paint(scene, outside, random_colour(random), 1);
    if (random.chance(0.4F)) {
      const Mask rim{kDrawn, inside};
      std::vector<float> edge = grown(rim, 1.2F);
      const std::vector<float> core = grown(rim, -1.2F);
      for (std::size_t i = 0; i < kDrawnArea; ++i) edge[i] = std::max(0.0F, edge[i] - core[i]);
      paint(scene, edge, random_colour(random), 0.8F);
    }
  }
  const float roughness = random.uniform(0, 0.16F);
  const std::vector<float> grain = texture(random, random.uniform(2, 24), 3);
  std::vector<float> factors(kDrawnArea);
  for (std::size_t i = 0; i < kDrawnArea; ++i) factors[i] = 1 + roughness * grain[i];
  shade(scene, factors);
}

void paint_digits(Photograph& scene, KeyedRandom& random, const Mask& mask, const Colour& ink) {
  const float kind = random.uniform();
  if (kind < 0.25F) {  // stands off the wall
    const int x = static_cast<int>(std::lround(2 * random.bell()));
    const int y = static_cast<int>(std::lround(2 * random.bell()));
    std::vector<float> shadow = moved(mask.values, x, y);
    blur(shadow, kDrawn, random.uniform(0.3F, 2.0F));
    paint(scene, shadow, {0.05F, 0.05F, 0.06F}, random.uniform(0.2F, 0.8F));
  } else if (kind < 0.4F) {  // outlined
    paint(scene, grown(mask, random.uniform(0.6F, 1.6F)), random_colour(random), 0.9F);
  }
  const float cover = random.chance(0.2F) ? random.uniform(0.5F, 0.9F) : 1;
  paint(scene, mask.values, ink, cover);
  if (random.chance(0.2F)) {  // light on one edge of raised digits
    const std::vector<float> other = moved(mask.values, 1, 1);
    std::vector<float> edge(kDrawnArea);
    for (std::size_t i = 0; i < kDrawnArea; ++i) {
      edge[i] = std::max(0.0F, mask.values[i] - other[i]);
    }
    paint(scene, edge, {0.95F, 0.95F, 0.95F}, random.uniform(0.2F, 0.7F));
  }
}

// Light from one side, and the shadow of something.
void light(Photograph& scene, KeyedRandom& random) {
  const float direction = random.uniform(0, 2 * std::numbers::pi_v<float>);
  const float strength = random.uniform(0, 0.35F);
  const float x = std::cos(direction) / kDrawn;
  const float y = std::sin(direction) / kDrawn;
  const bool shadowed = random.chance(0.12F);
  const float edge = random.uniform(-0.4F, 0.4F);
  const float depth = random.uniform(0.3F, 0.6F);
  const float turn = random.uniform(0, 2 * std::numbers::pi_v<float>);
  const float softness = random.uniform(5, 40);
  std::vector<float> factors(kDrawnArea);
  for (int row = 0; row < kDrawn; ++row) {
    for (int column = 0; column < kDrawn; ++column) {
      const float u = static_cast<float>(column) - kDrawn / 2.0F;
      const float v = static_cast<float>(row) - kDrawn / 2.0F;
      float factor = 1 + strength * 2 * (u * x + v * y);
      if (shadowed) {
        const float away = (u * std::cos(turn) + v * std::sin(turn)) / kDrawn - edge;
        factor *= 1 - depth * std::clamp(away * softness + 0.5F, 0.0F, 1.0F);
      }
      factors[pixel(column, row)] = factor;
    }
  }
  shade(scene, factors);
}

// Blur, too few pixels, noise, compression, exposure.
Photograph taken(Photograph scene, KeyedRandom& random) {
  if (random.chance(0.15F)) {
    const float direction = random.uniform(0, std::numbers::pi_v<float>);
    const float length = random.uniform(2, 8);
    for (int c = 0; c < 3; ++c) {
      smear(scene.plane(c), kDrawn, std::cos(direction), std::sin(direction), length);
    }
  }
  if (random.chance(0.25F)) {  // out of focus
    const float sigma = random.uniform(1.0F, 4.5F);
    for (int c = 0; c < 3; ++c) blur(scene.plane(c), kDrawn, sigma);
  }
  // Houses far away have few pixels, which were enlarged afterwards.
  const float share = random.uniform();
  const int pixels = 9 + static_cast<int>(36 * std::sqrt(share));
  Photograph small = resized(scene, std::min(pixels, kDrawn));
  const float sigma = random.uniform(0, 0.9F);
  for (int c = 0; c < 3; ++c) blur(small.plane(c), small.side, sigma);
  const float grain = 0.035F * random.uniform() * random.uniform();
  const float colour_grain = 0.6F * grain;
  for (std::size_t i = 0; i < small.area(); ++i) {
    const float common = grain * random.bell();
    for (int c = 0; c < 3; ++c) small.plane(c)[i] += common + colour_grain * random.bell();
  }
  if (small.side >= 16 && random.chance(0.7F)) {
    compress(small, random.uniform(25, 95), static_cast<int>(random.below(8)),
             static_cast<int>(random.below(8)));
  }
  Photograph result = resized(small, kSide);
  if (random.chance(0.5F)) {
    compress(result, random.uniform(40, 95), static_cast<int>(random.below(8)),
             static_cast<int>(random.below(8)));
  }
  return result;
}

void develop(Photograph& photograph, KeyedRandom& random, std::span<std::uint8_t> pixels) {
  const float contrast = std::clamp(0.85F + 0.25F * random.bell(), 0.3F, 1.4F);
  const float exposure = 0.08F * random.bell();
  float mean = 0;
  for (const float value : photograph.values) mean += value;
  mean /= static_cast<float>(photograph.values.size());
  // Where the whole image is bright or dark, it is brought a little towards the middle.
  const float centre = mean + 0.3F * (0.45F - mean) + exposure;
  for (int c = 0; c < 3; ++c) {
    const float cast = 0.02F * random.bell();
    const std::span<const float> plane = photograph.plane(c);
    for (std::size_t i = 0; i < plane.size(); ++i) {
      const float value = centre + contrast * (plane[i] - mean) + cast;
      pixels[static_cast<std::size_t>(c) * plane.size() + i] =
          static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0F, 1.0F)));
    }
  }
}

}  // namespace

void draw_street_digit(const StreetFonts& fonts, std::uint64_t seed, std::uint64_t stream,
                       std::uint64_t index, int label, std::span<std::uint8_t> pixels) {
  KeyedRandom random(seed, kKey, stream, index);
  const View view(random);
  const Mask mask = draw_number(fonts, random, view, label);
  const Colour ground = random_colour(random);
  Colour ink = random_colour(random);
  // Legible, if only just.
  const float contrast = random.uniform(0.10F, 0.45F);
  for (int i = 0; i < 50 && std::abs(brightness(ink) - brightness(ground)) < contrast; ++i) {
    ink = random_colour(random);
  }
  Photograph scene(kDrawn);
  paint_ground(scene, random, view, ground);
  paint_digits(scene, random, mask, ink);
  light(scene, random);
  Photograph photograph = taken(std::move(scene), random);
  develop(photograph, random, pixels);
}

std::vector<std::int32_t> street_labels(std::uint64_t seed, std::uint64_t stream, int count) {
  const std::array<int, 10>& shares = kShares[stream == 0 ? 0 : 1];
  const auto total = static_cast<double>(std::accumulate(shares.begin(), shares.end(), 0));
  std::vector<std::uint32_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0U);
  KeyedRandom random(seed, kKey, stream, ~std::uint64_t{0});
  data::shuffle(order, random);
  std::vector<std::int32_t> labels(order.size());
  double end = 0;
  std::size_t dealt = 0;
  for (std::size_t digit = 0; digit < shares.size(); ++digit) {
    end += shares[digit] / total * count;
    // Rounded ends of what is dealt out so far, so that every count is right to below one.
    const auto until =
        digit + 1 == shares.size() ? order.size() : static_cast<std::size_t>(std::lround(end));
    for (; dealt < until; ++dealt) labels[order[dealt]] = static_cast<std::int32_t>(digit);
  }
  return labels;
}

Dataset make_street_digits(const StreetDigitsOptions& options, std::uint64_t stream) {
  const int count = stream == 0 ? options.train_images : options.test_images;
  if (count < 1 || count > kMaxImages) {
    throw Error(ErrorCode::kInvalidArgument, "street digits: " + std::to_string(count) +
                                                 " images asked for, possible are 1.." +
                                                 std::to_string(kMaxImages));
  }
  const StreetFonts fonts(options.fonts);
  DatasetContent content;
  content.name = kStreetDigitsName;
  content.provenance = "generated: seed " + std::to_string(options.seed) + ", " +
                       std::to_string(fonts.size()) + " fonts, stream " + std::to_string(stream);
  content.shape = kStreetDigitsShape;
  content.labels = street_labels(options.seed, stream, count);
  content.pixels.resize(content.labels.size() * kImageBytes);
  for (int digit = 0; digit < 10; ++digit) content.class_names.push_back(std::to_string(digit));
  data::for_each_index(content.labels.size(), options.threads, [&](std::size_t i) {
    draw_street_digit(fonts, options.seed, stream, i, content.labels[i],
                      std::span(content.pixels).subspan(i * kImageBytes, kImageBytes));
  });
  return Dataset(std::move(content));
}

}  // namespace bellows
