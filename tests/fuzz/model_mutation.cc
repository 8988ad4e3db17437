#include "tests/fuzz/model_mutation.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sha256.h"

namespace bellows::fuzz {
namespace {

// Keeps the order of keys, which says where tensors lie.
using Json = nlohmann::ordered_json;

constexpr std::size_t kLengthBytes = 8;
constexpr const char* kMetadata = "__metadata__";

// A file taken apart: its header, if that is a table of JSON with metadata, and its weights.
struct Parts {
  Json header;
  std::string weights;
};

bool take_apart(std::string_view file, Parts& parts) {
  if (file.size() < kLengthBytes) return false;
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    length = length << 8 | static_cast<std::uint8_t>(file[i]);
  }
  if (length > file.size() - kLengthBytes) return false;
  parts.header = Json::parse(file.substr(kLengthBytes, length), nullptr, false);
  parts.weights = file.substr(kLengthBytes + length);
  return parts.header.is_object() && parts.header.contains(kMetadata) &&
         parts.header[kMetadata].is_object();
}

std::string put_together(const Parts& parts) {
  std::string text = parts.header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string file;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    file += static_cast<char>(text.size() >> (8 * i) & 0xff);
  }
  return file + text + parts.weights;
}

std::string text_of(const Json& metadata, const char* key) {
  const auto entry = metadata.find(key);
  return entry != metadata.end() && entry->is_string() ? entry->get<std::string>() : "";
}

// The hash that docs/model_format.md asks of the metadata.
void hash_metadata(Json& metadata) {
  const bool growth = metadata.contains("model_header");
  const std::vector<const char*> keys =
      growth ? std::vector<const char*>{"format", "format_version", "base_groups", "model_header"}
             : std::vector<const char*>{"format", "format_version", "network", "groups_sha256",
                                        "info"};
  Sha256 sha256;
  for (const char* key : keys) {
    sha256.update(text_of(metadata, key));
    sha256.update("\n");
  }
  metadata["metadata_sha256"] = sha256.hex();
}

