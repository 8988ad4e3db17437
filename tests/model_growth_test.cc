// Growing and trimming models in the field: what comes out, what is refused, and what is left after
// a process was killed at it.
#include <bellows/bellows.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "engine/model_file.h"
#include "engine/sha256.h"
#include "tests/data_fixtures.h"
#include "tests/fuzz/model_mutation.h"
#include "tests/grouped_networks.h"

namespace bellows {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::ordered_json;

std::string text_of(const std::filesystem::path& path) {
  const Bytes bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

// Some file systems flush a file that is written anew under its name; a new file is faster.
void replace_file(const std::filesystem::path& path, const Bytes& bytes) {
  std::filesystem::remove(path);
  write_file(path, bytes);
}

// Three groups.
Network small_network(int kernel = 1) {
  return Network::read(config::network({1, 2, 2}, 2, 3, "triangular", "per_width",
                                       {config::conv("conv", {2, 1, 3}, kernel, 1)}));
}

// What is known of a model, for any number of its groups.
ModelInfo info_of(const Network& network) {
  ModelInfo info;
  for (int label = 0; label < network.classes(); ++label) {
    info.classes.push_back("class " + std::to_string(label));
  }
  info.mean.assign(static_cast<std::size_t>(network.input().channels_of(1)), 0.5);
  info.stddev.assign(info.mean.size(), 0.25);
  info.data_set = "d\xc3\xb6gs";
  info.extra = {{"note", "a \"quoted\"\nline"}};
  for (int width = 1; width <= network.groups(); ++width) {
    info.validation_accuracy.push_back(1.0 - 1.0 / width);
  }
  return info;
}

// A safetensors file as any reader of the format sees it.
struct Safetensors {
  explicit Safetensors(const std::string& bytes) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    text = bytes.substr(8, length);
    header = Json::parse(text);
    data = bytes.substr(8 + length);
  }

  Json& metadata() { return header.at("__metadata__"); }

  // As the format's page says.
  void rehash(std::initializer_list<const char*> keys) {
    std::string all;
    for (const char* key : keys) all += metadata().at(key).get<std::string>() + "\n";
    Sha256 sha256;
    sha256.update(all);
    metadata()["metadata_sha256"] = sha256.hex();
  }
  void rehash_growth() { rehash({"format", "format_version", "base_groups", "model_header"}); }

  [[nodiscard]] std::string bytes() const {
    const std::string written = header.dump();
    const std::uint64_t size = written.size();
    std::string all(sizeof size, '\0');
    std::memcpy(all.data(), &size, sizeof size);
    return all + written + data;
  }

  std::string text;
  Json header;
  std::string data;
};

class ModelGrowthTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

  // A model of the first `groups` groups.
  std::string save(const std::string& name, const Network& network, int groups,
                   std::uint64_t seed = 1) const {
    const Network cut = network.first_groups(groups);
    save_model(path(name), cut, random_weights(network, groups, seed), info_of(cut));
    return path(name);
  }
  std::string save_changed(const std::string& name, int groups,
                           const std::function<void(WeightSet&, ModelInfo&)>& change) const {
    const Network network = small_network().first_groups(groups);
    WeightSet weights = random_weights(network, groups, 1);
    ModelInfo info = info_of(network);
    change(weights, info);
    save_model(path(name), network, weights, info);
    return path(name);
  }

  // wide (3 groups), base (2), and the growth file between them, of the small network.
  void save_small() {
    wide_ = save("wide", small_network(), 3);
    base_ = save("base", small_network(), 2);
    growth_ = path("growth");
    write_growth(wide_, base_, growth_);
  }

  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  // Expects that `model` refuses `growth`, and that this leaves no trace.
  void expect_refused(const std::string& growth, const std::string& model, ErrorCode code,
                      std::initializer_list<std::string> parts) const {
    const Bytes before = read_file(model);
    const std::size_t count = files();
    expect_error(code, parts, [&] { apply_growth(growth, model); });
    EXPECT_TRUE(read_file(model) == before);
    EXPECT_EQ(files(), count);
  }

