// The session's contract beside the properties of every layer (every_layer_test.cc): bad calls,
// sessions that share a model, batches, and the memory that all widths need together.
#include <bellows/bellows.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/denormals.h"
#include "engine/model_state.h"
#include "engine/policy_rule.h"
#include "layers/adapter_onednn.h"
#include "layers/conv.h"
#include "tests/grouped_networks.h"
#include "tests/refusal.h"
#include "tests/shipped_runs.h"
#include "training/run_config.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Three groups, five classes, images [2, 9, 8].
Network small_network(const char* head = "per_width") {
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  return Network::read(network(
      {2, 9, 8}, 5, 3, "triangular", head,
      {conv("conv1", {3, 18, 2}, 3, 1, false), layer("batch_norm", "norm1"), layer("relu", "relu1"),
       layer("max_pool", "pool1", {{"kernel", integer(2)}}), linear("linear2", {7, 3, 20})}));
}

Model model_of(Network network) {
  const WeightSet weights = random_weights(network, network.groups(), 3);
  return internal::make_model(
      std::make_shared<internal::ModelState>(std::move(network), ModelInfo{}, weights));
}

class SessionTest : public ::testing::Test {
 protected:
  Network network_ = small_network();
  Model model_ = model_of(small_network());
  std::vector<float> images_ = random_images(network_, 4, 1);
  std::span<const float> one_image() const {
    return std::span(images_).first(static_cast<std::size_t>(network_.input_elements()));
  }
};

TEST_F(SessionTest, RefusesOptionsOutOfRangeByName) {
  EXPECT_THAT(refusal([&] { Session(model_, {.max_batch = 0}); }), HasSubstr("max_batch is 0"));
  EXPECT_THAT(refusal([&] { Session(model_, {.max_batch = -3}); }), HasSubstr("max_batch is -3"));
  EXPECT_THAT(refusal([&] { Session(model_, {.max_batch = 1 << 20}); }), HasSubstr("max_batch"));
  EXPECT_THAT(refusal([&] { Session(model_, {.threads = 0}); }), HasSubstr("threads is 0"));
  EXPECT_THAT(refusal([&] { Session(model_, {.threads = 1 << 20}); }), HasSubstr("threads"));
}

TEST_F(SessionTest, RefusesABatchThatTheMachineCouldNeverHold) {
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  // 65536 images of 48 channels and a million pixels: 12 TB.
  const Model model = model_of(Network::read(
      network({1, 1000, 1000}, 2, 3, "triangular", "additive",
              {conv("conv1", {16, 16, 16}, 1, 0), layer("global_avg_pool", "pool1")})));
  try {
    const Session session(model, {.max_batch = 65536});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("session with max_batch 65536: not enough memory"),
                                    HasSubstr("use a smaller max_batch")));
  }
}

TEST(EveryFailure, IsAnErrorThatNamesWhatFailed) {
  const auto error_of = [](const auto& exception) {
    try {
      internal::with_every_failure_an_error("some.model", "load less",
                                            [&]() -> int { throw exception; });
    } catch (const Error& error) {
      return std::to_string(static_cast<int>(error.code())) + " " + error.what();
    }
    return std::string("nothing was thrown");
  };
  EXPECT_EQ(error_of(std::bad_alloc()), "8 some.model: not enough memory; load less");
  EXPECT_EQ(error_of(std::length_error("vector")), "8 some.model: not enough memory; load less");
  EXPECT_THAT(
      error_of(dnnl::error(dnnl_unimplemented, "no such primitive")),
      AllOf(HasSubstr("5 some.model: oneDNN cannot run it here"), HasSubstr("no such primitive")));
  EXPECT_EQ(error_of(Error(ErrorCode::kCorruptData, "bad")), "3 some.model: bad");
  EXPECT_EQ(error_of(Error(ErrorCode::kIoError, "some.model: bad")), "4 some.model: bad");
  EXPECT_EQ(error_of(Error(ErrorCode::kIoError, "some.modelled: bad")),
            "4 some.model: some.modelled: bad");
}

TEST_F(SessionTest, KeepsOnlyThePlansThatAreUsed) {
  internal::ModelState& state = *internal::state_of(model_);
  const std::weak_ptr<const Plan> single = state.plan(1, 1);
  EXPECT_FALSE(single.expired());
  std::weak_ptr<const Plan> pair;
  {
    const Session session(model_, {.max_batch = 2});
    pair = state.plan(2, 1);
    const Session other(model_, {.max_batch = 2});
    EXPECT_EQ(state.plan(2, 1), pair.lock());
  }
  EXPECT_TRUE(pair.expired());
  EXPECT_EQ(state.plan(2, 1)->batch, 2);
}

TEST_F(SessionTest, HasNoResultBeforeTheFirstRun) {
  Session session(model_);
  EXPECT_EQ(session.width(), 0);
  EXPECT_THAT(refusal([&] { session.refine(); }), HasSubstr("call run first"));
  EXPECT_THAT(refusal([&] { (void)session.logits(); }), HasSubstr("call run first"));
  EXPECT_THAT(refusal([&] { (void)session.logits(1); }), HasSubstr("call run first"));
  EXPECT_THAT(refusal([&] { (void)session.probabilities(); }), HasSubstr("call run first"));
  EXPECT_THAT(refusal([&] { (void)session.best(); }), HasSubstr("call run first"));
}

