#include "training/data/svhn.h"

#include <bellows/error.h>
#include <matio.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "training/data/archive_reader.h"
#include "training/data/catalogue.h"

namespace bellows {
namespace {

constexpr std::size_t kSide = 32;
constexpr std::size_t kPixels = 3 * kSide * kSide;
// The largest published file ("extra") has 531,131 images; 2^31 bytes hold 699,050.
constexpr std::size_t kMaxImages = 699050;
// zlib never packs better than 1:1032, so a small file cannot announce gigabytes.
constexpr std::uint64_t kMaxRatio = 1100;

[[noreturn]] void corrupt(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorCode::kCorruptData, file.string() + ": " + what);
}

// An unpacked copy of a compressed .mat, since libmatio wants a path. Readable by its owner only.
class TemporaryCopy {
 public:
  explicit TemporaryCopy(const std::filesystem::path& file) {
    const std::vector<std::uint8_t> bytes = read_unpacked(file);
    std::string pattern = (std::filesystem::temp_directory_path() / "bellows-svhn-XXXXXX").string();
    const int descriptor = ::mkstemp(pattern.data());
    if (descriptor < 0) {
      throw Error(ErrorCode::kIoError, pattern + ": cannot be created to unpack " + file.string());
    }
    ::close(descriptor);
    path_ = pattern;
    std::ofstream out(path_, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) {
      remove();
      throw Error(ErrorCode::kIoError, pattern + ": cannot be written to unpack " + file.string());
    }
  }
  ~TemporaryCopy() { remove(); }
  TemporaryCopy(const TemporaryCopy&) = delete;
  TemporaryCopy& operator=(const TemporaryCopy&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void remove() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  std::filesystem::path path_;
};

struct CloseMat {
  void operator()(mat_t* mat) const { Mat_Close(mat); }
};
struct FreeVariable {
  void operator()(matvar_t* variable) const { Mat_VarFree(variable); }
};
using MatPointer = std::unique_ptr<mat_t, CloseMat>;
using VariablePointer = std::unique_ptr<matvar_t, FreeVariable>;

std::string shape_text(const matvar_t& variable) {
  std::string text;
  for (int d = 0; d < variable.rank; ++d) {
    if (d > 0) text += 'x';
    text += std::to_string(variable.dims[d]);
  }
  return text;
}

VariablePointer find_variable(const std::filesystem::path& file, mat_t* mat, const char* name) {
  VariablePointer variable(Mat_VarReadInfo(mat, name));
  if (variable == nullptr) corrupt(file, std::string("has no variable ") + name);
  if (variable->class_type != MAT_C_UINT8 || variable->isComplex != 0) {
    corrupt(file, std::string("variable ") + name + " is not of type uint8");
  }
  if (variable->rank < 1 || variable->dims == nullptr) {
    corrupt(file, std::string("variable ") + name + " has no shape");
  }
  return variable;
}

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& file, mat_t* mat,
                                     matvar_t* variable, const char* name, std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  if (Mat_VarReadDataLinear(mat, variable, bytes.data(), 0, 1, static_cast<int>(count)) != 0) {
    corrupt(file, std::string("variable ") + name + " is cut off or damaged");
  }
  return bytes;
}

// libmatio takes MAT v4 and HDF5 files too; only v5 is meant here, and only its reader is tested.
void check_signature(const std::filesystem::path& shown, const std::filesystem::path& file) {
  std::array<char, 128> header{};
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error(ErrorCode::kIoError, shown.string() + ": cannot be opened");
  in.read(header.data(), static_cast<std::streamsize>(header.size()));
  if (in.gcount() != static_cast<std::streamsize>(header.size()) ||
      std::string_view(header.data(), 10) != "MATLAB 5.0") {
    corrupt(shown, "is no MATLAB 5.0 file");
  }
}

Dataset read_mat(const std::filesystem::path& shown, const std::filesystem::path& file) {
  check_signature(shown, file);
  const MatPointer mat(Mat_Open(file.c_str(), MAT_ACC_RDONLY));
  if (mat == nullptr) corrupt(shown, "is no MATLAB 5.0 file");

  const VariablePointer images = find_variable(shown, mat.get(), "X");
  const std::size_t* dims = images->dims;
  // MATLAB drops a last dimension of 1.
  const std::size_t count = images->rank == 4 ? dims[3] : 1;
  if (images->rank < 3 || images->rank > 4 || dims[0] != kSide || dims[1] != kSide ||
      dims[2] != 3 || count == 0) {
    corrupt(shown, "variable X is " + shape_text(*images) + ", expected 32x32x3xN");
  }
  if (count > kMaxImages || count * kPixels / kMaxRatio > std::filesystem::file_size(file)) {
    corrupt(shown, "variable X announces " + std::to_string(count) +
                       " images, more than the file can hold");
  }
  const std::vector<std::uint8_t> columns =
      read_bytes(shown, mat.get(), images.get(), "X", count * kPixels);

  const VariablePointer labels = find_variable(shown, mat.get(), "y");
  const bool one_column = labels->rank == 2 && (labels->dims[0] == 1 || labels->dims[1] == 1);
  if (!one_column || labels->dims[0] * labels->dims[1] != count) {
    corrupt(shown, "variable y is " + shape_text(*labels) + ", expected " + std::to_string(count) +
                       "x1 as X has as many images");
  }
  const std::vector<std::uint8_t> numbers = read_bytes(shown, mat.get(), labels.get(), "y", count);

  DatasetContent content;
  content.name = catalogue_entry(DatasetFormat::kSvhn).title;
  content.provenance = shown.string();
  content.shape = kSvhnShape;
  content.class_names = catalogue_entry(DatasetFormat::kSvhn).class_names;
  content.neighbours_related = true;
  content.pixels.resize(columns.size());
  for (std::size_t n = 0; n < count; ++n) {
    if (numbers[n] < 1 || numbers[n] > 10) {
      corrupt(shown, "label " + std::to_string(numbers[n]) + " of image " + std::to_string(n) +
                         " is not in 1..10");
    }
    content.labels.push_back(numbers[n] % 10);
    for (std::size_t c = 0; c < 3; ++c) {
      const std::size_t plane = n * kPixels + c * kSide * kSide;
      for (std::size_t y = 0; y < kSide; ++y) {
        for (std::size_t x = 0; x < kSide; ++x) {
          content.pixels[plane + y * kSide + x] = columns[plane + x * kSide + y];
        }
      }
    }
  }
  return Dataset(std::move(content));
}

bool is_packed(const std::filesystem::path& file) {
  return file.extension() == ".gz" || file.extension() == ".xz";
}

}  // namespace