  // What apply says of the small growth file with one thing changed.
  void expect_refused_after(const std::function<void(Safetensors&)>& change,
                            std::initializer_list<std::string> parts, bool rehash = true,
                            ErrorCode code = ErrorCode::kCorruptData) {
    save_small();
    Safetensors file(text_of(growth_));
    change(file);
    if (rehash) file.rehash_growth();
    write_file(growth_, bytes_of(file.bytes()));
    expect_refused(growth_, base_, code, parts);
  }

  std::filesystem::path folder_ = fresh_folder();
  std::string wide_;
  std::string base_;
  std::string growth_;
};

// --- What comes out.

TEST_F(ModelGrowthTest, DiffAndApplyGiveTheWideModelByteForByte) {
  const std::vector<NamedNetwork> networks = property_networks();
  // Every kind of layer, in turn with the four kinds of connectivity and head.
  for (std::size_t i = 0; i < networks.size(); i += 5) {
    const Network& network = networks[i].network;
    const std::string wide = save("wide", network, 3);
    for (const int base_groups : {1, 2}) {
      SCOPED_TRACE(networks[i].name + ", base " + std::to_string(base_groups));
      const std::string model = save("model", network, base_groups);
      const GrowthFacts written = write_growth(wide, model, path("growth"));
      const GrowthFacts applied = apply_growth(path("growth"), model);
      EXPECT_TRUE(read_file(model) == read_file(wide));
      for (const GrowthFacts& facts : {written, applied}) {
        EXPECT_EQ(facts.base_groups, base_groups);
        EXPECT_EQ(facts.groups, 3);
        EXPECT_EQ(static_cast<std::size_t>(facts.growth_bytes), read_file(path("growth")).size());
        EXPECT_EQ(static_cast<std::size_t>(facts.model_bytes), read_file(wide).size());
      }
    }
  }
}

TEST_F(ModelGrowthTest, ATrimmedModelIsWhatSavingItsFirstGroupsGives) {
  const Network network = small_network();
  const std::string wide = save("wide", network, 3);
  for (const int groups : {1, 2}) {
    trim_model(wide, groups, path("trimmed"));
    const ModelFile cut = load_model(wide, groups);
    save_model(path("saved"), cut.network, cut.weights, cut.info);
    EXPECT_TRUE(read_file(path("trimmed")) == read_file(path("saved")));
    EXPECT_EQ(load_model(path("trimmed")).info.validation_accuracy.size(),
              static_cast<std::size_t>(groups));

    write_growth(wide, path("trimmed"), path("growth"));
    apply_growth(path("growth"), path("trimmed"));
    EXPECT_TRUE(read_file(path("trimmed")) == read_file(wide));
  }
}

TEST_F(ModelGrowthTest, AModelGrowsInOneStepOrInSeveral) {
  const Network network = small_network();
  const std::string wide = save("wide", network, 3);
  const std::string middle = save("middle", network, 2);
  const std::string model = save("model", network, 1);
  write_growth(middle, model, path("2"));
  write_growth(wide, middle, path("3"));
  write_growth(wide, model, path("2_and_3"));

  expect_refused(path("3"), model, ErrorCode::kInvalidArgument,
                 {model, "has 1 group,", "adds group 3 to a model of 2", "in between first"});
  expect_refused(path("2_and_3"), middle, ErrorCode::kInvalidArgument,
                 {middle, "has 2 groups", "adds groups 2 to 3 to a model of 1", "bellows diff"});
  apply_growth(path("2"), model, path("grown"));
  apply_growth(path("3"), path("grown"));
  apply_growth(path("2_and_3"), model);
  EXPECT_TRUE(read_file(path("grown")) == read_file(wide));
  EXPECT_TRUE(read_file(model) == read_file(wide));
}