TEST_F(SessionTest, LeavesTheFormerResultAfterEveryBadCall) {
  Session session(model_, {.max_batch = 2});
  session.run(std::span(images_).first(one_image().size() * 2), 2);
  const std::vector<float> logits(session.logits().begin(), session.logits().end());
  const std::vector<float> narrow(session.logits(1).begin(), session.logits(1).end());
  const std::vector<float> probabilities(session.probabilities().begin(),
                                         session.probabilities().end());
  const auto unchanged = [&] {
    return session.width() == 2 && session.batch() == 2 &&
           std::ranges::equal(session.logits(), logits) &&
           std::ranges::equal(session.logits(1), narrow) &&
           std::ranges::equal(session.probabilities(), probabilities);
  };
  ASSERT_EQ(logits.size(), 10U);
  const std::size_t size = one_image().size();
  const std::vector<std::pair<std::function<void()>, std::string>> bad_calls = {
      {[&] { session.run(one_image(), 0); }, "width 0"},
      {[&] { session.run(one_image(), -1); }, "width -1"},
      {[&] { session.run(one_image(), 4); }, "widths 1 to 3"},
      {[&] { session.run({}, 1); }, "given 0 values"},
      {[&] { session.run(one_image().first(size - 1), 1); }, "143 values"},
      {[&] { session.run(std::span(images_).first(size + 1), 1); }, "145 values"},
      {[&] { session.run(std::span(images_).first(3 * size), 1); }, "1 to 2 images"},
      {[&] { (void)session.logits(0); }, "width 0"},
      {[&] { (void)session.logits(3); }, "width 3"},
      {[&] { (void)session.best(-1); }, "image -1"},
      {[&] { (void)session.best(2); }, "image 2"},
  };
  for (const auto& [call, culprit] : bad_calls) {
    EXPECT_THAT(refusal(call), HasSubstr(culprit));
    EXPECT_TRUE(unchanged()) << culprit;
  }
  // And goes on from there.
  session.refine();
  EXPECT_EQ(session.width(), 3);
  EXPECT_THAT(refusal([&] { session.refine(); }), AllOf(HasSubstr("refine"), HasSubstr("width 3")));
  EXPECT_EQ(session.width(), 3);
  EXPECT_TRUE(std::ranges::equal(session.logits(2), logits));
}

TEST_F(SessionTest, RefusesAModelsCostOfAWidthItDoesNotHave) {
  EXPECT_THAT(refusal([&] { (void)model_.width(0); }), HasSubstr("width 0"));
  EXPECT_THAT(refusal([&] { (void)model_.width(4); }), HasSubstr("width 4"));
}

TEST_F(SessionTest, ProbabilitiesAreTheSoftmaxOfTheLogitsAndBestIsTheirLargest) {
  Session session(model_, {.max_batch = 4});
  session.run(images_, 3);
  for (std::size_t image = 0; image < 4; ++image) {
    const auto logits = session.logits().subspan(image * 5, 5);
    const auto probabilities = session.probabilities().subspan(image * 5, 5);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(double{logit});
    std::size_t largest = 0;
    for (std::size_t label = 0; label < 5; ++label) {
      EXPECT_NEAR(probabilities[label], std::exp(double{logits[label]}) / sum, 1e-6);
      if (logits[label] > logits[largest]) largest = label;
    }
    const Prediction best = session.best(static_cast<int>(image));
    EXPECT_EQ(best.label, static_cast<int>(largest));
    EXPECT_EQ(best.confidence, probabilities[largest]);
  }
}

TEST_F(SessionTest, TakesTheMemoryThatTheModelHasForetold) {
  for (const SessionOptions& options : {SessionOptions{}, SessionOptions{.max_batch = 7},
                                        SessionOptions{.max_batch = 2, .threads = 2}}) {
    const MemoryUse foretold = model_.memory(options);
    const MemoryUse taken = Session(model_, options).memory();
    EXPECT_EQ(taken.weights, foretold.weights);
    EXPECT_EQ(taken.activations, foretold.activations);
    EXPECT_EQ(taken.scratch, foretold.scratch);
    EXPECT_EQ(taken.weights, model_.packed_bytes());
    // At least the widest map: 23 channels, before and after conv1, of 9 x 8 pixels.
    EXPECT_GE(taken.activations, 4U * 23 * 72 * static_cast<unsigned>(options.max_batch));
  }
  EXPECT_GT(model_.memory({.max_batch = 64}).activations, 8 * model_.memory().activations);
  EXPECT_THAT(refusal([&] { (void)model_.memory({.max_batch = 0}); }), HasSubstr("max_batch is 0"));
}

// So long that no machine misses it.
std::chrono::steady_clock::time_point in_an_hour() {
  return std::chrono::steady_clock::now() + std::chrono::hours(1);
}

TEST_F(SessionTest, RunUntilALateDeadlineGivesTheBitsOfTheWidestWidth) {
  Session whole(model_);
  whole.run(one_image(), 3);
  Session session(model_);
  EXPECT_EQ(session.run_until(one_image(), std::chrono::steady_clock::time_point::max()), 3);
  EXPECT_EQ(session.width(), 3);
  for (int width = 1; width <= 3; ++width) {
    EXPECT_TRUE(std::ranges::equal(session.logits(width), whole.logits(width)));
  }
  EXPECT_TRUE(std::ranges::equal(session.probabilities(), whole.probabilities()));
}

TEST_F(SessionTest, RunUntilBeginsNoGroupThatWouldEndTooLate) {
  // Group 3 has a thousand times the work of the others.
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  const Model model = model_of(Network::read(
      network({16, 64, 64}, 5, 3, "grouped", "per_width",
              {conv("conv1", {16, 16, 1024}, 3, 1), conv("conv2", {16, 16, 512}, 3, 1),
               layer("global_avg_pool", "pool")})));
  Session session(model);
  session.warm_up();
  EXPECT_EQ(session.width(), 0);
  EXPECT_GT(session.expected_us(3), 50 * (session.expected_us(1) + session.expected_us(2)));
  const std::vector<float> image(model.image_elements(), 0.5F);
  const auto start = std::chrono::steady_clock::now();
  const double room_us = session.expected_us(3) / 2;
  const auto deadline = start + std::chrono::microseconds(static_cast<int>(room_us));
  EXPECT_EQ(session.run_until(image, deadline), 2);
  EXPECT_LT(std::chrono::steady_clock::now(), deadline);
  Session other(model);
  other.run(image, 2);
  EXPECT_TRUE(std::ranges::equal(session.logits(), other.logits()));
}

TEST_F(SessionTest, RunUntilADeadlineThatCannotBeMetKeepsTheFormerResult) {
  Session session(model_);
  session.run(one_image(), 2);
  const std::vector<float> before(session.logits().begin(), session.logits().end());
  const auto now = std::chrono::steady_clock::now();
  for (const auto& deadline :
       {now - std::chrono::seconds(1), now, std::chrono::steady_clock::time_point::min()}) {
    try {
      session.run_until(one_image(), deadline);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDeadline);
      EXPECT_THAT(error.what(), HasSubstr("the deadline passed"));
    }
  }
  EXPECT_THAT(refusal([&] { session.run_until(std::span(images_).first(3), in_an_hour()); }),
              HasSubstr("3 values"));
  EXPECT_EQ(session.width(), 2);
  EXPECT_TRUE(std::ranges::equal(session.logits(), before));
}

