#include "cli/image_files.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <vector>

#include "training/data/archive_reader.h"
#include "training/data/idx.h"
#include "training/data/png_image.h"

namespace bellows::cli {
namespace {

void require_size(const std::string& name, int height, int width, const ImageShape& shape) {
  if (height == shape.height && width == shape.width) return;
  throw Error(ErrorCode::kInvalidArgument,
              name + ": the image is " + std::to_string(height) + "x" + std::to_string(width) +
                  " pixels (height x width), the model takes " + std::to_string(shape.height) +
                  "x" + std::to_string(shape.width) + "; resize it");
}

void visit_png(const std::filesystem::path& file, const ImageShape& shape,
               const ImageVisitor& visit) {
  const PngImage image = read_png(file, shape.channels);
  require_size(file.string(), image.shape.height, image.shape.width, shape);
  visit(file.string(), image.pixels);
}

void visit_idx(const std::filesystem::path& file, const ImageShape& shape,
               const ImageVisitor& visit) {
  const IdxImages images = read_idx_images(file);
  require_size(file.string(), images.height, images.width, shape);
  const std::size_t plane =
      static_cast<std::size_t>(images.height) * static_cast<std::size_t>(images.width);
  std::vector<std::uint8_t> pixels(shape.elements());
  for (std::size_t i = 0; i < static_cast<std::size_t>(images.count); ++i) {
    const auto grey = std::span(images.pixels).subspan(i * plane, plane);
    for (std::size_t channel = 0; channel < static_cast<std::size_t>(shape.channels); ++channel) {
      std::copy(grey.begin(), grey.end(),
                pixels.begin() + static_cast<std::ptrdiff_t>(channel * plane));
    }
    visit(file.string() + "[" + std::to_string(i) + "]", pixels);
  }
}

bool begins_as_png(const std::filesystem::path& file) {
  constexpr std::array kSignature = {'\x89', 'P', 'N', 'G'};
  std::array<char, kSignature.size()> begin{};
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return false;
  std::ifstream in(file, std::ios::binary);
  in.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  return in && begin == kSignature;
}

}  // namespace

void visit_images(const std::filesystem::path& path, const ImageShape& shape,
                  const ImageVisitor& visit) {
  if (shape.channels != 1 && shape.channels != 3) {
    throw Error(ErrorCode::kUnsupported, "the model takes images of " +
                                             std::to_string(shape.channels) +
                                             " channels; files give 1 (grey) or 3 (colour)");
  }
  require_exists(path);
  std::error_code problem;
  if (!std::filesystem::is_directory(path, problem)) {
    if (has_png_name(path) || begins_as_png(path)) return visit_png(path, shape, visit);
    return visit_idx(path, shape, visit);
  }
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator entry(path, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    if (has_png_name(entry->path())) files.push_back(entry->path());
  }
  if (problem) throw Error(ErrorCode::kIoError, path.string() + ": " + problem.message());
  if (files.empty()) {
    throw Error(ErrorCode::kNotFound, path.string() + ": the folder has no PNG files");
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) visit_png(file, shape, visit);
}

}  // namespace bellows::cli
