// Built with -ffp-contract=off: additions and multiplications of float, and sqrt, are exact to the
// last bit on every machine, sine, exponential and logarithm are not, so none of these is used.
#include "training/data/digits.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "training/data/dataset.h"
#include "training/data/parallel.h"
#include "training/data/random.h"

namespace bellows {
namespace {

constexpr int kSide = kDigitsShape.width;
constexpr std::size_t kImageBytes = static_cast<std::size_t>(kSide) * kSide;
constexpr std::uint64_t kKey = 0x646967697473;  // keeps this use of the seed apart from others
constexpr int kMaxImages = 10000000;
// What difficulty 1 means, set so that a small network has something to gain from being wider: a
// LeNet of 8, 16 and 128 units gets some 2 points fewer of the test images right than one of 32, 64
// and 512.
constexpr double kUsualStrength = 1.08;

struct Point {
  float x = 0;
  float y = 0;
};

// A line of the pen through `points`, in a box that is 0.6 wide and 1 high, y downwards.
struct Stroke {
  std::vector<Point> points;
  bool smooth = true;  // a curve through the points, or straight from point to point
};

using Glyph = std::vector<Stroke>;

// The ways in which people write each digit.
const std::array<std::vector<Glyph>, 10>& glyphs() {
  static const std::array<std::vector<Glyph>, 10> kGlyphs{{
      {
          // 0: an oval; narrow and started to the right; not quite closed at the top
          {{{{.30F, 0},
             {.07F, .18F},
             {0, .50F},
             {.07F, .82F},
             {.30F, 1},
             {.53F, .82F},
             {.60F, .50F},
             {.53F, .18F},
             {.30F, 0}}}},
          {{{{.40F, .03F},
             {.20F, .10F},
             {.10F, .48F},
             {.16F, .88F},
             {.32F, 1},
             {.47F, .80F},
             {.52F, .45F},
             {.45F, .12F},
             {.33F, 0}}}},
          {{{{.24F, .06F},
             {.04F, .30F},
             {.02F, .64F},
             {.16F, .95F},
             {.40F, .97F},
             {.58F, .68F},
             {.57F, .30F},
             {.42F, .04F},
             {.30F, .10F}}}},
      },
      {
          // 1: a bar; with an upstroke; with upstroke and foot; slanted
          {{{{.30F, 0}, {.30F, 1}}, false}},
          {{{{.10F, .24F}, {.36F, 0}, {.36F, 1}}, false}},
          {{{{.10F, .20F}, {.33F, 0}, {.33F, 1}}, false}, {{{.10F, 1}, {.56F, 1}}, false}},
          {{{{.44F, 0}, {.34F, .50F}, {.22F, 1}}}},
      },
      {
          // 2: round with a straight foot; with a loop at the foot; angular
          {{{{.04F, .24F},
             {.14F, .04F},
             {.36F, 0},
             {.55F, .16F},
             {.52F, .40F},
             {.28F, .70F},
             {.02F, 1}}},
           {{{.02F, 1}, {.60F, 1}}, false}},
          {{{{.06F, .20F},
             {.22F, .01F},
             {.48F, .07F},
             {.54F, .30F},
             {.34F, .66F},
             {.10F, .95F},
             {.01F, .90F},
             {.12F, .79F},
             {.34F, .93F},
             {.60F, .96F}}}},
          {{{{.06F, .10F}, {.34F, 0}, {.56F, .20F}, {.42F, .50F}, {.04F, .98F}}},
           {{{.04F, .98F}, {.34F, .95F}, {.58F, 1}}}},
      },
      {
          // 3: two bows; flat top; wide lower bow
          {{{{.04F, .12F}, {.28F, 0}, {.53F, .15F}, {.46F, .40F}, {.22F, .48F}}},
           {{{.22F, .48F}, {.50F, .55F}, {.59F, .76F}, {.40F, .98F}, {.14F, .97F}, {0, .84F}}}},
          {{{{.04F, 0}, {.54F, 0}, {.26F, .40F}}, false},
           {{{.26F, .40F}, {.52F, .48F}, {.59F, .72F}, {.40F, .98F}, {.16F, .98F}, {.02F, .86F}}}},
          {{{{.10F, .08F},
             {.34F, 0},
             {.50F, .12F},
             {.42F, .34F},
             {.20F, .43F},
             {.48F, .48F},
             {.60F, .70F},
             {.46F, .93F},
             {.20F, 1},
             {0, .90F}}}},
      },
      {
          // 4: open; closed; open with a round corner
          {{{{.14F, 0}, {.04F, .56F}, {.60F, .56F}}, false}, {{{.46F, .14F}, {.42F, 1}}, false}},
          {{{{.44F, 0}, {0, .66F}, {.60F, .66F}}, false}, {{{.44F, 0}, {.44F, 1}}, false}},
          {{{{.10F, .02F}, {.03F, .34F}, {.12F, .54F}, {.34F, .55F}, {.54F, .46F}}},
           {{{.54F, .02F}, {.50F, .50F}, {.46F, 1}}}},
      },
      {
          // 5: with corners; in one curve; with a long roof
          {{{{.54F, 0}, {.12F, 0}, {.08F, .42F}}, false},
           {{{.08F, .42F}, {.34F, .36F}, {.57F, .54F}, {.54F, .82F}, {.32F, 1}, {.02F, .93F}}}},
          {{{{.54F, .03F},
             {.24F, .05F},
             {.13F, .22F},
             {.12F, .40F},
             {.36F, .40F},
             {.56F, .58F},
             {.50F, .86F},
             {.26F, 1},
             {.02F, .90F}}}},
          {{{{.14F, .02F}, {.10F, .46F}}, false},
           {{{.10F, .46F}, {.36F, .40F}, {.56F, .60F}, {.46F, .90F}, {.20F, 1}, {.02F, .90F}}},
           {{{.14F, .02F}, {.60F, 0}}, false}},
      },
      {
          // 6: a bow down into a ring; straight back; with a wide ring
          {{{{.48F, .02F},
             {.22F, .20F},
             {.05F, .56F},
             {.10F, .88F},
             {.32F, 1},
             {.54F, .86F},
             {.53F, .62F},
             {.34F, .50F},
             {.12F, .62F},
             {.07F, .76F}}}},
          {{{{.34F, 0},
             {.16F, .34F},
             {.05F, .68F},
             {.12F, .94F},
             {.34F, .99F},
             {.52F, .84F},
             {.48F, .62F},
             {.28F, .54F},
             {.08F, .70F}}}},
          {{{{.54F, .10F},
             {.36F, 0},
             {.14F, .18F},
             {.02F, .56F},
             {.10F, .90F},
             {.34F, 1},
             {.58F, .82F},
             {.54F, .54F},
             {.30F, .44F},
             {.08F, .58F}}}},
      },
      {
          // 7: plain; with a bar; with a serif; bent stem
          {{{{.02F, .02F}, {.58F, .02F}, {.20F, 1}}, false}},
          {{{{.02F, .02F}, {.58F, .02F}, {.22F, 1}}, false}, {{{.14F, .50F}, {.54F, .48F}}, false}},
          {{{{.04F, .18F}, {.06F, .02F}, {.58F, .02F}, {.26F, 1}}, false}},
          {{{{.02F, .06F}, {.28F, .02F}, {.57F, .02F}}},
           {{{.57F, .02F}, {.36F, .38F}, {.26F, .70F}, {.24F, 1}}}},
      },
      {
          // 8: one line crossing itself; two rings
          {{{{.50F, .12F},
             {.28F, 0},
             {.07F, .16F},
             {.18F, .38F},
             {.44F, .56F},
             {.56F, .80F},
             {.32F, 1},
             {.05F, .82F},
             {.16F, .58F},
             {.42F, .38F},
             {.52F, .18F},
             {.46F, .08F}}}},
          {{{{.30F, 0},
             {.08F, .12F},
             {.12F, .38F},
             {.30F, .46F},
             {.48F, .38F},
             {.52F, .12F},
             {.30F, 0}}},
           {{{.30F, .46F},
             {.06F, .58F},
             {.04F, .86F},
             {.30F, 1},
             {.56F, .86F},
             {.54F, .58F},
             {.30F, .46F}}}},
      },
      {
          // 9: ring and straight stem; in one curve; with a hook at the foot
          {{{{.52F, .14F},
             {.32F, 0},
             {.08F, .12F},
             {.06F, .38F},
             {.26F, .50F},
             {.48F, .38F},
             {.53F, .12F}}},
           {{{.53F, .10F}, {.50F, 1}}, false}},
          {{{{.54F, .18F},
             {.34F, 0},
             {.10F, .10F},
             {.05F, .34F},
             {.22F, .50F},
             {.44F, .40F},
             {.54F, .18F},
             {.52F, .56F},
             {.40F, 1}}}},
          {{{{.54F, .16F},
             {.32F, 0},
             {.08F, .12F},
             {.08F, .38F},
             {.28F, .48F},
             {.50F, .34F},
             {.55F, .14F},
             {.55F, .60F},
             {.46F, .92F},
             {.24F, 1},
             {.06F, .90F}}}},
      },
  }};
  return kGlyphs;
}

// A smooth field of displacements: random vectors on a 4 x 4 grid over the image, in between
// blended by cubic weights whose slope is 0 at the grid points.
class ElasticField {
 public:
  ElasticField(data::KeyedRandom& random, float strength) {
    for (Point& vector : grid_) vector = {random.bell() * strength, random.bell() * strength};
  }

