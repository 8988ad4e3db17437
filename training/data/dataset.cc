#include "training/data/dataset.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "engine/sha256.h"
#include "training/data/archive_reader.h"
#include "training/data/catalogue.h"
#include "training/data/cifar10.h"
#include "training/data/idx.h"
#include "training/data/png_folder.h"
#include "training/data/svhn.h"

namespace bellows {
namespace {

constexpr std::array<std::pair<DatasetFormat, std::string_view>, 7> kFormatNames{{
    {DatasetFormat::kMnist, "mnist"},
    {DatasetFormat::kFashionMnist, "fashion-mnist"},
    {DatasetFormat::kCifar10, "cifar10"},
    {DatasetFormat::kSvhn, "svhn"},
    {DatasetFormat::kFolder, "folder"},
    {DatasetFormat::kDigits, "digits"},
    {DatasetFormat::kStreetDigits, "street-digits"},
}};

constexpr std::array<DatasetFormat, 7> kFormats{
    DatasetFormat::kMnist,       DatasetFormat::kFashionMnist, DatasetFormat::kCifar10,
    DatasetFormat::kSvhn,        DatasetFormat::kFolder,       DatasetFormat::kDigits,
    DatasetFormat::kStreetDigits};

// Of the files of labels that are told apart: many times what the published ones have.
constexpr std::size_t kMaxLabelBytes = std::size_t{1} << 20;

// MNIST or Fashion-MNIST, whose files have the same names.
DatasetFormat tell_idx_apart(const std::filesystem::path& folder) {
  for (const char* stem : {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"}) {
    const std::filesystem::path file = find_packed(folder, stem);
    if (file.empty()) continue;
    std::string hash;
    try {
      hash = sha256_hex(read_unpacked(file, kMaxLabelBytes));
    } catch (const Error&) {
      continue;  // the loader will say what is wrong with the file; here only the name counts
    }
    for (const DatasetFormat format : {DatasetFormat::kMnist, DatasetFormat::kFashionMnist}) {
      for (const CatalogueMember& member : catalogue_entry(format).members) {
        if (member.sha256 == hash) return format;
      }
    }
  }
  std::error_code error;
  std::string name = std::filesystem::weakly_canonical(folder, error).filename().string();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return name.find("fashion") == std::string::npos ? DatasetFormat::kMnist
                                                   : DatasetFormat::kFashionMnist;
}

// The text with U+FFFD for what is not UTF-8.
std::string valid_utf8(const std::string& text) {
  using nlohmann::json;
  const std::string quoted = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  return json::parse(quoted).get<std::string>();
}

}  // namespace

std::string_view split_name(Split split) { return split == Split::kTrain ? "train" : "test"; }

std::string_view format_name(DatasetFormat format) {
  for (const auto& [value, name] : kFormatNames) {
    if (value == format) return name;
  }
  throw Error(ErrorCode::kInvalidArgument,
              "no data format has the number " + std::to_string(static_cast<int>(format)));
}

DatasetFormat parse_format_name(std::string_view name) {
  std::string known;
  for (const auto& [value, text] : kFormatNames) {
    if (text == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  throw Error(ErrorCode::kInvalidArgument,
              "unknown data format \"" + std::string(name) + "\"; known are " + known);
}

std::span<const DatasetFormat> all_dataset_formats() { return kFormats; }

Dataset::Dataset(DatasetContent content)
    : name_(valid_utf8(content.name)),
      provenance_(valid_utf8(content.provenance)),
      shape_(content.shape),
      labels_(std::move(content.labels)),
      class_names_(std::move(content.class_names)),
      neighbours_related_(content.neighbours_related) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kInvalidArgument,
                "data set " + name_ + " (" + provenance_ + "): " + what);
  };
  if (shape_.channels < 1 || shape_.height < 1 || shape_.width < 1) {
    refuse("images of " + shape_.text() + " have no pixels");
  }
  if (labels_.empty()) refuse("has no images");
  for (const std::string& name : class_names_) {
    if (const std::string mended = valid_utf8(name); mended != name) {
      refuse("class name '" + mended + "' is not UTF-8; rename the class");
    }
  }
  if (labels_.size() > std::numeric_limits<std::uint32_t>::max() ||
      content.pixels.size() != labels_.size() * shape_.elements()) {
    refuse(std::to_string(content.pixels.size()) + " pixels are not " +
           std::to_string(labels_.size()) + " images of " + shape_.text());
  }
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    if (labels_[i] < 0 || labels_[i] >= classes()) {
      refuse("label " + std::to_string(labels_[i]) + " of image " + std::to_string(i) +
             " is none of its " + std::to_string(classes()) + " classes");
    }
  }
  pixels_ = std::make_shared<const std::vector<std::uint8_t>>(std::move(content.pixels));
}