TEST_F(ModelGrowthTest, AGrowthFileHasTheMissingGroupsForAnySafetensorsReader) {
  save_small();
  const Safetensors wide(text_of(wide_));
  Safetensors growth(text_of(growth_));
  std::vector<std::string> names;
  std::size_t end = 0;
  for (const auto& [name, tensor] : growth.header.items()) {
    if (name == "__metadata__") continue;
    names.push_back(name);
    EXPECT_EQ(tensor["shape"], wide.header[name]["shape"]);
    EXPECT_EQ(tensor["data_offsets"][0].get<std::size_t>(), end);
    end = tensor["data_offsets"][1].get<std::size_t>();
  }
  EXPECT_THAT(names, ElementsAre("group.3.conv.weight", "group.3.conv.bias", "group.3.head.weight",
                                 "group.3.head.bias"));
  EXPECT_EQ(growth.data.size(), end);
  EXPECT_TRUE(growth.data == wide.data.substr(wide.data.size() - end));
  EXPECT_EQ(growth.metadata()["base_groups"], "2");
  EXPECT_EQ(growth.metadata()["model_header"], wide.text);
}

TEST_F(ModelGrowthTest, AWideModelWhoseHeaderAnotherToolWroteComesOutAsItIs) {
  save_small();
  Safetensors file(text_of(wide_));
  // A plain JSON object sorts its keys; white space may stand anywhere.
  const std::string sorted = nlohmann::json(file.header).dump(3);
  file.header = Json::object();
  const std::uint64_t size = sorted.size();
  std::string all(sizeof size, '\0');
  std::memcpy(all.data(), &size, sizeof size);
  write_file(wide_, bytes_of(all + sorted + file.data));
  write_growth(wide_, base_, growth_);
  apply_growth(growth_, base_);
  EXPECT_TRUE(read_file(base_) == read_file(wide_));
}

TEST_F(ModelGrowthTest, ALargeGroupGoesThroughInPieces) {
  // Groups of 36 and 108 kB: not a multiple of any buffer.
  const Network network = Network::read(
      config::network({3, 9, 8}, 5, 2, "triangular", "per_width",
                      {config::conv("conv", {33, 34}, 3, 1), config::linear("fc", {3, 5})}));
  const std::string wide = save("wide", network, 2);
  const std::string model = save("model", network, 1);
  write_growth(wide, model, path("growth"));
  apply_growth(path("growth"), model);
  EXPECT_TRUE(read_file(model) == read_file(wide));
}

// --- The golden file.

// Programs in the field apply what this one writes. Any change of the format needs a new version,
// and the golden file of the old one stays.
TEST_F(ModelGrowthTest, AGoldenFileOfVersion1StillAppliesAndIsStillWritten) {
  const std::filesystem::path golden = std::filesystem::path(BELLOWS_SOURCE_DIR) / "tests/golden";
  trim_model(golden / "tiny.safetensors", 1, path("model"));
  write_growth(golden / "tiny.safetensors", path("model"), path("growth"));
  EXPECT_TRUE(read_file(path("growth")) == read_file(golden / "tiny_growth.safetensors"));
  apply_growth(golden / "tiny_growth.safetensors", path("model"));
  EXPECT_TRUE(read_file(path("model")) == read_file(golden / "tiny.safetensors"));
}

// --- In place.

TEST_F(ModelGrowthTest, AnotherResultLeavesTheModelAlone) {
  save_small();
  const Bytes before = read_file(base_);
  apply_growth(growth_, base_, path("result"));
  EXPECT_TRUE(read_file(base_) == before);
  EXPECT_TRUE(read_file(path("result")) == read_file(wide_));
}