  [[nodiscard]] Point moved(Point p) const {
    const Cell column = cell(p.x);
    const Cell row = cell(p.y);
    const Point& a = grid_[row.index * kGrid + column.index];
    const Point& b = grid_[row.index * kGrid + column.index + 1];
    const Point& c = grid_[(row.index + 1) * kGrid + column.index];
    const Point& d = grid_[(row.index + 1) * kGrid + column.index + 1];
    return {
        p.x + blend(blend(a.x, b.x, column.weight), blend(c.x, d.x, column.weight), row.weight),
        p.y + blend(blend(a.y, b.y, column.weight), blend(c.y, d.y, column.weight), row.weight)};
  }

 private:
  static constexpr std::size_t kGrid = 4;
  struct Cell {
    std::size_t index;
    float weight;
  };
  static Cell cell(float coordinate) {
    const float place = std::clamp(coordinate / kSide, 0.0F, 0.9999F) * (kGrid - 1);
    const auto index = static_cast<std::size_t>(place);
    const float t = place - static_cast<float>(index);
    return {index, t * t * (3 - 2 * t)};
  }
  static float blend(float a, float b, float t) { return a + (b - a) * t; }

  std::array<Point, kGrid * kGrid> grid_{};
};

// The place of a digit in the image: centre + matrix * p.
struct Affine {
  float xx, xy, yx, yy, x, y;
  [[nodiscard]] Point operator()(Point p) const {
    return {x + xx * p.x + xy * p.y, y + yx * p.x + yy * p.y};
  }
};

// A rotation without sine: with t = tan(angle / 2), cos = (1 - t^2) / (1 + t^2) and
// sin = 2 t / (1 + t^2).
Affine random_placement(data::KeyedRandom& random, float strength) {
  const float height = 19.0F + 2.2F * strength * random.bell();
  const float scale_y = std::clamp(height, 13.0F, 25.0F);
  const float scale_x = scale_y * std::clamp(1.0F + 0.16F * strength * random.bell(), 0.6F, 1.5F);
  const float t = std::clamp(0.075F * strength * random.bell(), -0.25F, 0.25F);
  const float cosine = (1 - t * t) / (1 + t * t);
  const float sine = 2 * t / (1 + t * t);
  const float shear = std::clamp(0.16F * strength * random.bell(), -0.5F, 0.5F);
  return {cosine * scale_x,
          (cosine * shear - sine) * scale_y,
          sine * scale_x,
          (sine * shear + cosine) * scale_y,
          kSide / 2.0F - 0.5F + std::clamp(1.5F * strength * random.bell(), -4.0F, 4.0F),
          kSide / 2.0F - 0.5F + std::clamp(1.5F * strength * random.bell(), -4.0F, 4.0F)};
}

Point on_curve(Point a, Point b, Point c, Point d, float t) {
  const auto at = [t](float p, float q, float r, float s) {
    return q + 0.5F * t * ((r - p) + t * ((2 * p - 5 * q + 4 * r - s) + t * (3 * (q - r) + s - p)));
  };
  return {at(a.x, b.x, c.x, d.x), at(a.y, b.y, c.y, d.y)};
}

// Short straight pieces along a stroke: a Catmull-Rom spline through its points, or lines between
// them. `out` is replaced.
void flatten(const Stroke& stroke, std::vector<Point>& out) {
  constexpr int kPieces = 5;
  const auto& points = stroke.points;
  const std::size_t last = points.size() - 1;
  out.clear();
  for (std::size_t i = 0; i < last; ++i) {
    const Point& a = points[i == 0 ? 0 : i - 1];
    const Point& d = points[i + 2 > last ? last : i + 2];
    for (int k = 0; k < kPieces; ++k) {
      const float t = static_cast<float>(k) / kPieces;
      if (stroke.smooth) {
        out.push_back(on_curve(a, points[i], points[i + 1], d, t));
      } else {
        out.push_back({points[i].x + (points[i + 1].x - points[i].x) * t,
                       points[i].y + (points[i + 1].y - points[i].y) * t});
      }
    }
  }
  out.push_back(points[last]);
}

using Canvas = std::array<float, kImageBytes>;

std::size_t at(int x, int y) {
  return static_cast<std::size_t>(y) * kSide + static_cast<std::size_t>(x);
}

// Draws one piece of a line, `radius` thick to either side, of brightness `ink`, with soft edges.
// Where lines overlap the brighter one shows.
void draw_piece(Canvas& canvas, Point a, Point b, float radius, float ink) {
  const float reach = radius + 0.5F;
  const auto low = [&](float p, float q) {
    return static_cast<int>(std::clamp(std::floor(std::min(p, q) - reach), 0.0F, kSide + 0.0F));
  };
  const auto high = [&](float p, float q) {
    return static_cast<int>(std::clamp(std::ceil(std::max(p, q) + reach), -1.0F, kSide - 1.0F));
  };
  const float dx = b.x - a.x;
  const float dy = b.y - a.y;
  const float length2 = std::max(dx * dx + dy * dy, 1e-6F);
  for (int y = low(a.y, b.y); y <= high(a.y, b.y); ++y) {
    for (int x = low(a.x, b.x); x <= high(a.x, b.x); ++x) {
      const float px = static_cast<float>(x) - a.x;
      const float py = static_cast<float>(y) - a.y;
      const float along = std::clamp((px * dx + py * dy) / length2, 0.0F, 1.0F);
      const float ex = px - along * dx;
      const float ey = py - along * dy;
      const float cover = std::clamp(reach - std::sqrt(ex * ex + ey * ey), 0.0F, 1.0F);
      float& pixel = canvas[at(x, y)];
      pixel = std::max(pixel, cover * ink);
    }
  }
}

// A digit in the hand of somebody, a little different in every point.
void draw_glyph(Canvas& canvas, data::KeyedRandom& random, const Glyph& glyph, float strength) {
  const Affine place = random_placement(random, strength);
  const ElasticField field(random, 0.75F * strength);
  const float radius = std::clamp(1.25F + 0.4F * strength * random.bell(), 0.5F, 2.4F);
  const float ink = 1 - 0.45F * std::min(strength, 1.5F) * random.uniform();
  std::vector<Point> pieces;
  for (Stroke stroke : glyph) {
    for (Point& point : stroke.points) {
      point.x += 0.028F * strength * random.bell() - 0.30F;  // the box's centre becomes (0, 0)
      point.y += 0.028F * strength * random.bell() - 0.50F;
    }
    flatten(stroke, pieces);
    for (Point& point : pieces) point = field.moved(place(point));
    // The pen's pressure changes from one end of the stroke to the other.
    const float begin = std::clamp(1 + 0.22F * strength * random.bell(), 0.5F, 1.6F);
    const float end = std::clamp(1 + 0.22F * strength * random.bell(), 0.5F, 1.6F);
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
      const float t = static_cast<float>(i) / static_cast<float>(pieces.size() - 1);
      const float pressure = begin + (end - begin) * t;
      draw_piece(canvas, pieces[i], pieces[i + 1], radius * pressure,
                 ink * std::min(1.0F, 0.55F + 0.45F * pressure));
    }
  }
}

Point random_place(data::KeyedRandom& random) {
  const float x = random.uniform(0, kSide);
  return {x, random.uniform(0, kSide)};
}

// Bits of other lines, mostly fainter than the digit.
void draw_clutter(Canvas& canvas, data::KeyedRandom& random, float strength) {
  const float expected = 1.6F * strength;
  for (float left = expected; left > 0; left -= 1) {
    if (!random.chance(0.75F * std::min(left, 1.0F))) continue;
    const Point a = random_place(random);
    const Point b{a.x + 4.5F * random.bell(), a.y + 4.5F * random.bell()};
    const float radius = random.uniform(0.4F, 1.1F);
    draw_piece(canvas, a, b, radius, random.uniform(0.25F, 0.75F));
  }
}

// A strip across the image where nothing of the digit is to be seen.
void occlude(Canvas& canvas, data::KeyedRandom& random, float strength) {
  if (!random.chance(0.35F * strength)) return;
  const Point centre{random.uniform(5, kSide - 5), random.uniform(5, kSide - 5)};
  const float half_width = random.uniform(0.8F, 1.0F + 1.1F * strength);
  const float half_length = random.uniform(3.0F, 9.0F);
  const bool upright = random.chance(0.5F);
  const float half_x = upright ? half_width : half_length;
  const float half_y = upright ? half_length : half_width;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      if (std::abs(static_cast<float>(x) - centre.x) <= half_x &&
          std::abs(static_cast<float>(y) - centre.y) <= half_y) {
        canvas[at(x, y)] = 0;
      }
    }
  }
}

