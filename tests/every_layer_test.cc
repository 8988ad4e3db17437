// The properties that every kind of layer has, checked on every network of grouped_networks.h: both
// connectivities, both heads, group sizes unequal and no multiple of a block, batches 1 and 7.
#include <bellows/bellows.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <ostream>

#include "engine/model_file.h"
#include "tests/grouped_networks.h"
#include "training/learning_plan_onednn.h"
#include "training/reference_network.h"

namespace bellows {
namespace {

constexpr std::uint64_t kSeed = 11;

const std::vector<NamedNetwork>& networks() {
  static const std::vector<NamedNetwork> kNetworks = property_networks();
  return kNetworks;
}

WeightSet random_weights(const Network& network, int groups) {
  return random_weights(network, groups, kSeed);
}

ReferenceNetwork reference_of(const Network& network) {
  ReferenceNetwork reference(network);
  for (int group = 1; group <= network.groups(); ++group) {
    reference.set_group_parameters(group, random_parameters(network, group, kSeed));
  }
  return reference;
}

std::vector<double> widened(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

// The largest difference, relative to the largest value expected.
double difference(std::span<const float> values, std::span<const double> expected) {
  EXPECT_EQ(values.size(), expected.size());
  double largest = 1e-2;  // gradients that cancel to nothing are compared absolutely
  double worst = 0;
  for (std::size_t i = 0; i < std::min(values.size(), expected.size()); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    worst = std::max(worst, std::abs(double{values[i]} - expected[i]));
  }
  return worst / largest;
}

struct Case {
  const NamedNetwork* network;
  int batch;
};
// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Case& c, std::ostream* out) { *out << c.network->name << ", batch " << c.batch; }

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const NamedNetwork& named : networks()) {
    for (const int batch : {1, 7}) all.push_back({&named, batch});
  }
  return all;
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  return info.param.network->name + "_batch" + std::to_string(info.param.batch);
}

class EveryLayer : public ::testing::TestWithParam<Case> {
 protected:
  [[nodiscard]] const Network& network() const { return GetParam().network->network; }
  [[nodiscard]] int batch() const { return GetParam().batch; }

  // The network with random parameters, written to a file and loaded again.
  Model saved_and_loaded(int groups = 0) {
    const std::filesystem::path path =
        ::testing::TempDir() + "/every_layer_" + case_name({GetParam(), 0}) + ".safetensors";
    save_model(path, network(), random_weights(network(), network().groups()), {});
    return Model::load(path.string(), {.groups = groups});
  }
};

TEST_P(EveryLayer, GivesTheLogitsOfTheReferenceAtEveryWidth) {
  ReferenceNetwork reference = reference_of(network());
  const std::vector<float> images = random_images(network(), batch(), kSeed);
  const GroupedValues expected = reference.forward(widened(images), network().groups());
  Session session(saved_and_loaded(), {.max_batch = batch()});
  for (int width = 1; width <= network().groups(); ++width) {
    session.run(images, width);
    EXPECT_LT(difference(session.logits(), expected[static_cast<std::size_t>(width - 1)]), 1e-5)
        << "width " << width;
  }
}

TEST_P(EveryLayer, RefiningEqualsRunningWideBitForBit) {
  const Model model = saved_and_loaded();
  Session wide(model, {.max_batch = batch()});
  Session refined(model, {.max_batch = batch()});
  const std::vector<float> images = random_images(network(), batch(), kSeed);
  wide.run(images, network().groups());
  // What an earlier, wider run has left behind must not matter.
  refined.run(random_images(network(), batch(), kSeed + 1), network().groups());
  refined.run(images, 1);
  while (refined.width() < network().groups()) refined.refine();
  for (int width = 1; width <= network().groups(); ++width) {
    EXPECT_TRUE(std::ranges::equal(refined.logits(width), wide.logits(width))) << width;
  }
}

TEST_P(EveryLayer, GivesTheSameBitsWhenOnlyTheFirstGroupsAreLoaded) {
  const std::vector<float> images = random_images(network(), batch(), kSeed);
  Session whole(saved_and_loaded(), {.max_batch = batch()});
  Session narrow(saved_and_loaded(2), {.max_batch = batch()});
  whole.run(images, 2);
  narrow.run(images, 2);
  EXPECT_TRUE(std::ranges::equal(whole.logits(), narrow.logits()));
}

TEST_P(EveryLayer, LearnsWithTheGradientsOfTheReference) {
  const std::vector<float> images = random_images(network(), batch(), kSeed);
  const std::vector<int> labels = random_labels(network(), batch(), kSeed);
  for (const GroupRange range : {GroupRange{1, 1}, {2, 2}, {3, 3}, {1, 3}, {2, 3}}) {
    SCOPED_TRACE("groups " + std::to_string(range.first) + " to " + std::to_string(range.last));
    WeightSet weights = random_weights(network(), range.last);
    const WeightSet before = random_weights(network(), range.last);
    WeightSet gradients(network(), range.last);
    LearningPlan plan(network(), weights, gradients,
                      {.trainable = range, .batch = batch(), .label_smoothing = 0.1});
    const std::vector<WidthLoss> losses = plan.forward(images.data(), labels.data(), 5);
    plan.backward();

    ReferenceNetwork reference = reference_of(network());
    ReferenceLearningOptions options{.label_smoothing = 0.1};
    for (std::size_t node = 0; node < network().nodes().size(); ++node) {
      if (network().nodes()[node].layer->kind() != LayerKind::kDropout) continue;
      GroupedValues& factors = options.dropout_factors[static_cast<int>(node)];
      factors.resize(static_cast<std::size_t>(range.last));
      for (int group = range.first; group <= range.last; ++group) {
        factors[static_cast<std::size_t>(group - 1)] =
            widened(plan.dropout_factors(static_cast<int>(node), group));
      }
    }
    const ReferenceLearning expected = reference.learn(widened(images), labels, range, options);
    double loss = 0;
    for (const WidthLoss& width : losses) loss += width.loss;
    EXPECT_NEAR(loss, expected.loss, 1e-5 * expected.loss);

    for (int group = 1; group <= range.last; ++group) {
      for (const ParameterKey& key : network().parameters(group)) {
        SCOPED_TRACE(network().parameter_name(key));
        const auto values = std::as_const(weights).values(key);
        if (group < range.first) {
          const auto was = before.values(key);
          EXPECT_EQ(std::memcmp(values.data(), was.data(), values.size_bytes()), 0);
          EXPECT_TRUE(std::ranges::all_of(gradients.values(key), [&](float gradient) {
            return gradient == 0.0F || !key.spec.learned() ||
                   key.spec.role == ParameterRole::kScale;
          }));
        } else if (key.spec.learned()) {
          EXPECT_LT(difference(gradients.values(key),
                               expected.gradients[static_cast<std::size_t>(key.node)].at(
                                   {group, key.spec.role})),
                    2e-4);
        } else {
          EXPECT_LT(difference(values, reference.parameter(group, key.node, key.spec.role)), 1e-5);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryLayer, ::testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace bellows
