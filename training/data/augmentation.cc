#include "training/data/augmentation.h"

#include <bellows/error.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "training/data/random.h"

namespace bellows {
namespace {

constexpr std::uint64_t kStream = 0x6175676d656e74;  // keeps this use of the seed apart from others
constexpr float kRadiansPerDegree = 0.017453293F;

// The shortest text that is read back as the same number.
template <typename Number>
std::string number_text(Number value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// The changes of one image: output pixel (x, y) shows what is at
// (centre + matrix * (p - centre) + shift), p being the pixel after mirroring and cropping.
struct Change {
  int offset_x = 0;
  int offset_y = 0;
  bool mirrored = false;
  bool warped = false;
  float xx = 1, xy = 0, yx = 0, yy = 1;
  float shift_x = 0, shift_y = 0;
  int cut_left = 0, cut_top = 0, cut_right = 0, cut_bottom = 0;
};

Change draw(const AugmentationOptions& options, const ImageShape& shape,
            data::KeyedRandom& random) {
  Change change;
  if (options.rotation_degrees > 0 || options.shift_pixels > 0 || options.scale > 0) {
    const float angle =
        random.uniform(-options.rotation_degrees, options.rotation_degrees) * kRadiansPerDegree;
    // Looking up the source at 1 / s enlarges by s.
    const float inverse = 1.0F / random.uniform(1 - options.scale, 1 + options.scale);
    change.shift_x = random.uniform(-options.shift_pixels, options.shift_pixels);
    change.shift_y = random.uniform(-options.shift_pixels, options.shift_pixels);
    change.xx = change.yy = std::cos(angle) * inverse;
    change.xy = std::sin(angle) * inverse;
    change.yx = -change.xy;
    change.warped = true;
  }
  if (options.crop_padding > 0) {
    const auto places = static_cast<std::uint32_t>(2 * options.crop_padding + 1);
    change.offset_x = static_cast<int>(random.below(places)) - options.crop_padding;
    change.offset_y = static_cast<int>(random.below(places)) - options.crop_padding;
  }
  if (options.flip) change.mirrored = random.below(2) == 1;
  if (options.cutout > 0) {
    const int x = static_cast<int>(random.below(static_cast<std::uint32_t>(shape.width)));
    const int y = static_cast<int>(random.below(static_cast<std::uint32_t>(shape.height)));
    change.cut_left = std::max(0, x - options.cutout / 2);
    change.cut_top = std::max(0, y - options.cutout / 2);
    change.cut_right = std::min(shape.width, x - options.cutout / 2 + options.cutout);
    change.cut_bottom = std::min(shape.height, y - options.cutout / 2 + options.cutout);
  }
  return change;
}

// One plane, moved by whole pixels.
void copy_plane(const std::uint8_t* plane, const float* table, const ImageShape& shape,
                const Change& change, float* out) {
  const int width = shape.width;
  const int first = std::max(0, -change.offset_x);  // columns of the crop that hold image
  const int end = std::min(width, width - change.offset_x);
  for (int y = 0; y < shape.height; ++y, out += width) {
    const int from_y = y + change.offset_y;
    if (from_y < 0 || from_y >= shape.height) {
      std::fill(out, out + width, 0.0F);
      continue;
    }
    const std::uint8_t* row = plane + from_y * width + change.offset_x;
    if (!change.mirrored) {
      std::fill(out, out + first, 0.0F);
      for (int x = first; x < end; ++x) out[x] = table[row[x]];
      std::fill(out + end, out + width, 0.0F);
    } else {
      std::fill(out, out + (width - end), 0.0F);
      for (int x = width - end; x < width - first; ++x) out[x] = table[row[width - 1 - x]];
      std::fill(out + (width - first), out + width, 0.0F);
    }
  }
}

// One plane, resampled; what lies outside counts as 0.
void warp_plane(const std::uint8_t* plane, const float* table, const ImageShape& shape,
                const Change& change, float* out) {
  const int width = shape.width;
  const int height = shape.height;
  const float centre_x = static_cast<float>(width - 1) / 2;
  const float centre_y = static_cast<float>(height - 1) / 2;
  const auto value = [&](int x, int y) {
    const bool inside = x >= 0 && y >= 0 && x < width && y < height;
    return inside ? table[plane[y * width + x]] : 0.0F;
  };
  for (int y = 0; y < height; ++y) {
    const int crop_y = y + change.offset_y;
    const float dy = static_cast<float>(crop_y) - centre_y;
    const bool row_inside = crop_y >= 0 && crop_y < height;
    for (int x = 0; x < width; ++x, ++out) {
      const int crop_x = (change.mirrored ? width - 1 - x : x) + change.offset_x;
      *out = 0;
      if (!row_inside || crop_x < 0 || crop_x >= width) continue;
      const float dx = static_cast<float>(crop_x) - centre_x;
      const float from_x = centre_x + change.xx * dx + change.xy * dy + change.shift_x;
      const float from_y = centre_y + change.yx * dx + change.yy * dy + change.shift_y;
      if (from_x <= -1 || from_y <= -1 || from_x >= static_cast<float>(width) ||
          from_y >= static_cast<float>(height)) {
        continue;
      }
      // Rounds down; std::floor is a call where the instruction set is the oldest one.
      const int ix = static_cast<int>(from_x + 1) - 1;
      const int iy = static_cast<int>(from_y + 1) - 1;
      const float fx = from_x - static_cast<float>(ix);
      const float fy = from_y - static_cast<float>(iy);
      float a = 0;
      float b = 0;
      float c = 0;
      float d = 0;
      if (ix >= 0 && iy >= 0 && ix + 1 < width && iy + 1 < height) {
        const std::uint8_t* corner = plane + iy * width + ix;
        a = table[corner[0]];
        b = table[corner[1]];
        c = table[corner[width]];
        d = table[corner[width + 1]];
      } else {
        a = value(ix, iy);
        b = value(ix + 1, iy);
        c = value(ix, iy + 1);
        d = value(ix + 1, iy + 1);
      }
      const float upper = a + fx * (b - a);
      const float lower = c + fx * (d - c);
      *out = upper + fy * (lower - upper);
    }
  }
}

}  // namespace

std::optional<AugmentationProblem> find_problem(const AugmentationOptions& options, int height,
                                                int width) {
  const int side = std::min(height, width);
  const std::string images =
      " for images of " + std::to_string(height) + "x" + std::to_string(width);
  std::optional<AugmentationProblem> problem;
  const auto check = [&](const char* option, auto value, auto limit, const std::string& where) {
    // Written so that NaN is out of range.
    if (problem || (value >= 0 && value <= limit)) return;
    problem = {option,
               "is " + number_text(value) + ", it must be 0.." + number_text(limit) + where};
  };
  check("crop_padding", options.crop_padding, side, images);
  check("cutout", options.cutout, side, images);
  check("rotation_degrees", options.rotation_degrees, static_cast<float>(kMaxRotationDegrees), "");
  check("shift_pixels", options.shift_pixels, static_cast<float>(side), images);
  check("scale", options.scale, static_cast<float>(kMaxScale), "");
  return problem;
}

ImageTransform::ImageTransform(const ImageShape& shape, const Normalisation& normalisation,
                               const AugmentationOptions& options, std::uint64_t seed)
    : shape_(shape), options_(options), seed_(seed) {
  if (const auto problem = find_problem(options, shape.height, shape.width)) {
    throw Error(ErrorCode::kInvalidArgument,
                "augmentation " + problem->option + " " + problem->text);
  }
  check_normalisation(normalisation, shape.channels);
  table_.reserve(static_cast<std::size_t>(shape.channels) * 256);
  for (std::size_t c = 0; c < static_cast<std::size_t>(shape.channels); ++c) {
    for (int value = 0; value < 256; ++value) {
      table_.push_back((static_cast<float>(value) / 255.0F - normalisation.mean[c]) /
                       normalisation.stddev[c]);
    }
  }
}

void ImageTransform::plain(std::span<const std::uint8_t> image, std::span<float> out) const {
  const std::size_t plane = image.size() / static_cast<std::size_t>(shape_.channels);
  const float* table = table_.data();
  for (std::size_t at = 0; at < image.size(); at += plane, table += 256) {
    for (std::size_t i = at; i < at + plane; ++i) out[i] = table[image[i]];
  }
}

void ImageTransform::augmented(std::span<const std::uint8_t> image, std::uint64_t epoch,
                               std::uint64_t sample, std::span<float> out) const {
  if (!options_.any()) {
    plain(image, out);
    return;
  }
  data::KeyedRandom random(seed_, kStream, epoch, sample);
  const Change change = draw(options_, shape_, random);
  const std::size_t plane = image.size() / static_cast<std::size_t>(shape_.channels);
  for (std::size_t c = 0; c < static_cast<std::size_t>(shape_.channels); ++c) {
    const std::uint8_t* from = image.data() + c * plane;
    float* to = out.data() + c * plane;
    (change.warped ? warp_plane : copy_plane)(from, table_.data() + 256 * c, shape_, change, to);
    for (int y = change.cut_top; y < change.cut_bottom; ++y) {
      std::fill(to + y * shape_.width + change.cut_left, to + y * shape_.width + change.cut_right,
                0.0F);
    }
  }
}

}  // namespace bellows