TEST_F(SessionTest, ExpectsNoTimeBeforeTheFirstRunAndSomeAfterIt) {
  Session session(model_);
  for (int group = 1; group <= 3; ++group) EXPECT_EQ(session.expected_us(group), 0.0);
  session.run(one_image(), 1);
  for (int group = 1; group <= 3; ++group) EXPECT_GT(session.expected_us(group), 0.0);
  EXPECT_THAT(refusal([&] { (void)session.expected_us(4); }), HasSubstr("widths 1 to 3"));
  EXPECT_THAT(refusal([&] { session.warm_up(0); }), HasSubstr("0 rounds"));
}

TEST_F(SessionTest, AOneShotSessionGivesTheBitsOfARefinableOneInLessMemory) {
  std::size_t networks_with_less = 0;
  for (const NamedNetwork& named : property_networks()) {
    SCOPED_TRACE(named.name);
    const Model model = model_of(named.network.first_groups(3));
    for (const int batch : {1, 3}) {
      Session kept(model, {.max_batch = batch});
      Session one_shot(model, {.max_batch = batch, .memory = MemoryMode::kOneShot});
      // Grows beyond all numbers on its way: activations become infinite or none.
      const std::vector<float> broken(model.image_elements() * static_cast<std::size_t>(batch),
                                      std::numeric_limits<float>::max());
      for (int width = 3; width >= 1; --width) {
        // What was there before does not matter.
        try {
          one_shot.run(broken, width);
        } catch (const Error& error) {
          EXPECT_THAT(error.what(), HasSubstr("infinite"));
          EXPECT_EQ(one_shot.width(), 0);
        }
        const std::vector<float> images =
            random_images(named.network, batch, static_cast<std::uint64_t>(width));
        kept.run(images, width);
        one_shot.run(images, width);
        ASSERT_EQ(one_shot.width(), width);
        for (int narrower = 1; narrower <= width; ++narrower) {
          ASSERT_TRUE(std::ranges::equal(one_shot.logits(narrower), kept.logits(narrower)));
        }
        ASSERT_TRUE(std::ranges::equal(one_shot.probabilities(), kept.probabilities()));
      }
      EXPECT_LE(one_shot.memory().activations, kept.memory().activations);
      if (one_shot.memory().activations < kept.memory().activations) ++networks_with_less;
      EXPECT_EQ(one_shot.memory().activations,
                model.memory({.max_batch = batch, .memory = MemoryMode::kOneShot}).activations);
      EXPECT_EQ(one_shot.memory().weights, kept.memory().weights);
    }
  }
  EXPECT_GT(networks_with_less, 0U);
}

TEST_F(SessionTest, AnAnswerThatIsNoNumberIsAnErrorAndNoResult) {
  Session session(model_);
  session.run(one_image(), 1);
  const std::vector<float> large(model_.image_elements(), std::numeric_limits<float>::max());
  EXPECT_THAT(refusal([&] { session.run(large, 2); }), HasSubstr("infinite or no number"));
  EXPECT_EQ(session.width(), 0);
  session.run(one_image(), 2);
  EXPECT_EQ(session.width(), 2);
}

TEST_F(SessionTest, WeightsThatNormalisationMakesInfiniteMakeNoModel) {
  // Of the filter, and of the bias alone.
  for (const ParameterRole role : {ParameterRole::kScale, ParameterRole::kMean}) {
    Network network = small_network();
    WeightSet weights = random_weights(network, 3, 3);
    for (const ParameterKey& key : network.parameters(2)) {
      // By a deviation of sqrt(1e-5).
      if (key.spec.role == role) weights.values(key)[0] = 3e38F;
      if (key.spec.role == ParameterRole::kVariance) weights.values(key)[0] = 0;
    }
    EXPECT_THAT(refusal(ErrorCode::kCorruptData,
                        [&] { internal::ModelState(std::move(network), ModelInfo{}, weights); }),
                AllOf(HasSubstr("'conv1 group 2'"), HasSubstr("infinite or no numbers")));
  }
}

// A rectifier behind it would make zeros of what is no number.
TEST_F(SessionTest, ANormalisationThatStandsAloneMustBeOfNumbersToo) {
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  const auto make = [](float scale, float mean) {
    Network net =
        Network::read(network({1, 2, 2}, 3, 2, "triangular", "additive",
                              {conv("conv1", {16, 16}, 1, 0, false), layer("relu", "relu1"),
                               layer("batch_norm", "norm1"), layer("relu", "relu2")}));
    WeightSet weights = random_weights(net, 2, 3);
    for (const ParameterKey& key : net.parameters(2)) {
      if (key.spec.role == ParameterRole::kScale) weights.values(key)[5] = scale;
      if (key.spec.role == ParameterRole::kMean) weights.values(key)[5] = mean;
      if (key.spec.role == ParameterRole::kVariance) weights.values(key)[5] = 0;  // 1e-5 is added
    }
    internal::ModelState(std::move(net), ModelInfo{}, weights);
  };
  make(1, 1);
  for (const auto& values : {std::pair{-3e38F, 0.0F}, std::pair{1e5F, 3e38F}}) {
    EXPECT_THAT(refusal(ErrorCode::kCorruptData, [&] { make(values.first, values.second); }),
                AllOf(HasSubstr("'norm1 group 2'"), HasSubstr("infinite or no numbers")));
  }
}

TEST_F(SessionTest, AnImageThatNormalisationMakesInfiniteIsRefusedAndTheResultStays) {
  Network net = small_network();
  const auto channels = static_cast<std::size_t>(net.input().channels_of(1));
  ModelInfo info;
  info.mean.assign(channels, 0.5);
  info.stddev.assign(channels, 0.25);
  const WeightSet weights = random_weights(net, 3, 3);
  const Model model =
      internal::make_model(std::make_shared<internal::ModelState>(std::move(net), info, weights));
  Session session(model);
  session.run(one_image(), 1);
  std::vector<float> large(model.image_elements(), 0.5F);
  large.back() = 2e38F;  // a number, but four times as much is none
  EXPECT_THAT(refusal([&] { session.run(large, 1); }), HasSubstr("once they are normalised"));
  large.back() = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refusal([&] { session.run(large, 1); }), HasSubstr("infinite or no numbers"));
  session.refine();
  EXPECT_EQ(session.width(), 2);
}

