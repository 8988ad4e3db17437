#include "engine/onnx_export.h"

#include <bellows/bellows.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/peers/onnx_runtime.h"
#include "engine/model_state.h"
#include "engine/sha256.h"
#include "tests/grouped_networks.h"
#include "tests/refusal.h"
#include "tests/shipped_runs.h"
#include "training/run_config.h"

namespace bellows {
namespace {

using peers::OnnxRuntime;
using peers::OnnxSession;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

onnx::ModelProto parsed(const std::string& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  return model;
}

std::map<std::string, int> operations(const std::string& bytes) {
  std::map<std::string, int> counts;
  const onnx::ModelProto model = parsed(bytes);
  for (const onnx::NodeProto& node : model.graph().node()) ++counts[node.op_type()];
  return counts;
}

// A network with random weights, and a normalisation of the input that differs by channel.
struct Subject {
  explicit Subject(const Network& description)
      : network(description.first_groups(description.groups())),
        weights(random_weights(network, network.groups(), 21)) {
    for (int channel = 0; channel < network.input().channels_of(1); ++channel) {
      info.mean.push_back(0.3 + 0.1 * channel);
      info.stddev.push_back(0.2 + 0.05 * channel);
    }
    model.emplace(internal::make_model(std::make_shared<internal::ModelState>(
        network.first_groups(network.groups()), info, weights, ModelOptions{.winograd = true})));
  }

  // Values in 0..1.
  [[nodiscard]] std::vector<float> images(int count) const {
    data::KeyedRandom random(22);
    std::vector<float> values(static_cast<std::size_t>(count * network.input_elements()));
    for (float& value : values) value = random.uniform(0, 1);
    return values;
  }

  [[nodiscard]] std::vector<float> normalised(std::vector<float> images) const {
    const auto pixels = static_cast<std::size_t>(network.input().pixels());
    for (std::size_t i = 0; i < images.size(); ++i) {
      const std::size_t channel = i / pixels % info.mean.size();
      images[i] = static_cast<float>((images[i] - info.mean[channel]) / info.stddev[channel]);
    }
    return images;
  }

  Network network;
  WeightSet weights;
  ModelInfo info;
  std::optional<Model> model;
};

double worst_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double difference = std::abs(double{a[i]} - double{b[i]});
    worst = std::isnan(difference) ? difference : std::max(worst, difference);
  }
  return worst;
}

// The ONNX model in ONNX Runtime and the session, over the same images.
void expect_equal_logits(const OnnxRuntime& runtime, const Subject& subject,
                         const OnnxOptions& options, int count, double tolerance) {
  const std::string bytes = onnx_model(subject.network, subject.weights, subject.info, options);
  EXPECT_NO_THROW(onnx::checker::check_model(parsed(bytes)));
  const std::vector<float> images = subject.images(count);
  Session session(*subject.model, {.max_batch = count});
  session.run(images, options.width);
  OnnxSession peer(runtime, bytes_of(bytes));
  const std::vector<float> given = options.normalise ? images : subject.normalised(images);
  const std::span<const float> logits = peer.run(given, count);
  EXPECT_LE(worst_difference(session.logits(), logits), tolerance)
      << "width " << options.width << (options.normalise ? ", normalised inside" : "");
  // Single images run other code, also by Winograd's algorithm.
  Session single(*subject.model);
  const std::size_t values = images.size() / static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < std::min<std::size_t>(3, static_cast<std::size_t>(count)); ++i) {
    single.run(std::span(images).subspan(i * values, values), options.width);
    const std::size_t classes = single.logits().size();
    EXPECT_LE(worst_difference(single.logits(), logits.subspan(i * classes, classes)), tolerance)
        << "image " << i << " by itself, width " << options.width;
  }
}

// Tests that run models need ONNX Runtime, which not everybody has.
class InOnnxRuntime : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      runtime_.emplace();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
      GTEST_SKIP() << error.what();
    }
  }
  std::optional<OnnxRuntime> runtime_;
};

class ShippedConfigurationInOnnxRuntime
    : public InOnnxRuntime,
      public ::testing::WithParamInterface<std::filesystem::path> {};

TEST_P(ShippedConfigurationInOnnxRuntime, GivesTheLogitsOfTheSessionAtEveryWidth) {
  const Subject subject(read_run_config(GetParam()).network);
  for (int width = 1; width <= subject.network.groups(); ++width) {
    for (const bool normalise : {false, true}) {
      expect_equal_logits(*runtime_, subject, {.width = width, .normalise = normalise}, 64, 1e-4);
    }
  }
}