TEST_F(ModelGrowthTest, KeepsThePermissionsAndTheLinksOfAModelInPlace) {
  save_small();
  ASSERT_EQ(::chmod(base_.c_str(), 0640), 0);
  std::filesystem::create_symlink("base", folder_ / "link");
  apply_growth(growth_, path("link"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link"));
  EXPECT_TRUE(read_file(base_) == read_file(wide_));
  struct stat facts {};
  ASSERT_EQ(::stat(base_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0640U);
}

TEST_F(ModelGrowthTest, ASessionGoesOnWithTheModelThatItHas) {
  save_small();
  const Model model = Model::load(base_);
  Session session(model);
  const std::vector<float> image = random_images(small_network(), 1, 3);
  session.run(image, 2);
  const std::vector<float> before(session.logits().begin(), session.logits().end());
  apply_growth(growth_, base_);
  session.run(image, 2);
  EXPECT_TRUE(std::ranges::equal(session.logits(), before));
  EXPECT_EQ(model.groups(), 2);

  const Model grown = Model::load(base_);
  EXPECT_EQ(grown.groups(), 3);
  Session wider(grown);
  wider.run(image, 2);
  EXPECT_TRUE(std::ranges::equal(wider.logits(), before));
}

// --- What is refused.

TEST_F(ModelGrowthTest, DiffNamesWhereTheBaseIsNotWhatTheWideModelWasGrownFrom) {
  save_small();
  const Bytes before = read_file(growth_);
  const auto expect = [&](const std::string& base, std::initializer_list<std::string> parts) {
    expect_error(ErrorCode::kInvalidArgument, parts, [&] { write_growth(wide_, base, growth_); });
    EXPECT_TRUE(read_file(growth_) == before);
  };
  const std::string start = path("other") + ": is not what '" + wide_ + "' was grown from: ";
  expect(save_changed("other", 2,
                      [](WeightSet& weights, ModelInfo&) { weights.group_values(2)[3] += 1; }),
         {start, "group 2 has SHA-256 "});
  expect(save_changed("other", 2,
                      [](WeightSet& weights, ModelInfo&) { weights.group_values(1)[0] += 1; }),
         {start, "group 1 has SHA-256 "});
  expect(save_changed("other", 2, [](WeightSet&, ModelInfo& info) { info.classes[1] = "x"; }),
         {start, "classes have other names"});
  expect(save_changed("other", 2, [](WeightSet&, ModelInfo& info) { info.stddev[0] = 0.5; }),
         {start, "normalised otherwise"});
  expect(save("other", small_network(3), 2), {start, "another network, already in groups 1 to 2"});
  expect(save("other", property_networks()[0].network, 1), {start, "5 classes, not 2"});
}

TEST_F(ModelGrowthTest, DiffRefusesWhatAddsNothing) {
  save_small();
  std::filesystem::remove(growth_);
  expect_error(ErrorCode::kInvalidArgument, {base_, "adds nothing to", wide_, "name the wider"},
               [&] { write_growth(base_, wide_, growth_); });
  expect_error(ErrorCode::kInvalidArgument, {wide_, "adds nothing to", "it has 3 groups, that one"},
               [&] { write_growth(wide_, save("same", small_network(), 3), growth_); });
  EXPECT_FALSE(std::filesystem::exists(growth_));
}

TEST_F(ModelGrowthTest, DiffRefusesDamagedModelsByName) {
  save_small();
  for (const std::string& model : {wide_, base_}) {
    const Bytes good = read_file(model);
    Bytes bad = good;
    bad[bad.size() - 1] ^= 1U;
    write_file(model, bad);
    expect_error(ErrorCode::kCorruptData, {model + ": group "},
                 [&] { write_growth(wide_, base_, path("none")); });
    // The first group of the wide model, which does not go into the file.
    bad = good;
    bad[bad.size() - Safetensors(text_of(model)).data.size()] ^= 1U;
    write_file(model, bad);
    expect_error(ErrorCode::kCorruptData, {model + ": group 1 "},
                 [&] { write_growth(wide_, base_, path("none")); });
    write_file(model, good);
  }
  EXPECT_FALSE(std::filesystem::exists(path("none")));
}

TEST_F(ModelGrowthTest, NoResultReplacesWhatItIsMadeOf) {
  save_small();
  const std::string same = folder_ / "." / "wide";
  expect_error(ErrorCode::kInvalidArgument, {same, "choose another name"},
               [&] { write_growth(wide_, base_, same); });
  expect_error(ErrorCode::kInvalidArgument, {base_, "choose another name"},
               [&] { write_growth(wide_, base_, base_); });
  expect_error(ErrorCode::kInvalidArgument, {growth_, "choose another name"},
               [&] { apply_growth(growth_, base_, growth_); });
  expect_error(ErrorCode::kInvalidArgument, {wide_, "choose another name"},
               [&] { trim_model(wide_, 1, wide_); });
  EXPECT_EQ(load_model(wide_).network.groups(), 3);
  EXPECT_EQ(load_model(base_).network.groups(), 2);
}

TEST_F(ModelGrowthTest, TrimRefusesWidthsThatAreNotNarrower) {
  save_small();
  for (const int groups : {-1, 0, 3, 4}) {
    expect_error(ErrorCode::kInvalidArgument,
                 {wide_, "has 3 groups, the first " + std::to_string(groups), "ask for 1 to 2"},
                 [&] { trim_model(wide_, groups, path("none")); });
  }
  expect_error(ErrorCode::kInvalidArgument, {"has 1 group,", "nothing to take away"},
               [&] { trim_model(save("one", small_network(), 1), 1, path("none")); });
  EXPECT_FALSE(std::filesystem::exists(path("none")));
}

TEST_F(ModelGrowthTest, ApplyingTwiceSaysThatTheGroupsAreThere) {
  save_small();
  apply_growth(growth_, base_);
  expect_refused(growth_, base_, ErrorCode::kInvalidArgument, {base_, "already has group 3 of"});
}

TEST_F(ModelGrowthTest, ApplyRefusesModelsThatTheGroupsWereNotGrownFrom) {
  save_small();
  const std::string start = path("other") + ": is not what '" + growth_ + "' was grown from: ";
  save_changed("other", 2, [](WeightSet& weights, ModelInfo&) { weights.group_values(2)[3] += 1; });
  expect_refused(growth_, path("other"), ErrorCode::kInvalidArgument,
                 {start, "group 2 has SHA-256 "});
  save_changed("other", 3, [](WeightSet& weights, ModelInfo&) { weights.group_values(3)[3] += 1; });
  expect_refused(growth_, path("other"), ErrorCode::kInvalidArgument,
                 {start, "group 3 has SHA-256 "});
  save_changed("other", 2, [](WeightSet&, ModelInfo& info) { info.classes.clear(); });
  expect_refused(growth_, path("other"), ErrorCode::kInvalidArgument,
                 {start, "classes have other names"});
  save_changed("other", 2, [](WeightSet&, ModelInfo& info) { info.mean[0] = 0; });
  expect_refused(growth_, path("other"), ErrorCode::kInvalidArgument,
                 {start, "normalised otherwise"});
  save("other", small_network(3), 2);
  expect_refused(growth_, path("other"), ErrorCode::kInvalidArgument, {start, "another network"});
}

TEST_F(ModelGrowthTest, TellsModelsFromGrowthFiles) {
  save_small();
  expect_error(ErrorCode::kInvalidArgument, {growth_, "is a growth file, not a model", "apply"},
               [&] { static_cast<void>(load_model(growth_)); });
  expect_error(ErrorCode::kInvalidArgument, {growth_, "is a growth file, not a model", "apply"},
               [&] { static_cast<void>(Model::load(growth_)); });
  expect_refused(base_, growth_, ErrorCode::kInvalidArgument,
                 {base_, "is a model, not a growth file", "diff"});
  expect_refused(growth_, growth_, ErrorCode::kInvalidArgument, {growth_, "is a growth file"});
  expect_error(ErrorCode::kInvalidArgument, {growth_, "is a growth file"},
               [&] { write_growth(growth_, base_, path("none")); });
  expect_error(ErrorCode::kNotFound, {path("none")}, [&] { apply_growth(path("none"), base_); });
  expect_error(ErrorCode::kNotFound, {path("none")}, [&] { apply_growth(growth_, path("none")); });
}

TEST_F(ModelGrowthTest, AFullDiskLeavesTheModelUntouched) {
  save_small();
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  ::getrlimit(RLIMIT_FSIZE, &unlimited);
  const Bytes before = read_file(base_);
  const std::size_t count = files();
  const std::size_t size = read_file(wide_).size();
  for (const std::size_t room : {std::size_t{0}, std::size_t{100}, size / 2, size - 1}) {
    rlimit limited = unlimited;
    limited.rlim_cur = room;
    ::setrlimit(RLIMIT_FSIZE, &limited);
    std::string message;
    try {
      apply_growth(growth_, base_);
    } catch (const Error& error) {
      message = error.what();
    }
    ::setrlimit(RLIMIT_FSIZE, &unlimited);
    EXPECT_THAT(message, StartsWith(base_ + ": cannot be written"));
    EXPECT_THAT(message, HasSubstr("free some space"));
    EXPECT_TRUE(read_file(base_) == before);
    EXPECT_EQ(files(), count);
  }
  std::signal(SIGXFSZ, handler);
}

// --- Damaged and hostile growth files.

TEST_F(ModelGrowthTest, RefusesAFileCutAtAnyLength) {
  save_small();
  const Bytes whole = read_file(growth_);
  const Bytes before = read_file(base_);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    replace_file(growth_, Bytes(whole.begin(), whole.begin() + static_cast<long>(length)));
    expect_error(ErrorCode::kCorruptData, {growth_}, [&] { apply_growth(growth_, base_); });
    if (HasFailure()) FAIL() << "cut to " << length << " bytes";
  }
  EXPECT_TRUE(read_file(base_) == before);
  Bytes longer = whole;
  longer.push_back(0);
  write_file(growth_, longer);
  expect_refused(growth_, base_, ErrorCode::kCorruptData, {growth_, "appended to"});
}

TEST_F(ModelGrowthTest, RefusesAFileWithAnyByteChanged) {
  save_small();
  const Bytes whole = read_file(growth_);
  const Bytes before = read_file(base_);
  std::mt19937 random(1);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Bytes changed = whole;
    changed[i] ^= static_cast<std::uint8_t>(1U << random() % 8);
    replace_file(growth_, changed);
    try {
      apply_growth(growth_, base_);
      FAIL() << "byte " << i << " was not missed";
    } catch (const Error& error) {
      // A changed version is one of a later Bellows, as far as anybody can tell.
      EXPECT_TRUE(error.code() == ErrorCode::kCorruptData ||
                  error.code() == ErrorCode::kUnsupported)
          << "byte " << i << ": " << error.what();
      EXPECT_THAT(error.what(), HasSubstr(growth_));
    }
  }
  EXPECT_TRUE(read_file(base_) == before);
  EXPECT_EQ(files(), 3U);
}

// By whom the hashes were made right: a model in place must not be replaced by one that then cannot
// be loaded.
TEST_F(ModelGrowthTest, RefusesGroupsWhoseWeightsAreNoNumbers) {
  save_small();
  const std::string whole = text_of(growth_);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::size_t back : {sizeof nan, Safetensors(whole).data.size()}) {
    std::string changed = whole;
    std::memcpy(changed.data() + changed.size() - back, &nan, sizeof nan);
    write_file(growth_, bytes_of(fuzz::with_checksums(changed)));
    expect_refused(growth_, base_, ErrorCode::kCorruptData,
                   {growth_ + ": tensor 'group.3.", "infinite or no numbers"});
  }
  write_file(growth_, bytes_of(fuzz::with_checksums(whole)));
  apply_growth(growth_, base_);
}