TEST_F(SessionTest, MemoryBeyondWhatIsAllowedIsRefusedBeforeItIsTaken) {
  const MemoryUse use = model_.memory();
  const std::size_t enough = use.activations + use.scratch;
  Session fits(model_, {.max_bytes = enough});
  EXPECT_EQ(fits.memory().activations + fits.memory().scratch, enough);
  EXPECT_THAT(
      refusal(ErrorCode::kOutOfMemory, [&] { Session more(model_, {.max_bytes = enough - 1}); }),
      AllOf(HasSubstr("take " + std::to_string(enough)), HasSubstr("max_bytes")));
  // A one-shot session needs less.
  const MemoryUse least = model_.memory({.memory = MemoryMode::kOneShot});
  Session small(model_,
                {.memory = MemoryMode::kOneShot, .max_bytes = least.activations + least.scratch});
}

// Features of 1e-39 are denormal; times 1e38 they would make logits of 1.6.
TEST_F(SessionTest, DenormalWeightsCountAsZerosHoweverManyThreadsCompute) {
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  Network net = Network::read(
      network({1, 4, 4}, 3, 2, "triangular", "additive",
              {conv("conv1", {16, 16}, 1, 0, false), layer("global_avg_pool", "pool1")}));
  WeightSet weights(net, 2);
  for (int group = 1; group <= 2; ++group) {
    for (const ParameterKey& key : net.parameters(group)) {
      if (key.spec.role != ParameterRole::kWeight) continue;
      const bool in_conv = net.parameter_name(key).find("conv1") != std::string::npos;
      std::ranges::fill(weights.values(key), in_conv ? 1e-39F : 1e38F);
    }
  }
  volatile float denormal = 1e-39F;
  EXPECT_GT(denormal * 1e38F, 0.09F);
  const Model model = internal::make_model(
      std::make_shared<internal::ModelState>(std::move(net), ModelInfo{}, weights));
  const std::vector<float> image(16, 1.0F);
  for (const int threads : {1, 2}) {
    for (const MemoryMode memory : {MemoryMode::kRefinable, MemoryMode::kOneShot}) {
      Session session(model, {.threads = threads, .memory = memory});
      session.run(image, 2);
#if defined(__SSE2__) || defined(__aarch64__)
      EXPECT_TRUE(std::ranges::all_of(session.logits(), [](float value) { return value == 0; }));
#endif
    }
  }
}

// The exact value is in the file's own units: bits of the control register, or none at all.
TEST_F(SessionTest, DenormalsAreZerosInsideACallAndTheThreadIsAsBefore) {
  const float smallest = std::numeric_limits<float>::denorm_min();
  volatile float denormal = smallest;
  for (const int threads : {1, 2}) {
    Session session(model_, {.threads = threads});
    session.run(one_image(), model_.groups());
    EXPECT_EQ(denormal * 1.0F, smallest);
    {
      const DenormalsAreZero flushed(threads);
#if defined(__SSE2__) || defined(__aarch64__)
      EXPECT_EQ(denormal * 1.0F, 0.0F);
#endif
    }
    EXPECT_EQ(denormal * 1.0F, smallest);
  }
}

TEST_F(SessionTest, AOneShotSessionRefusesToRefineAndKeepsItsResult) {
  Session session(model_, {.memory = MemoryMode::kOneShot});
  session.run(one_image(), 2);
  const std::vector<float> before(session.logits().begin(), session.logits().end());
  EXPECT_THAT(refusal([&] { session.refine(); }), HasSubstr("one-shot"));
  EXPECT_EQ(session.width(), 2);
  EXPECT_TRUE(std::ranges::equal(session.logits(), before));
}

TEST_F(SessionTest, AOneShotSessionChoosesTheWidthForADeadlineBeforeItBegins) {
  Session session(model_, {.memory = MemoryMode::kOneShot});
  EXPECT_EQ(session.run_until(one_image(), in_an_hour()), 1) << "nothing is known yet";
  session.warm_up();
  EXPECT_EQ(session.width(), 0);
  EXPECT_EQ(session.run_until(one_image(), in_an_hour()), 3);
  EXPECT_LE(session.expected_us(1), session.expected_us(3));
  try {
    session.run_until(one_image(), std::chrono::steady_clock::now());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kDeadline);
  }
  EXPECT_EQ(session.width(), 3);
}

TEST_F(SessionTest, RefusesAMemoryModeThatIsNone) {
  EXPECT_THAT(refusal([&] { Session(model_, {.memory = static_cast<MemoryMode>(7)}); }),
              HasSubstr("memory mode 7"));
}

TEST_F(SessionTest, RefusesImagesThatAreNoNumbersAndKeepsItsResult) {
  Session session(model_);
  session.run(one_image(), 2);
  const std::vector<float> before(session.logits().begin(), session.logits().end());
  std::vector<float> image(one_image().begin(), one_image().end());
  for (const float rubbish :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (const std::size_t place : {std::size_t{0}, image.size() - 1}) {
      const float kept = std::exchange(image[place], rubbish);
      EXPECT_THAT(refusal([&] { session.run(image, 1); }), HasSubstr("no numbers"));
      image[place] = kept;
    }
  }
  EXPECT_EQ(session.width(), 2);
  EXPECT_TRUE(std::ranges::equal(session.logits(), before));
}

TEST_F(SessionTest, TellsEveryOutputByItsName) {
  Session session(model_);
  session.run(one_image(), 2);
  EXPECT_THAT(model_.output_names(), ::testing::ElementsAre("logits", "probabilities", "logits.1",
                                                            "logits.2", "logits.3"));
  EXPECT_EQ(session.output("logits").data(), session.logits().data());
  EXPECT_EQ(session.output("probabilities").data(), session.probabilities().data());
  EXPECT_EQ(session.output("logits.1").data(), session.logits(1).data());
  EXPECT_THAT(refusal([&] { (void)session.output("logits.3"); }), HasSubstr("logits of width 3"));
  for (const char* name : {"", "logit", "logits.", "logits.0", "logits.4", "logits.01"}) {
    try {
      (void)session.output(name);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNotFound);
      EXPECT_THAT(error.what(), HasSubstr("logits.1 to logits.3"));
    }
  }
}

OperatingPoint point(int width, int threads = 1) {
  return {.width = width,
          .threads = threads,
          .accuracy = 0.1 * width,
          .latency_p50_us = 1e6 * width,
          .latency_p95_us = 1e6 * width,
          .latency_p99_us = 1e6 * width,
          .energy_uj = 1.0 * width};
}

