#include "bench/peers/onnx_runtime.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/onnx_export.h"
#include "tests/grouped_networks.h"
#include "tests/refusal.h"

namespace bellows::peers {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(OnnxRuntime, RefusesALibraryThatIsNotThereAndSaysHowToGetIt) {
  EXPECT_THAT(refusal(ErrorCode::kNotFound, [] { OnnxRuntime("none/libonnxruntime.so.1"); }),
              AllOf(HasSubstr("none/libonnxruntime.so.1"), HasSubstr("install_onnxruntime.sh"),
                    HasSubstr("BELLOWS_ONNXRUNTIME")));
}

TEST(OnnxRuntime, RefusesAFileThatIsNoLibrary) {
  const auto file = std::filesystem::path(::testing::TempDir()) / "no_library.so";
  std::ofstream(file) << "text";
  EXPECT_THAT(refusal(ErrorCode::kUnsupported, [&] { OnnxRuntime runtime(file); }),
              HasSubstr("no_library.so"));
}

TEST(OnnxRuntime, LooksWhereTheEnvironmentSays) {
  const char* before = std::getenv("BELLOWS_ONNXRUNTIME");
  const std::optional<std::string> kept =
      before ? std::optional<std::string>(before) : std::nullopt;
  setenv("BELLOWS_ONNXRUNTIME", "elsewhere/library.so", 1);
  EXPECT_EQ(onnx_runtime_library(), "elsewhere/library.so");
  unsetenv("BELLOWS_ONNXRUNTIME");
  EXPECT_EQ(onnx_runtime_library().filename(), "libonnxruntime.so.1");
  if (kept) setenv("BELLOWS_ONNXRUNTIME", kept->c_str(), 1);
}

class OnnxSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(onnx_runtime_library())) {
      GTEST_SKIP() << "no ONNX Runtime; third_party/install_onnxruntime.sh fetches it";
    }
    runtime_.emplace();
  }

  // Five logits of images [1, 1, 2] that are their first value times 1, 2, ... 5.
  static std::string multiples() {
    const Network network =
        Network::read(config::network({1, 1, 2}, 5, 1, "triangular", "per_width",
                                      {config::linear("linear1", {1}, /*bias=*/false)}));
    WeightSet weights(network, 1);
    weights.values(1, 0, ParameterRole::kWeight)[0] = 1;
    for (std::size_t i = 0; i < 5; ++i) {
      weights.values(1, 1, ParameterRole::kWeight)[i] = static_cast<float>(i + 1);
    }
    return onnx_model(network, weights, {});
  }
  static std::span<const std::uint8_t> bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }

  std::optional<OnnxRuntime> runtime_;
};

TEST_F(OnnxSessionTest, TellsItsVersion) {
  EXPECT_THAT(runtime_->version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
}

TEST_F(OnnxSessionTest, RunsAModelWhoseAnswerIsKnown) {
  for (const int threads : {1, 2}) {
    OnnxSession session(*runtime_, bytes_of(multiples()),
                        {.threads = threads, .spinning = threads == 1});
    const std::vector<float> images{0.5F, 9, -2, 9};
    EXPECT_THAT(session.run(images, 2),
                ::testing::ElementsAre(0.5F, 1, 1.5F, 2, 2.5F, -2, -4, -6, -8, -10));
  }
}

TEST_F(OnnxSessionTest, SeesWhatHasChangedInTheSameImages) {
  OnnxSession session(*runtime_, bytes_of(multiples()));
  std::vector<float> image{1, 0};
  EXPECT_EQ(session.run(image, 1)[4], 5);
  image[0] = 2;
  EXPECT_EQ(session.run(image, 1)[4], 10);
}

TEST_F(OnnxSessionTest, RefusesWhatItCannotRunByName) {
  const std::string bytes = multiples();
  EXPECT_THAT(refusal(ErrorCode::kUnsupported,
                      [&] { OnnxSession(*runtime_, bytes_of(bytes).first(bytes.size() / 2)); }),
              HasSubstr("in memory: ONNX Runtime: "));
  EXPECT_THAT(refusal(ErrorCode::kNotFound,
                      [&] { OnnxSession(*runtime_, std::filesystem::path("none.onnx")); }),
              HasSubstr("none.onnx"));
  OnnxSession session(*runtime_, bytes_of(bytes));
  const std::vector<float> images(4);
  EXPECT_THAT(
      refusal(ErrorCode::kInvalidArgument, [&] { session.run(std::span(images).first(3), 2); }),
      AllOf(HasSubstr("3 values for 2 images"), HasSubstr("takes 2")));
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, [&] { session.run({}, 0); }),
              HasSubstr("0 images"));
  // And goes on from there.
  EXPECT_EQ(session.run(images, 2).size(), 10U);
}

}  // namespace
}  // namespace bellows::peers
