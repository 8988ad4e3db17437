// Makes what fuzzing begins with, by the project's own writers: a folder for each target.
//
//   bellows_fuzz_corpus FOLDER
//
// Below each, in `damaged`, is what a few changes by a fixed seed make of these files.
#include <archive.h>
#include <archive_entry.h>
#include <matio.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/atomic_file.h"
#include "engine/input_file.h"
#include "engine/model_file.h"
#include "tests/fuzz/model_mutation.h"
#include "tests/fuzz/samples.h"
#include "tests/grouped_networks.h"
#include "training/data/idx.h"
#include "training/data/png_image.h"

namespace bellows::fuzz {
namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::size_t kLargest = 60000;  // bytes of a file; the fuzzer takes 64 KiB

Octets pattern(std::size_t count) {
  Octets octets(count);
  for (std::size_t i = 0; i < count; ++i) octets[i] = static_cast<std::uint8_t>(i * 7 + i / 31);
  return octets;
}

void require(bool done, const char* what) {
  if (!done) throw Error(ErrorCode::kIoError, std::string(what) + " failed");
}

// A tar, or with `format` raw one compressed file.
void write_archive(const std::filesystem::path& path, bool tar, int filter,
                   const std::vector<std::pair<std::string, Octets>>& members) {
  archive* writer = archive_write_new();
  require(writer != nullptr, "archive_write_new");
  if (tar)
    archive_write_set_format_ustar(writer);
  else
    archive_write_set_format_raw(writer);
  if (filter != ARCHIVE_FILTER_NONE) archive_write_add_filter(writer, filter);
  require(archive_write_open_filename(writer, path.c_str()) == ARCHIVE_OK, "opening an archive");
  for (const auto& [name, bytes] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    require(archive_write_header(writer, entry) == ARCHIVE_OK, "writing an archive");
    require(archive_write_data(writer, bytes.data(), bytes.size()) >= 0, "writing an archive");
    archive_entry_free(entry);
  }
  require(archive_write_free(writer) == ARCHIVE_OK, "closing an archive");
}

void write_models(const std::filesystem::path& folder) {
  std::filesystem::copy(kSampleModel, folder / "tiny");
  sign_model(kSampleModel, kSampleSecretKey, kSampleGeneration, folder / "signed");
  write_sample_with_selector(folder / "selector");
  const std::vector<NamedNetwork> networks = property_networks();
  for (const NamedNetwork& named : networks) {
    const std::filesystem::path path = folder / named.name;
    save_model(path, named.network, random_weights(named.network, named.network.groups(), 3), {});
    if (std::filesystem::file_size(path) > kLargest) std::filesystem::remove(path);
  }
}

void write_growths(const std::filesystem::path& folder) {
  std::filesystem::copy(kSampleGrowth, folder / "tiny");
  const std::filesystem::path wide = folder / "wide";
  const std::filesystem::path narrow = folder / "narrow";
  sign_model(kSampleModel, kSampleSecretKey, kSampleGeneration, wide);
  trim_model(kSampleModel, 1, narrow);
  write_growth(wide, narrow, folder / "signed");
  std::filesystem::remove(wide);
  std::filesystem::remove(narrow);
}

void write_configs(const std::filesystem::path& folder) {
  const std::filesystem::path configs = BELLOWS_SOURCE_DIR "/configs";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(configs)) {
    if (entry.path().extension() != ".toml") continue;
    const std::filesystem::path& path = entry.path();
    std::filesystem::copy(
        path, folder / (path.parent_path().filename().string() + "-" + path.stem().string()));
  }
}

void write_idx(const std::filesystem::path& folder) {
  write_idx_images(folder / "images", 3, 5, 4, pattern(60));
  write_idx_labels(folder / "labels", std::vector<std::int32_t>{1, 9, 0});
  for (const char* name : {"images", "labels"}) {
    Octets bytes;
    {
      const InputFile file(folder / name);
      bytes.resize(file.size());
      file.read(0, bytes);
    }
    const std::string packed = std::string(name) + ".packed";
    write_archive(folder / (packed + "-gz"), false, ARCHIVE_FILTER_GZIP, {{name, bytes}});
    write_archive(folder / (packed + "-xz"), false, ARCHIVE_FILTER_XZ, {{name, bytes}});
  }
}

void write_cifar10(const std::filesystem::path& folder) {
  std::vector<std::pair<std::string, Octets>> members;
  const std::string inside = "cifar-10-batches-bin/";
  for (int batch = 1; batch <= 5; ++batch) {
    Octets record(3073, static_cast<std::uint8_t>(40 * batch));
    record[0] = static_cast<std::uint8_t>(batch);
    members.emplace_back(inside + "data_batch_" + std::to_string(batch) + ".bin", record);
  }
  members.emplace_back(inside + "test_batch.bin", members.front().second);
  const std::string names = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
  members.emplace_back(inside + "batches.meta.txt", Octets(names.begin(), names.end()));
  write_archive(folder / "tar", true, ARCHIVE_FILTER_NONE, members);
  write_archive(folder / "tar-gz", true, ARCHIVE_FILTER_GZIP, members);
  write_archive(folder / "tar-xz", true, ARCHIVE_FILTER_XZ, members);
}

