#include "training/data/cifar10.h"

#include <bellows/error.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "training/data/archive_reader.h"
#include "training/data/catalogue.h"

namespace bellows {
namespace {

constexpr std::size_t kPixels = 3 * 32 * 32;
constexpr std::size_t kRecord = 1 + kPixels;
// A hundred thousand images in one file: ten times what the originals hold.
constexpr std::size_t kMaxFileBytes = 100000 * kRecord;
constexpr std::string_view kFolder = "cifar-10-batches-bin";
constexpr std::string_view kClassNames = "batches.meta.txt";

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
    files.emplace(base_name(member.name), std::move(member.bytes));
  }
  return files;
}

std::vector<std::string> parse_class_names(const std::string& source,
                                           const std::vector<std::uint8_t>& bytes) {
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
  if (std::error_code error; !std::filesystem::exists(path, error)) {
    throw Error(ErrorCode::kNotFound, path.string() + ": no such file or folder");
  }
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
  Files files = tar ? read_tar(source, wanted) : read_folder(source, wanted);

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
