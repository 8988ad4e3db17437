#include "engine/model_file.h"

#include <bellows/error.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <new>
#include <span>
#include <string_view>
#include <system_error>
#include <unordered_map>

#include "engine/atomic_file.h"
#include "engine/json_value.h"
#include "engine/sha256.h"

namespace bellows {
namespace {

constexpr std::string_view kFormat = "bellows";
constexpr std::string_view kFormatVersion = "1";
constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{16} << 20;
// Bounds the time and memory that a hostile description can cost; the largest sensible one, a
// hundred layers of 64 groups, needs a tenth of it.
constexpr std::size_t kMaxNetworkBytes = std::size_t{1} << 20;
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kAlignment = 8;

// The metadata, in the order in which metadata_sha256 covers them.
constexpr std::array<const char*, 5> kMetadataKeys = {"format", "format_version", "network",
                                                      "groups_sha256", "info"};
constexpr std::size_t kHashDigits = 64;
constexpr const char* kMetadataHash = "metadata_sha256";

[[noreturn]] void corrupt(const std::string& file, const std::string& problem) {
  throw Error(ErrorCode::kCorruptData, file + ": " + problem);
}

// What the layers say of text they were given may quote it, line breaks and all.
std::string one_line(std::string text) {
  constexpr std::size_t kLongest = 1000;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

// Values that are wrong in a file make a corrupt file, not a wrong argument.
template <class Read>
auto read_of_file(const std::string& source, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    const bool named = std::string_view(error.what()).starts_with(source);
    throw Error(
        error.code() == ErrorCode::kInvalidArgument ? ErrorCode::kCorruptData : error.code(),
        one_line(named ? error.what() : source + ": " + error.what()));
  }
}

ConfigValue text_value(std::string_view text) {
  return ConfigValue(ConfigValue::Data(std::string(text)));
}

const std::string& text_of(const ConfigValue& value, const std::string& what) {
  const auto* text = std::get_if<std::string>(&value.data());
  if (text == nullptr) corrupt(value.where(), what + " is " + value.type_name() + ", not a string");
  return *text;
}

// --- The header: text <-> what it means.

struct Header {
  Network network;
  ModelInfo info;
  std::vector<GroupFacts> groups;
  std::int64_t data_bytes = 0;
};

// What the header must say about one tensor.
struct TensorEntry {
  std::string name;
  ConfigValue::Table fields;
};

// Calls `visit` with every tensor of `network`, in file order. The layout follows from the network
// alone. One entry at a time: a hostile network may claim far more tensors than its file has.
template <class Visit>
void visit_layout(const Network& network, const Visit& visit) {
  std::int64_t end = 0;
  for (int group = 1; group <= network.groups(); ++group) {
    for (const ParameterKey& key : network.parameters(group)) {
      ConfigValue::Array shape;
      for (const std::int64_t dim : key.spec.dims) shape.emplace_back(dim);
      const std::int64_t begin = end;
      end += key.spec.elements() * std::int64_t{sizeof(float)};
      ConfigValue::Array offsets = {ConfigValue(begin), ConfigValue(end)};
      visit(TensorEntry{network.parameter_name(key),
                        {{"dtype", text_value("F32")},
                         {"shape", ConfigValue(std::move(shape))},
                         {"data_offsets", ConfigValue(std::move(offsets))}}});
    }
  }
}

std::string metadata_hash(const ConfigValue& metadata) {
  Sha256 sha256;
  for (const char* key : kMetadataKeys) {
    sha256.update(std::get<std::string>(metadata.find(key)->data()));
    sha256.update("\n");
  }
  return sha256.hex();
}

std::string write_header(const Network& network, const WeightSet& weights, const ModelInfo& info) {
  ConfigValue::Array hashes;
  for (int group = 1; group <= network.groups(); ++group) {
    hashes.push_back(text_value(sha256_hex(weights.group_bytes(group))));
  }
  FieldWriter writer;
  // Visiting takes mutable information because readers assign; a writer only looks.
  const_cast<ModelInfo&>(info).visit_fields(writer);

  const std::array<std::string, kMetadataKeys.size()> values = {
      std::string(kFormat), std::string(kFormatVersion), network.write().to_json(),
      ConfigValue(std::move(hashes)).to_json(), writer.value().to_json()};
  ConfigValue::Table metadata;
  for (std::size_t i = 0; i < values.size(); ++i) {
    metadata.emplace_back(kMetadataKeys[i], text_value(values[i]));
  }
  std::string hash = metadata_hash(ConfigValue(metadata));
  metadata.emplace_back(kMetadataHash, text_value(hash));

  ConfigValue::Table header;
  header.emplace_back("__metadata__", ConfigValue(std::move(metadata)));
  visit_layout(network, [&header](TensorEntry entry) {
    header.emplace_back(std::move(entry.name), ConfigValue(std::move(entry.fields)));
  });
  std::string text = ConfigValue(std::move(header)).to_json();
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  return text;
}

// Fails unless `metadata` has exactly the keys of this format, version first: what a newer version
// adds should be reported as newer and not as unknown.
void check_metadata(const ConfigValue& metadata, const std::string& file) {
  const auto require = [&](const char* key) -> const std::string& {
    const ConfigValue* value = metadata.find(key);
    if (value == nullptr) {
      corrupt(file, "metadata '" + std::string(key) + "' is missing; this is no Bellows model");
    }
    return text_of(*value, "metadata '" + std::string(key) + "'");
  };
  if (require("format") != kFormat) {
    corrupt(file, "metadata 'format' is " + in_quotes(require("format")) +
                      ", a Bellows model has " + in_quotes(kFormat));
  }
  if (require("format_version") != kFormatVersion) {
    throw Error(ErrorCode::kUnsupported,
                file + ": format version " + in_quotes(require("format_version")) +
                    " is unknown, this program reads version " + in_quotes(kFormatVersion) +
                    "; use the version of Bellows that wrote the file");
  }
  for (const char* key : kMetadataKeys) require(key);
  if (require("network").size() > kMaxNetworkBytes) {
    corrupt(file, "metadata 'network' has " + std::to_string(require("network").size()) +
                      " bytes, more than the " + std::to_string(kMaxNetworkBytes) + " allowed");
  }
  const std::string& claimed = require(kMetadataHash);
  for (const auto& [key, value] : std::get<ConfigValue::Table>(metadata.data())) {
    const auto is_key = [&name = key](const char* known) { return name == known; };
    if (!std::ranges::any_of(kMetadataKeys, is_key) && key != kMetadataHash) {
      corrupt(file, "metadata " + in_quotes(key) + " is unknown");
    }
  }
  if (const std::string found = metadata_hash(metadata); found != claimed) {
    corrupt(file, "the metadata have SHA-256 " + found + ", the file says " + in_quotes(claimed) +
                      "; the file was damaged or changed");
  }
}

std::vector<GroupFacts> read_groups(const ConfigValue& hashes, const Network& network,
                                    const std::string& file) {
  const auto* array = std::get_if<ConfigValue::Array>(&hashes.data());
  const auto groups = static_cast<std::size_t>(network.groups());
  if (array == nullptr || array->size() != groups) {
    corrupt(file, "metadata 'groups_sha256' needs one hash for each of the " +
                      std::to_string(groups) + " groups");
  }
  std::vector<GroupFacts> facts;
  for (std::size_t i = 0; i < groups; ++i) {
    const int group = static_cast<int>(i) + 1;
    const std::string what = "the hash of group " + std::to_string(group);
    const std::string& hash = text_of((*array)[i], what);
    if (hash.size() != kHashDigits ||
        hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
      corrupt(file, what + " is " + in_quotes(hash) + ", it needs " + std::to_string(kHashDigits) +
                        " lower-case hexadecimal digits");
    }
    facts.push_back({hash, network.parameter_count(group) * std::int64_t{sizeof(float)}});
  }
  return facts;
}

// What a field list cannot know: how many entries this network asks for.
void check_info(const ModelInfo& info, const Network& network) {
  const auto check = [](const char* what, std::size_t found, int wanted) {
    if (found != 0 && found != static_cast<std::size_t>(wanted)) {
      throw Error(ErrorCode::kInvalidArgument, std::string(what) + " has " + std::to_string(found) +
                                                   " entries, it needs " + std::to_string(wanted) +
                                                   " or none");
    }
  };
  check("key 'classes'", info.classes.size(), network.classes());
  check("key 'normalisation.mean'", info.mean.size(), network.input().channels_of(1));
  check("key 'normalisation.stddev'", info.stddev.size(), network.input().channels_of(1));
  if (info.mean.size() != info.stddev.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                "one of the keys 'normalisation.mean' and 'normalisation.stddev' is empty; give "
                "both or none");
  }
  check("key 'accuracy.validation'", info.validation_accuracy.size(), network.groups());
  check("key 'accuracy.test'", info.test_accuracy.size(), network.groups());
}

void check_tensor(const TensorEntry& want, const ConfigValue& found, const std::string& file) {
  const std::string tensor = "tensor " + in_quotes(want.name);
  const auto* fields = std::get_if<ConfigValue::Table>(&found.data());
  if (fields == nullptr) corrupt(file, tensor + " is " + found.type_name() + ", not a table");
  for (const auto& [key, value] : want.fields) {
    const ConfigValue* field = found.find(key);
    if (field == nullptr) corrupt(file, tensor + " has no '" + key + "'");
    const std::string wanted_text = value.to_json();
    const std::string found_text = field->to_json();
    if (found_text != wanted_text) {
      corrupt(file, tensor + " has " + key + " " + one_line(found_text.substr(0, 80)) +
                        ", its network asks for " + wanted_text +
                        (key == "data_offsets" ? " (tensors follow one another in the order of the "
                                                 "groups, without gap or overlap)"
                                               : ""));
    }
  }
  for (const auto& [key, value] : *fields) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      corrupt(file, tensor + " has the unknown key " + in_quotes(key));
    }
  }
}

