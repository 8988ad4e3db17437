#include "training/data/cifar10.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <sstream>

#include "engine/sha256.h"
#include "training/data/archive_reader.h"
#include "training/data/catalogue.h"

namespace bellows {
namespace {

constexpr std::size_t kPixels = 3 * 32 * 32;
constexpr std::size_t kRecord = 1 + kPixels;
// Fifty thousand images in one file: five times what the originals hold.
constexpr std::size_t kMaxFileBytes = 50000 * kRecord;
constexpr std::string_view kFolder = "cifar-10-batches-bin";
constexpr std::string_view kClassNames = "batches.meta.txt";
constexpr std::size_t kPublishedBytes = 10000 * kRecord;  // of each published file
// SHA-256 of the first record of each published file, by which one that was cut is known.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kFirstRecords{{
    {"data_batch_1.bin", "945dc5584f8efcf7dc58367c3b072c0a23dacc05ae824d7c77a33874a8ec83c7"},
    {"data_batch_2.bin", "c9e321f0441959be2709a6c7bf54874de341ddf5c2acf15858390374ac85d8b2"},
    {"data_batch_3.bin", "963cfaf58476b4f99b3ec0e3cd4361ef56d29063d88ed04c96c4fc08b4f53c3f"},
    {"data_batch_4.bin", "7411e35eaccfc506fcd190919f98696aeee45e4fe9e7c63f39f0053e13013c01"},
    {"data_batch_5.bin", "d4855d8824861490628020754137627c348b423b48438a49d9e40aeb23ad2819"},
    {"test_batch.bin", "35ce668430e638d9f487715a81e2051fc1b8ca1263461ce72179c29bfdbc1ee8"},
}};

std::vector<std::string> batch_names(Split split) {
  if (split == Split::kTest) return {"test_batch.bin"};
  return {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
          "data_batch_5.bin"};
}

std::string base_name(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return std::string(slash == std::string_view::npos ? name : name.substr(slash + 1));
}

bool holds_batches(const std::filesystem::path& folder) {
  return !find_packed(folder, "data_batch_1.bin").empty() ||
         !find_packed(folder, "test_batch.bin").empty();
}

using Files = std::map<std::string, std::vector<std::uint8_t>>;  // base name to content

Files read_folder(const std::filesystem::path& folder, const std::vector<std::string>& names) {
  Files files;
  for (const std::string& name : names) {
    const std::filesystem::path file = find_packed(folder, name);
    if (!file.empty()) files[name] = read_unpacked(file, kMaxFileBytes);
  }
  return files;
}

Files read_tar(const std::filesystem::path& tar, const std::vector<std::string>& names) {
  auto members = read_tar_members(
      tar,
      [&](std::string_view name) {
        return std::find(names.begin(), names.end(), base_name(name)) != names.end();
      },
      kMaxFileBytes);
  Files files;
  for (ArchiveMember& member : members) {
    const std::string name = base_name(member.name);
    if (!files.emplace(name, std::move(member.bytes)).second) {
      throw Error(ErrorCode::kCorruptData, tar.string() + ": has '" + name + "' in two folders");
    }
  }
  return files;
}

// The beginning of the published file `batch`, which a smaller set of one's own never is by chance.
bool is_part_of_published(std::string_view batch, std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kRecord || bytes.size() >= kPublishedBytes || bytes.size() % kRecord != 0) {
    return false;
  }
  const std::string hash = sha256_hex(bytes.first(kRecord));
  return std::any_of(kFirstRecords.begin(), kFirstRecords.end(), [&](const auto& published) {
    return published.first == batch && published.second == hash;
  });
}

bool has_whole_batch(const Files& files) {
  return std::any_of(files.begin(), files.end(),
                     [](const auto& file) { return file.second.size() >= kPublishedBytes; });
}

std::vector<std::string> parse_class_names(const std::string& source,
                                           const std::vector<std::uint8_t>& bytes) {
  constexpr std::size_t kMostBytes = 4096;
  if (bytes.size() > kMostBytes) {
    throw Error(ErrorCode::kCorruptData, source + ": has " + std::to_string(bytes.size()) +
                                             " bytes, ten class names take less than " +
                                             std::to_string(kMostBytes));
  }
  std::istringstream text(std::string(bytes.begin(), bytes.end()));
  std::vector<std::string> names;
  std::string name;
  while (text >> name) names.push_back(name);
  if (names.size() != 10) {
    throw Error(ErrorCode::kCorruptData,
                source + ": " + std::to_string(names.size()) + " class names, CIFAR-10 has 10");
  }
  return names;
}

}  // namespace

