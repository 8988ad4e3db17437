#include "training/data/png_folder.h"

#include <bellows/error.h>

#include <algorithm>
#include <string>

#include "training/data/png_image.h"

namespace bellows {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 31;

// Sub-folders (or PNG files) of a folder in byte order, hidden ones left out.
std::vector<std::filesystem::path> list(const std::filesystem::path& folder, bool folders) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with('.')) continue;
    std::error_code ignored;
    if (folders ? it->is_directory(ignored)
                : has_png_name(it->path()) && it->is_regular_file(ignored)) {
      found.push_back(it->path());
    }
  }
  if (error) {
    throw Error(ErrorCode::kIoError, folder.string() + ": cannot be listed: " + error.message());
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.filename().string() < b.filename().string();
  });
  return found;
}

bool is_folder(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

// Channels of the first image below a folder of classes; 0 when it has none.
int channels_of_first(const std::filesystem::path& part) {
  for (const auto& folder : list(part, /*folders=*/true)) {
    const auto files = list(folder, /*folders=*/false);
    if (!files.empty()) return read_png(files.front()).shape.channels;
  }
  return 0;
}

}  // namespace

Dataset load_png_folder(const std::filesystem::path& root, Split split, int channels) {
  if (!is_folder(root)) throw Error(ErrorCode::kNotFound, root.string() + ": no such folder");
  const bool parted = is_folder(root / "train");
  if (!parted && split == Split::kTest) {
    throw Error(ErrorCode::kNotFound,
                (root / "train").string() +
                    ": no such folder; without train/ and test/ there is no test part");
  }
  const std::filesystem::path part = parted ? root / split_name(split) : root;
  if (!is_folder(part)) throw Error(ErrorCode::kNotFound, part.string() + ": no such folder");

  DatasetContent content;
  content.name = std::filesystem::absolute(root).lexically_normal().filename().string();
  if (content.name.empty()) content.name = root.string();
  content.provenance = part.string() + "/<class>/*.png";
  for (const auto& folder : list(parted ? root / "train" : root, /*folders=*/true)) {
    content.class_names.push_back(folder.filename().string());
  }
  if (channels == 0 && parted && split == Split::kTest) {
    channels = channels_of_first(root / "train");
  }
  std::filesystem::path first;
  for (const auto& folder : list(part, /*folders=*/true)) {
    const auto& names = content.class_names;
    const auto known = std::find(names.begin(), names.end(), folder.filename().string());
    if (known == names.end()) {
      throw Error(ErrorCode::kCorruptData,
                  folder.string() + ": no class of that name in " + (root / "train").string());
    }
    const auto label = static_cast<std::int32_t>(known - names.begin());
    const auto files = list(folder, /*folders=*/false);
    if (files.empty() && split == Split::kTrain) {
      throw Error(
          ErrorCode::kNotFound,
          folder.string() + ": no *.png in this class; put some there or remove the folder");
    }
    for (const auto& file : files) {
      PngImage image = read_png(file, channels);
      if (first.empty()) {
        first = file;
        channels = image.shape.channels;
        content.shape = image.shape;
      } else if (image.shape != content.shape) {
        throw Error(ErrorCode::kCorruptData, file.string() + ": is " + image.shape.text() + ", " +
                                                 first.string() + " is " + content.shape.text() +
                                                 "; all images must have one size");
      }
      if (content.pixels.size() + image.pixels.size() > kMaxBytes) {
        throw Error(ErrorCode::kUnsupported,
                    part.string() + ": holds more than 2^31 bytes of pixels");
      }
      content.pixels.insert(content.pixels.end(), image.pixels.begin(), image.pixels.end());
      content.labels.push_back(label);
    }
  }
  if (content.labels.empty()) {
    throw Error(ErrorCode::kNotFound, part.string() + ": no <class>/*.png in it");
  }
  return Dataset(std::move(content));
}

bool looks_like_png_folder(const std::filesystem::path& root) {
  if (!is_folder(root)) return false;
  const std::filesystem::path part = is_folder(root / "train") ? root / "train" : root;
  return std::ranges::any_of(list(part, /*folders=*/true), [](const auto& folder) {
    return !list(folder, /*folders=*/false).empty();
  });
}

}  // namespace bellows
