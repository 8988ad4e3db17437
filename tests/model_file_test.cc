#include "engine/model_file.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/json_value.h"
#include "engine/sha256.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::ordered_json;

// --- Models.

// Three unequal groups and every kind of layer that has parameters.
Network rich_network() {
  return Network::read(read_json(R"({
    "input": [2, 4, 4], "classes": 3, "groups": 3,
    "layers": [
      {"kind": "conv", "name": "conv1", "channels": [2, 1, 3], "kernel": 3, "padding": 1},
      {"kind": "batch_norm", "name": "norm1"},
      {"kind": "residual", "name": "block", "shortcut": "projected", "body": [
        {"kind": "conv", "name": "conv2", "channels": [1, 2, 1], "kernel": 1, "bias": false}]},
      {"kind": "linear", "name": "fc", "features": [3, 2, 1]},
      {"kind": "relu", "name": "relu"},
      {"kind": "head", "name": "head"}]})",
                                 "test"));
}

// Any bit patterns of numbers, those of denormals and of zeros of either sign included.
WeightSet random_weights(const Network& network) {
  WeightSet weights(network, network.groups());
  std::mt19937 random(7);
  for (int group = 1; group <= weights.groups(); ++group) {
    for (const ParameterKey& key : network.parameters(group)) {
      for (float& value : weights.values(key)) {
        // Below 2, and variances not below 0.
        const bool variance = key.spec.role == ParameterRole::kVariance;
        const std::uint32_t mask = variance ? 0x3fffffff : 0xbfffffff;
        value = std::bit_cast<float>(static_cast<std::uint32_t>(random()) & mask);
      }
    }
    weights.group_values(group)[0] = -0.0F;
    weights.group_values(group)[1] = std::numeric_limits<float>::denorm_min();
  }
  return weights;
}

ModelInfo rich_info() {
  ModelInfo info;
  info.classes = {"cat", "d\xc3\xb6g", "a \"quoted\"\nname"};
  info.mean = {0.1, 1.0 / 3};
  info.stddev = {0.25, 1e-3};
  info.data_set = "some images";
  info.seed = -5;
  info.schedule = "incremental";
  info.epochs = "12 for group 1, then 6 each";
  info.created_with = "a test";
  info.validation_accuracy = {0.5, 0.625, 1};
  info.test_accuracy = {0, 0.1, 0.7};
  info.extra = {{"b", "1"}, {"a", ""}};
  return info;
}

// The recipe of tests/golden/tiny.safetensors.
Network tiny_network() {
  return Network::read(read_json(R"({
    "input": [1, 1, 2], "classes": 2, "groups": 2,
    "layers": [
      {"kind": "conv", "name": "conv", "channels": [2, 1], "kernel": 1, "bias": false},
      {"kind": "batch_norm", "name": "norm"},
      {"kind": "head", "name": "head"}]})",
                                 "test"));
}

WeightSet tiny_weights() {
  const Network network = tiny_network();
  WeightSet weights(network, 2);
  int place = 0;
  for (int group = 1; group <= 2; ++group) {
    for (float& value : weights.group_values(group)) {
      value = static_cast<float>(place++ % 17 - 8) / 8;
    }
    for (const ParameterKey& key : network.parameters(group)) {
      if (key.spec.role != ParameterRole::kVariance) continue;
      for (float& variance : weights.values(key)) variance = std::abs(variance);
    }
  }
  return weights;
}

ModelInfo tiny_info() {
  ModelInfo info;
  info.classes = {"left", "right"};
  info.mean = {0.5};
  info.stddev = {0.25};
  info.data_set = "drawn by hand";
  info.seed = 1;
  info.schedule = "incremental";
  info.epochs = "1 each";
  info.created_with = "bellows 0.1.0";
  info.validation_accuracy = {0.75, 0.875};
  info.extra = {{"note", "golden"}};
  return info;
}

// --- Files.

