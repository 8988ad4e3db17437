#include "training/data/contact_sheet.h"

#include <bellows/error.h>

#include <algorithm>
#include <string>

namespace bellows {
namespace {

constexpr int kTileHeight = 56;
constexpr int kMaxScale = 16;
constexpr std::uint8_t kBackground = 96;

}  // namespace

PngImage make_contact_sheet(const Dataset& dataset, const ContactSheetOptions& options) {
  const ImageShape& shape = dataset.shape();
  if (dataset.empty() || (shape.channels != 1 && shape.channels != 3)) {
    throw Error(ErrorCode::kInvalidArgument,
                "contact sheet: needs images of 1 or 3 channels, data set \"" + dataset.name() +
                    "\" has " + std::to_string(dataset.size()) + " of " + shape.text());
  }
  if (options.per_class < 1 || options.per_class > 1000 || options.scale < 0 ||
      options.scale > kMaxScale || options.gap < 0 || options.gap > 100) {
    throw Error(ErrorCode::kInvalidArgument,
                "contact sheet: per_class must be 1..1000, scale 0..16, gap 0..100");
  }
  const int scale =
      options.scale != 0 ? options.scale : std::clamp(kTileHeight / shape.height, 1, kMaxScale);
  const std::int64_t step_x = std::int64_t{shape.width} * scale + options.gap;
  const std::int64_t step_y = std::int64_t{shape.height} * scale + options.gap;
  const std::int64_t width = step_x * options.per_class + options.gap;
  const std::int64_t height = step_y * dataset.classes() + options.gap;
  if (width > kMaxPngSide || height > kMaxPngSide) {
    throw Error(ErrorCode::kInvalidArgument,
                "contact sheet: would be " + std::to_string(width) + "x" + std::to_string(height) +
                    " pixels; take fewer per class or a smaller scale");
  }
  PngImage sheet{{shape.channels, static_cast<int>(height), static_cast<int>(width)}, {}};
  sheet.pixels.assign(sheet.shape.elements(), kBackground);

  std::vector<int> used(static_cast<std::size_t>(dataset.classes()));
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const auto label = static_cast<std::size_t>(dataset.label(i));
    if (used[label] == options.per_class) continue;
    const std::int64_t left = options.gap + step_x * used[label]++;
    const std::int64_t top = options.gap + step_y * static_cast<std::int64_t>(label);
    const auto image = dataset.image(i);
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      for (std::int64_t y = 0; y < std::int64_t{shape.height} * scale; ++y) {
        for (std::int64_t x = 0; x < std::int64_t{shape.width} * scale; ++x) {
          sheet.pixels[static_cast<std::size_t>((c * height + top + y) * width + left + x)] =
              image[static_cast<std::size_t>((c * shape.height + y / scale) * shape.width +
                                             x / scale)];
        }
      }
    }
  }
  return sheet;
}

void write_contact_sheet(const Dataset& dataset, const std::filesystem::path& file,
                         const ContactSheetOptions& options) {
  const PngImage sheet = make_contact_sheet(dataset, options);
  write_png(file, sheet.shape, sheet.pixels);
}

}  // namespace bellows
