// A training step leaves everything below it alone, learns, and repeats itself bit for bit. That
// its gradients are right is every_layer_test.cc's.
#include "training/learning_plan_onednn.h"

#include <bellows/bellows.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/model_state.h"
#include "tests/grouped_networks.h"
#include "tests/refusal.h"
#include "training/optimiser.h"
#include "training/stacking.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;

constexpr int kBatch = 8;

WeightSet random_weights(const Network& network, int groups) {
  return random_weights(network, groups, 2);
}

// What an optimiser is handed of the trainable groups.
std::vector<ParameterBlock> blocks_of(const Network& network, WeightSet& weights,
                                      WeightSet& gradients, GroupRange range) {
  std::vector<ParameterBlock> blocks;
  for (int group = range.first; group <= range.last; ++group) {
    for (const ParameterKey& key : network.parameters(group)) {
      if (!key.spec.learned()) continue;
      blocks.push_back({network.parameter_name(key), weights.values(key), gradients.values(key),
                        key.spec.decays()});
    }
  }
  return blocks;
}

OptimiserOptions options_of(const std::string& kind) {
  OptimiserOptions options;
  options.kind = kind;
  options.weight_decay = 0.05;
  return options;
}

// Learns from the same random batch `steps` times; the losses of the widest width.
std::vector<double> learn(const Network& network, WeightSet& weights, GroupRange range,
                          const std::string& optimiser_kind, int steps, int threads = 1,
                          std::uint64_t seed = 1) {
  WeightSet gradients(network, range.last);
  LearningPlan plan(network, weights, gradients,
                    {.trainable = range, .batch = kBatch, .threads = threads, .seed = seed});
  Optimiser optimiser(options_of(optimiser_kind), blocks_of(network, weights, gradients, range));
  const std::vector<float> images = random_images(network, kBatch, 4);
  const std::vector<int> labels = random_labels(network, kBatch, 4);
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    losses.push_back(
        plan.forward(images.data(), labels.data(), static_cast<std::uint64_t>(step)).back().loss);
    plan.backward();
    optimiser.step(optimiser_kind == "sgd" ? 0.02 : 0.005);
  }
  return losses;
}

bool same_group(const WeightSet& one, const WeightSet& other, int group) {
  const auto bytes = one.group_bytes(group);
  return std::memcmp(bytes.data(), other.group_bytes(group).data(), bytes.size()) == 0;
}

// Logits of widths 1..groups of the first `groups` groups.
std::vector<std::vector<float>> logits_of(const Network& network, const WeightSet& weights,
                                          int groups) {
  Session session(internal::make_model(std::make_shared<internal::ModelState>(
                      network.first_groups(groups), ModelInfo{}, weights)),
                  {.max_batch = kBatch});
  session.run(random_images(network, kBatch, 9), groups);
  std::vector<std::vector<float>> logits;
  for (int width = 1; width <= groups; ++width) {
    logits.emplace_back(session.logits(width).begin(), session.logits(width).end());
  }
  return logits;
}

// Networks with every kind of layer that has parameters, statistics or random numbers.
std::vector<NamedNetwork> networks_with_state() {
  std::vector<NamedNetwork> chosen;
  for (NamedNetwork& named : property_networks()) {
    for (const char* name : {"conv_depthwise_t", "batch_norm_t", "batch_norm_alone_g", "dropout_t",
                             "linear_g", "residual_projected_t", "residual_nested_t"}) {
      if (named.name.starts_with(name)) {
        chosen.push_back(std::move(named));
        break;
      }
    }
  }
  return chosen;
}

class LearningPlanFreezes : public ::testing::TestWithParam<const char*> {};