void check_tensors(const ConfigValue::Table& header, const Network& network,
                   const std::string& file) {
  std::unordered_map<std::string_view, const ConfigValue*> found;
  for (const auto& [name, value] : header) found.emplace(name, &value);
  found.erase("__metadata__");
  visit_layout(network, [&](const TensorEntry& want) {
    const auto entry = found.find(want.name);
    if (entry == found.end()) corrupt(file, "tensor " + in_quotes(want.name) + " is missing");
    check_tensor(want, *entry->second, file);
    found.erase(entry);
  });
  for (const auto& [name, value] : header) {
    if (found.contains(name)) {
      corrupt(file, "tensor " + in_quotes(name) + " is unknown to the network in the file");
    }
  }
}

// Everything that can be checked without the data.
Header read_header(std::string_view text, const std::string& file) {
  const std::string source = file + ": header";
  if (text.empty() || text.front() != '{') corrupt(source, "does not begin with '{'");
  const ConfigValue header = read_json(text, source);
  const ConfigValue* metadata = header.find("__metadata__");
  if (metadata == nullptr || !std::holds_alternative<ConfigValue::Table>(metadata->data())) {
    corrupt(file, "has no table '__metadata__'; this is no Bellows model");
  }
  check_metadata(*metadata, file);
  const auto read = [&](const char* key) {
    return read_json(text_of(*metadata->find(key), key), file + ": metadata '" + key + "'");
  };

  Network network = read_of_file(file, [&] { return Network::read(read("network")); });
  ModelInfo info = read_of_file(file, [&] {
    const ConfigValue table = read("info");
    FieldReader reader(table, "");
    ModelInfo information;
    information.visit_fields(reader);
    reader.finish();
    check_info(information, network);
    return information;
  });
  std::vector<GroupFacts> groups = read_groups(read("groups_sha256"), network, file);
  check_tensors(std::get<ConfigValue::Table>(header.data()), network, file);
  std::int64_t data_bytes = 0;
  for (const GroupFacts& group : groups) data_bytes += group.bytes;
  return {std::move(network), std::move(info), std::move(groups), data_bytes};
}