Dataset read_svhn_file(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    throw Error(ErrorCode::kNotFound, file.string() + ": no such file");
  }
  if (!std::filesystem::is_regular_file(file, error)) {
    throw Error(ErrorCode::kIoError, file.string() + ": is no regular file");
  }
  if (!is_packed(file)) return read_mat(file, file);
  const TemporaryCopy copy(file);
  return read_mat(file, copy.path());
}

Dataset load_svhn(const std::filesystem::path& folder, Split split) {
  const char* name = split == Split::kTrain ? "train_32x32.mat" : "test_32x32.mat";
  if (const auto file = find_packed(folder, name); !file.empty()) return read_svhn_file(file);
  if (split == Split::kTest) {
    throw Error(ErrorCode::kNotFound,
                (folder / name).string() +
                    ": no such file; without it there is no test part, hold out training images");
  }
  if (const auto part = find_packed(folder, "train_part_32x32.mat"); !part.empty()) {
    const Dataset images = read_svhn_file(part);
    return images.renamed(images.name() + " (part)",
                          part.string() + " (" + std::to_string(images.size()) +
                              " images only: train_32x32.mat is missing)");
  }
  throw Error(ErrorCode::kNotFound,
              (folder / name).string() + ": no such file, nor train_part_32x32.mat");
}

bool looks_like_svhn(const std::filesystem::path& folder) {
  return !find_packed(folder, "train_32x32.mat").empty() ||
         !find_packed(folder, "train_part_32x32.mat").empty();
}

}  // namespace bellows
