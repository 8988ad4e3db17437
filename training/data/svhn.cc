#include "training/data/svhn.h"

#include <bellows/error.h>
#include <matio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "training/data/archive_reader.h"
#include "training/data/catalogue.h"

namespace bellows {
namespace {

constexpr std::size_t kSide = 32;
constexpr std::size_t kPixels = 3 * kSide * kSide;
// The largest published file ("extra") has 531,131 images; 2^31 bytes hold 699,050.
constexpr std::size_t kMaxImages = 699050;
constexpr std::uint64_t kMaxElementBytes = std::uint64_t{1} << 32;  // lengths have 32 bits
constexpr std::size_t kHeaderBytes = 128;
constexpr std::uint32_t kMatrixElement = 14;
constexpr std::uint32_t kCompressedElement = 15;

[[noreturn]] void corrupt(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorCode::kCorruptData, file.string() + ": " + what);
}

[[noreturn]] void damaged(const std::filesystem::path& file, const std::string& part,
                          const std::string& what) {
  corrupt(file, part + " is damaged: " + what + "; fetch the file again");
}

// An unpacked copy of a compressed .mat, since libmatio wants a path: a file in memory.
class UnpackedCopy {
 public:
  explicit UnpackedCopy(const std::filesystem::path& file) {
    const std::vector<std::uint8_t> bytes = read_unpacked(file);
    descriptor_ = ::memfd_create("svhn", MFD_CLOEXEC);
    std::ofstream out(path(), std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (descriptor_ >= 0 && out) return;
    const std::string reason = std::generic_category().message(errno);
    if (descriptor_ >= 0) ::close(descriptor_);
    throw Error(ErrorCode::kIoError, file.string() + ": cannot be unpacked in memory: " + reason +
                                         "; put an unpacked .mat beside it");
  }
  ~UnpackedCopy() { ::close(descriptor_); }
  UnpackedCopy(const UnpackedCopy&) = delete;
  UnpackedCopy& operator=(const UnpackedCopy&) = delete;

  [[nodiscard]] std::filesystem::path path() const {
    return "/proc/self/fd/" + std::to_string(descriptor_);
  }

 private:
  int descriptor_ = -1;
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

std::uint32_t little_endian(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[3]} << 24 | std::uint32_t{bytes[2]} << 16 |
         std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[0]};
}

class Inflater {
 public:
  Inflater() {
    if (inflateInit(&stream_) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream* operator->() { return &stream_; }
  int inflate() { return ::inflate(&stream_, Z_NO_FLUSH); }

 private:
  z_stream stream_{};
};

// What comes before a matrix's values in all files of this data set; more is not looked at.
using MatrixStart = std::array<std::uint8_t, 128>;

// Fails unless `start`, of a matrix of so many bytes, describes an array of numbers. libmatio takes
// lengths in there at their word, and memory by them.
void check_matrix(const std::filesystem::path& shown, const std::string& where,
                  const MatrixStart& start, std::uint64_t bytes) {
  constexpr std::uint32_t kInt8 = 1;
  constexpr std::uint32_t kInt32 = 5;
  constexpr std::uint32_t kUint32 = 6;
  constexpr std::uint32_t kLeastNumbers = 6;  // classes of arrays: double
  constexpr std::uint32_t kMostNumbers = 15;  // to uint64
  constexpr std::uint32_t kMostDimensions = 8;
  constexpr std::uint32_t kLongestName = 24;
  constexpr std::size_t kTagBytes = 8;
  const auto word = [&](std::size_t at) { return little_endian(start.data() + at); };
  const auto require = [&](bool fine, const char* what) {
    if (!fine) damaged(shown, where, what);
  };
  constexpr std::uint64_t kLeastBytes = 48;  // tags, flags, two dimensions and a name
  require(bytes >= kLeastBytes && word(0) == kUint32 && word(4) == 8,
          "it does not begin with the flags of an array");
  const std::uint32_t kind = word(kTagBytes) & 0xff;
  if (kind < kLeastNumbers || kind > kMostNumbers) {
    corrupt(shown, where + " is no array of numbers; save X and y alone");
  }
  const std::size_t shape = 2 * kTagBytes;
  const std::uint32_t shape_bytes = word(shape + 4);
  require(word(shape) == kInt32 && shape_bytes >= 8 && shape_bytes <= 4 * kMostDimensions &&
              shape_bytes % 4 == 0,
          "its shape has no 2 to 8 dimensions");
  const std::size_t name = shape + kTagBytes + (shape_bytes + 7) / 8 * 8;
  // A name of up to four letters stands in the tag itself, its length in the upper half.
  const std::uint32_t tag = word(name);
  const bool small = tag >> 16 != 0;
  const std::uint32_t letters = small ? tag >> 16 : word(name + 4);
  require((tag & 0xffff) == kInt8 && letters <= (small ? 4 : kLongestName),
          "its name is longer than 24 letters, or none");
}

// What the `packed` bytes that follow in `in` unpack to, in bytes, and its first ones; `where`
// names them.
std::uint64_t unpacked_bytes(const std::filesystem::path& shown, std::ifstream& in,
                             std::uint64_t packed, const std::string& where,
                             std::vector<std::uint8_t>& first) {
  std::vector<char> piece(std::size_t{1} << 16);
  std::vector<Bytef> unpacked(piece.size());
  Inflater inflater;
  std::uint64_t total = 0;
  int result = Z_OK;
  while (result == Z_OK && packed > 0) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(packed, piece.size()));
    if (!in.read(piece.data(), static_cast<std::streamsize>(size))) {
      throw Error(ErrorCode::kIoError, shown.string() + ": cannot be read");
    }
    packed -= size;
    inflater->next_in = reinterpret_cast<Bytef*>(piece.data());
    inflater->avail_in = static_cast<uInt>(size);
    do {
      inflater->next_out = unpacked.data();
      inflater->avail_out = static_cast<uInt>(unpacked.size());
      result = inflater.inflate();
      const std::size_t made = unpacked.size() - inflater->avail_out;
      const std::size_t wanted = std::min(made, first.capacity() - first.size());
      first.insert(first.end(), unpacked.begin(),
                   unpacked.begin() + static_cast<std::ptrdiff_t>(wanted));
      total += made;
      if (total > kMaxElementBytes) damaged(shown, where, "it unpacks to more than 4 GiB");
    } while (result == Z_OK && inflater->avail_out == 0);
    if (result == Z_BUF_ERROR) result = Z_OK;  // all that was given is unpacked
  }
  if (result == Z_OK) damaged(shown, where, "its compressed data are cut off");
  if (result != Z_STREAM_END) {
    damaged(shown, where, inflater->msg != nullptr ? inflater->msg : "it holds no zlib data");
  }
  return total;
}

// Reads the whole file for what libmatio does not look at: it neither compares the checksum of
// compressed elements nor notices that one ends too soon. Returns the bytes of the largest element,
// unpacked. libmatio takes MAT v4 and HDF5 files too; only v5, little-endian as published, is
// meant.
std::uint64_t check_elements(const std::filesystem::path& shown,
                             const std::filesystem::path& file) {
  std::error_code error;
  const std::uint64_t end = std::filesystem::file_size(file, error);
  std::ifstream in(file, std::ios::binary);
  if (error || !in) throw Error(ErrorCode::kIoError, shown.string() + ": cannot be opened");
  std::array<char, kHeaderBytes> header{};
  if (!in.read(header.data(), kHeaderBytes) ||
      std::string_view(header.data(), 10) != "MATLAB 5.0") {
    corrupt(shown, "is no MATLAB 5.0 file");
  }
  if (std::string_view(header.data() + kHeaderBytes - 2, 2) != "IM") {
    corrupt(shown, "is no little-endian MATLAB 5.0 file");
  }
  std::uint64_t largest = 0;
  for (std::uint64_t at = kHeaderBytes; at < end;) {
    const std::string where = "the element at byte " + std::to_string(at);
    std::array<std::uint8_t, 8> tag{};
    in.seekg(static_cast<std::streamoff>(at));
    if (!in.read(reinterpret_cast<char*>(tag.data()), tag.size())) {
      damaged(shown, where, "it is cut off in its first 8 bytes");
    }
    const std::uint32_t type = little_endian(tag.data());
    const std::uint64_t bytes = little_endian(tag.data() + 4);
    if (type != kMatrixElement && type != kCompressedElement) {
      damaged(shown, where,
              "its type is " + std::to_string(type) +
                  ", that of a matrix is 14, or 15 when compressed");
    }
    at += tag.size();
    if (bytes > end - at) {
      damaged(shown, where,
              "it announces " + std::to_string(bytes) + " bytes and is cut off after " +
                  std::to_string(end - at));
    }
    MatrixStart start{};
    std::uint64_t matrix_bytes = bytes;
    if (type == kMatrixElement) {
      const std::uint64_t read = std::min<std::uint64_t>(bytes, start.size());
      in.read(reinterpret_cast<char*>(start.data()), static_cast<std::streamsize>(read));
    } else {
      std::vector<std::uint8_t> first;
      first.reserve(tag.size() + start.size());
      const std::uint64_t total = unpacked_bytes(shown, in, bytes, where, first);
      matrix_bytes = first.size() < tag.size() ? 0 : little_endian(first.data() + 4);
      if (first.size() < tag.size() || little_endian(first.data()) != kMatrixElement ||
          matrix_bytes + tag.size() > total) {
        damaged(shown, where, "it unpacks to no whole matrix");
      }
      std::copy(first.begin() + static_cast<std::ptrdiff_t>(tag.size()), first.end(),
                start.begin());
      largest = std::max(largest, total);
    }
    check_matrix(shown, where, start, matrix_bytes);
    largest = std::max(largest, matrix_bytes);
    at += bytes;
  }
  return largest;
}

Dataset read_mat(const std::filesystem::path& shown, const std::filesystem::path& file) {
  const std::uint64_t largest_element = check_elements(shown, file);
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
  if (count > kMaxImages || count * kPixels > largest_element) {
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
  require_exists(file);
  if (std::error_code error; !std::filesystem::is_regular_file(file, error)) {
    throw Error(ErrorCode::kIoError, file.string() + ": is no regular file");
  }
  if (!is_packed(file)) return read_mat(file, file);
  const UnpackedCopy copy(file);
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