TEST_F(ModelGrowthTest, RefusesADamagedModelByName) {
  save_small();
  const Bytes whole = read_file(base_);
  for (const std::size_t back : {std::size_t{1}, Safetensors(text_of(base_)).data.size()}) {
    Bytes changed = whole;
    changed[changed.size() - back] ^= 0x10U;
    write_file(base_, changed);
    expect_refused(growth_, base_, ErrorCode::kCorruptData, {base_ + ": group ", "damaged"});
  }
}

TEST_F(ModelGrowthTest, RefusesMetadataThatContradictThemselves) {
  for (const char* number : {"0", "3", "4", "-1", "01", "1x", "", " 1", "99999999999999999999"}) {
    expect_refused_after([&](Safetensors& file) { file.metadata()["base_groups"] = number; },
                         {"metadata 'base_groups' is \"" + std::string(number) + "\""});
  }
  // The tensors are then one group too few.
  expect_refused_after([&](Safetensors& file) { file.metadata()["base_groups"] = "1"; },
                       {"tensor \"group.2.conv.weight\" is missing"});
  expect_refused_after([](Safetensors& file) { file.metadata().erase("base_groups"); },
                       {"metadata 'base_groups' is missing; this is no growth file"}, false);
  expect_refused_after([](Safetensors& file) { file.metadata()["network"] = "{}"; },
                       {"metadata \"network\" is unknown"});
  expect_refused_after([](Safetensors& file) { file.metadata()["base_groups"] = "1"; },
                       {"the metadata have SHA-256"}, false);
  expect_refused_after([](Safetensors& file) { file.metadata()["format_version"] = "2"; },
                       {"format version \"2\" is unknown"}, true, ErrorCode::kUnsupported);
  expect_refused_after([](Safetensors& file) { file.metadata()["format"] = "pt"; },
                       {"a growth file has \"bellows-growth\""});
  expect_refused_after([](Safetensors& file) { file.metadata()["model_header"] = "x"; },
                       {"metadata 'model_header': header: does not begin with '{'"});
  expect_refused_after([](Safetensors& file) { file.metadata()["model_header"] = file.text; },
                       {"metadata 'model_header': is a growth file"});
}