// Of each group whose tensors the header names, the hash of its bytes.
void hash_groups(Json& metadata, const Json& header, std::string_view weights) {
  Json hashes = Json::parse(text_of(metadata, "groups_sha256"), nullptr, false);
  if (!hashes.is_array()) return;
  for (std::size_t group = 1; group <= hashes.size() && group < 100; ++group) {
    const std::string prefix = "group." + std::to_string(group) + ".";
    std::size_t begin = weights.size();
    std::size_t end = 0;
    for (const auto& [name, tensor] : header.items()) {
      if (!name.starts_with(prefix) || !tensor.is_object()) continue;
      const auto offsets = tensor.find("data_offsets");
      if (offsets == tensor.end() || !offsets->is_array() || offsets->size() != 2 ||
          !(*offsets)[0].is_number_unsigned() || !(*offsets)[1].is_number_unsigned()) {
        continue;
      }
      begin = std::min(begin, (*offsets)[0].get<std::size_t>());
      end = std::max(end, (*offsets)[1].get<std::size_t>());
    }
    if (begin >= end || end > weights.size()) continue;
    const std::string_view bytes = weights.substr(begin, end - begin);
    hashes[group - 1] =
        sha256_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  }
  metadata["groups_sha256"] = hashes.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void make_right(Parts& parts) {
  Json& metadata = parts.header[kMetadata];
  const std::string inner = text_of(metadata, "model_header");
  if (!inner.empty()) {
    Json header = Json::parse(inner, nullptr, false);
    if (header.is_object() && header.contains(kMetadata) && header[kMetadata].is_object()) {
      hash_groups(header[kMetadata], parts.header, parts.weights);
      hash_metadata(header[kMetadata]);
      std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
      text.resize((text.size() + 7) / 8 * 8, ' ');
      metadata["model_header"] = text;
    }
  } else {
    hash_groups(metadata, parts.header, parts.weights);
  }
  hash_metadata(metadata);
}

std::string changed(std::string text, std::size_t room, const MutateText& mutate) {
  const std::size_t size = text.size();
  text.resize(size + room);
  const std::size_t length =
      mutate(reinterpret_cast<std::uint8_t*>(text.data()), size, text.size());
  text.resize(length);
  return text;
}

// Changes one value somewhere in a tree.
void change_value(Json& value, std::minstd_rand& random, const MutateText& mutate) {
  while (value.is_structured() && !value.empty()) {
    const std::size_t place = random() % value.size();
    if (random() % 16 == 0) {
      // Once more, or no longer.
      if (value.is_array()) {
        if (random() % 2 == 0)
          value.push_back(value[place]);
        else
          value.erase(place);
      } else {
        value.erase(std::next(value.begin(), static_cast<std::ptrdiff_t>(place)).key());
      }
      return;
    }
    Json& next = *std::next(value.begin(), static_cast<std::ptrdiff_t>(place));
    change_value(next, random, mutate);
    return;
  }
  if (value.is_string()) {
    static const std::vector<const char*> kWords = {
        "conv",     "batch_norm",      "relu",     "relu6",      "max_pool",
        "avg_pool", "global_avg_pool", "dropout",  "linear",     "residual",
        "head",     "per_width",       "additive", "triangular", "grouped"};
    if (random() % 2 == 0)
      value = kWords[random() % kWords.size()];
    else
      value = changed(value.get<std::string>(), 16, mutate);
  } else if (value.is_boolean()) {
    value = !value.get<bool>();
  } else if (value.is_number()) {
    static const std::vector<std::int64_t> kIntegers = {0,
                                                        1,
                                                        2,
                                                        3,
                                                        5,
                                                        8,
                                                        16,
                                                        17,
                                                        64,
                                                        255,
                                                        256,
                                                        4096,
                                                        65536,
                                                        1000000,
                                                        2147483647,
                                                        2147483648,
                                                        -1,
                                                        -100,
                                                        46341,
                                                        3037000,
                                                        4294967295,
                                                        1000000007,
                                                        std::numeric_limits<std::int64_t>::max(),
                                                        std::numeric_limits<std::int64_t>::min()};
    static const std::vector<double> kReals = {0.5, -0.5, 1e-30, 1e-5, 0.999, 1e15, 1e300, -1e300};
    if (random() % 4 == 0) {
      value = kReals[random() % kReals.size()];
    } else {
      value = kIntegers[random() % kIntegers.size()];
    }
  } else {
    value = 1;
  }
}

}  // namespace

std::string with_checksums(std::string_view file) {
  Parts parts;
  if (!take_apart(file, parts)) return std::string(file);
  make_right(parts);
  return put_together(parts);
}

std::size_t mutate_model(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed,
                         const MutateText& mutate) {
  std::minstd_rand random(seed + 1);
  Parts parts;
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  if (random() % 8 == 0 || !take_apart(file, parts)) return mutate(data, size, max_size);
  Json& metadata = parts.header[kMetadata];
  const std::size_t what = random() % 8;
  if (what == 0) {
    parts.weights = changed(parts.weights, 64, mutate);
  } else if (what == 1) {
    change_value(parts.header, random, mutate);
  } else {
    // Of a growth file the description lies one header deeper.
    const std::string inner = text_of(metadata, "model_header");
    Json header = inner.empty() ? parts.header : Json::parse(inner, nullptr, false);
    if (!header.is_object() || !header.contains(kMetadata)) return mutate(data, size, max_size);
    static const std::vector<const char*> kKeys = {"network", "network", "network", "info",
                                                   "groups_sha256"};
    const char* key = kKeys[random() % kKeys.size()];
    const std::string text = text_of(header[kMetadata], key);
    Json value = Json::parse(text, nullptr, false);
    if (value.is_discarded() || random() % 8 == 0) {
      header[kMetadata][key] = changed(text, 64, mutate);
    } else {
      change_value(value, random, mutate);
      header[kMetadata][key] = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    if (inner.empty())
      parts.header = header;
    else
      metadata["model_header"] = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  make_right(parts);
  const std::string result = put_together(parts);
  if (result.size() > max_size) return mutate(data, size, max_size);
  std::copy(result.begin(), result.end(), data);
  return result.size();
}

}  // namespace bellows::fuzz