std::string content(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void put(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A safetensors file as any reader of the format sees it.
struct Safetensors {
  explicit Safetensors(const std::string& bytes) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    header = Json::parse(bytes.substr(8, length));
    data = bytes.substr(8 + length);
    for (const auto& [name, tensor] : header.items()) {
      if (name != "__metadata__") names.push_back(name);
    }
  }

  [[nodiscard]] std::vector<float> values(const std::string& name) const {
    const Json& tensor = header.at(name);
    const auto begin = tensor.at("data_offsets").at(0).get<std::size_t>();
    const auto end = tensor.at("data_offsets").at(1).get<std::size_t>();
    std::vector<float> values((end - begin) / sizeof(float));
    std::memcpy(values.data(), data.data() + begin, end - begin);
    return values;
  }

  Json& metadata() { return header.at("__metadata__"); }

  // As the format's page says.
  void rehash() {
    std::string all;
    for (const char* key : {"format", "format_version", "network", "groups_sha256", "info"}) {
      all += metadata().at(key).get<std::string>() + "\n";
    }
    metadata()["metadata_sha256"] = sha256_hex(bytes_of(all));
  }

  [[nodiscard]] std::string bytes() const { return bytes(header.dump()); }
  [[nodiscard]] std::string bytes(const std::string& text) const {
    const std::uint64_t size = text.size();
    std::string all(sizeof size, '\0');
    std::memcpy(all.data(), &size, sizeof size);
    return all + text + data;
  }

  Json header;
  std::vector<std::string> names;  // in the header's order
  std::string data;
};

std::string group_bytes(const WeightSet& weights, int group) {
  const auto span = weights.group_bytes(group);
  return {span.begin(), span.end()};
}

std::string all_bytes(const WeightSet& weights) {
  std::string all;
  for (int group = 1; group <= weights.groups(); ++group) all += group_bytes(weights, group);
  return all;
}

class ModelFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("bellows_model_file_" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "model.safetensors";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void save_rich() const {
    const Network network = rich_network();
    save_model(path_, network, random_weights(network), rich_info());
  }
  void save_tiny() const { save_model(path_, tiny_network(), tiny_weights(), tiny_info()); }

  // What loading says; it must name the file, on one line.
  [[nodiscard]] std::string load_error(ErrorCode code = ErrorCode::kCorruptData,
                                       std::optional<int> groups = std::nullopt) const {
    try {
      static_cast<void>(load_model(path_, groups));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_THAT(error.what(), StartsWith(path_.string()));
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      EXPECT_LT(std::string(error.what()).size(), path_.string().size() + 1200);
      return error.what();
    }
    ADD_FAILURE() << "the file was accepted";
    return "";
  }

  // What loading says of the tiny model with one thing changed.
  [[nodiscard]] std::string error_after(const std::function<void(Safetensors&)>& change,
                                        bool rehash = false) const {
    save_tiny();
    Safetensors file(content(path_));
    change(file);
    if (rehash) file.rehash();
    put(path_, file.bytes());
    return load_error();
  }

  // What saving says of the tiny model with its information changed. Nothing may appear.
  [[nodiscard]] std::string save_error(const std::function<void(ModelInfo&)>& change) const {
    ModelInfo info = tiny_info();
    change(info);
    try {
      save_model(path_, tiny_network(), tiny_weights(), info);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(path_.string()));
      EXPECT_TRUE(std::filesystem::is_empty(folder_));
      return error.what();
    }
    ADD_FAILURE() << "the model was saved";
    return "";
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

// --- Round trip and layout.

TEST_F(ModelFileTest, RoundTripKeepsEverythingBitForBit) {
  const Network network = rich_network();
  const WeightSet weights = random_weights(network);
  save_model(path_, network, weights, rich_info());
  const ModelFile loaded = load_model(path_);
  EXPECT_EQ(loaded.network.write().to_json(), network.write().to_json());
  EXPECT_EQ(loaded.weights.groups(), 3);
  EXPECT_TRUE(all_bytes(loaded.weights) == all_bytes(weights));
  EXPECT_TRUE(loaded.info == rich_info());

  const std::string first = content(path_);
  save_model(path_, loaded.network, loaded.weights, loaded.info);
  EXPECT_TRUE(content(path_) == first);
}

TEST_F(ModelFileTest, InformationMayBeLeftOut) {
  save_model(path_, tiny_network(), tiny_weights(), {});
  EXPECT_TRUE(load_model(path_).info == ModelInfo{});
}

TEST_F(ModelFileTest, FactsTellWhatIsOnTheDisk) {
  save_rich();
  const Network network = rich_network();
  const WeightSet weights = random_weights(network);
  for (const int groups : {1, 3}) {
    const ModelFileFacts facts = load_model(path_, groups).facts;
    ASSERT_EQ(facts.groups.size(), 3U);
    std::int64_t bytes = facts.header_bytes;
    for (int group = 1; group <= 3; ++group) {
      const GroupFacts& found = facts.groups[static_cast<std::size_t>(group - 1)];
      EXPECT_EQ(found.sha256, sha256_hex(weights.group_bytes(group)));
      EXPECT_EQ(found.bytes, 4 * network.parameter_count(group));
      bytes += found.bytes;
    }
    EXPECT_EQ(facts.total_bytes, bytes);
    EXPECT_EQ(static_cast<std::uintmax_t>(bytes), std::filesystem::file_size(path_));
    EXPECT_EQ(facts.header_bytes % 8, 0);
  }
}

TEST_F(ModelFileTest, AnySafetensorsReaderFindsTheTensors) {
  save_rich();
  const Network network = rich_network();
  const WeightSet weights = random_weights(network);
  Safetensors file(content(path_));
  for (const auto& [key, value] : file.metadata().items()) {
    EXPECT_TRUE(value.is_string()) << key;
  }
  std::vector<std::string> names;
  std::size_t end = 0;
  for (int group = 1; group <= 3; ++group) {
    for (const ParameterKey& key : network.parameters(group)) {
      const std::string name = network.parameter_name(key);
      names.push_back(name);
      ASSERT_TRUE(file.header.contains(name)) << name;
      const Json& tensor = file.header[name];
      EXPECT_EQ(tensor.size(), 3U);
      EXPECT_EQ(tensor["dtype"], "F32");
      EXPECT_EQ(tensor["shape"].get<std::vector<std::int64_t>>(), key.spec.dims);
      EXPECT_EQ(tensor["data_offsets"][0].get<std::size_t>(), end);
      end = tensor["data_offsets"][1].get<std::size_t>();
      const std::vector<float> values = file.values(name);
      const auto expected = weights.values(key);
      ASSERT_EQ(values.size(), expected.size());
      EXPECT_EQ(std::memcmp(values.data(), expected.data(), expected.size_bytes()), 0) << name;
    }
  }
  EXPECT_EQ(file.names, names);
  EXPECT_EQ(file.data.size(), end);
}

TEST_F(ModelFileTest, ANarrowerNetworkIsAPrefixOfTheData) {
  save_rich();
  const std::string whole = Safetensors(content(path_)).data;
  const Network network = rich_network();
  const WeightSet weights = random_weights(network);
  for (int groups = 1; groups <= 3; ++groups) {
    save_model(path_, network.first_groups(groups), weights, {});
    const std::string data = Safetensors(content(path_)).data;
    EXPECT_TRUE(data == whole.substr(0, data.size())) << groups;
    EXPECT_EQ(load_model(path_).network.groups(), groups);
  }
}

TEST_F(ModelFileTest, TheFirstGroupsLoadAsTheNetworkCutToThem) {
  save_rich();
  const ModelFile cut = load_model(path_, 2);
  const Network network = rich_network();
  const WeightSet weights = random_weights(network);
  EXPECT_EQ(cut.network.write().to_json(), network.first_groups(2).write().to_json());
  ASSERT_EQ(cut.weights.groups(), 2);
  EXPECT_TRUE(cut.weights.fits(cut.network));
  for (const int group : {1, 2}) {
    EXPECT_TRUE(group_bytes(cut.weights, group) == group_bytes(weights, group)) << group;
  }
  EXPECT_THAT(cut.info.validation_accuracy, ElementsAre(0.5, 0.625));
  EXPECT_THAT(cut.info.test_accuracy, ElementsAre(0, 0.1));
  EXPECT_EQ(cut.info.classes, rich_info().classes);

  // And that is a model of its own.
  save_model(path_, cut.network, cut.weights, cut.info);
  EXPECT_TRUE(all_bytes(load_model(path_).weights) == all_bytes(cut.weights));
}

TEST_F(ModelFileTest, LoadingTheFirstGroupsReadsNothingOfTheOthers) {
  save_rich();
  std::string bytes = content(path_);
  bytes.back() = static_cast<char>(~bytes.back());
  put(path_, bytes);
  EXPECT_EQ(load_model(path_, 1).weights.groups(), 1);
  EXPECT_EQ(load_model(path_, 2).weights.groups(), 2);
  EXPECT_THAT(load_error(), HasSubstr("group 3 has SHA-256 "));
}

TEST_F(ModelFileTest, RefusesGroupsThatTheFileHasNot) {
  save_tiny();
  for (const int groups : {-1, 0, 3}) {
    EXPECT_THAT(load_error(ErrorCode::kInvalidArgument, groups),
                HasSubstr("has groups 1 to 2, the first " + std::to_string(groups)));
  }
}

// --- The golden file and the page about the format.

std::filesystem::path golden_path() {
  return std::filesystem::path(BELLOWS_SOURCE_DIR) / "tests" / "golden" / "tiny.safetensors";
}

TEST_F(ModelFileTest, AGoldenFileOfVersion1StillReads) {
  const ModelFile golden = load_model(golden_path());
  EXPECT_EQ(golden.network.write().to_json(), tiny_network().write().to_json());
  EXPECT_TRUE(all_bytes(golden.weights) == all_bytes(tiny_weights()));
  EXPECT_TRUE(golden.info == tiny_info());
}

// Programs in the field read what this one writes. Keys may join the network and the information;
// any other change of the format needs a new version, and the golden file of the old one stays.
TEST_F(ModelFileTest, WhatTheGoldenFileSaysIsStillWritten) {
  save_tiny();
  Safetensors written(content(path_));
  Safetensors golden(content(golden_path()));
  EXPECT_TRUE(written.data == golden.data);
  for (const char* key : {"network", "info"}) {
    const Json now = Json::parse(written.metadata()[key].get<std::string>()).flatten();
    const Json then = Json::parse(golden.metadata()[key].get<std::string>()).flatten();
    for (const auto& [place, value] : then.items()) EXPECT_EQ(now.value(place, Json()), value);
    written.metadata()[key] = golden.metadata()[key];
  }
  written.rehash();
  EXPECT_EQ(written.header.dump(), golden.header.dump());
}

std::string page() {
  return content(std::filesystem::path(BELLOWS_SOURCE_DIR) / "docs" / "model_format.md");
}

TEST(ModelFormatPage, ShowsTheHeaderOfTheGoldenFile) {
  const std::string text = page();
  const std::string fence = "```json\n";
  const std::size_t begin = text.find(fence);
  ASSERT_NE(begin, std::string::npos);
  const std::size_t end = text.find("```", begin + fence.size());
  ASSERT_NE(end, std::string::npos);
  const std::string shown = text.substr(begin + fence.size(), end - begin - fence.size());
  EXPECT_EQ(Json::parse(shown), Safetensors(content(golden_path())).header);
}

TEST(ModelFormatPage, ListsEveryKeyOfTheInformation) {
  const std::string text = page();
  FieldDocumenter documenter("");
  ModelInfo().visit_fields(documenter);
  EXPECT_GE(documenter.entries().size(), 10U);
  for (const FieldDocumentation& entry : documenter.entries()) {
    EXPECT_THAT(text,
                HasSubstr("| `" + entry.key + "` | " + entry.type + " | " + entry.help + " |\n"));
  }
}

// --- What saving refuses.

TEST_F(ModelFileTest, NeverWritesWhatItWouldNotRead) {
  EXPECT_THAT(save_error([](ModelInfo& info) { info.classes = {"one"}; }),
              HasSubstr("key 'classes' has 1 entries, it needs 2 or none"));
  EXPECT_THAT(save_error([](ModelInfo& info) {
                info.mean = {0.5, 0.5};
              }),
              HasSubstr("'normalisation.mean' has 2 entries, it needs 1"));
  EXPECT_THAT(save_error([](ModelInfo& info) { info.stddev.clear(); }),
              HasSubstr("'normalisation.stddev' is empty; give both or none"));
  EXPECT_THAT(save_error([](ModelInfo& info) { info.stddev = {0}; }),
              HasSubstr("'normalisation.stddev' is 0.0, it needs"));
  EXPECT_THAT(save_error([](ModelInfo& info) { info.mean = {1e300}; }),
              HasSubstr("'normalisation.mean'"));
  EXPECT_THAT(
      save_error([](ModelInfo& info) { info.mean = {std::numeric_limits<double>::quiet_NaN()}; }),
      HasSubstr("metadata 'info': byte "));
  EXPECT_THAT(save_error([](ModelInfo& info) { info.test_accuracy = {0.5}; }),
              HasSubstr("'accuracy.test' has 1 entries, it needs 2"));
  EXPECT_THAT(save_error([](ModelInfo& info) {
                info.validation_accuracy = {0.5, 1.5};
              }),
              HasSubstr("'accuracy.validation'"));
  EXPECT_THAT(save_error([](ModelInfo& info) { info.data_set = "\xff"; }), HasSubstr("header"));
  EXPECT_THAT(save_error([](ModelInfo& info) {
                info.extra = {{"x", std::string(17 << 20, 'x')}};
              }),
              HasSubstr("longer than the 16777216"));
}

TEST_F(ModelFileTest, RefusesWeightsOfAnotherNetwork) {
  try {
    save_model(path_, rich_network(), tiny_weights(), {});
    FAIL() << "saved";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), AllOf(HasSubstr(path_.string()), HasSubstr("does not fit")));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(ModelFileTest, AFullDiskLeavesTheOldModelUntouched) {
  save_tiny();
  const std::string before = content(path_);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  ::getrlimit(RLIMIT_FSIZE, &unlimited);
  // Fails in the length, in the header and in the data.
  const rlim_t sizes[] = {4, 1000, std::filesystem::file_size(path_)};
  for (const rlim_t size : sizes) {
    rlimit limited = unlimited;
    limited.rlim_cur = size;
    ::setrlimit(RLIMIT_FSIZE, &limited);
    std::string message;
    try {
      save_rich();
    } catch (const Error& error) {
      message = error.what();
    }
    ::setrlimit(RLIMIT_FSIZE, &unlimited);
    EXPECT_THAT(message, StartsWith(path_.string() + ": cannot be written"));
    EXPECT_TRUE(content(path_) == before);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
  }
  std::signal(SIGXFSZ, handler);
}

// --- What loading refuses.

TEST_F(ModelFileTest, NamesAFileThatIsNotThere) {
  EXPECT_THAT(load_error(ErrorCode::kNotFound), HasSubstr("No such file"));
}

TEST_F(ModelFileTest, RefusesFoldersAndPipesWithoutWaiting) {
  std::filesystem::create_directory(path_);
  EXPECT_THAT(load_error(ErrorCode::kIoError), HasSubstr("not a regular file"));
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(load_error(ErrorCode::kIoError), HasSubstr("not a regular file"));
}

TEST_F(ModelFileTest, RefusesAFileCutAnywhere) {
  save_tiny();
  for (std::size_t size = content(path_).size(); size-- > 0;) {
    std::filesystem::resize_file(path_, size);
    EXPECT_THAT(load_error(), HasSubstr(std::to_string(size))) << size;
    EXPECT_THAT(load_error(ErrorCode::kCorruptData, 1), HasSubstr(std::to_string(size))) << size;
  }
}

TEST_F(ModelFileTest, RefusesAFileThatWasAppendedTo) {
  save_tiny();
  put(path_, content(path_) + "x");
  EXPECT_THAT(load_error(), HasSubstr("appended to"));
}

TEST_F(ModelFileTest, AFlippedBitIsRefusedOrChangesNothing) {
  save_tiny();
  const std::string good = content(path_);
  const std::size_t header = static_cast<std::size_t>(load_model(path_).facts.header_bytes);
  std::mt19937 random(3);
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    std::string bad = good;
    // Half of them into the data, which are the smaller part of this file.
    const std::size_t place =
        i % 2 == 0 ? random() % header : header + random() % (good.size() - header);
    bad[place] = static_cast<char>(bad[place] ^ (1 << random() % 8));
    put(path_, bad);
    try {
      const ModelFile loaded = load_model(path_);
      save_model(path_, loaded.network, loaded.weights, loaded.info);
      EXPECT_TRUE(content(path_) == good) << "byte " << place;
    } catch (const Error& error) {
      ++refused;
      EXPECT_TRUE(error.code() == ErrorCode::kCorruptData ||
                  error.code() == ErrorCode::kUnsupported)
          << error.what();
      EXPECT_THAT(error.what(), StartsWith(path_.string()));
    }
  }
  EXPECT_GT(refused, 480);
}

TEST_F(ModelFileTest, BelievesNoLengthBeyondItsLimitsOrTheFile) {
  save_tiny();
  const std::string good = content(path_);
  const auto with_length = [&](std::uint64_t length) {
    std::string bytes = good;
    std::memcpy(bytes.data(), &length, sizeof length);
    put(path_, bytes);
    return load_error();
  };
  EXPECT_THAT(with_length(std::numeric_limits<std::uint64_t>::max()), HasSubstr("allowed"));
  EXPECT_THAT(with_length((16U << 20) + 1), HasSubstr("16777217 bytes, more than the 16777216"));
  EXPECT_THAT(with_length(16U << 20), HasSubstr("truncated"));
  EXPECT_THAT(with_length(good.size() - 7), HasSubstr("truncated"));
  EXPECT_THAT(with_length(good.size() - 8), HasSubstr("malformed JSON"));
  EXPECT_THAT(with_length(0), HasSubstr("does not begin with '{'"));
}

TEST_F(ModelFileTest, RefusesAHeaderThatIsNoJsonTable) {
  const auto with_header = [&](const std::string& text) {
    save_tiny();
    put(path_, Safetensors(content(path_)).bytes(text));
    return load_error();
  };
  EXPECT_THAT(with_header("[]"), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(with_header(" {}"), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(with_header("{"), HasSubstr("header: byte 1: malformed JSON"));
  EXPECT_THAT(with_header("{}"), HasSubstr("no table '__metadata__'"));
  EXPECT_THAT(with_header(R"({"__metadata__": "text"})"), HasSubstr("no table '__metadata__'"));
  EXPECT_THAT(with_header(R"({"__metadata__": {"format": "pt"}})"),
              HasSubstr(R"('format' is "pt", a Bellows model has "bellows")"));
}

TEST_F(ModelFileTest, RefusesATensorThatStandsTwice) {
  save_tiny();
  const Safetensors file(content(path_));
  std::string text = file.header.dump();
  text.pop_back();
  text += R"(,"group.1.conv.weight":)" + file.header["group.1.conv.weight"].dump() + "}";
  put(path_, file.bytes(text));
  EXPECT_THAT(load_error(), HasSubstr(R"(key "group.1.conv.weight" stands twice)"));
}

TEST_F(ModelFileTest, RefusesUnknownVersions) {
  save_tiny();
  Safetensors file(content(path_));
  file.metadata()["format_version"] = "2";
  file.metadata()["news"] = "of a later version";
  put(path_, file.bytes());
  EXPECT_THAT(load_error(ErrorCode::kUnsupported),
              HasSubstr(R"(format version "2" is unknown, this program reads version "1")"));
}

TEST_F(ModelFileTest, RefusesChangedMetadata) {
  EXPECT_THAT(error_after([](Safetensors& file) { file.metadata().erase("info"); }),
              HasSubstr("metadata 'info' is missing"));
  EXPECT_THAT(error_after([](Safetensors& file) { file.metadata().erase("metadata_sha256"); }),
              HasSubstr("metadata 'metadata_sha256' is missing"));
  EXPECT_THAT(error_after([](Safetensors& file) { file.metadata()["info"] = 1; }),
              HasSubstr("metadata 'info' is an integer, not a string"));
  EXPECT_THAT(error_after([](Safetensors& file) { file.metadata()["a\nb"] = "x"; }),
              HasSubstr(R"(metadata "a?b" is unknown)"));
  EXPECT_THAT(error_after([](Safetensors& file) {
                auto info = file.metadata()["info"].get<std::string>();
                info.replace(info.find("0.25"), 4, "0.35");
                file.metadata()["info"] = info;
              }),
              HasSubstr("the metadata have SHA-256 "));
}

TEST_F(ModelFileTest, RefusesMetadataThatContradictThemselves) {
  const auto error = [&](const char* key, const std::function<void(Json&)>& change) {
    return error_after(
        [&](Safetensors& file) {
          Json inner = Json::parse(file.metadata()[key].get<std::string>());
          change(inner);
          file.metadata()[key] = inner.dump();
        },
        true);
  };
  EXPECT_THAT(error("network", [](Json& network) { network["groups"] = 0; }),
              HasSubstr("metadata 'network': key 'network.groups' is 0, it needs"));
  EXPECT_THAT(error("network", [](Json& network) { network["layers"][0]["kind"] = "cnov"; }),
              HasSubstr("\"cnov\""));
  EXPECT_THAT(error("network", [](Json& network) { network["layers"][0]["name"] = "a\nb"; }),
              HasSubstr("layer name \"a\\u000ab\""));
  EXPECT_THAT(error("network", [](Json& network) { network["layers"][0]["kernel"] = 3; }),
              HasSubstr("the map vanishes"));
  // Products that 64 bits hold as 32, 0 and 0.
  EXPECT_THAT(error("network",
                    [](Json& network) {
                      network["input"] = {96, 105305443, 1824726041};
                    }),
              HasSubstr("key 'network.input' is 105305443, it needs an integer from 1 to 65536"));
  EXPECT_THAT(error("network",
                    [](Json& network) {
                      network["input"] = {16, 1 << 30, 1 << 30};
                    }),
              HasSubstr("key 'network.input' is 1073741824, it needs an integer from 1 to 65536"));
  EXPECT_THAT(error("network",
                    [](Json& network) {
                      network["layers"][0]["kernel"] = 1 << 24;
                      network["layers"][0]["padding"] = 1 << 23;
                    }),
              HasSubstr("key 'conv.kernel' is 16777216"));
  EXPECT_THAT(error("network",
                    [](Json& network) {
                      network["input"] = {65536, 1, 1};
                      network["layers"][0]["channels"] = {1 << 20, 1};
                      network["layers"][0]["kernel"] = 65536;
                      network["layers"][0]["padding"] = 32768;
                    }),
              HasSubstr("layer 'conv' (conv): needs a tensor of more than 2^31 elements"));
  EXPECT_THAT(
      error("network",
            [](Json& network) {
              network["groups"] = 64;
              network["layers"] = Json::array();
              network["layers"].push_back({{"kind", "conv"},
                                           {"name", "conv"},
                                           {"channels", std::vector<int>(64, 1)},
                                           {"kernel", 1}});
              for (int i = 0; i < 25000; ++i) {
                network["layers"].push_back({{"kind", "relu"}, {"name", "r" + std::to_string(i)}});
              }
              network["layers"].push_back({{"kind", "head"}, {"name", "head"}});
            }),
      HasSubstr("layer 'r127' (relu): the network has too many layers"));
  EXPECT_THAT(error("network", [](Json& network) { network["x\ny"] = 3; }),
              HasSubstr("unknown key 'network.x?y'"));
  EXPECT_THAT(error("network",
                    [](Json& network) {
                      network["layers"][0]["channels"] = {2, 2};
                    }),
              HasSubstr("tensor \"group.2.conv.weight\" has shape [1,1,1,1], its network asks for "
                        "[2,1,1,1]"));
  EXPECT_THAT(error("network", [](Json& network) { network["x"] = std::string(1 << 20, 'x'); }),
              HasSubstr("more than the 1048576 allowed"));
  EXPECT_THAT(error("info", [](Json& info) { info["classes"][0] = 7; }),
              HasSubstr("key 'classes' is 7, it needs a string"));
  EXPECT_THAT(error("info", [](Json& info) { info["classes"].push_back("third"); }),
              HasSubstr("key 'classes' has 3 entries"));
  EXPECT_THAT(error("info", [](Json& info) { info["accuracy"]["width"] = 7; }),
              HasSubstr("unknown key 'accuracy.width'"));
  EXPECT_THAT(error("groups_sha256", [](Json& hashes) { hashes.erase(1); }),
              HasSubstr("one hash for each of the 2 groups"));
  EXPECT_THAT(error("groups_sha256", [](Json& hashes) { hashes[1] = 7; }),
              HasSubstr("the hash of group 2 is an integer"));
  EXPECT_THAT(error("groups_sha256", [](Json& hashes) { hashes[1] = std::string(64, 'A'); }),
              HasSubstr("64 lower-case hexadecimal digits"));
  EXPECT_THAT(error("groups_sha256", [](Json& hashes) { hashes[1] = hashes[0]; }),
              HasSubstr("group 2 has SHA-256 "));
}

TEST_F(ModelFileTest, RefusesTensorsThatAreNotThoseOfTheNetwork) {
  const std::string name = "group.2.norm.scale";
  const auto error = [&](const std::function<void(Json&)>& change) {
    return error_after([&](Safetensors& file) { change(file.header); });
  };
  const std::string tensor = "tensor \"" + name + "\" ";
  EXPECT_THAT(error([&](Json& header) { header.erase(name); }), HasSubstr(tensor + "is missing"));
  EXPECT_THAT(error([&](Json& header) { header["group.3.norm.scale"] = header[name]; }),
              HasSubstr("tensor \"group.3.norm.scale\" is unknown"));
  EXPECT_THAT(error([&](Json& header) { header[name] = 1; }), HasSubstr(tensor + "is an integer"));
  EXPECT_THAT(error([&](Json& header) { header[name].erase("dtype"); }),
              HasSubstr(tensor + "has no 'dtype'"));
  EXPECT_THAT(error([&](Json& header) { header[name]["strides"] = {1}; }),
              HasSubstr(tensor + "has the unknown key \"strides\""));
  EXPECT_THAT(error([&](Json& header) { header[name]["dtype"] = "F16"; }),
              HasSubstr(tensor + "has dtype \"F16\", its network asks for \"F32\""));
  for (const Json& shape : {Json({1, 1}), Json({2}), Json({-1}), Json({1.0}), Json::array(),
                            Json("[1]"), Json({4294967297})}) {
    EXPECT_THAT(error([&](Json& header) { header[name]["shape"] = shape; }),
                HasSubstr(tensor + "has shape " + shape.dump() + ", its network asks for [1]"));
  }
}

TEST_F(ModelFileTest, RefusesOverlapsGapsAndOffsetsOutOfRange) {
  save_tiny();
  const std::string name = "group.1.norm.shift";
  const Json right = Safetensors(content(path_)).header[name]["data_offsets"];
  const auto begin = right[0].get<std::int64_t>();
  const auto end = right[1].get<std::int64_t>();
  const std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  for (const Json& offsets :
       {Json({begin - 4, end - 4}), Json({begin + 4, end + 4}), Json({begin, end + 4}),
        Json({begin, end - 4}), Json({end, begin}), Json({-4, 4}), Json({largest - 8, largest}),
        Json({begin}), Json({begin, end, end})}) {
    const std::string message =
        error_after([&](Safetensors& file) { file.header[name]["data_offsets"] = offsets; });
    EXPECT_THAT(message, HasSubstr("tensor \"" + name + "\" has data_offsets " + offsets.dump() +
                                   ", its network asks for " + right.dump()));
  }
}

TEST_F(ModelFileTest, RefusesTwoTensorsInEachOthersPlace) {
  EXPECT_THAT(error_after([](Safetensors& file) {
                std::swap(file.header["group.1.norm.scale"]["data_offsets"],
                          file.header["group.1.norm.shift"]["data_offsets"]);
              }),
              HasSubstr("tensor \"group.1.norm.scale\" has data_offsets"));
}

TEST_F(ModelFileTest, TheOrderOfTheHeaderDoesNotMatter) {
  save_tiny();
  const Safetensors file(content(path_));
  // A plain JSON object sorts its keys.
  put(path_, file.bytes(nlohmann::json(file.header).dump()));
  EXPECT_TRUE(all_bytes(load_model(path_).weights) == all_bytes(tiny_weights()));
}

TEST_F(ModelFileTest, TakesNoMemoryForDataThatTheFileHasNot) {
  // 40 layers of 46,000 x 46,000: 340 GB, in a file of a few kilobytes.
  Json description = {{"input", {1, 1, 1}}, {"classes", 2}, {"groups", 1}};
  for (int i = 0; i < 41; ++i) {
    description["layers"].push_back(
        {{"kind", "linear"}, {"name", "fc" + std::to_string(i)}, {"features", {46000}}});
  }
  description["layers"].push_back({{"kind", "head"}, {"name", "head"}});
  const Network network = Network::read(read_json(description.dump(), "test"));

  save_tiny();
  Safetensors file(content(path_));
  const Json metadata = file.metadata();
  file.header = {{"__metadata__", metadata}};
  file.metadata()["network"] = description.dump();
  file.metadata()["info"] = "{}";
  file.metadata()["groups_sha256"] = Json({std::string(64, '0')}).dump();
  std::int64_t end = 0;
  for (const ParameterKey& key : network.parameters(1)) {
    const std::int64_t begin = end;
    end += 4 * key.spec.elements();
    file.header[network.parameter_name(key)] = {
        {"dtype", "F32"}, {"shape", key.spec.dims}, {"data_offsets", {begin, end}}};
  }
  file.rehash();
  put(path_, file.bytes());
  EXPECT_GT(end, std::int64_t{300} << 30);
  EXPECT_THAT(load_error(), HasSubstr("truncated"));
}

TEST_F(ModelFileTest, SurvivesAFileThatChangesWhileItIsRead) {
  save_rich();
  const std::string good = content(path_);
  const std::string expected = all_bytes(load_model(path_).weights);
  std::atomic<int> rounds = 0;
  std::thread vandal([&] {
    std::mt19937 random(5);
    for (; rounds < 300; ++rounds) {
      std::filesystem::resize_file(path_, random() % good.size());
      put(path_, good);
    }
  });
  while (rounds < 300) {
    try {
      EXPECT_TRUE(all_bytes(load_model(path_).weights) == expected);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << error.what();
    }
  }
  vandal.join();
  EXPECT_TRUE(all_bytes(load_model(path_).weights) == expected);
}

}  // namespace
}  // namespace bellows