// --- The file.

// Read by position from one open file, so that a file swapped for another meanwhile does no harm
// and one changed meanwhile is caught by the hashes.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path)
      : name_(path.empty() ? "an empty name" : path.string()) {
    // O_NONBLOCK: a pipe would otherwise keep us waiting for its other end.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor_ < 0) fail("cannot be opened");
    struct stat facts {};
    const bool known = ::fstat(descriptor_, &facts) == 0;
    if (!known || !S_ISREG(facts.st_mode)) {
      ::close(descriptor_);
      throw Error(ErrorCode::kIoError, name_ + ": is not a regular file");
    }
    size_ = static_cast<std::uint64_t>(facts.st_size);
  }
  ~InputFile() { ::close(descriptor_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }

  void read(std::uint64_t offset, std::span<std::uint8_t> bytes) const {
    while (!bytes.empty()) {
      const ssize_t count =
          ::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("cannot be read");
      if (count == 0) corrupt(name_, "became shorter while it was read");
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    const int error = errno;
    const bool missing = error == ENOENT || error == ENOTDIR;
    throw Error(missing ? ErrorCode::kNotFound : ErrorCode::kIoError,
                name_ + ": " + what + ": " + std::generic_category().message(error));
  }

  std::string name_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

std::string read_header_text(const InputFile& file, const std::string& name) {
  if (file.size() < kLengthBytes) {
    corrupt(name, "is only " + std::to_string(file.size()) + " bytes long; this is no model");
  }
  std::array<std::uint8_t, kLengthBytes> bytes{};
  file.read(0, bytes);
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) length = length << 8 | bytes[i];
  if (length > kMaxHeaderBytes) {
    corrupt(name, "its header claims " + std::to_string(length) + " bytes, more than the " +
                      std::to_string(kMaxHeaderBytes) + " allowed; this is no model");
  }
  if (length > file.size() - kLengthBytes) {
    corrupt(name, "its header claims " + std::to_string(length) + " bytes, the file has only " +
                      std::to_string(file.size()) + "; it is truncated");
  }
  std::string text(static_cast<std::size_t>(length), ' ');
  file.read(kLengthBytes, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return text;
}

WeightSet read_weights(const InputFile& file, std::uint64_t offset, const Network& network,
                       const std::vector<GroupFacts>& groups, const std::string& name) {
  WeightSet weights;
  for (int group = 1; group <= network.groups(); ++group) {
    weights.add_group(network);
    const std::span<std::uint8_t> bytes = weights.group_bytes(group);
    file.read(offset, bytes);
    offset += bytes.size();
    const std::string& claimed = groups[static_cast<std::size_t>(group - 1)].sha256;
    if (const std::string found = sha256_hex(bytes); found != claimed) {
      corrupt(name, "group " + std::to_string(group) + " has SHA-256 " + found +
                        ", the file says " + in_quotes(claimed) +
                        "; the file was damaged or changed");
    }
  }
  return weights;
}

}  // namespace

const std::string* ModelInfo::find_extra(std::string_view key) const {
  const auto found = std::ranges::find(extra, key, &std::pair<std::string, std::string>::first);
  return found == extra.end() ? nullptr : &found->second;
}

void ModelInfo::visit_fields(FieldVisitor& visitor) {
  // Sessions normalise in f32.
  constexpr double kLargest = std::numeric_limits<float>::max();
  visitor.field("classes", classes,
                {.help = "names of the classes, strings in the order of the logits; or none"});
  visitor.table("normalisation", {}, [this](FieldVisitor& fields) {
    fields.field(
        "mean", mean,
        {.help =
             "what is subtracted from the input's values, which are in 0..1, by channel; or none",
         .minimum = -kLargest,
         .maximum = kLargest});
    fields.field("stddev", stddev,
                 {.help = "what the input's values are divided by after subtracting the mean, by "
                          "channel; or none",
                  .minimum = double{std::numeric_limits<float>::min()},
                  .maximum = kLargest});
  });
  visitor.table("provenance", {}, [this](FieldVisitor& fields) {
    fields.field("data_set", data_set, {.help = "what the model was trained on"});
    fields.field("seed", seed, {.help = "of the training run"});
    fields.field("schedule", schedule, {.help = "how the groups were trained"});
    fields.field("epochs", epochs, {.help = "how long the groups were trained, in words"});
    fields.field("created_with", created_with, {.help = "program and version"});
  });
  visitor.table("accuracy", {}, [this](FieldVisitor& fields) {
    fields.field("validation", validation_accuracy,
                 {.help = "share of right answers on the validation split, by width; or none",
                  .minimum = 0,
                  .maximum = 1});
    fields.field("test", test_accuracy,
                 {.help = "share of right answers on the test images, by width; or none",
                  .minimum = 0,
                  .maximum = 1});
  });
  visitor.tables(
      "extra", {.help = "anything else, as tables of two strings, `key` and `value`"},
      [this](const ConfigValue& table) {
        FieldReader reader(table, "extra");
        std::pair<std::string, std::string> entry;
        reader.field("key", entry.first, {.required = true});
        reader.field("value", entry.second, {.required = true});
        reader.finish();
        extra.push_back(std::move(entry));
      },
      [this] {
        ConfigValue::Array array;
        for (const auto& [key, value] : extra) {
          array.emplace_back(
              ConfigValue::Table{{"key", text_value(key)}, {"value", text_value(value)}});
        }
        return array;
      });
}

void save_model(const std::filesystem::path& path, const Network& network, const WeightSet& weights,
                const ModelInfo& info) {
  if (!weights.fits(network)) {
    throw Error(ErrorCode::kInvalidArgument,
                path.string() + ": cannot be saved: the weight set of " +
                    std::to_string(weights.groups()) + " groups does not fit the network of " +
                    std::to_string(network.groups()));
  }
  const std::string header = write_header(network, weights, info);
  // Read back, so that no file is ever written that would be refused.
  try {
    if (header.size() > kMaxHeaderBytes) {
      corrupt(path.string(), "its header of " + std::to_string(header.size()) +
                                 " bytes is longer than the " + std::to_string(kMaxHeaderBytes) +
                                 " allowed");
    }
    static_cast<void>(read_header(header, path.string()));
  } catch (const Error& error) {
    throw Error(ErrorCode::kInvalidArgument, std::string("cannot be saved: ") + error.what());
  }

  std::array<std::uint8_t, kLengthBytes> length{};
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length[i] = static_cast<std::uint8_t>(header.size() >> (8 * i));
  }
  AtomicFile file(path);
  file.write(length);
  file.write(header);
  for (int group = 1; group <= network.groups(); ++group) file.write(weights.group_bytes(group));
  file.commit();
}