std::span<const std::uint8_t> Dataset::image(std::size_t index) const {
  const std::size_t position = positions_.empty() ? index : positions_[index];
  const std::size_t elements = shape_.elements();
  return {pixels_->data() + position * elements, elements};
}

std::string Dataset::sha256() const {
  Sha256 digest;
  for (const std::string& name : class_names_) digest.update(name + '\n');
  for (std::size_t i = 0; i < size(); ++i) {
    digest.update(image(i));
    digest.update(std::to_string(label(i)) + '\n');
  }
  return digest.hex();
}

std::vector<std::size_t> Dataset::count_per_class() const {
  std::vector<std::size_t> counts(class_names_.size());
  for (const std::int32_t label : labels_) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

Dataset Dataset::subset(std::span<const std::uint32_t> indices) const {
  Dataset part = *this;
  part.positions_.clear();
  part.labels_.clear();
  part.positions_.reserve(indices.size());
  part.labels_.reserve(indices.size());
  for (const std::uint32_t index : indices) {
    if (index >= size()) {
      throw Error(ErrorCode::kInvalidArgument, "data set " + name_ + ": no image " +
                                                   std::to_string(index) + " among " +
                                                   std::to_string(size()));
    }
    part.positions_.push_back(positions_.empty() ? index : positions_[index]);
    part.labels_.push_back(labels_[index]);
  }
  return part;
}

Dataset Dataset::first(std::size_t count) const {
  std::vector<std::uint32_t> indices(std::min(count, size()));
  std::iota(indices.begin(), indices.end(), 0U);
  return subset(indices);
}

Dataset Dataset::renamed(const std::string& name, const std::string& provenance) const {
  Dataset other = *this;
  other.name_ = valid_utf8(name);
  other.provenance_ = valid_utf8(provenance);
  return other;
}

bool is_generated(DatasetFormat format) {
  return format == DatasetFormat::kDigits || format == DatasetFormat::kStreetDigits;
}

Dataset load_dataset(DatasetFormat format, const std::filesystem::path& path, Split split,
                     const LoadOptions& options) {
  switch (format) {
    case DatasetFormat::kMnist:
      return load_idx_folder(path, split, /*fashion=*/false);
    case DatasetFormat::kFashionMnist:
      return load_idx_folder(path, split, /*fashion=*/true);
    case DatasetFormat::kCifar10:
      return load_cifar10(path, split);
    case DatasetFormat::kSvhn:
      return load_svhn(path, split);
    case DatasetFormat::kFolder:
      return load_png_folder(path, split, options.channels);
    case DatasetFormat::kDigits:
      return make_digits(options.digits, split == Split::kTrain ? 0 : 1);
    case DatasetFormat::kStreetDigits:
      return make_street_digits(options.street_digits, split == Split::kTrain ? 0 : 1);
  }
  throw Error(ErrorCode::kInvalidArgument,
              "no data format has the number " + std::to_string(static_cast<int>(format)));
}

DatasetFormat detect_format(const std::filesystem::path& path) {
  require_exists(path);
  if (looks_like_cifar10(path)) return DatasetFormat::kCifar10;
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
    if (!find_packed(path, "train-images-idx3-ubyte").empty() ||
        !find_packed(path, "t10k-images-idx3-ubyte").empty()) {
      return tell_idx_apart(path);
    }
    if (looks_like_svhn(path)) return DatasetFormat::kSvhn;
    if (looks_like_png_folder(path)) return DatasetFormat::kFolder;
  }
  throw Error(ErrorCode::kNotFound,
              path.string() +
                  ": no known data set; looked for train-images-idx3-ubyte (mnist, fashion-mnist), "
                  "data_batch_1.bin or cifar-10-binary.tar.gz (cifar10), train_32x32.mat (svhn), "
                  "<class>/*.png or train/<class>/*.png (folder)");
}

}  // namespace bellows
