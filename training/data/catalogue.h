// What the public data sets contain: files, checksums, counts, addresses.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "training/data/dataset.h"

namespace bellows {

/// One file as the authors distribute it.
struct CatalogueFile {
  std::string name;         ///< file name below the base address and in the local folder
  std::uint64_t bytes = 0;  ///< its published size
  std::string sha256;       ///< of the file as distributed, lower-case hexadecimal
};

/// One file of data as it is when unpacked, however it is packed in the folder.
struct CatalogueMember {
  std::string name;
  std::string sha256;  ///< of the unpacked content
};

struct CatalogueEntry {
  DatasetFormat format = DatasetFormat::kMnist;
  std::string title;                     ///< "MNIST"
  std::string base_url;                  ///< ends in '/'
  std::vector<CatalogueFile> files;      ///< what `download_dataset` fetches
  std::vector<CatalogueMember> members;  ///< what `verify_dataset` compares
  std::vector<std::string> class_names;
  std::vector<std::size_t> train_counts;  ///< images per class
  std::vector<std::size_t> test_counts;
  std::string citation;
  std::string licence;
};

/// MNIST, Fashion-MNIST, CIFAR-10, SVHN.
[[nodiscard]] const std::vector<CatalogueEntry>& catalogue();
/// Throws Error(kInvalidArgument) for formats without published files (`folder`, `digits`).
[[nodiscard]] const CatalogueEntry& catalogue_entry(DatasetFormat format);

struct Finding {
  enum class Kind {
    kAsPublished,  ///< present, and checksum or counts are the published ones
    kDiffers,      ///< present and readable, but not the published bytes or counts
    kMissing,      ///< not there
    kUnreadable,   ///< there, but cannot be read as the format demands
  };
  Kind kind = Kind::kAsPublished;
  std::string subject;  ///< a file name, or "train images" / "test images"
  std::string text;     ///< one line for people
};

[[nodiscard]] std::string_view finding_name(Finding::Kind kind);

/// Compares what lies at `path` with the catalogue: a finding per file and per part. Damage is
/// reported as a finding, not thrown. For `folder` and `digits` only the counts per class are told.
/// Throws Error(kNotFound) when `path` does not exist.
[[nodiscard]] std::vector<Finding> verify_dataset(DatasetFormat format,
                                                  const std::filesystem::path& path);

}  // namespace bellows