// Paper that is not evenly bright, grain, and rounding to bytes.
void develop(const Canvas& canvas, data::KeyedRandom& random, float strength,
             std::span<std::uint8_t> pixels) {
  const float paper = 0.14F * strength * random.uniform();
  const float slope_x = 0.10F * strength * random.bell() / kSide;
  const float slope_y = 0.10F * strength * random.bell() / kSide;
  const float grain = strength * random.uniform(0.03F, 0.13F);
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const std::size_t i = at(x, y);
      const float ground = paper + slope_x * (static_cast<float>(x) - kSide / 2.0F) +
                           slope_y * (static_cast<float>(y) - kSide / 2.0F);
      const float value = ground + (1 - ground) * canvas[i] + grain * random.bell();
      pixels[i] =
          static_cast<std::uint8_t>(std::floor(std::clamp(value, 0.0F, 1.0F) * 255.0F + 0.5F));
    }
  }
}

}  // namespace

int draw_digit(const DigitsOptions& options, std::uint64_t stream, std::uint64_t index,
               std::span<std::uint8_t> pixels) {
  data::KeyedRandom random(options.seed, kKey, stream, index);
  const int label = static_cast<int>(index % 10);
  const auto strength = static_cast<float>(kUsualStrength * options.difficulty);
  const std::vector<Glyph>& variants = glyphs()[static_cast<std::size_t>(label)];
  const Glyph& glyph = variants[random.below(static_cast<std::uint32_t>(variants.size()))];
  Canvas canvas{};
  draw_glyph(canvas, random, glyph, strength);
  occlude(canvas, random, strength);
  draw_clutter(canvas, random, strength);
  develop(canvas, random, strength, pixels);
  return label;
}

