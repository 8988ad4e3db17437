#include "training/data/idx.h"

#include <bellows/error.h>

#include <limits>

#include "engine/atomic_file.h"
#include "training/data/archive_reader.h"
#include "training/data/catalogue.h"

namespace bellows {
namespace {

constexpr std::uint32_t kImagesMagic = 2051;
constexpr std::uint32_t kLabelsMagic = 2049;
constexpr std::uint32_t kMaxSide = 4096;

[[noreturn]] void corrupt(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorCode::kCorruptData, file.string() + ": " + what);
}

std::uint32_t big_endian(std::span<const std::uint8_t> bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
         std::uint32_t{bytes[at + 2]} << 8 | std::uint32_t{bytes[at + 3]};
}

void put_big_endian(std::vector<std::uint8_t>& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

struct IdxFile {
  std::vector<std::uint32_t> sizes;
  std::vector<std::uint8_t> bytes;  // header included
};

// Checks magic number and sizes; returns the latter.
std::vector<std::uint32_t> check_header(const std::filesystem::path& file,
                                        std::span<const std::uint8_t> bytes, std::uint32_t magic,
                                        std::size_t dimensions) {
  const std::size_t header = 4 + 4 * dimensions;
  if (bytes.size() < header) {
    corrupt(file, "only " + std::to_string(bytes.size()) + " bytes, the idx header alone has " +
                      std::to_string(header) + "; fetch the file again");
  }
  if (const std::uint32_t found = big_endian(bytes, 0); found != magic) {
    corrupt(file, "magic number is " + std::to_string(found) + ", an idx file of " +
                      (magic == kImagesMagic ? "images" : "labels") + " begins with " +
                      std::to_string(magic));
  }
  std::vector<std::uint32_t> sizes;
  for (std::size_t d = 0; d < dimensions; ++d) sizes.push_back(big_endian(bytes, 4 + 4 * d));
  if (sizes[0] == 0) corrupt(file, "holds no items, at least one is needed");
  for (std::size_t d = 1; d < dimensions; ++d) {
    if (sizes[d] == 0 || sizes[d] > kMaxSide) {
      corrupt(file, "an image side of " + std::to_string(sizes[d]) + " pixels is not in 1.." +
                        std::to_string(kMaxSide));
    }
  }
  if (sizes[0] > static_cast<std::uint32_t>(std::numeric_limits<int>::max())) {
    corrupt(file, std::to_string(sizes[0]) + " items are more than this reader takes");
  }
  return sizes;
}

// Nothing is unpacked beyond what the header announces.
IdxFile read_idx(const std::filesystem::path& file, std::uint32_t magic, std::size_t dimensions) {
  const std::size_t header = 4 + 4 * dimensions;
  IdxFile idx;
  std::uint64_t body = 0;
  idx.bytes = read_unpacked(file, header, [&](std::span<const std::uint8_t> bytes) {
    idx.sizes = check_header(file, bytes, magic, dimensions);
    body = 1;  // in the end at most 2^31 * 2^12 * 2^12: no overflow
    for (const std::uint32_t size : idx.sizes) body *= size;
    return header + body;
  });
  if (idx.bytes.size() - header != body) {
    corrupt(file, "header announces " + std::to_string(body) + " bytes of data, the file has " +
                      std::to_string(idx.bytes.size() - header) + "; fetch the file again");
  }
  return idx;
}

}  // namespace

IdxImages read_idx_images(const std::filesystem::path& file) {
  auto [sizes, bytes] = read_idx(file, kImagesMagic, 3);
  bytes.erase(bytes.begin(), bytes.begin() + 16);
  return {static_cast<int>(sizes[0]), static_cast<int>(sizes[1]), static_cast<int>(sizes[2]),
          std::move(bytes)};
}

std::vector<std::int32_t> read_idx_labels(const std::filesystem::path& file, int classes) {
  const std::vector<std::uint8_t> bytes = read_idx(file, kLabelsMagic, 1).bytes;
  std::vector<std::int32_t> labels(bytes.begin() + 8, bytes.end());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= classes) {
      corrupt(file, "label " + std::to_string(labels[i]) + " of item " + std::to_string(i) +
                        " is not in 0.." + std::to_string(classes - 1));
    }
  }
  return labels;
}

void write_idx_images(const std::filesystem::path& file, int count, int height, int width,
                      std::span<const std::uint8_t> pixels) {
  const int max_side = static_cast<int>(kMaxSide);
  if (count < 0 || height < 1 || width < 1 || height > max_side || width > max_side ||
      pixels.size() != static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(height) *
                           static_cast<std::uint64_t>(width)) {
    throw Error(ErrorCode::kInvalidArgument, file.string() + ": " + std::to_string(count) +
                                                 " images of " + std::to_string(height) + "x" +
                                                 std::to_string(width) + " do not fit " +
                                                 std::to_string(pixels.size()) + " pixels");
  }
  std::vector<std::uint8_t> bytes;
  bytes.reserve(16 + pixels.size());
  put_big_endian(bytes, kImagesMagic);
  for (const int size : {count, height, width}) {
    put_big_endian(bytes, static_cast<std::uint32_t>(size));
  }
  bytes.insert(bytes.end(), pixels.begin(), pixels.end());
  write_file_atomically(file, bytes);
}

void write_idx_labels(const std::filesystem::path& file, std::span<const std::int32_t> labels) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(8 + labels.size());
  put_big_endian(bytes, kLabelsMagic);
  put_big_endian(bytes, static_cast<std::uint32_t>(labels.size()));
  for (const std::int32_t label : labels) {
    if (label < 0 || label > 255) {
      throw Error(ErrorCode::kInvalidArgument,
                  file.string() + ": label " + std::to_string(label) + " does not fit a byte");
    }
    bytes.push_back(static_cast<std::uint8_t>(label));
  }
  write_file_atomically(file, bytes);
}

Dataset load_idx_folder(const std::filesystem::path& folder, Split split, bool fashion) {
  const CatalogueEntry& entry =
      catalogue_entry(fashion ? DatasetFormat::kFashionMnist : DatasetFormat::kMnist);
  const std::string prefix = split == Split::kTrain ? "train" : "t10k";
  const auto find = [&](const std::string& stem) {
    std::filesystem::path file = find_packed(folder, stem);
    if (file.empty()) {
      throw Error(ErrorCode::kNotFound,
                  (folder / stem).string() + ": no such file, neither plain nor .gz nor .xz");
    }
    return file;
  };
  const auto images_file = find(prefix + "-images-idx3-ubyte");
  const auto labels_file = find(prefix + "-labels-idx1-ubyte");
  IdxImages images = read_idx_images(images_file);
  auto labels = read_idx_labels(labels_file, static_cast<int>(entry.class_names.size()));
  if (labels.size() != static_cast<std::size_t>(images.count)) {
    corrupt(labels_file, std::to_string(labels.size()) + " labels for the " +
                             std::to_string(images.count) + " images of " +
                             images_file.filename().string());
  }
  return Dataset({.name = entry.title,
                  .provenance = images_file.string() + ", " + labels_file.string(),
                  .shape = {1, images.height, images.width},
                  .pixels = std::move(images.pixels),
                  .labels = std::move(labels),
                  .class_names = entry.class_names,
                  .neighbours_related = false});
}

}  // namespace bellows
