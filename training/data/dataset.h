// Labelled images in memory, and the one door through which they are loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/data/digits.h"
#include "training/data/image_shape.h"
#include "training/data/street_digits.h"

namespace bellows {

/// Which part of a data set to load. The test part is for the final figures only.
enum class Split { kTrain, kTest };

/// The file formats that can be read, under the names used in configurations and on the command
/// line: `mnist`, `fashion-mnist`, `cifar10`, `svhn`, `folder`, `digits`, `street-digits`.
enum class DatasetFormat {
  kMnist,
  kFashionMnist,
  kCifar10,
  kSvhn,
  kFolder,
  kDigits,
  kStreetDigits
};

[[nodiscard]] std::string_view split_name(Split split);
[[nodiscard]] std::string_view format_name(DatasetFormat format);
/// Whether its images are drawn, not read.
[[nodiscard]] bool is_generated(DatasetFormat format);
/// Throws Error(kInvalidArgument), listing the known names, for any other name.
[[nodiscard]] DatasetFormat parse_format_name(std::string_view name);
[[nodiscard]] std::span<const DatasetFormat> all_dataset_formats();

/// What a reader hands over to make a `Dataset`.
struct DatasetContent {
  std::string name;        ///< for people, e.g. "MNIST"
  std::string provenance;  ///< the files (or generator parameters) the images come from
  ImageShape shape;
  std::vector<std::uint8_t> pixels;  ///< [N, C, H, W], row-major
  std::vector<std::int32_t> labels;  ///< [N], 0 .. class_names.size() - 1
  std::vector<std::string> class_names;
  /// Neighbouring images show the same scene (SVHN: digits cut from one photo), so that a random
  /// hold-out would leak; `hold_out` then takes the tail instead.
  bool neighbours_related = false;
};

/// An immutable list of images of one shape with their labels. Copies and subsets share the
/// pixels, so both are cheap; any number of threads may read one object.
class Dataset {
 public:
  Dataset() = default;
  /// Throws Error(kInvalidArgument) when there are no images, when sizes, labels and class names do
  /// not fit each other, or when a class name is not UTF-8, which checkpoints and model files need.
  /// Bytes of name and provenance that are not UTF-8 become U+FFFD.
  explicit Dataset(DatasetContent content);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& provenance() const { return provenance_; }
  [[nodiscard]] const ImageShape& shape() const { return shape_; }
  [[nodiscard]] std::size_t size() const { return labels_.size(); }
  [[nodiscard]] bool empty() const { return labels_.empty(); }
  [[nodiscard]] int classes() const { return static_cast<int>(class_names_.size()); }
  [[nodiscard]] const std::vector<std::string>& class_names() const { return class_names_; }
  [[nodiscard]] bool neighbours_related() const { return neighbours_related_; }

  /// The pixels of image `index`, [C, H, W]; valid as long as any copy or subset lives.
  /// REQUIRES: index < size().
  [[nodiscard]] std::span<const std::uint8_t> image(std::size_t index) const;
  /// REQUIRES: index < size().
  [[nodiscard]] std::int32_t label(std::size_t index) const { return labels_[index]; }
  [[nodiscard]] std::span<const std::int32_t> labels() const { return labels_; }
  /// SHA-256, in hexadecimal, over class names, pixels and labels in their order: equal for equal
  /// images only, whatever they are called and wherever they come from.
  [[nodiscard]] std::string sha256() const;
  /// Images of each class.
  [[nodiscard]] std::vector<std::size_t> count_per_class() const;

  /// The images at `indices`, in that order, as a view of the same pixels.
  /// Throws Error(kInvalidArgument) for an index that is not below size().
  [[nodiscard]] Dataset subset(std::span<const std::uint32_t> indices) const;
  /// The first `count` images (all, when there are fewer).
  [[nodiscard]] Dataset first(std::size_t count) const;
  /// The same images under another name and provenance.
  [[nodiscard]] Dataset renamed(const std::string& name, const std::string& provenance) const;

 private:
  std::string name_;
  std::string provenance_;
  ImageShape shape_;
  std::shared_ptr<const std::vector<std::uint8_t>> pixels_;
  std::vector<std::uint32_t> positions_;  // of each image in pixels_; empty = 0, 1, 2, ...
  std::vector<std::int32_t> labels_;
  std::vector<std::string> class_names_;
  bool neighbours_related_ = false;
};

struct LoadOptions {
  /// `folder` only: 1 (grey) or 3 (RGB); 0 takes those of the first training image.
  int channels = 0;
  /// `digits` only.
  DigitsOptions digits;
  /// `street-digits` only.
  StreetDigitsOptions street_digits;
};

/// Loads one part of a data set. `path` is the folder that holds the files (for `cifar10` also the
/// tar itself; ignored for generated images).
/// Throws Error: kNotFound (file or whole part is missing), kCorruptData (content contradicts the
/// format), kIoError, kUnsupported; each names the file.
[[nodiscard]] Dataset load_dataset(DatasetFormat format, const std::filesystem::path& path,
                                   Split split, const LoadOptions& options = {});

/// Tells the format from what `path` holds. MNIST and Fashion-MNIST have the same file names; they
/// are told apart by the checksum of the label files, else by "fashion" in the folder's name.
/// Throws Error(kNotFound) that lists what was looked for.
[[nodiscard]] DatasetFormat detect_format(const std::filesystem::path& path);

}  // namespace bellows