Dataset make_digits(const DigitsOptions& options, std::uint64_t stream) {
  const int count = stream == 0 ? options.train_images : options.test_images;
  if (count < 1 || count > kMaxImages) {
    throw Error(ErrorCode::kInvalidArgument, "digits: " + std::to_string(count) +
                                                 " images asked for, possible are 1.." +
                                                 std::to_string(kMaxImages));
  }
  if (!(options.difficulty >= 0 && options.difficulty <= 2)) {
    throw Error(
        ErrorCode::kInvalidArgument,
        "digits: difficulty is " + std::to_string(options.difficulty) + ", it must be 0..2");
  }
  if (options.threads < 0 || options.threads > 1024) {
    throw Error(ErrorCode::kInvalidArgument,
                "digits: threads is " + std::to_string(options.threads) + ", it must be 0..1024");
  }
  DatasetContent content;
  content.name = kDigitsName;
  content.provenance = "generated: seed " + std::to_string(options.seed) + ", difficulty " +
                       std::to_string(options.difficulty) + ", stream " + std::to_string(stream);
  content.shape = kDigitsShape;
  content.labels.resize(static_cast<std::size_t>(count));
  content.pixels.resize(static_cast<std::size_t>(count) * kImageBytes);
  for (int digit = 0; digit < 10; ++digit) content.class_names.push_back(std::to_string(digit));

  data::for_each_index(content.labels.size(), options.threads, [&](std::size_t i) {
    content.labels[i] = draw_digit(options, stream, i,
                                   std::span(content.pixels).subspan(i * kImageBytes, kImageBytes));
  });
  return Dataset(std::move(content));
}

}  // namespace bellows