std::filesystem::path locate_cifar10(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) return path;
  if (holds_batches(path)) return path;
  if (holds_batches(path / kFolder)) return path / kFolder;
  for (const char* name :
       {"cifar-10-binary.tar.gz", "cifar-10-binary.tar.xz", "cifar-10-binary.tar"}) {
    if (std::filesystem::is_regular_file(path / name, error)) return path / name;
  }
  return {};
}

bool looks_like_cifar10(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return !locate_cifar10(path).empty();
  try {
    // Any class of archive would do; only the presence of a batch tells.
    return !read_tar_members(
                path, [](std::string_view name) { return base_name(name) == "test_batch.bin"; },
                kMaxFileBytes)
                .empty();
  } catch (const Error&) {
    return false;
  }
}

Dataset load_cifar10(const std::filesystem::path& path, Split split) {
  require_exists(path);
  const std::filesystem::path source = locate_cifar10(path);
  const std::vector<std::string> batches = batch_names(split);
  if (source.empty()) {
    throw Error(ErrorCode::kNotFound, (path / batches.front()).string() +
                                          ": no such file, neither plain nor .gz nor .xz, nor in " +
                                          std::string(kFolder) + "/ or " +
                                          std::string(kCifar10Archive));
  }
  std::vector<std::string> wanted = batches;
  wanted.emplace_back(kClassNames);
  const bool tar = std::filesystem::is_regular_file(source);
  const auto read = [&](const std::vector<std::string>& names) {
    return tar ? read_tar(source, names) : read_folder(source, names);
  };
  Files files = read(wanted);
  // A file that was cut between two records looks whole; the whole ones beside it tell.
  for (const std::string& batch : batches) {
    const auto found = files.find(batch);
    if (found == files.end() || !is_part_of_published(batch, found->second)) continue;
    const bool cut = split == Split::kTest ? has_whole_batch(read({"data_batch_1.bin"}))
                                           : has_whole_batch(files);
    if (cut) {
      throw Error(ErrorCode::kCorruptData,
                  (source / batch).string() + ": only " +
                      std::to_string(found->second.size() / kRecord) +
                      " of the 10000 published records: it was cut off; fetch it again");
    }
  }

  DatasetContent content;
  content.name = catalogue_entry(DatasetFormat::kCifar10).title;
  content.provenance = source.string() + ":";
  content.shape = kCifar10Shape;
  content.class_names = catalogue_entry(DatasetFormat::kCifar10).class_names;
  if (const auto names = files.find(std::string(kClassNames)); names != files.end()) {
    content.class_names = parse_class_names((source / kClassNames).string(), names->second);
  }
  for (const std::string& batch : batches) {
    const std::string where = (source / batch).string();
    const auto found = files.find(batch);
    if (found == files.end()) {
      throw Error(ErrorCode::kNotFound,
                  where + (tar ? ": no such member in the archive"
                               : ": no such file, neither plain nor .gz nor .xz"));
    }
    std::vector<std::uint8_t>& bytes = found->second;
    if (bytes.empty() || bytes.size() % kRecord != 0) {
      throw Error(ErrorCode::kCorruptData, where + ": " + std::to_string(bytes.size()) +
                                               " bytes are no whole number of records of " +
                                               std::to_string(kRecord));
    }
    for (std::size_t at = 0; at < bytes.size(); at += kRecord) {
      if (bytes[at] > 9) {
        throw Error(ErrorCode::kCorruptData, where + ": label " + std::to_string(bytes[at]) +
                                                 " of record " + std::to_string(at / kRecord) +
                                                 " is not in 0..9");
      }
      content.labels.push_back(bytes[at]);
      const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(at) + 1;
      content.pixels.insert(content.pixels.end(), first,
                            first + static_cast<std::ptrdiff_t>(kPixels));
    }
    content.provenance += " " + batch;
    std::vector<std::uint8_t>().swap(bytes);  // halves the peak
  }
  return Dataset(std::move(content));
}

}  // namespace bellows
