#include "engine/model_header.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <span>
#include <utility>

#include "engine/json_value.h"
#include "engine/sha256.h"

namespace bellows {
namespace {

constexpr std::string_view kFormatVersion = "1";
constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{16} << 20;
// Bounds the time and memory that a hostile description can cost; the largest sensible one, a
// hundred layers of 64 groups, needs a tenth of it.
constexpr std::size_t kMaxNetworkBytes = std::size_t{1} << 20;
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kAlignment = 8;
constexpr std::size_t kHashDigits = 64;
constexpr const char* kMetadataHash = "metadata_sha256";
// Of a model that is signed, behind the hash; a number is written in digits.
constexpr const char* kGeneration = "generation";
constexpr const char* kPublicKey = "public_key";
constexpr const char* kSignature = "signature";
constexpr std::array<const char*, 3> kSignatureKeys = {kGeneration, kPublicKey, kSignature};

// One kind of header: its name, and its metadata in the order in which metadata_sha256 covers them.
struct Format {
  std::string_view name;
  std::span<const char* const> keys;
  const char* what = "";
  std::span<const char* const> more = {};  // that may be there too, all of them or none
};
constexpr std::array<const char*, 5> kModelKeys = {"format", "format_version", "network",
                                                   "groups_sha256", "info"};
constexpr std::array<const char*, 4> kGrowthKeys = {"format", "format_version", "base_groups",
                                                    "model_header"};
constexpr Format kModelFormat = {"bellows", kModelKeys, "Bellows model", kSignatureKeys};
constexpr Format kGrowthFormat = {"bellows-growth", kGrowthKeys, "growth file"};

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

// Set in its place: g++ 12 takes the move of a fresh variant for one of rubbish. And one after the
// other: where memory runs out inside braces, it destroys what was never made (its bug 66139).
template <class Value>
[[gnu::noinline]] void add(ConfigValue::Table& table, std::string name, Value value) {
  auto& member = table.emplace_back();
  member.first = std::move(name);
  member.second.data().emplace<Value>(std::move(value));
}

const std::string& text_of(const ConfigValue& value, const std::string& what) {
  const auto* text = std::get_if<std::string>(&value.data());
  if (text == nullptr) corrupt(value.where(), what + " is " + value.type_name() + ", not a string");
  return *text;
}

// --- Both kinds.

// What the header must say about one tensor.
struct TensorEntry {
  std::string name;
  ConfigValue::Table fields;
};

TensorEntry make_entry(std::string name, const std::vector<std::int64_t>& dims, std::int64_t begin,
                       std::int64_t end) {
  TensorEntry entry{std::move(name), {}};
  ConfigValue::Array shape(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) shape[i].data().emplace<std::int64_t>(dims[i]);
  ConfigValue::Array offsets(2);
  offsets[0].data().emplace<std::int64_t>(begin);
  offsets[1].data().emplace<std::int64_t>(end);
  add(entry.fields, "dtype", std::string("F32"));
  add(entry.fields, "shape", std::move(shape));
  add(entry.fields, "data_offsets", std::move(offsets));
  return entry;
}

// Calls `visit` with every tensor of groups `first_group` and up, in file order. The layout follows
// from the network alone. One entry at a time: a hostile network may claim far more tensors than
// its file has.
template <class Visit>
void visit_layout(const Network& network, int first_group, const Visit& visit) {
  std::int64_t end = 0;
  for (int group = first_group; group <= network.groups(); ++group) {
    for (const ParameterKey& key : network.parameters(group)) {
      const std::int64_t begin = end;
      end += key.spec.elements() * std::int64_t{sizeof(float)};
      visit(make_entry(network.parameter_name(key), key.spec.dims, begin, end));
    }
  }
}

std::string metadata_hash(const ConfigValue& metadata, const Format& format) {
  Sha256 sha256;
  for (const char* key : format.keys) {
    sha256.update(std::get<std::string>(metadata.find(key)->data()));
    sha256.update("\n");
  }
  return sha256.hex();
}

// `values` has the metadata from the third key on. With a secret key the header is signed.
std::string write_header(const Format& format, const std::vector<std::string>& values,
                         const Network& network, int first_group,
                         const std::string& secret_key = {}, std::int64_t generation = 0) {
  ConfigValue::Table metadata;
  add(metadata, format.keys[0], std::string(format.name));
  add(metadata, format.keys[1], std::string(kFormatVersion));
  for (std::size_t i = 0; i < values.size(); ++i) {
    add(metadata, format.keys[i + 2], values[i]);
  }
  const std::string hash = metadata_hash(ConfigValue(metadata), format);
  add(metadata, kMetadataHash, hash);
  if (!secret_key.empty()) {
    const Signature signature = sign_metadata(hash, generation, secret_key);
    add(metadata, kGeneration, std::to_string(signature.generation));
    add(metadata, kPublicKey, signature.public_key);
    add(metadata, kSignature, signature.value);
  }

  ConfigValue::Table header;
  add(header, "__metadata__", std::move(metadata));
  visit_layout(network, first_group, [&header](TensorEntry entry) {
    add(header, std::move(entry.name), std::move(entry.fields));
  });
  std::string text = ConfigValue(std::move(header)).to_json();
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  return text;
}

// Fails unless `metadata` has exactly the keys of this format, version first: what a newer version
// adds should be reported as newer and not as unknown.
void check_metadata(const ConfigValue& metadata, const Format& format, const std::string& file) {
  const auto require = [&](const char* key) -> const std::string& {
    const ConfigValue* value = metadata.find(key);
    if (value == nullptr) {
      corrupt(file, "metadata '" + std::string(key) + "' is missing; this is no " + format.what);
    }
    return text_of(*value, "metadata '" + std::string(key) + "'");
  };
  if (const std::string& found = require("format"); found != format.name) {
    if (found == kGrowthFormat.name) {
      throw Error(ErrorCode::kInvalidArgument,
                  file + ": is a growth file, not a model: it has only the groups that a wider " +
                      "model adds; 'bellows apply' adds them to the model that it was made for");
    }
    if (found == kModelFormat.name) {
      throw Error(ErrorCode::kInvalidArgument,
                  file + ": is a model, not a growth file; 'bellows diff' makes one from it and " +
                      "the model that it was grown from");
    }
    corrupt(file, "metadata 'format' is " + in_quotes(found) + ", a " + format.what + " has " +
                      in_quotes(format.name));
  }
  if (require("format_version") != kFormatVersion) {
    throw Error(ErrorCode::kUnsupported,
                file + ": format version " + in_quotes(require("format_version")) +
                    " is unknown, this program reads version " + in_quotes(kFormatVersion) +
                    "; use the version of Bellows that wrote the file");
  }
  for (const char* key : format.keys) require(key);
  const std::string& claimed = require(kMetadataHash);
  for (const auto& [key, value] : std::get<ConfigValue::Table>(metadata.data())) {
    const auto is_key = [&name = key](const char* known) { return name == known; };
    const bool is_optional = std::ranges::any_of(format.more, is_key);
    if (!std::ranges::any_of(format.keys, is_key) && key != kMetadataHash && !is_optional) {
      corrupt(file, "metadata " + in_quotes(key) + " is unknown");
    }
    if (is_optional) std::ranges::for_each(format.more, require);
  }
  if (const std::string found = metadata_hash(metadata, format); found != claimed) {
    corrupt(file, "the metadata have SHA-256 " + found + ", the file says " + in_quotes(claimed) +
                      "; the file was damaged or changed");
  }
}

// The header's table, its metadata checked.
ConfigValue read_header(std::string_view text, const Format& format, const std::string& file) {
  const std::string source = file + ": header";
  if (text.empty() || text.front() != '{') corrupt(source, "does not begin with '{'");
  ConfigValue header = read_json(text, source);
  const ConfigValue* metadata = header.find("__metadata__");
  if (metadata == nullptr || !std::holds_alternative<ConfigValue::Table>(metadata->data())) {
    corrupt(file, std::string("has no table '__metadata__'; this is no ") + format.what);
  }
  check_metadata(*metadata, format, file);
  return header;
}

// A value of the metadata of a header that was read.
const std::string& metadata_text(const ConfigValue& header, const char* key) {
  return std::get<std::string>(header.find("__metadata__")->find(key)->data());
}

// What a header's text takes while it is read: its own length several times, since a long text in
// it is held as the parser's, as a value of the metadata, as the text that is read in its turn and
// as what was read; and objects for each value in it, also of the texts that are read in their
// turn.
std::size_t bytes_to_read(std::string_view text) {
  constexpr std::size_t kCopies = 6;  // 4.8 were measured, with what a text grows by at once
  // Of two characters for a value at least: up to 84 bytes for each were measured.
  constexpr std::size_t kValueBytes = 192;
  const auto separates = [](char c) { return c == ',' || c == ':' || c == '[' || c == '{'; };
  return kCopies * text.size() +
         kValueBytes * static_cast<std::size_t>(std::ranges::count_if(text, separates));
}

std::string read_text(const InputFile& file, std::size_t max_bytes = 0) {
  if (file.size() < kLengthBytes) {
    corrupt(file.name(),
            "is only " + std::to_string(file.size()) + " bytes long; this is no file of Bellows");
  }
  std::array<std::uint8_t, kLengthBytes> bytes{};
  file.read(0, bytes);
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) length = length << 8 | bytes[i];
  if (length > kMaxHeaderBytes) {
    corrupt(file.name(), "its header claims " + std::to_string(length) + " bytes, more than the " +
                             std::to_string(kMaxHeaderBytes) +
                             " allowed; this is no file of Bellows");
  }
  if (length > file.size() - kLengthBytes) {
    corrupt(file.name(), "its header claims " + std::to_string(length) +
                             " bytes, the file has only " + std::to_string(file.size()) +
                             "; it is truncated");
  }
  const auto require = [&](std::uint64_t taken) {
    if (max_bytes == 0 || taken <= max_bytes) return;
    throw Error(ErrorCode::kOutOfMemory,
                file.name() + ": its header takes " + std::to_string(taken) +
                    " bytes to be read, max_bytes allows " + std::to_string(max_bytes));
  };
  require(length);
  std::string text(static_cast<std::size_t>(length), ' ');
  file.read(kLengthBytes, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  require(bytes_to_read(text));
  return text;
}

void check_length(const InputFile& file, std::int64_t described) {
  if (static_cast<std::int64_t>(file.size()) == described) return;
  corrupt(file.name(), "is " + std::to_string(file.size()) + " bytes long, its header describes " +
                           std::to_string(described) +
                           "; the file is truncated or was appended to");
}

// What `read` makes of `text`, so that no file is ever written that would be refused.
template <class Read>
auto read_back(std::string text, const std::string& file, const Read& read) {
  try {
    if (text.size() > kMaxHeaderBytes) {
      corrupt(file, "its header of " + std::to_string(text.size()) + " bytes is longer than the " +
                        std::to_string(kMaxHeaderBytes) + " allowed");
    }
    return read(std::move(text), file);
  } catch (const Error& error) {
    throw Error(ErrorCode::kInvalidArgument, std::string("cannot be saved: ") + error.what());
  }
}

std::int64_t length_with(std::string_view text) {
  return static_cast<std::int64_t>(kLengthBytes + text.size());
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

// Fails unless the tensors in `header` are those of groups `first_group` and up.
void check_tensors(const ConfigValue& header, const Network& network, int first_group,
                   const std::string& file) {
  const auto& table = std::get<ConfigValue::Table>(header.data());
  std::map<std::string_view, const ConfigValue*> found;
  for (const auto& [name, value] : table) found.emplace(name, &value);
  found.erase("__metadata__");
  visit_layout(network, first_group, [&](const TensorEntry& want) {
    const auto entry = found.find(want.name);
    if (entry == found.end()) corrupt(file, "tensor " + in_quotes(want.name) + " is missing");
    check_tensor(want, *entry->second, file);
    found.erase(entry);
  });
  for (const auto& [name, value] : table) {
    if (found.contains(name)) {
      corrupt(file, "tensor " + in_quotes(name) + " is unknown to the network in the file");
    }
  }
}

// --- Models.

// The signature in a header that was read, checked against what it is of.
std::optional<Signature> read_signature(const ConfigValue& header, const std::string& file) {
  if (header.find("__metadata__")->find(kSignature) == nullptr) return std::nullopt;
  const std::string& number = metadata_text(header, kGeneration);
  Signature signature{.generation = -1,
                      .public_key = metadata_text(header, kPublicKey),
                      .value = metadata_text(header, kSignature)};
  std::from_chars(number.data(), number.data() + number.size(), signature.generation);
  // Written back, since "01" is read as 1 too and would be another text under the same signature.
  if (std::to_string(signature.generation) != number ||
      !is_valid(signature, metadata_text(header, kMetadataHash))) {
    corrupt(file,
            "its signature is not of this content, or not by the key that it names; the file was "
            "damaged or changed");
  }
  return signature;
}

// Everything that can be checked without the data.
ModelHeader read_model_text(std::string text, const std::string& file) {
  const ConfigValue header = read_header(text, kModelFormat, file);
  const auto read = [&](const char* key) {
    return read_json(metadata_text(header, key), file + ": metadata '" + key + "'");
  };
  if (const std::size_t size = metadata_text(header, "network").size(); size > kMaxNetworkBytes) {
    corrupt(file, "metadata 'network' has " + std::to_string(size) + " bytes, more than the " +
                      std::to_string(kMaxNetworkBytes) + " allowed");
  }
  Network network = read_of_file(file, [&] { return Network::read(read("network")); });
  ModelInfo info = read_of_file(file, [&] {
    const ConfigValue table = read("info");
    FieldReader reader(table, "");
    ModelInfo information;
    information.visit_fields(reader);
    reader.finish();
    information.check(network);
    return information;
  });
  std::vector<GroupFacts> groups = read_groups(read("groups_sha256"), network, file);
  check_tensors(header, network, 1, file);
  std::optional<Signature> signature = read_signature(header, file);
  return {std::move(text), std::move(network), std::move(info), std::move(groups),
          std::move(signature)};
}

// --- Growth files.

GrowthHeader read_growth_text(std::string text, const std::string& file) {
  const ConfigValue header = read_header(text, kGrowthFormat, file);
  ModelHeader model = read_of_file(file, [&] {
    return read_model_text(metadata_text(header, "model_header"),
                           file + ": metadata 'model_header'");
  });
  const std::string& number = metadata_text(header, "base_groups");
  int base_groups = 0;
  std::from_chars(number.data(), number.data() + number.size(), base_groups);
  // Written back, since "1x" and "01" are read as 1 too.
  if (base_groups < 1 || base_groups >= model.network.groups() ||
      std::to_string(base_groups) != number) {
    corrupt(file, "metadata 'base_groups' is " + in_quotes(number) +
                      ", it needs a number from 1 to fewer than the " +
                      std::to_string(model.network.groups()) + " groups of the wider model");
  }
  check_tensors(header, model.network, base_groups + 1, file);
  return {std::move(text), std::move(model), base_groups};
}

}  // namespace

std::int64_t ModelHeader::bytes() const { return length_with(text); }

std::int64_t ModelHeader::file_bytes() const {
  std::int64_t sum = bytes();
  for (const GroupFacts& group : groups) sum += group.bytes;
  return sum;
}

std::int64_t GrowthHeader::bytes() const { return length_with(text); }

std::int64_t GrowthHeader::file_bytes() const {
  std::int64_t sum = bytes();
  for (std::size_t i = static_cast<std::size_t>(base_groups); i < model.groups.size(); ++i) {
    sum += model.groups[i].bytes;
  }
  return sum;
}

ModelHeader make_model_header(const Network& network, const std::vector<std::string>& hashes,
                              const ModelInfo& info, const std::string& file) {
  ConfigValue::Array array;
  for (const std::string& hash : hashes) array.push_back(text_value(hash));
  FieldWriter writer;
  // Visiting takes mutable information because readers assign; a writer only looks.
  const_cast<ModelInfo&>(info).visit_fields(writer);
  return read_back(write_header(kModelFormat,
                                {network.write().to_json(), ConfigValue(std::move(array)).to_json(),
                                 writer.value().to_json()},
                                network, 1),
                   file, read_model_text);
}

ModelHeader signed_header(const ModelHeader& header, std::int64_t generation,
                          const std::string& secret_key, const std::string& file) {
  // As it stands in the file: what is signed is this text and not what this program would make of
  // it.
  const ConfigValue table = read_header(header.text, kModelFormat, file);
  std::vector<std::string> values;
  for (std::size_t i = 2; i < kModelKeys.size(); ++i) {
    values.push_back(metadata_text(table, kModelKeys[i]));
  }
  return read_back(write_header(kModelFormat, values, header.network, 1, secret_key, generation),
                   file, read_model_text);
}

GrowthHeader make_growth_header(const ModelHeader& model, int base_groups,
                                const std::string& file) {
  return read_back(write_header(kGrowthFormat, {std::to_string(base_groups), model.text},
                                model.network, base_groups + 1),
                   file, read_growth_text);
}

void put_header(AtomicFile& file, std::string_view text) {
  std::array<std::uint8_t, kLengthBytes> length{};
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length[i] = static_cast<std::uint8_t>(text.size() >> (8 * i));
  }
  file.write(length);
  file.write(text);
}

ModelHeader read_model_header(const InputFile& file, std::size_t max_bytes) {
  ModelHeader header = read_model_text(read_text(file, max_bytes), file.name());
  check_length(file, header.file_bytes());
  return header;
}

GrowthHeader read_growth_header(const InputFile& file) {
  GrowthHeader header = read_growth_text(read_text(file), file.name());
  check_length(file, header.file_bytes());
  return header;
}

void check_replaced(const std::filesystem::path& target, const std::optional<Signature>& signature,
                    const std::string& name) {
  std::optional<Signature> replaced;
  try {
    replaced = read_model_header(InputFile(target)).signature;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) return;
    // Damaged, or of a newer program: nobody knows whether it is signed.
    throw Error(error.code(), "'" + target.string() +
                                  "' would be replaced and cannot be read as a model (" +
                                  error.what() + "); remove it or choose another name");
  }
  if (!replaced) return;
  try {
    require_signature(name, signature, replaced->public_key, replaced->generation);
  } catch (const Error& error) {
    throw Error(error.code(), std::string(error.what()) + ", as '" + target.string() +
                                  "' has, which would be replaced; choose another name");
  }
}

void check_group(const std::string& file, int group, const GroupFacts& claimed,
                 const std::string& found) {
  if (found == claimed.sha256) return;
  corrupt(file, "group " + std::to_string(group) + " has SHA-256 " + found + ", the file says " +
                    in_quotes(claimed.sha256) + "; the file was damaged or changed");
}

std::string groups_text(int groups) {
  return groups == 1 ? "1 group" : std::to_string(groups) + " groups";
}

}  // namespace bellows