std::string name_of(const ::testing::TestParamInfo<std::filesystem::path>& info) {
  std::string name =
      info.param.parent_path().filename().string() + "_" + info.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, ShippedConfigurationInOnnxRuntime,
                         ::testing::ValuesIn(shipped_runs()), name_of);

TEST_F(InOnnxRuntime, EveryKindOfLayerGivesTheLogitsOfTheSessionInBothFormsAtEveryWidth) {
  for (const NamedNetwork& named : property_networks()) {
    SCOPED_TRACE(named.name);
    const Subject subject(named.network);
    for (int width = 1; width <= 3; ++width) {
      for (const OnnxForm form : {OnnxForm::kWhole, OnnxForm::kSplit}) {
        SCOPED_TRACE(form == OnnxForm::kWhole ? "whole" : "split");
        // In turn, so that each width and form meets both over the networks.
        const bool normalise = (width + static_cast<int>(named.name.size())) % 2 == 0;
        expect_equal_logits(*runtime_, subject,
                            {.width = width, .normalise = normalise, .form = form}, 3, 1e-4);
      }
    }
  }
}

TEST_F(InOnnxRuntime, TheBatchIsAsLargeAsTheImagesAre) {
  const Subject subject(property_networks().front().network);
  const std::string bytes = onnx_model(subject.network, subject.weights, subject.info);
  OnnxSession session(*runtime_, bytes_of(bytes));
  EXPECT_THAT(session.input_shape(), ElementsAre(-1, 1, 9, 8));
  EXPECT_THAT(session.output_shape(), ElementsAre(-1, 5));
  const std::vector<float> images = subject.images(7);
  const auto all = session.run(images, 7);
  const std::vector<float> at_once(all.begin(), all.end());
  for (std::size_t i = 0; i < 7; ++i) {
    const auto alone = session.run(std::span(images).subspan(i * 72, 72), 1);
    EXPECT_LE(worst_difference(alone, std::span(at_once).subspan(i * 5, 5)), 1e-6) << "image " << i;
  }
}

TEST_F(InOnnxRuntime, AFileOfAModelFromDiskGivesTheLogitsOfTheSession) {
  const Subject made(property_networks().back().network);
  const auto folder = std::filesystem::path(::testing::TempDir());
  const std::string path = folder / "to_export.safetensors";
  save_model(path, made.network, made.weights, made.info);
  const ModelFile file = load_model(path);
  save_onnx_model(folder / "exported.onnx", file.network, file.weights, file.info,
                  {.normalise = true});
  const std::vector<float> images = made.images(2);
  Session session(Model::load(path), {.max_batch = 2});
  session.run(images, 3);
  OnnxSession peer(*runtime_, folder / "exported.onnx");
  EXPECT_LE(worst_difference(session.logits(), peer.run(images, 2)), 1e-5);
}

// --- What a model consists of, which needs nobody to run it.

TEST(OnnxExport, WholeIsOneOperationALayerAndSplitOneAGroup) {
  const Network network = Network::read(config::network(
      {3, 9, 8}, 5, 3, "triangular", "additive",
      {config::conv("conv1", {3, 5, 2}, 3, 1), config::layer("batch_norm", "norm1"),
       config::layer("relu6", "relu1"), config::layer("dropout", "dropout1"),
       config::conv("conv2", {7, 3, 9}, 3, 1, false), config::layer("global_avg_pool", "pool2")}));
  const Subject subject(network);
  const auto in_form = [&](OnnxForm form) {
    return operations(onnx_model(subject.network, subject.weights, {}, {.form = form}));
  };
  const std::map<std::string, int> whole{
      {"Clip", 1}, {"Conv", 2}, {"Flatten", 1}, {"Gemm", 1}, {"GlobalAveragePool", 1}};
  // Groups 1 to 2 and 1 to 3 of relu1, and all of pool2, are joined.
  const std::map<std::string, int> split{{"Clip", 3},    {"Concat", 3}, {"Conv", 6},
                                         {"Flatten", 1}, {"Gemm", 1},   {"GlobalAveragePool", 3}};
  EXPECT_EQ(in_form(OnnxForm::kWhole), whole);
  EXPECT_EQ(in_form(OnnxForm::kSplit), split);
}