TEST_F(ModelGrowthTest, RefusesAModelHeaderThatContradictsItself) {
  const auto expect = [&](const std::function<void(Safetensors&)>& change,
                          std::initializer_list<std::string> parts) {
    expect_refused_after(
        [&](Safetensors& file) {
          const auto text = file.metadata()["model_header"].get<std::string>();
          const std::uint64_t size = text.size();
          std::string all(sizeof size, '\0');
          std::memcpy(all.data(), &size, sizeof size);
          Safetensors model(all + text);
          change(model);
          file.metadata()["model_header"] = model.header.dump();
        },
        parts);
  };
  const auto rehash = [](Safetensors& model) {
    model.rehash({"format", "format_version", "network", "groups_sha256", "info"});
  };
  expect([](Safetensors& model) { model.metadata()["info"] = "{}"; },
         {"metadata 'model_header'", "the metadata have SHA-256"});
  expect([](Safetensors& model) { model.header.erase("group.1.conv.bias"); },
         {"metadata 'model_header'", "tensor \"group.1.conv.bias\" is missing"});
  expect(
      [&](Safetensors& model) {
        Json hashes = Json::parse(model.metadata()["groups_sha256"].get<std::string>());
        hashes[2] = hashes[1];
        model.metadata()["groups_sha256"] = hashes.dump();
        rehash(model);
      },
      {growth_ + ": group 3 has SHA-256"});
  // Another network, whose tensors are not those in the file.
  expect(
      [&](Safetensors& model) {
        const auto wide = save("another", small_network(3), 3);
        model = Safetensors(text_of(wide));
      },
      {"tensor \"group.3.conv.weight\" has shape [3,1,1,1], its network asks for [3,1,3,3]"});
}