TEST_F(SessionTest, ClassifyRunsTheWidthThatTheControllerChoosesAndTellsItTheTime) {
  Session session(model_);
  Controller controller({point(1), point(2), point(3)}, {.max_energy_uj = 2});
  const Result result = session.classify(one_image(), controller);
  EXPECT_EQ(result.width, 2);
  EXPECT_EQ(session.width(), 2);
  EXPECT_EQ(result.label, session.best().label);
  EXPECT_EQ(result.confidence, session.best().confidence);
  EXPECT_TRUE(result.decision.feasible);
  EXPECT_GT(result.latency_us, 0);
  // A second a run, says the profile; readings soon say that it is less.
  for (int i = 0; i < 10; ++i) session.classify(one_image(), controller);
  EXPECT_LT(controller.expected_latency_us(0), 1e6);
}

// By the answers of each width themselves: what a policy must decide.
int first_sure_width(Session& session, std::span<const float> image, int widths, float threshold) {
  for (int width = 1; width < widths; ++width) {
    session.run(image, width);
    if (session.best().confidence >= threshold) return width;
  }
  return widths;
}

TEST_F(SessionTest, APolicyStopsAtTheFirstWidthThatIsSureEnough) {
  Session session(model_);
  Session other(model_);
  std::vector<int> stopped(4);
  const std::vector<float> images = random_images(network_, 40, 2);
  const std::size_t elements = model_.image_elements();
  for (const float threshold : {0.25F, 0.4F, 0.6F}) {
    Policy policy = Policy::with_thresholds({.values = {threshold, threshold}});
    for (std::size_t i = 0; i < 40; ++i) {
      const auto image = std::span(images).subspan(i * elements, elements);
      const int expected = first_sure_width(other, image, 3, threshold);
      const Result result = session.classify(image, policy);
      EXPECT_EQ(result.width, expected);
      EXPECT_EQ(session.width(), expected);
      other.run(image, expected);
      EXPECT_EQ(result.label, other.best().label);
      EXPECT_EQ(result.confidence, other.best().confidence);
      EXPECT_GT(result.latency_us, 0);
      ++stopped[static_cast<std::size_t>(expected)];
    }
  }
  // The images are such that every width is among them.
  for (const int width : {1, 2, 3}) EXPECT_GT(stopped[static_cast<std::size_t>(width)], 0);
}

TEST_F(SessionTest, AfterAPolicyStoppedRefiningGoesOn) {
  Session session(model_);
  Policy always = Policy::with_thresholds({.values = {0, 0}});
  EXPECT_EQ(session.classify(one_image(), always).width, 1);
  session.refine();
  session.refine();
  Session wide(model_);
  wide.run(one_image(), 3);
  EXPECT_TRUE(std::ranges::equal(session.logits(), wide.logits()));
}

TEST_F(SessionTest, AMixtureDealsImagesOut) {
  Session session(model_, {.memory = MemoryMode::kOneShot});
  Policy mixture = Policy::mixture({{Policy::at_width(1), 3}, {Policy::at_width(3), 1}});
  std::vector<int> widths(8);
  std::ranges::generate(widths, [&] { return session.classify(one_image(), mixture).width; });
  EXPECT_EQ(std::ranges::count(widths, 1), 6);
  EXPECT_EQ(std::ranges::count(widths, 3), 2);
}

TEST_F(SessionTest, ASelectorStopsWhereItsOutputIsNotNegative) {
  // Five classes: eight inputs. The output is the margin of the probabilities less a limit.
  StopNetwork by_margin{.hidden_weight = std::vector<float>(8), .hidden_bias = {0}, .weight = {1}};
  by_margin.hidden_weight[5] = 1;
  by_margin.bias = -0.75F;
  Policy policy = internal::selector_policy({.alpha = 1, .widths = {by_margin, by_margin}}, 1);
  Policy same =
      Policy::with_thresholds({.confidence = Confidence::kMargin, .values = {0.75, 0.75}});
  Session session(model_);
  const std::vector<float> images = random_images(network_, 40, 3);
  const std::size_t elements = model_.image_elements();
  std::vector<int> stopped(4);
  for (std::size_t i = 0; i < 40; ++i) {
    const auto image = std::span(images).subspan(i * elements, elements);
    const int width = session.classify(image, same).width;
    EXPECT_EQ(session.classify(image, policy).width, width);
    ++stopped[static_cast<std::size_t>(width)];
  }
  EXPECT_GT(stopped[1], 0);
  EXPECT_GT(stopped[3], 0);
}

TEST_F(SessionTest, APolicyThatTheSessionCannotRunIsRefusedAndTakesNoTurn) {
  Session session(model_, {.max_batch = 2});
  session.run(one_image(), 1);
  Policy wide = Policy::with_thresholds({.values = {0.5, 0.5, 0.5}});
  EXPECT_THAT(refusal([&] { session.classify(one_image(), wide); }), HasSubstr("width 4"));
  const StopNetwork two_classes{
      .hidden_weight = std::vector<float>(5), .hidden_bias = {0}, .weight = {1}};
  Policy other = internal::selector_policy({.widths = {two_classes}}, 1);
  EXPECT_THAT(refusal([&] { session.classify(one_image(), other); }),
              HasSubstr("2 classes, the model has 5"));
  Policy looks = Policy::with_thresholds({.values = {0.5, 0.5}});
  Session one_shot(model_, {.memory = MemoryMode::kOneShot});
  EXPECT_THAT(refusal([&] { one_shot.classify(one_image(), looks); }), HasSubstr("one-shot"));
  Policy mixed = Policy::mixture({{Policy::at_width(1), 1}, {looks, 1}});
  EXPECT_THAT(refusal([&] { one_shot.classify(one_image(), mixed); }), HasSubstr("one-shot"));
  const std::vector<float> two(2 * model_.image_elements(), 0.5F);
  EXPECT_THAT(refusal([&] { session.classify(two, mixed); }), HasSubstr("one image"));
  EXPECT_EQ(session.width(), 1);
  // The first turn is still the first.
  Policy fresh = Policy::mixture({{Policy::at_width(1), 1}, {looks, 1}});
  EXPECT_EQ(mixed.turn().text(), fresh.turn().text());
}