TEST(OnnxExport, NormalisesInsideWithOneSubtractionOnlyWhereZerosSurroundTheImage) {
  const auto inside = [](int padding) {
    const Subject subject(
        Network::read(config::network({3, 9, 8}, 5, 3, "triangular", "per_width",
                                      {config::conv("conv1", {3, 5, 2}, 3, padding)})));
    return operations(onnx_model(subject.network, subject.weights, subject.info,
                                 {.normalise = true, .form = OnnxForm::kSplit}));
  };
  EXPECT_EQ(inside(1)["Sub"], 1);
  EXPECT_EQ(inside(0)["Sub"], 0);
}

TEST(OnnxExport, SaysWhatTheModelCameFrom) {
  Subject subject(property_networks().front().network);
  subject.info.classes = {"a", "b \"c\"", "d", "e", "f"};
  std::map<std::string, std::string> facts;
  const onnx::ModelProto model = parsed(
      onnx_model(subject.network, subject.weights, subject.info, {.width = 2, .normalise = true}));
  for (const auto& entry : model.metadata_props()) facts[entry.key()] = entry.value();
  EXPECT_EQ(facts["bellows.version"], version());
  EXPECT_EQ(facts["bellows.width"], "2");
  EXPECT_EQ(facts["bellows.classes"], R"(["a","b \"c\"","d","e","f"])");
  EXPECT_EQ(facts["bellows.groups_sha256"], "[\"" + sha256_hex(subject.weights.group_bytes(1)) +
                                                "\",\"" +
                                                sha256_hex(subject.weights.group_bytes(2)) + "\"]");
  EXPECT_EQ(facts["bellows.mean"], "[0.3]");
  EXPECT_EQ(facts["bellows.stddev"], "[0.2]");
  EXPECT_EQ(facts["bellows.normalisation"], "inside");
  EXPECT_EQ(model.producer_name(), "bellows");
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).version(), kOnnxOpset);
}

TEST(OnnxExport, EqualArgumentsGiveEqualBytes) {
  const Subject subject(property_networks().front().network);
  EXPECT_EQ(onnx_model(subject.network, subject.weights, subject.info),
            onnx_model(subject.network, subject.weights, subject.info));
}

TEST(OnnxExport, AWidthIsAsIfTheModelHadNoMoreGroups) {
  const Subject subject(property_networks().front().network);
  EXPECT_EQ(onnx_model(subject.network, subject.weights, subject.info, {.width = 2}),
            onnx_model(subject.network.first_groups(2), subject.weights, subject.info));
}

TEST(OnnxExport, RefusesWhatCannotBeByName) {
  Subject subject(property_networks().front().network);
  const auto refusal = [&](const OnnxOptions& options) -> std::string {
    return bellows::refusal(
        [&] { (void)onnx_model(subject.network, subject.weights, subject.info, options); });
  };
  EXPECT_THAT(refusal({.width = 4}), AllOf(HasSubstr("width 4"), HasSubstr("widths 1 to 3")));
  EXPECT_THAT(refusal({.width = -1}), HasSubstr("width -1"));
  subject.info.mean = {0.1, 0.2};
  EXPECT_THAT(refusal({}), AllOf(HasSubstr("2 means"), HasSubstr("1 channels")));
  subject.info.mean = {0.1};
  subject.weights = WeightSet(subject.network, 2);
  EXPECT_THAT(refusal({}), HasSubstr("weights"));
}

TEST(OnnxExport, RefusesAFileThatCannotBeWrittenAndKeepsTheOldOne) {
  const Subject subject(property_networks().front().network);
  const auto folder = std::filesystem::path(::testing::TempDir()) / "onnx_export";
  std::filesystem::create_directories(folder);
  try {
    save_onnx_model(folder / "none/model.onnx", subject.network, subject.weights, subject.info);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIoError);
    EXPECT_THAT(error.what(), HasSubstr("none/model.onnx"));
  }
  const auto kept = folder / "kept.onnx";
  std::ofstream(kept) << "old";
  EXPECT_THROW(save_onnx_model(kept, subject.network, subject.weights, subject.info, {.width = 9}),
               Error);
  std::string content;
  std::ifstream(kept) >> content;
  EXPECT_EQ(content, "old");
}

}  // namespace
}  // namespace bellows