TEST_F(ModelGrowthTest, RefusesTensorsThatAreNotThoseOfTheMissingGroups) {
  const std::string name = "group.3.conv.bias";
  const std::string tensor = "tensor \"" + name + "\" ";
  const auto expect = [&](const std::function<void(Json&)>& change, const std::string& part) {
    expect_refused_after([&](Safetensors& file) { change(file.header); }, {part});
  };
  expect([&](Json& header) { header.erase(name); }, tensor + "is missing");
  expect([&](Json& header) { header["group.2.conv.bias"] = header[name]; },
         "tensor \"group.2.conv.bias\" is unknown");
  expect([&](Json& header) { header[name]["shape"] = {4}; }, tensor + "has shape [4]");
  expect([&](Json& header) { header[name]["dtype"] = "F16"; }, tensor + "has dtype \"F16\"");
  expect(
      [&](Json& header) {
        header[name]["data_offsets"] = {0, 12};
      },
      tensor + "has data_offsets");
}

// --- Processes that are killed.

// Runs `bellows apply growth model` and returns its status. The process may write files of `room`
// bytes and is killed by the system when it goes beyond, or by us after so many microseconds.
int run_apply(const std::string& growth, const std::string& model, rlim_t room,
              unsigned microseconds) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_DFL);
    const rlimit limit{room, RLIM_INFINITY};
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::execl(BELLOWS_COMMAND, BELLOWS_COMMAND, "apply", growth.c_str(), model.c_str(), nullptr);
    ::_exit(127);
  }
  if (microseconds > 0) {
    ::usleep(microseconds);
    ::kill(child, SIGKILL);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(ModelGrowthTest, KilledAtAnyByteItLeavesTheOldModelWhole) {
  save_small();
  const Bytes old = read_file(base_);
  const std::size_t size = read_file(wide_).size();
  std::vector<std::size_t> places = {0, 1, 7, 8, 9, size - 1};
  for (std::size_t place = 50; place < size; place += 150) places.push_back(place);
  for (const std::size_t place : places) {
    SCOPED_TRACE(place);
    const int status = run_apply(growth_, base_, place, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    ASSERT_EQ(WTERMSIG(status), SIGXFSZ);
    ASSERT_TRUE(read_file(base_) == old);
    ASSERT_EQ(load_model(base_).network.groups(), 2);
  }
  apply_growth(growth_, base_);
  EXPECT_TRUE(read_file(base_) == read_file(wide_));
}

TEST_F(ModelGrowthTest, KilledAtAnyTimeItLeavesTheOldOrTheNewModelWhole) {
  // 700 kB, so that there is something to interrupt.
  const Network network = Network::read(
      config::network({1, 16, 16}, 10, 2, "triangular", "per_width",
                      {config::linear("fc1", {200, 200}), config::linear("fc2", {100, 100})}));
  const std::string wide = save("wide", network, 2);
  const std::string base = save("base", network, 1);
  const std::string growth = path("growth");
  write_growth(wide, base, growth);
  const Bytes old = read_file(base);
  const Bytes grown = read_file(wide);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run_apply(growth, base, RLIM_INFINITY, 0), 0);
  const std::chrono::duration<double, std::micro> whole = std::chrono::steady_clock::now() - start;
  int killed = 0;
  std::mt19937 random(2);
  for (int i = 0; i < 15; ++i) {
    replace_file(base, old);
    const auto moment = 1 + random() % static_cast<unsigned>(whole.count());
    const int status = run_apply(growth, base, RLIM_INFINITY, static_cast<unsigned>(moment));
    killed += WIFSIGNALED(status) ? 1 : 0;
    const Bytes found = read_file(base);
    ASSERT_TRUE(found == old || found == grown) << found.size();
    ASSERT_NO_THROW(static_cast<void>(load_model(base)));
    if (found == old) apply_growth(growth, base);
    ASSERT_TRUE(read_file(base) == grown);
  }
  EXPECT_GE(killed, 3);
}

TEST_F(ModelGrowthTest, WhatAKilledProcessLeftDisturbsNobody) {
  save_small();
  // Named as by this process on a file system where files need names.
  for (int i = 0; i < 5; ++i) {
    const std::string name = ".bellows-" + std::to_string(::getpid()) + "-" + std::to_string(i);
    write_file(folder_ / (name + ".tmp"), bytes_of("half a model"));
  }
  apply_growth(growth_, base_);
  EXPECT_TRUE(read_file(base_) == read_file(wide_));
}

}  // namespace
}  // namespace bellows