TEST_F(SessionTest, AControllerOverPoliciesIsToldWhereTheyStop) {
  Session session(model_);
  const auto with_policy = [&](const Policy& policy, double accuracy) {
    OperatingPoint made = point(3);
    made.accuracy = accuracy;
    made.policy = policy;
    for (const int width : {1, 2, 3}) {
      made.stops.push_back({.width = width,
                            .share = 1.0 / 3,
                            .latency_p50_us = 1e6,
                            .latency_p95_us = 1e6,
                            .latency_p99_us = 1e6,
                            .energy_uj = 1.0 * width});
    }
    return made;
  };
  const Policy always = Policy::with_thresholds({.values = {0, 0}});
  Controller controller({point(1), with_policy(always, 0.99)});
  const Result result = session.classify(one_image(), controller);
  EXPECT_EQ(result.width, 1);
  ASSERT_NE(result.decision.policy, nullptr);
  EXPECT_EQ(result.decision.policy->text(), always.text());
  for (int i = 0; i < 10; ++i) session.classify(one_image(), controller);
  EXPECT_LT(controller.expected_latency_us(1), 1e6);

  const Policy wide = Policy::with_thresholds({.values = {0, 0, 0}});
  OperatingPoint too_wide = with_policy(wide, 0.5);
  too_wide.width = 4;
  too_wide.stops.push_back(too_wide.stops.back());
  too_wide.stops.back().width = 4;
  too_wide.stops.back().share = 0;
  Controller refused({point(1), too_wide});
  EXPECT_THAT(refusal([&] { session.classify(one_image(), refused); }), HasSubstr("width 4"));
}

TEST_F(SessionTest, ClassifyRefusesBeforeTheControllerIsAsked) {
  Session session(model_, {.max_batch = 2});
  Controller controller({point(1), point(2)});
  session.run(one_image(), 1);
  std::vector<float> images(2 * model_.image_elements(), 0.5F);
  EXPECT_THAT(refusal([&] { session.classify(images, controller); }), HasSubstr("one image"));
  images.resize(3);
  EXPECT_THAT(refusal([&] { session.classify(images, controller); }), HasSubstr("3 values"));
  Controller threads({point(1), point(2, 2)});
  EXPECT_THAT(refusal([&] { session.classify(one_image(), threads); }), HasSubstr("2 threads"));
  Controller wide({point(1), point(9)});
  EXPECT_THAT(refusal([&] { session.classify(one_image(), wide); }), HasSubstr("width 9"));
  EXPECT_EQ(session.width(), 1);
}

TEST_F(SessionTest, ASecondThreadInTheSameSessionIsRefusedAndDisturbsNothing) {
  Session session(model_);
  session.run(one_image(), 3);
  const std::vector<float> expected(session.logits().begin(), session.logits().end());
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop) {
      try {
        session.warm_up(100);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kInUse);
      }
    }
  });
  int refused = 0;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (refused < 10 && std::chrono::steady_clock::now() < give_up) {
    try {
      session.run(one_image(), 3);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInUse);
      EXPECT_THAT(error.what(), HasSubstr("a session of its own"));
      ++refused;
    }
  }
  stop = true;
  other.join();
  EXPECT_EQ(refused, 10);
  session.run(one_image(), 3);
  EXPECT_TRUE(std::ranges::equal(session.logits(), expected));
}

TEST_F(SessionTest, WidthsTellTheAccuraciesOfTheModelFile) {
  ModelInfo info;
  info.validation_accuracy = {0.5, 0.75, 0.875};
  const Model model = internal::make_model(std::make_shared<internal::ModelState>(
      small_network(), std::move(info), WeightSet(small_network(), 3)));
  const std::vector<Width> widths = model.widths();
  ASSERT_EQ(widths.size(), 3U);
  for (int number = 1; number <= 3; ++number) {
    const Width& width = widths[static_cast<std::size_t>(number - 1)];
    EXPECT_EQ(width.number, number);
    EXPECT_EQ(width.parameters, model_.width(number).parameters);
    EXPECT_EQ(width.test_accuracy, std::nullopt);
  }
  EXPECT_EQ(widths[1].validation_accuracy, 0.75);
}

TEST_F(SessionTest, ASmallerBatchGivesTheBitsOfTheSameImagesInAFullOne) {
  Session session(model_, {.max_batch = 4});
  session.run(images_, 3);
  const std::vector<float> all(session.logits().begin(), session.logits().end());
  for (std::size_t count = 1; count < 4; ++count) {
    session.run(std::span(images_).first(count * one_image().size()), 3);
    EXPECT_EQ(session.batch(), static_cast<int>(count));
    EXPECT_TRUE(std::ranges::equal(session.logits(), std::span(all).first(count * 5))) << count;
  }
}

TEST_F(SessionTest, BatchSizesAgreeUpToRounding) {
  // Plans of different batch sizes may sum in another order.
  Session single(model_);
  Session eight(model_, {.max_batch = 8, .threads = 2});
  for (int width = 1; width <= 3; ++width) {
    eight.run(images_, width);
    for (std::size_t image = 0; image < 4; ++image) {
      single.run(std::span(images_).subspan(image * one_image().size(), one_image().size()), width);
      for (std::size_t label = 0; label < 5; ++label) {
        const double expected = single.logits()[label];
        EXPECT_NEAR(eight.logits()[image * 5 + label], expected, 1e-5 * (1 + std::abs(expected)));
      }
    }
  }
}

TEST_F(SessionTest, SessionsOnTwoThreadsGiveTheBitsTheyGiveAlone) {
  const auto results = [&](Session& session, int first_width) {
    std::vector<float> all;
    for (int turn = 0; turn < 200; ++turn) {
      session.run(one_image(), (first_width + turn) % 3 + 1);
      all.insert(all.end(), session.logits().begin(), session.logits().end());
      if (session.width() < 3) session.refine();
      all.insert(all.end(), session.logits().begin(), session.logits().end());
    }
    return all;
  };
  Session first(model_);
  Session second(model_);
  const std::vector<float> first_alone = results(first, 0);
  const std::vector<float> second_alone = results(second, 1);
  std::vector<float> beside;
  std::thread other([&] { beside = results(second, 1); });
  const std::vector<float> here = results(first, 0);
  other.join();
  EXPECT_TRUE(here == first_alone);
  EXPECT_TRUE(beside == second_alone);
}