TEST_P(LearningPlanFreezes, EveryByteAndEveryOutputBelowTheTrainedGroup) {
  const std::vector<NamedNetwork> networks = networks_with_state();
  ASSERT_EQ(networks.size(), 14U);
  for (const NamedNetwork& named : networks) {
    SCOPED_TRACE(named.name);
    const Network& network = named.network;
    for (int group = 2; group <= network.groups(); ++group) {
      SCOPED_TRACE("group " + std::to_string(group));
      WeightSet weights = random_weights(network, network.groups());
      const WeightSet before = random_weights(network, network.groups());
      learn(network, weights, {group, group}, GetParam(), 3);
      for (int other = 1; other <= network.groups(); ++other) {
        EXPECT_EQ(same_group(weights, before, other), other != group) << "group " << other;
      }
      EXPECT_EQ(logits_of(network, weights, group - 1), logits_of(network, before, group - 1));
      EXPECT_EQ(logits_of(network, weights, group).front(),
                logits_of(network, before, group - 1).front());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Through, LearningPlanFreezes, ::testing::Values("sgd", "adamw"),
                         [](const auto& each) { return std::string(each.param); });

// Two classes told apart by which half of the image is bright.
struct Halves {
  std::vector<float> images;
  std::vector<std::int32_t> labels;
};

Halves halves(int count, std::uint64_t seed) {
  data::KeyedRandom random(seed, 7);
  Halves made;
  for (int i = 0; i < count; ++i) {
    const bool left = random.chance(0.5F);
    made.labels.push_back(left ? 0 : 1);
    for (int pixel = 0; pixel < 64; ++pixel) {
      const bool bright = (pixel % 8 < 4) == left;
      made.images.push_back((bright ? 0.7F : -0.7F) + random.uniform(-1.0F, 1.0F));
    }
  }
  return made;
}

Network halves_network() {
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  return Network::read(
      network({1, 8, 8}, 2, 2, "triangular", "per_width",
              {conv("conv1", {4, 4}, 3, 1, false), layer("batch_norm", "norm1"),
               layer("relu", "relu1"), layer("max_pool", "pool1", {{"kernel", integer(2)}})}));
}

TEST(LearningPlan, LearnsToTellTwoClassesApartGroupAfterGroup) {
  const Network network = halves_network();
  WeightSet weights = random_weights(network, 2);
  WeightSet gradients(network, 2);
  for (int group = 1; group <= 2; ++group) {
    LearningPlan plan(network, weights, gradients, {.trainable = {group, group}, .batch = 32});
    Optimiser optimiser(OptimiserOptions{}, blocks_of(network, weights, gradients, {group, group}));
    double first = 0;
    WidthLoss last;
    for (std::uint64_t step = 0; step < 40; ++step) {
      const Halves batch = halves(32, step);
      last = plan.forward(batch.images.data(), batch.labels.data(), step).front();
      if (step == 0) first = last.loss;
      plan.backward();
      optimiser.step(0.05);
    }
    EXPECT_EQ(last.width, group);
    EXPECT_LT(last.loss, 0.2 * first);
    EXPECT_GE(last.correct, 31);
  }
  // The running statistics have learned too: what runs gives the same answers.
  Session session(internal::make_model(std::make_shared<internal::ModelState>(
                      network.first_groups(2), ModelInfo{}, weights)),
                  {.max_batch = 64});
  const Halves unseen = halves(64, 1000);
  session.run(unseen.images, 2);
  for (int width = 1; width <= 2; ++width) {
    int correct = 0;
    for (std::size_t i = 0; i < 64; ++i) {
      const auto logits = session.logits(width).subspan(2 * i, 2);
      correct += (logits[1] > logits[0]) == (unseen.labels[i] == 1) ? 1 : 0;
    }
    EXPECT_GE(correct, 62) << "width " << width;
  }
}

TEST(LearningPlan, JointTrainingMovesEveryGroupAndReportsEveryWidth) {
  const Network network = halves_network();
  WeightSet weights = random_weights(network, 2);
  const WeightSet before = random_weights(network, 2);
  WeightSet gradients(network, 2);
  LearningPlan plan(network, weights, gradients, {.trainable = {1, 2}, .batch = 32});
  Optimiser optimiser(OptimiserOptions{}, blocks_of(network, weights, gradients, {1, 2}));
  std::vector<WidthLoss> first;
  std::vector<WidthLoss> last;
  for (std::uint64_t step = 0; step < 40; ++step) {
    const Halves batch = halves(32, step);
    last = plan.forward(batch.images.data(), batch.labels.data(), step);
    if (step == 0) first = last;
    plan.backward();
    optimiser.step(0.05);
  }
  ASSERT_EQ(last.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(last[i].width, static_cast<int>(i) + 1);
    EXPECT_LT(last[i].loss, 0.3 * first[i].loss);
    EXPECT_FALSE(same_group(weights, before, static_cast<int>(i) + 1));
  }
}

// All gradients of one batch with these weights of every width's losses; empty: none are given.
std::vector<float> weighted_gradients(const std::vector<std::vector<float>>& sample_weights) {
  const Network network = halves_network();
  WeightSet weights = random_weights(network, 2);
  WeightSet gradients(network, 2);
  LearningPlan plan(network, weights, gradients, {.trainable = {1, 2}, .batch = 32});
  const Halves batch = halves(32, 1);
  plan.forward(batch.images.data(), batch.labels.data(), 0);
  for (std::size_t width = 0; width < sample_weights.size(); ++width) {
    plan.weigh(static_cast<int>(width) + 1, sample_weights[width]);
  }
  plan.backward();
  std::vector<float> all;
  for (int group = 1; group <= 2; ++group) {
    for (const ParameterKey& key : network.parameters(group)) {
      if (!key.spec.learned()) continue;
      const auto values = gradients.values(key);
      all.insert(all.end(), values.begin(), values.end());
    }
  }
  return all;
}

// Gradients are linear in the weights of the samples' losses.
TEST(LearningPlan, WeighingSamplesWeighsTheirGradients) {
  std::vector<std::vector<float>> some(2, std::vector<float>(32));
  std::vector<std::vector<float>> others = some;
  const std::vector<std::vector<float>> ones(2, std::vector<float>(32, 1));
  for (std::size_t width = 0; width < 2; ++width) {
    for (std::size_t n = 0; n < 32; ++n) {
      some[width][n] = static_cast<float>((n * 7 + width * 3) % 5) / 4;
      others[width][n] = 1 - some[width][n];
    }
  }
  const std::vector<float> whole = weighted_gradients({});
  EXPECT_EQ(weighted_gradients(ones), whole);
  const std::vector<float> first = weighted_gradients(some);
  const std::vector<float> second = weighted_gradients(others);
  double largest = 0;
  double difference = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    largest = std::max(largest, std::abs(double{whole[i]}));
    difference = std::max(difference, std::abs(double{first[i]} + second[i] - whole[i]));
  }
  EXPECT_GT(largest, 1e-3);
  EXPECT_LT(difference, 1e-4 * largest + 1e-6);
  EXPECT_NE(first, whole);
}

TEST(LearningPlan, RefusesToWeighWhatIsNotTrained) {
  const Network network = halves_network();
  WeightSet weights = random_weights(network, 2);
  WeightSet gradients(network, 2);
  LearningPlan plan(network, weights, gradients, {.trainable = {2, 2}, .batch = 4});
  EXPECT_THROW(plan.weigh(1, std::vector<float>(4)), Error);
  EXPECT_THROW(plan.weigh(2, std::vector<float>(3)), Error);
}

TEST(LearningPlan, TheSameSeedAndThreadsGiveTheSameBits) {
  for (const NamedNetwork& named : networks_with_state()) {
    SCOPED_TRACE(named.name);
    for (const int threads : {1, 2}) {
      WeightSet once = random_weights(named.network, 2);
      WeightSet again = random_weights(named.network, 2);
      EXPECT_EQ(learn(named.network, once, {2, 2}, "sgd", 3, threads),
                learn(named.network, again, {2, 2}, "sgd", 3, threads));
      EXPECT_TRUE(same_group(once, again, 2));
    }
  }
}

TEST(LearningPlan, DropoutDrawsByStepAndSeedAlone) {
  const std::vector<NamedNetwork> networks = networks_with_state();
  const auto dropout = std::ranges::find_if(
      networks, [](const NamedNetwork& named) { return named.name.starts_with("dropout"); });
  ASSERT_NE(dropout, networks.end());
  const Network& network = dropout->network;
  const auto node = std::ranges::find_if(
      network.nodes(), [](const Node& each) { return each.layer->kind() == LayerKind::kDropout; });
  const int index = static_cast<int>(node - network.nodes().begin());
  const std::vector<float> images = random_images(network, kBatch, 4);
  const std::vector<int> labels = random_labels(network, kBatch, 4);
  const auto factors = [&](std::uint64_t seed, const std::vector<std::uint64_t>& steps) {
    WeightSet weights = random_weights(network, 2);
    WeightSet gradients(network, 2);
    LearningPlan plan(network, weights, gradients,
                      {.trainable = {2, 2}, .batch = kBatch, .seed = seed});
    for (const std::uint64_t step : steps) plan.forward(images.data(), labels.data(), step);
    return plan.dropout_factors(index, 2);
  };
  const std::vector<float> first = factors(1, {5});
  EXPECT_EQ(first, factors(1, {1, 2, 5}));
  EXPECT_NE(first, factors(1, {6}));
  EXPECT_NE(first, factors(2, {5}));
  for (const float factor : first) EXPECT_TRUE(factor == 0.0F || factor == 2.0F) << factor;
}

TEST(LearningPlan, LogitsOfFrozenWidthsAreThoseOfASession) {
  const std::vector<NamedNetwork> networks = networks_with_state();
  const Network& network = networks.front().network;
  WeightSet weights = random_weights(network, 3);
  WeightSet gradients(network, 3);
  LearningPlan plan(network, weights, gradients, {.trainable = {3, 3}, .batch = kBatch});
  const std::vector<float> images = random_images(network, kBatch, 9);
  const std::vector<int> labels = random_labels(network, kBatch, 9);
  plan.forward(images.data(), labels.data(), 0);
  const auto expected = logits_of(network, weights, 2);
  for (int width = 1; width <= 2; ++width) {
    const std::vector<float> logits = plan.logits(width);
    ASSERT_EQ(logits.size(), expected[static_cast<std::size_t>(width - 1)].size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
      EXPECT_NEAR(logits[i], expected[static_cast<std::size_t>(width - 1)][i], 1e-5);
    }
  }
}

TEST(LearningPlan, AGroupThatReadsNothingOfOthersLearnsTheSameWithoutThem) {
  const Network network = Network::read(config::network(
      {1, 12, 12}, 3, 2, "grouped", "per_width",
      {config::conv("conv1", {5, 7}, 3, 1, false), config::layer("batch_norm", "norm1"),
       config::layer("relu", "relu1"), config::conv("conv2", {6, 4}, 3, 0)}));
  std::vector<std::vector<float>> logits;
  std::vector<std::vector<std::byte>> learned;
  for (const bool alone : {false, true}) {
    WeightSet weights = random_weights(network, 2);
    forget_narrower(network, 2, weights);
    WeightSet gradients(network, 2);
    LearningPlan plan(network, weights, gradients,
                      {.trainable = {2, 2}, .alone = alone, .batch = kBatch, .threads = 1});
    const std::vector<float> images = random_images(network, kBatch, 4);
    const std::vector<int> labels = random_labels(network, kBatch, 4);
    plan.forward(images.data(), labels.data(), 1);
    plan.backward();
    forget_narrower(network, 2, gradients);
    logits.push_back(plan.logits(2));
    const auto bytes = gradients.group_bytes(2);
    learned.emplace_back(reinterpret_cast<const std::byte*>(bytes.data()),
                         reinterpret_cast<const std::byte*>(bytes.data() + bytes.size()));
  }
  EXPECT_EQ(logits[0], logits[1]);
  EXPECT_EQ(learned[0], learned[1]);
}

TEST(LearningPlan, RefusesWhatCannotBeTrained) {
  const Network network = halves_network();
  WeightSet weights(network, 2);
  WeightSet gradients(network, 2);
  const auto message = [&](const LearningOptions& options) -> std::string {
    return bellows::refusal([&] { const LearningPlan plan(network, weights, gradients, options); });
  };
  EXPECT_THAT(message({.trainable = {0, 1}, .batch = 4}), HasSubstr("groups 0 to 1"));
  EXPECT_THAT(message({.trainable = {2, 1}, .batch = 4}), HasSubstr("groups 2 to 1"));
  EXPECT_THAT(message({.trainable = {2, 3}, .batch = 4}), HasSubstr("the network has 2"));
  EXPECT_THAT(message({.batch = 0}), HasSubstr("batch"));
  EXPECT_THAT(message({.batch = 4, .threads = 0}), HasSubstr("threads"));
}

TEST(LearningPlan, RefusesALabelThatIsNoClass) {
  const Network network = halves_network();
  WeightSet weights = random_weights(network, 1);
  WeightSet gradients(network, 1);
  LearningPlan plan(network, weights, gradients, {.batch = 2});
  const std::vector<float> images = random_images(network, 2, 1);
  for (const std::int32_t wrong : {-1, 2}) {
    const std::vector<std::int32_t> labels{0, wrong};
    try {
      plan.forward(images.data(), labels.data(), 0);
      ADD_FAILURE() << "label " << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_THAT(error.what(), HasSubstr(std::to_string(wrong)));
    }
  }
}

TEST(LearningPlan, DropoutFactorsOfALayerThatHasNoneAreRefused) {
  const Network network = halves_network();
  WeightSet weights = random_weights(network, 1);
  WeightSet gradients(network, 1);
  const LearningPlan plan(network, weights, gradients, {.batch = 2});
  EXPECT_THROW((void)plan.dropout_factors(0, 1), Error);
}

TEST(LearningPlan, TimesEveryStepOfForwardAndBackward) {
  const Network network = halves_network();
  WeightSet weights = random_weights(network, 2);
  WeightSet gradients(network, 2);
  LearningPlan plan(network, weights, gradients, {.trainable = {2, 2}, .batch = 2});
  const std::vector<float> images = random_images(network, 2, 1);
  const std::vector<std::int32_t> labels{0, 1};
  plan.forward(images.data(), labels.data(), 0);
  const auto times = plan.time_steps();
  const auto mentions = [&](const std::string& label) {
    return std::ranges::any_of(times, [&](const LearningPlan::StepTime& time) {
      return time.label == label && !time.implementation.empty() && time.seconds >= 0;
    });
  };
  for (const char* label : {"conv1 group 1", "conv1 forward group 2", "norm1 forward group 2",
                            "conv1 backward group 2", "head backward group 2"}) {
    EXPECT_TRUE(mentions(label)) << label;
  }
  EXPECT_FALSE(mentions("conv1 backward group 1"));
  EXPECT_GT(plan.memory_bytes(), 2U * 64U * 4U);
}

}  // namespace
}  // namespace bellows
