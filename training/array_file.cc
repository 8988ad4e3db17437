#include "training/array_file.h"

#include <bellows/error.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <span>

#include "engine/atomic_file.h"
#include "engine/json_value.h"
#include "engine/sha256.h"

namespace bellows {
namespace {

constexpr std::uint64_t kMaxHeader = std::uint64_t{16} << 20U;

std::span<const std::uint8_t> bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(float)};
}

ConfigValue text(std::string value) { return ConfigValue(std::move(value)); }

ConfigValue integer(std::size_t value) { return ConfigValue(static_cast<std::int64_t>(value)); }

// A file of some kind, for messages.
class Reader {
 public:
  Reader(const std::filesystem::path& path, const ArrayFileKind& kind) : path_(path), kind_(kind) {}

  [[noreturn]] void corrupt(const std::string& what) const {
    throw Error(ErrorCode::kCorruptData, std::string(kind_.name) + " '" + path_.string() + "' " +
                                             what + "; " + kind_.remedy);
  }

  [[nodiscard]] std::int64_t integer_at(const ConfigValue* value) const {
    const auto* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(&value->data());
    if (number == nullptr || *number < 0) corrupt("has a damaged header");
    return *number;
  }

  [[nodiscard]] std::string string_at(const ConfigValue* value) const {
    const auto* string = value == nullptr ? nullptr : std::get_if<std::string>(&value->data());
    if (string == nullptr) corrupt("has a damaged header");
    return *string;
  }

  [[nodiscard]] ConfigValue json(const std::string& header) const {
    try {
      return read_json(header, path_.string());
    } catch (const Error&) {
      corrupt("has a damaged header");
    }
  }

  // Of an array, no larger than there are values left.
  [[nodiscard]] std::vector<std::size_t> shape(const ConfigValue& tensor,
                                               std::uint64_t values_left) const {
    const ConfigValue* shape = tensor.find("shape");
    const auto* sizes =
        shape == nullptr ? nullptr : std::get_if<ConfigValue::Array>(&shape->data());
    if (sizes == nullptr || sizes->empty()) corrupt("has a damaged header");
    std::vector<std::size_t> result;
    std::uint64_t count = 1;
    for (const ConfigValue& size : *sizes) {
      const auto length = static_cast<std::uint64_t>(integer_at(&size));
      if (length != 0 && count > values_left / length) corrupt("is truncated");
      count *= length;
      result.push_back(length);
    }
    return result;
  }

 private:
  const std::filesystem::path& path_;
  const ArrayFileKind& kind_;
};

// The header of a file, checksum over state and arrays included, padded to a multiple of 8 bytes.
std::string header_of(const ArrayFileKind& kind, const ArrayFile& file) {
  Sha256 digest;
  digest.update(file.state);
  std::size_t offset = 0;
  ConfigValue::Table tensors;
  for (const NamedArray& array : file.arrays) {
    digest.update(array.name);
    digest.update(bytes_of(array.values));
    const std::size_t end = offset + array.values.size() * sizeof(float);
    ConfigValue::Array shape;
    for (const std::size_t size : array.shape) shape.push_back(integer(size));
    if (shape.empty()) shape.push_back(integer(array.values.size()));
    tensors.emplace_back(
        array.name,
        ConfigValue(ConfigValue::Table{
            {"dtype", text("F32")},
            {"shape", ConfigValue(std::move(shape))},
            {"data_offsets", ConfigValue(ConfigValue::Array{integer(offset), integer(end)})}}));
    offset = end;
  }
  tensors.insert(tensors.begin(),
                 {"__metadata__", ConfigValue(ConfigValue::Table{{"format", text(kind.format)},
                                                                 {"state", text(file.state)},
                                                                 {"sha256", text(digest.hex())}})});
  std::string header = ConfigValue(std::move(tensors)).to_json();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

}  // namespace

void save_array_file(const std::filesystem::path& path, const ArrayFileKind& kind,
                     const ArrayFile& file) {
  const std::string header = header_of(kind, file);
  const auto length = static_cast<std::uint64_t>(header.size());
  std::string prefix(sizeof length, '\0');
  std::memcpy(prefix.data(), &length, sizeof length);

  AtomicFile out(path);
  out.write(prefix);
  out.write(header);
  for (const NamedArray& array : file.arrays) out.write(bytes_of(array.values));
  out.commit();
}

ArrayFile load_array_file(const std::filesystem::path& path, const ArrayFileKind& kind) {
  const Reader reader(path, kind);
  const std::string name = kind.name;
  std::error_code failed;
  if (!std::filesystem::exists(path, failed) && !failed) {
    throw Error(ErrorCode::kNotFound, "there is no " + name + " '" + path.string() + "'");
  }
  // A folder has no size, but opens.
  const std::uint64_t total = std::filesystem::file_size(path, failed);
  // Nor a pipe, which would keep us waiting for its other end.
  const bool regular = std::filesystem::is_regular_file(path, failed);
  std::ifstream file;
  if (regular) file.open(path, std::ios::binary);
  if (!regular || failed || !file) {
    throw Error(ErrorCode::kIoError, name + " '" + path.string() + "' cannot be read" +
                                         (failed ? ": " + failed.message() : "") +
                                         "; check that it is a file and may be read");
  }
  std::uint64_t length = 0;
  file.read(reinterpret_cast<char*>(&length), sizeof length);
  if (!file || length > kMaxHeader || length > total - sizeof length) {
    reader.corrupt("is truncated");
  }
  std::string header(length, '\0');
  file.read(header.data(), static_cast<std::streamsize>(length));
  if (!file) reader.corrupt("is truncated");
  const ConfigValue parsed = reader.json(header);
  const ConfigValue* metadata = parsed.find("__metadata__");
  if (metadata == nullptr || reader.string_at(metadata->find("format")) != kind.format) {
    reader.corrupt("is not one of this version's");
  }

  ArrayFile result{.state = reader.string_at(metadata->find("state")), .arrays = {}};
  std::uint64_t left = total - sizeof length - length;
  for (const auto& [array_name, tensor] : std::get<ConfigValue::Table>(parsed.data())) {
    if (array_name == "__metadata__") continue;
    NamedArray& array = result.arrays.emplace_back();
    array.name = array_name;
    array.shape = reader.shape(tensor, left / sizeof(float));
    std::size_t count = 1;
    for (const std::size_t size : array.shape) count *= size;
    left -= count * sizeof(float);
    array.values.resize(count);
    file.read(reinterpret_cast<char*>(array.values.data()),
              static_cast<std::streamsize>(count * sizeof(float)));
    if (!file) reader.corrupt("is truncated");
  }
  // The header follows from the rest to the last byte, so that no part of the file goes unchecked.
  if (left != 0 || header != header_of(kind, result)) {
    reader.corrupt("does not match its checksum");
  }
  return result;
}

}  // namespace bellows
