#include "training/checkpoint.h"

#include <bellows/error.h>

#include <cstring>
#include <fstream>
#include <span>

#include "engine/atomic_file.h"
#include "engine/json_value.h"
#include "engine/sha256.h"

namespace bellows {
namespace {

constexpr const char* kFormat = "bellows-checkpoint-1";
constexpr std::uint64_t kMaxHeader = std::uint64_t{16} << 20U;

std::span<const std::uint8_t> bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(float)};
}

ConfigValue text(std::string value) { return ConfigValue(std::move(value)); }

ConfigValue integer(std::size_t value) { return ConfigValue(static_cast<std::int64_t>(value)); }

[[noreturn]] void corrupt(const std::filesystem::path& path, const std::string& what) {
  throw Error(ErrorCode::kCorruptData,
              "checkpoint '" + path.string() + "' " + what + "; begin anew with --overwrite");
}

std::int64_t integer_at(const ConfigValue* value, const std::filesystem::path& path) {
  const auto* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(&value->data());
  if (number == nullptr || *number < 0) corrupt(path, "has a damaged header");
  return *number;
}

std::string string_at(const ConfigValue* value, const std::filesystem::path& path) {
  const auto* string = value == nullptr ? nullptr : std::get_if<std::string>(&value->data());
  if (string == nullptr) corrupt(path, "has a damaged header");
  return *string;
}

// The header of a file, checksum over state and arrays included, padded to a multiple of 8 bytes.
std::string header_of(const std::string& state, const std::vector<Checkpoint::Array>& arrays) {
  Sha256 digest;
  digest.update(state);
  std::size_t offset = 0;
  ConfigValue::Table tensors;
  for (const Checkpoint::Array& array : arrays) {
    digest.update(array.name);
    digest.update(bytes_of(array.values));
    const std::size_t end = offset + array.values.size() * sizeof(float);
    tensors.emplace_back(
        array.name,
        ConfigValue(ConfigValue::Table{
            {"dtype", text("F32")},
            {"shape", ConfigValue(ConfigValue::Array{integer(array.values.size())})},
            {"data_offsets", ConfigValue(ConfigValue::Array{integer(offset), integer(end)})}}));
    offset = end;
  }
  tensors.insert(tensors.begin(),
                 {"__metadata__", ConfigValue(ConfigValue::Table{{"format", text(kFormat)},
                                                                 {"state", text(state)},
                                                                 {"sha256", text(digest.hex())}})});
  std::string header = ConfigValue(std::move(tensors)).to_json();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

ConfigValue header_json(const std::string& header, const std::filesystem::path& path) {
  try {
    return read_json(header, path.string());
  } catch (const Error&) {
    corrupt(path, "has a damaged header");
  }
}

}  // namespace

void CheckpointState::visit_fields(FieldVisitor& visitor) {
  visitor.field("config", config, {.required = true});
  visitor.field("data", data, {.required = true});
  visitor.field("base", base, {.required = true});
  visitor.field("threads", threads, {.required = true, .minimum = 1});
  visitor.field("first_group", first_group, {.required = true, .minimum = 1});
  visitor.field("last_group", last_group, {.required = true, .minimum = 1});
  visitor.field("epoch", epoch, {.required = true, .minimum = 0});
  visitor.field("batch", batch, {.required = true, .minimum = 0});
  visitor.field("updates", updates, {.required = true, .minimum = 0});
  visitor.field("seconds", seconds, {.required = true, .minimum = 0});
  visitor.field("epoch_loss", epoch_loss, {.required = true});
  visitor.field("epoch_correct", epoch_correct, {.required = true});
  visitor.field("validation", validation, {.required = true});
  visitor.field("mean", mean, {.required = true});
  visitor.field("stddev", stddev, {.required = true});
}

const std::vector<float>& Checkpoint::array(const std::string& name, std::size_t size) const {
  for (const Array& candidate : arrays) {
    if (candidate.name == name && candidate.values.size() == size) return candidate.values;
  }
  throw Error(ErrorCode::kCorruptData, "the checkpoint has no array '" + name + "' of " +
                                           std::to_string(size) +
                                           " values; begin anew with --overwrite");
}

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  FieldWriter state;
  // Visiting takes a mutable state because readers assign; a writer only looks.
  const_cast<CheckpointState&>(checkpoint.state).visit_fields(state);
  const std::string header = header_of(state.value().to_json(), checkpoint.arrays);
  const auto length = static_cast<std::uint64_t>(header.size());
  std::string prefix(sizeof length, '\0');
  std::memcpy(prefix.data(), &length, sizeof length);

  AtomicFile file(path);
  file.write(prefix);
  file.write(header);
  for (const Checkpoint::Array& array : checkpoint.arrays) file.write(bytes_of(array.values));
  file.commit();
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed) && !failed) {
    throw Error(ErrorCode::kNotFound, "there is no checkpoint '" + path.string() + "'");
  }
  // A folder has no size, but opens.
  const std::uint64_t total = std::filesystem::file_size(path, failed);
  std::ifstream file(path, std::ios::binary);
  if (failed || !file) {
    throw Error(ErrorCode::kIoError, "checkpoint '" + path.string() + "' cannot be read" +
                                         (failed ? ": " + failed.message() : "") +
                                         "; check that it is a file and may be read");
  }
  std::uint64_t length = 0;
  file.read(reinterpret_cast<char*>(&length), sizeof length);
  if (!file || length > kMaxHeader || length > total - sizeof length) {
    corrupt(path, "is truncated");
  }
  std::string header(length, '\0');
  file.read(header.data(), static_cast<std::streamsize>(length));
  if (!file) corrupt(path, "is truncated");
  const ConfigValue parsed = header_json(header, path);
  const ConfigValue* metadata = parsed.find("__metadata__");
  if (metadata == nullptr || string_at(metadata->find("format"), path) != kFormat) {
    corrupt(path, "is not one of this version's");
  }
  const std::string state_text = string_at(metadata->find("state"), path);

  Checkpoint checkpoint;
  std::uint64_t left = total - sizeof length - length;
  for (const auto& [name, tensor] : std::get<ConfigValue::Table>(parsed.data())) {
    if (name == "__metadata__") continue;
    const ConfigValue* shape = tensor.find("shape");
    const auto* sizes =
        shape == nullptr ? nullptr : std::get_if<ConfigValue::Array>(&shape->data());
    if (sizes == nullptr || sizes->size() != 1) corrupt(path, "has a damaged header");
    const auto count = static_cast<std::uint64_t>(integer_at(sizes->data(), path));
    if (count > left / sizeof(float)) corrupt(path, "is truncated");
    left -= count * sizeof(float);
    Checkpoint::Array& array = checkpoint.arrays.emplace_back();
    array.name = name;
    array.values.resize(count);
    file.read(reinterpret_cast<char*>(array.values.data()),
              static_cast<std::streamsize>(count * sizeof(float)));
    if (!file) corrupt(path, "is truncated");
  }
  // The header follows from the rest to the last byte, so that no part of the file goes unchecked.
  if (left != 0 || header != header_of(state_text, checkpoint.arrays)) {
    corrupt(path, "does not match its checksum");
  }
  try {
    const ConfigValue state = read_json(state_text, path.string());
    FieldReader reader(state, "state");
    checkpoint.state.visit_fields(reader);
    reader.finish();
  } catch (const Error& error) {
    corrupt(path, std::string("has a state of another version (") + error.what() + ")");
  }
  return checkpoint;
}

}  // namespace bellows