TEST_F(SessionTest, SessionsCanBeMadeByManyThreadsAtOnce) {
  Session alone(model_, {.max_batch = 2});
  alone.run(one_image(), 3);
  std::vector<std::vector<float>> logits(4);
  std::vector<std::thread> threads;
  threads.reserve(logits.size());
  const Model fresh = model_of(small_network());
  for (std::vector<float>& mine : logits) {
    threads.emplace_back([&] {
      Session session(fresh, {.max_batch = 2});
      session.run(one_image(), 3);
      mine.assign(session.logits().begin(), session.logits().end());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : logits) EXPECT_TRUE(std::ranges::equal(mine, alone.logits()));
}

TEST_F(SessionTest, SessionsOfEveryKindOnManyThreadsGiveTheBitsTheyGiveAlone) {
  // Each thread makes sessions of its own while the others make and run theirs.
  const std::vector<SessionOptions> kinds = {
      {.max_batch = 1},
      {.max_batch = 4},
      {.max_batch = 1, .threads = 2},
      {.max_batch = 4, .memory = MemoryMode::kOneShot},
  };
  const auto results = [&](const Model& model, SessionOptions options, int turns) {
    std::vector<float> all;
    for (int turn = 0; turn < turns; ++turn) {
      Session session(model, options);
      const auto count = static_cast<std::size_t>(options.max_batch);
      session.run(std::span(images_).first(count * one_image().size()), turn % 3 + 1);
      all.insert(all.end(), session.logits().begin(), session.logits().end());
      EXPECT_GT(model.memory(options).activations, 0U);
    }
    return all;
  };
  std::vector<std::vector<float>> alone;
  alone.reserve(kinds.size());
  for (const SessionOptions& options : kinds) alone.push_back(results(model_, options, 9));
  const Model fresh = model_of(small_network());
  std::vector<std::vector<float>> beside(kinds.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    threads.emplace_back([&, i] { beside[i] = results(fresh, kinds[i], 9); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(beside == alone);
}

TEST_F(SessionTest, OutlivesTheModelItWasMadeFrom) {
  auto model = std::make_unique<Model>(model_of(small_network()));
  Session session(*model);
  model.reset();
  session.run(one_image(), 3);
  Session moved = std::move(session);
  EXPECT_EQ(moved.width(), 3);
  EXPECT_EQ(moved.logits().size(), 5U);
}

TEST_F(SessionTest, AppliesTheNormalisationOfTheModel) {
  Network network = small_network();
  WeightSet weights(network, 3);
  for (const ParameterKey& key : network.parameters(1)) {
    if (key.spec.role == ParameterRole::kWeight) std::ranges::fill(weights.values(key), 0.1F);
  }
  const auto logits_of = [&](ModelInfo info, const std::vector<float>& images) {
    Session session(internal::make_model(
        std::make_shared<internal::ModelState>(small_network(), std::move(info), weights)));
    session.run(images, 1);
    return std::vector<float>(session.logits().begin(), session.logits().end());
  };
  std::vector<float> raw(one_image().begin(), one_image().end());
  std::vector<float> normalised = raw;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    normalised[i] = i < 72 ? (raw[i] - 0.5F) / 0.25F : (raw[i] + 1.0F) / 2.0F;
  }
  const auto expected = logits_of({}, normalised);
  ModelInfo info;
  info.mean = {0.5, -1.0};
  info.stddev = {0.25, 2.0};
  const auto given = logits_of(info, raw);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(given[i], expected[i], 1e-4);
}

// 3 x 3 convolutions of enough channels for Winograd's algorithm in groups 2 and 3: with a
// rectifier, with a sum and one, with neither.
Network winograd_network(const char* connectivity) {
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  const std::vector<int> channels{32, 64, 80};
  return Network::read(network(
      {3, 10, 11}, 5, 3, connectivity, "per_width",
      {conv("conv1", channels, 3, 1), layer("relu", "relu1"), conv("conv2", channels, 3, 1, false),
       layer("batch_norm", "norm2"), layer("relu", "relu2"),
       layer("residual", "block3",
             {{"body", array({conv("conv3", channels, 3, 1), layer("relu", "relu3"),
                              conv("conv4", channels, 3, 1)})}}),
       layer("relu", "relu4"), conv("conv5", channels, 3, 0),
       layer("max_pool", "pool5", {{"kernel", integer(2)}})}));
}

Model model_of(Network network, const ModelOptions& options) {
  const WeightSet weights = random_weights(network, network.groups(), 3);
  return internal::make_model(
      std::make_shared<internal::ModelState>(std::move(network), ModelInfo{}, weights, options));
}

int winograd_steps(const Model& model) {
  int count = 0;
  for (const Program& program : internal::state_of(model)->plan(1, 1)->programs) {
    for (const Step& step : program) {
      if (step.primitive.implementation.find("wino") != std::string::npos) ++count;
    }
  }
  return count;
}

// Whether oneDNN has it on this machine. Of its second generation it is known.
bool has_winograd() {
#if DNNL_VERSION_MAJOR < 3 && defined(__x86_64__)
  if (channel_block() == 16) return true;
#endif
  const auto f32 = dnnl::memory::data_type::f32;
  const Desc map({1, 64, 10, 11}, f32, map_tag(channel_block(), /*with_depth=*/false));
  const auto made =
      convolution_forward(map, Desc({64, 64, 3, 3}, f32, dnnl::memory::format_tag::any), true, map,
                          {{}, {1, 1}, {1, 1}}, {}, Algorithm::kWinograd);
  return made && is_opaque(made->weights);
}

TEST_F(SessionTest, WinogradsAlgorithmChangesTheLastDigitsOnly) {
  for (const char* connectivity : {"triangular", "grouped"}) {
    SCOPED_TRACE(connectivity);
    const Model direct = model_of(winograd_network(connectivity), ModelOptions{});
    const Model beside = model_of(winograd_network(connectivity), {.winograd = true});
    const Model instead =
        model_of(winograd_network(connectivity), {.winograd = true, .single_images = true});
    EXPECT_EQ(winograd_steps(direct), 0);
    EXPECT_EQ(winograd_steps(beside), winograd_steps(instead));
    if (has_winograd()) {
      EXPECT_EQ(winograd_steps(beside), 8) << "four of groups 2 and 3";
    }
    const std::vector<float> image = random_images(winograd_network(connectivity), 1, 9);
    Session by_direct(direct);
    Session by_beside(beside, {.threads = 2});
    Session by_instead(instead);
    Session one_shot(instead, {.memory = MemoryMode::kOneShot});
    by_direct.run(image, 3);
    by_beside.run(image, 3);
    by_instead.run(image, 1);
    while (by_instead.width() < 3) by_instead.refine();
    one_shot.run(image, 3);
    EXPECT_TRUE(std::ranges::equal(by_instead.logits(), one_shot.logits()));
    for (int width = 1; width <= 3; ++width) {
      for (std::size_t label = 0; label < 5; ++label) {
        const double expected = by_direct.logits(width)[label];
        const double tolerance = 1e-4 * (1 + std::abs(expected));
        EXPECT_NEAR(by_beside.logits(width)[label], expected, tolerance);
        EXPECT_NEAR(by_instead.logits(width)[label], expected, tolerance);
      }
    }
  }
}

TEST_F(SessionTest, WinogradsAlgorithmRefinesToTheBitsOfARunAtOnce) {
  const Model model = model_of(winograd_network("triangular"), {.winograd = true});
  const std::vector<float> image = random_images(winograd_network("triangular"), 1, 10);
  Session refined(model);
  Session at_once(model);
  refined.run(image, 1);
  for (int width = 2; width <= 3; ++width) {
    refined.refine();
    at_once.run(image, width);
    EXPECT_TRUE(std::ranges::equal(refined.logits(), at_once.logits()));
  }
}

// oneDNN may want other weights for several threads than it wanted when the model was loaded.
TEST_F(SessionTest, AModelWithWinogradsWeightsRunsOnAnyNumberOfThreads) {
  for (const char* name : {"mnist-vgg-growing", "cifar10-vgg", "digits-lenet"}) {
    const std::string path = std::string(BELLOWS_SOURCE_DIR) + "/models/" + name + ".safetensors";
    const Model direct = Model::load(path);
    const Model beside = Model::load(path, {.winograd = true});
    const std::vector<float> image(direct.image_elements(), 0.5F);
    for (const int threads : {1, 2, 3, 4}) {
      Session expected(direct, {.threads = threads});
      Session session(beside, {.threads = threads});
      expected.run(image, direct.groups());
      session.run(image, direct.groups());
      for (std::size_t i = 0; i < expected.logits().size(); ++i) {
        EXPECT_NEAR(session.logits()[i], expected.logits()[i], 1e-3)
            << name << ", " << threads << " threads";
      }
    }
  }
}

TEST_F(SessionTest, BatchesOfAModelWithWinogradsWeightsHaveTheBitsOfOneWithout) {
  const Model direct = model_of(winograd_network("triangular"), ModelOptions{});
  const Model both = model_of(winograd_network("triangular"), {.winograd = true});
  const std::vector<float> images = random_images(winograd_network("triangular"), 2, 11);
  Session without(direct, {.max_batch = 2});
  Session with(both, {.max_batch = 2});
  without.run(images, 3);
  with.run(images, 3);
  EXPECT_TRUE(std::ranges::equal(with.logits(), without.logits()));
}

TEST_F(SessionTest, AModelForSingleImagesTakesLessMemoryAndNoBatches) {
  const Model direct = model_of(winograd_network("triangular"), ModelOptions{});
  const Model both = model_of(winograd_network("triangular"), {.winograd = true});
  const Model single =
      model_of(winograd_network("triangular"), {.winograd = true, .single_images = true});
  EXPECT_LE(single.packed_bytes(), both.packed_bytes());
  EXPECT_LE(direct.packed_bytes(), single.packed_bytes());
  EXPECT_LE(static_cast<double>(single.packed_bytes()),
            16.0 / 9.0 * static_cast<double>(direct.packed_bytes()));
  EXPECT_THAT(refusal([&] { Session(single, {.max_batch = 2}); }), HasSubstr("single images"));
  EXPECT_THAT(refusal([&] { (void)single.memory({.max_batch = 2}); }), HasSubstr("single images"));
}

bool depthwise(const Node& node) {
  return node.layer->kind() == LayerKind::kConv &&
         static_cast<const Conv&>(*node.layer).depthwise();
}

// Floats that the widest width alone would hold, were it a network of its own: every weight with
// its groups padded to blocks, and one value a channel for the bias (where normalisation goes too).
std::int64_t padded_values(const Network& network) {
  const int block = channel_block();
  const auto padded = [&](const MapShape& shape, GroupRange range) {
    std::int64_t sum = 0;
    for (int group = range.first; group <= range.last; ++group) {
      sum += (shape.channels_of(group) + block - 1) / block * block;
    }
    return sum;
  };
  std::int64_t values = 0;
  for (const Node& node : network.nodes()) {
    for (int group = 1; group <= network.groups(); ++group) {
      for (const ParameterSpec& spec : node.layer->parameters(node.site, group)) {
        if (spec.role != ParameterRole::kWeight) continue;
        const std::int64_t outputs = padded(node.site.dst, {group, group});
        // Of src, as many groups as make up the channels that the weight reads.
        const GroupRange reads = node.site.groups_read(group);
        const bool image = node.site.src_is_input;
        const std::int64_t inputs =
            image ? node.site.src.channels_of(1) : padded(node.site.src, reads);
        const std::int64_t of_output = spec.elements() / spec.dims[0];
        // A depthwise kernel reads one channel; any other, the same window of each.
        values += outputs + outputs * (depthwise(node)
                                           ? of_output
                                           : of_output * inputs / node.site.src.channels_in(reads));
      }
    }
  }
  return values;
}

TEST_F(SessionTest, AllWidthsOfShippedRunsHoldLittleMoreThanTheWidestAlone) {
  for (const auto& file : shipped_runs()) {
    const Network network = read_run_config(file).network;
    const Model model = model_of(read_run_config(file).network);
    EXPECT_LE(static_cast<double>(model.packed_bytes()),
              1.05 * 4 * static_cast<double>(padded_values(network)))
        << file;
  }
}

TEST_F(SessionTest, AllWidthsTogetherHoldLittleMoreThanTheWidestAlone) {
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  const auto big = [] {
    return Network::read(
        network({3, 16, 16}, 10, 4, "triangular", "per_width",
                {conv("conv1", {16, 16, 32, 24}, 3, 1), layer("relu", "relu1"),
                 conv("conv2", {32, 32, 32, 40}, 3, 1, false), layer("batch_norm", "norm2"),
                 layer("relu", "relu2"), layer("max_pool", "pool2", {{"kernel", integer(4)}}),
                 linear("linear3", {64, 64, 64, 64})}));
  };
  const auto most = 1.05 * 4 * static_cast<double>(padded_values(big()));
  const Model model = model_of(big());
  EXPECT_LE(static_cast<double>(model.packed_bytes()), most);
  EXPECT_GE(model.packed_bytes(), static_cast<std::size_t>(model.width(4).parameters) * 4 * 9 / 10);
  // Other batch sizes and numbers of threads share what is there.
  const Session batch(model, {.max_batch = 64});
  const Session threads(model, {.max_batch = 64, .threads = 2});
  const Session single(model, {.threads = 2});
  EXPECT_LE(static_cast<double>(model.packed_bytes()), most);
}

}  // namespace
}  // namespace bellows