void write_svhn(const std::filesystem::path& folder) {
  for (const matio_compression compression : {MAT_COMPRESSION_NONE, MAT_COMPRESSION_ZLIB}) {
    const auto path = folder / (compression == MAT_COMPRESSION_NONE ? "plain" : "zlib");
    mat_t* mat = Mat_CreateVer(path.c_str(), nullptr, MAT_FT_MAT5);
    require(mat != nullptr, "Mat_CreateVer");
    Octets pixels = pattern(std::size_t{2} * 3072);
    Octets labels = {10, 3};
    std::vector<std::size_t> dims = {32, 32, 3, 2};
    const auto put = [&](const char* name, Octets& values, std::vector<std::size_t>& shape) {
      matvar_t* variable =
          Mat_VarCreate(name, MAT_C_UINT8, MAT_T_UINT8, static_cast<int>(shape.size()),
                        shape.data(), values.data(), 0);
      require(variable != nullptr && Mat_VarWrite(mat, variable, compression) == 0, "Mat_VarWrite");
      Mat_VarFree(variable);
    };
    put("X", pixels, dims);
    dims = {2, 1};
    put("y", labels, dims);
    Mat_Close(mat);
  }
}

void write_pngs(const std::filesystem::path& folder) {
  write_png(folder / "grey", {1, 7, 5}, pattern(35));
  write_png(folder / "colour", {3, 7, 5}, pattern(105));
  write_png(folder / "wide", {1, 1, 300}, pattern(300));
}

// Mostly loading, making sessions and running, and then anything.
void write_calls(const std::filesystem::path& folder) {
  std::minstd_rand random(1);
  for (int i = 0; i < 24; ++i) {
    // The sample model, with the options that Caller::call_model reads.
    Octets calls = {0, 0, 1, 0, 1, 1, 7, 1, 7, 1, 7};
    while (calls.size() < std::size_t{40} + 20 * static_cast<std::size_t>(i)) {
      calls.push_back(static_cast<std::uint8_t>(random() % 256));
    }
    write_file_atomically(folder / ("calls-" + std::to_string(i)), calls);
  }
}

// One change: another byte, a number that is none or that does not fit, a piece less, a piece
// twice.
std::size_t change(std::minstd_rand& random, std::uint8_t* data, std::size_t size,
                   std::size_t max_size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t place = bytes.empty() ? 0 : random() % bytes.size();
  const std::size_t length = 1 + random() % 16;
  switch (random() % 5) {
    case 0:
      if (!bytes.empty()) bytes[place] = static_cast<char>(random() % 256);
      break;
    case 1:
      if (!bytes.empty()) bytes[place] = static_cast<char>(bytes[place] ^ 1 << random() % 8);
      break;
    case 2: {
      static constexpr std::array<const char*, 8> kNumbers = {"-1",
                                                              "0",
                                                              "1e999",
                                                              "nan",
                                                              "0.5",
                                                              "2147483648",
                                                              "99999999999999999999",
                                                              "\xff\xff\xff\xff"};
      bytes.replace(place, length, kNumbers[random() % kNumbers.size()]);
      break;
    }
    case 3:
      bytes.erase(place, random() % 8 == 0 ? std::string::npos : length);
      break;
    default:
      bytes.insert(place, bytes.substr(place, length));
  }
  bytes.resize(std::min(bytes.size(), max_size));
  std::copy(bytes.begin(), bytes.end(), data);
  return bytes.size();
}

// A hundred files that readers must survive, made of those in the folder.
void write_damaged(const std::filesystem::path& folder, bool of_models) {
  std::vector<std::filesystem::path> whole;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    whole.push_back(entry.path());
  }
  std::ranges::sort(whole);
  std::filesystem::create_directory(folder / "damaged");
  std::minstd_rand random(1);
  const auto change_once = [&](std::uint8_t* data, std::size_t size, std::size_t max_size) {
    return change(random, data, size, max_size);
  };
  for (unsigned i = 0; i < 100; ++i) {
    const std::filesystem::path& from = whole[i % whole.size()];
    Octets bytes;
    {
      const InputFile file(from);
      bytes.resize(file.size());
      file.read(0, bytes);
    }
    std::size_t size = bytes.size();
    bytes.resize(size + 4096);
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      size = of_models ? mutate_model(bytes.data(), size, bytes.size(),
                                      static_cast<unsigned>(random()), change_once)
                       : change_once(bytes.data(), size, bytes.size());
    }
    bytes.resize(size);
    write_file_atomically(folder / "damaged" / (from.filename().string() + "-" + std::to_string(i)),
                          bytes);
  }
}

void make(const std::filesystem::path& root) {
  const std::vector<std::pair<const char*, std::function<void(const std::filesystem::path&)>>>
      targets = {{"model", write_models},
                 {"model_run", write_models},
                 {"growth", write_growths},
                 {"run_config", write_configs},
                 {"profile",
                  [](const auto& folder) {
                    internal::write_profile(folder / "tiny", sample_profile());
                    std::filesystem::copy(BELLOWS_SOURCE_DIR "/tests/golden/tiny_profile.json",
                                          folder / "golden");
                  }},
                 {"policies",
                  [](const auto& folder) {
                    internal::write_policies(folder / "tiny", sample_policies());
                  }},
                 {"idx", write_idx},
                 {"cifar10", write_cifar10},
                 {"svhn", write_svhn},
                 {"png", write_pngs},
                 {"c_interface", write_calls}};
  for (const auto& [name, write] : targets) {
    const std::filesystem::path folder = root / name;
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    write(folder);
    const std::string target = name;
    write_damaged(folder, target == "model" || target == "model_run" || target == "growth");
  }
}

}  // namespace
}  // namespace bellows::fuzz

int main(int count, char** arguments) {
  if (count != 2 || arguments[1][0] == '-') {
    std::fprintf(stderr, "usage: bellows_fuzz_corpus FOLDER\n");
    return 2;
  }
  try {
    bellows::fuzz::make(arguments[1]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bellows_fuzz_corpus: %s\n", error.what());
    return 1;
  }
}