ModelFile load_model(const std::filesystem::path& path, std::optional<int> groups) {
  const std::string name = path.string();
  const InputFile file(path);
  try {
    const std::string text = read_header_text(file, name);
    Header header = read_header(text, name);
    ModelFileFacts facts;
    facts.header_bytes = static_cast<std::int64_t>(kLengthBytes + text.size());
    facts.total_bytes = facts.header_bytes + header.data_bytes;
    if (static_cast<std::int64_t>(file.size()) != facts.total_bytes) {
      corrupt(name, "is " + std::to_string(file.size()) + " bytes long, its header describes " +
                        std::to_string(facts.total_bytes) +
                        "; the file is truncated or was appended to");
    }
    facts.groups = std::move(header.groups);

    const int wanted = groups.value_or(header.network.groups());
    if (wanted < 1 || wanted > header.network.groups()) {
      throw Error(ErrorCode::kInvalidArgument,
                  name + ": has groups 1 to " + std::to_string(header.network.groups()) +
                      ", the first " + std::to_string(wanted) + " were asked for");
    }
    Network network = wanted == header.network.groups() ? std::move(header.network)
                                                        : header.network.first_groups(wanted);
    for (auto* accuracy : {&header.info.validation_accuracy, &header.info.test_accuracy}) {
      if (!accuracy->empty()) accuracy->resize(static_cast<std::size_t>(wanted));
    }
    WeightSet weights = read_weights(file, kLengthBytes + text.size(), network, facts.groups, name);
    return {std::move(network), std::move(weights), std::move(header.info), std::move(facts)};
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kUnsupported,
                name + ": there is not enough memory for this model; load fewer groups");
  }
}

}  // namespace bellows
