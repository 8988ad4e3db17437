#include "training/reference_network.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "layers/head.h"
#include "tests/grouped_networks.h"
#include "tests/numeric_gradient.h"

namespace bellows {
namespace {

constexpr std::uint64_t kSeed = 11;

// A network with random parameters and a batch to go with it.
struct Subject {
  ReferenceNetwork reference;
  std::vector<double> images;
  std::vector<int> labels;
  ReferenceLearningOptions options;

  Subject(const Network& network, int batch, GroupRange trainable = {1, 1}) : reference(network) {
    for (int group = 1; group <= network.groups(); ++group) {
      reference.set_group_parameters(group, random_parameters(network, group, kSeed));
    }
    const std::vector<float> values = random_images(network, batch, kSeed);
    images.assign(values.begin(), values.end());
    labels = random_labels(network, batch, kSeed);
    options.label_smoothing = 0.1;
    for (int node = 0; node < static_cast<int>(network.nodes().size()); ++node) {
      if (network.nodes()[static_cast<std::size_t>(node)].layer->kind() == LayerKind::kDropout) {
        options.dropout_factors[node] =
            random_dropout_factors(network, node, trainable, batch, kSeed);
      }
    }
  }

  ReferenceLearning learn(GroupRange trainable) {
    return reference.learn(images, labels, trainable, options);
  }
};

const NamedNetwork& find(const std::vector<NamedNetwork>& networks, const std::string& name) {
  for (const NamedNetwork& named : networks) {
    if (named.name == name) return named;
  }
  throw std::logic_error("no property network is called " + name);
}

TEST(PropertyNetworks, HaveEveryKindBothConnectivitiesAndBothHeads) {
  const std::vector<NamedNetwork> networks = property_networks();
  for (const LayerKind kind : all_layer_kinds()) {
    for (const Connectivity connectivity : {Connectivity::kTriangular, Connectivity::kGrouped}) {
      for (const HeadMode mode : {HeadMode::kAdditive, HeadMode::kPerWidth}) {
        const bool found =
            std::any_of(networks.begin(), networks.end(), [&](const NamedNetwork& named) {
              const auto& nodes = named.network.nodes();
              const bool has_kind = std::any_of(nodes.begin(), nodes.end(), [&](const Node& node) {
                return node.layer->kind() == kind;
              });
              return has_kind && named.network.connectivity() == connectivity &&
                     static_cast<const Head&>(*nodes.back().layer).mode() == mode;
            });
        EXPECT_TRUE(found) << layer_kind_name(kind);
      }
    }
  }
}

TEST(PropertyNetworks, HaveParametersThatDependOnSeedAndGroupOnly) {
  const std::vector<NamedNetwork> networks = property_networks();
  const Network& network = find(networks, "residual_triangular_per_width").network;
  const Network narrow = network.first_groups(2);
  EXPECT_EQ(random_parameters(network, 2, 5), random_parameters(narrow, 2, 5));
  EXPECT_NE(random_parameters(network, 2, 5), random_parameters(network, 2, 6));
  EXPECT_EQ(random_images(network, 3, 5), random_images(network, 3, 5));
}

// The gradient of every parameter that learns, each along a random direction through its values in
// all groups that learn, against what a small move in that direction does to the loss.
void check_gradients(const Network& network, int batch, GroupRange trainable,
                     GradientCheck& check) {
  Subject subject(network, batch, trainable);
  const ReferenceLearning learning = subject.learn(trainable);
  std::size_t arrays = 0;
  for (const ParameterKey& key : network.parameters(trainable.first)) {
    if (!key.spec.learned()) continue;
    const ReferenceParameters& of_node = learning.gradients.at(static_cast<std::size_t>(key.node));
    GroupedValues before, directions;
    double slope = 0;
    for (int group = trainable.first; group <= trainable.last; ++group) {
      ++arrays;
      ASSERT_TRUE(of_node.contains({group, key.spec.role})) << network.parameter_name(key);
      const std::vector<double>& gradient = of_node.at({group, key.spec.role});
      before.push_back(subject.reference.parameter(group, key.node, key.spec.role));
      ASSERT_EQ(gradient.size(), before.back().size()) << network.parameter_name(key);
      data::KeyedRandom random(kSeed, arrays);
      std::vector<double>& direction = directions.emplace_back();
      for (const double each : gradient) {
        direction.push_back(random.bell() / std::sqrt(static_cast<double>(gradient.size())));
        slope += direction.back() * each;
      }
    }
    const auto move = [&](double step) {
      for (std::size_t g = 0; g < before.size(); ++g) {
        std::vector<double> values = before[g];
        for (std::size_t i = 0; i < values.size(); ++i) values[i] += step * directions[g][i];
        subject.reference.set_parameter(trainable.first + static_cast<int>(g), key.node,
                                        key.spec.role, std::move(values));
      }
    };
    const auto objective = [&](double step) {
      move(step);
      return subject.learn(trainable).loss;
    };
    check_slope(objective, slope, network.parameter_name(key), check);
    move(0);
  }
  std::size_t gradients = 0;
  for (const ReferenceParameters& of_node : learning.gradients) gradients += of_node.size();
  EXPECT_EQ(gradients, arrays) << "gradients of parameters that do not learn";
}

void expect_numeric_gradients(int batch, GroupRange trainable) {
  GradientCheck all;
  for (const NamedNetwork& named : property_networks()) {
    SCOPED_TRACE(named.name);
    GradientCheck check;
    check_gradients(named.network, batch, trainable, check);
    EXPECT_EQ(check.wrong, 0U) << check.first_wrong;
    EXPECT_GE(check.compared, check.tried - check.tried / 4);
    all.tried += check.tried;
    all.compared += check.compared;
  }
  EXPECT_GT(all.tried, 0U);
  EXPECT_GE(all.compared, all.tried - all.tried / 50);
}

TEST(ReferenceNetwork, HasTheGradientThatSmallChangesShowWhenOneGroupLearns) {
  expect_numeric_gradients(7, {2, 2});
}

TEST(ReferenceNetwork, HasTheGradientThatSmallChangesShowWhenAllWidthsLearnTogether) {
  expect_numeric_gradients(2, {1, 3});
}

TEST(ReferenceNetwork, GivesNarrowWidthsTheSameLogitsWhateverWiderGroupsHold) {
  for (const NamedNetwork& named : property_networks()) {
    SCOPED_TRACE(named.name);
    Subject subject(named.network, 3);
    const GroupedValues logits = subject.reference.forward(subject.images, 3);
    ASSERT_EQ(logits.size(), 3U);

    subject.reference.set_group_parameters(3, random_parameters(named.network, 3, kSeed + 1));
    const GroupedValues changed = subject.reference.forward(subject.images, 3);
    EXPECT_EQ(changed[0], logits[0]);
    EXPECT_EQ(changed[1], logits[1]);
    EXPECT_NE(changed[2], logits[2]);

    for (int groups = 1; groups <= 2; ++groups) {
      const Network narrow = named.network.first_groups(groups);
      Subject prefix(narrow, 3);
      const GroupedValues narrow_logits = prefix.reference.forward(subject.images, groups);
      for (std::size_t i = 0; i < narrow_logits.size(); ++i) {
        EXPECT_EQ(narrow_logits[i], logits[i]) << "of " << groups << " groups";
      }
    }
  }
}

TEST(ReferenceNetwork, RunsToAWidthAsItRunsToTheWidest) {
  for (const NamedNetwork& named : property_networks()) {
    SCOPED_TRACE(named.name);
    Subject subject(named.network, 2);
    const GroupedValues logits = subject.reference.forward(subject.images, 3);
    const GroupedValues narrow = subject.reference.forward(subject.images, 2);
    ASSERT_EQ(narrow.size(), 2U);
    EXPECT_EQ(narrow[0], logits[0]);
    EXPECT_EQ(narrow[1], logits[1]);
  }
}

TEST(ReferenceNetwork, AddsTheShareOfAGroupToTheLogitsOfAnAdditiveHead) {
  const std::vector<NamedNetwork> networks = property_networks();
  for (const char* name : {"head_triangular_additive", "head_grouped_additive"}) {
    SCOPED_TRACE(name);
    const Network& network = find(networks, name).network;
    Subject subject(network, 2);
    const GroupedValues logits = subject.reference.forward(subject.images, 3);
    const int head = static_cast<int>(network.nodes().size()) - 1;
    const GroupedValues& features =
        subject.reference.values(network.nodes()[static_cast<std::size_t>(head)].src);
    for (int group = 1; group <= 3; ++group) {
      const auto g = static_cast<std::size_t>(group - 1);
      const auto& weight = subject.reference.parameter(group, head, ParameterRole::kWeight);
      const auto& bias = subject.reference.parameter(group, head, ParameterRole::kBias);
      const std::size_t length = features[g].size() / 2;
      for (std::size_t n = 0; n < 2; ++n) {
        for (std::size_t c = 0; c < 5; ++c) {
          double share = bias[c];
          for (std::size_t i = 0; i < length; ++i) {
            share += weight[c * length + i] * features[g][n * length + i];
          }
          const double narrower = group == 1 ? 0 : logits[g - 1][n * 5 + c];
          EXPECT_NEAR(logits[g][n * 5 + c], narrower + share, 1e-12);
        }
      }
    }
  }
}

TEST(ReferenceNetwork, LeavesFrozenGroupsAsTheyAreAndMovesRunningStatisticsOfTheLearningOne) {
  const std::vector<NamedNetwork> networks = property_networks();
  const Network& network = find(networks, "residual_projected_triangular_per_width").network;
  Subject subject(network, 7);
  subject.learn({2, 2});
  for (int group = 1; group <= 3; ++group) {
    for (const ParameterKey& key : network.parameters(group)) {
      const ReferenceNetwork fresh = Subject(network, 7).reference;
      const auto& before = fresh.parameter(group, key.node, key.spec.role);
      const auto& after = subject.reference.parameter(group, key.node, key.spec.role);
      if (group == 2 && !key.spec.learned()) {
        EXPECT_NE(after, before) << network.parameter_name(key);
      } else {
        EXPECT_EQ(after, before) << network.parameter_name(key);
      }
    }
  }
}

TEST(ReferenceNetwork, RunsFrozenGroupsAsForwardDoesWhileOthersLearn) {
  for (const NamedNetwork& named : property_networks()) {
    SCOPED_TRACE(named.name);
    Subject subject(named.network, 3, {2, 3});
    subject.reference.forward(subject.images, 1);
    const int tensors = static_cast<int>(named.network.tensors().size());
    GroupedValues frozen;
    frozen.reserve(named.network.tensors().size());
    for (int tensor = 0; tensor < tensors; ++tensor) {
      frozen.push_back(subject.reference.values(tensor).at(0));
    }
    subject.learn({2, 3});
    for (int tensor = 0; tensor < tensors; ++tensor) {
      EXPECT_EQ(subject.reference.values(tensor).at(0), frozen[static_cast<std::size_t>(tensor)])
          << named.network.tensors()[static_cast<std::size_t>(tensor)].name;
    }
  }
}

TEST(ReferenceNetwork, SumsTheLossesOfTheWidthsThatLearn) {
  const std::vector<NamedNetwork> networks = property_networks();
  // Nothing in it depends on whether it learns, so that the logits are those of forward.
  const Network& network = find(networks, "relu_triangular_additive").network;
  Subject subject(network, 4);
  const GroupedValues logits = subject.reference.forward(subject.images, 3);
  std::vector<double> loss;
  for (const auto& of_width : logits) {
    std::vector<double> diff;
    loss.push_back(reference_cross_entropy(of_width, subject.labels, 5, 0.1, diff));
  }
  EXPECT_NEAR(subject.learn({1, 1}).loss, loss[0], 1e-12);
  EXPECT_NEAR(subject.learn({3, 3}).loss, loss[2], 1e-12);
  EXPECT_NEAR(subject.learn({1, 3}).loss, loss[0] + loss[1] + loss[2], 1e-12);
}

TEST(ReferenceCrossEntropy, IsTheMeanOfMinusTheSmoothedLogProbabilities) {
  std::vector<double> logits{1, -2, 0.5, 3, 0.25, -1};
  const std::vector<int> labels{2, 0};
  for (const double smoothing : {0.0, 0.2}) {
    double expected = 0;
    for (std::size_t n = 0; n < 2; ++n) {
      double sum = 0;
      for (std::size_t c = 0; c < 3; ++c) sum += std::exp(logits[n * 3 + c]);
      for (std::size_t c = 0; c < 3; ++c) {
        const bool right = static_cast<int>(c) == labels[n];
        const double target = (right ? 1 - smoothing : 0) + smoothing / 3;
        expected -= target * std::log(std::exp(logits[n * 3 + c]) / sum) / 2;
      }
    }
    std::vector<double> diff;
    EXPECT_NEAR(reference_cross_entropy(logits, labels, 3, smoothing, diff), expected, 1e-12);

    GradientCheck check;
    const auto objective = [&] {
      std::vector<double> unused;
      return reference_cross_entropy(logits, labels, 3, smoothing, unused);
    };
    check_gradient(objective, logits, diff, logits.size(), "logits", check);
    EXPECT_EQ(check.wrong, 0U) << check.first_wrong;
    EXPECT_EQ(check.compared, logits.size());
  }
}

TEST(ReferenceCrossEntropy, StaysFiniteForHugeLogits) {
  std::vector<double> diff;
  EXPECT_NEAR(reference_cross_entropy({1e6, -1e6}, {1}, 2, 0, diff), 2e6, 1);
  EXPECT_THAT(diff, ::testing::ElementsAre(1, -1));
}

TEST(ReferenceNetwork, GivesBackTheParametersOfAGroup) {
  const std::vector<NamedNetwork> networks = property_networks();
  const Network& network = find(networks, "batch_norm_grouped_per_width").network;
  const Subject subject(network, 1);
  EXPECT_EQ(subject.reference.group_parameters(3), random_parameters(network, 3, kSeed));
}

TEST(ReferenceNetwork, RefusesWhatDoesNotFitInOneLine) {
  const std::vector<NamedNetwork> networks = property_networks();
  const Network& network = find(networks, "conv_triangular_additive").network;
  Subject subject(network, 2);
  const auto expect_refused = [](const auto& call, const char* what) {
    try {
      call();
      ADD_FAILURE() << "accepted " << what;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_THAT(std::string(error.what()), ::testing::Not(::testing::HasSubstr("\n")));
    }
  };
  ReferenceNetwork& reference = subject.reference;
  const std::vector<double> uneven(subject.images.begin(), subject.images.end() - 1);
  expect_refused([&] { reference.forward(uneven, 1); }, "half an image");
  expect_refused([&] { reference.forward({}, 1); }, "no image");
  expect_refused([&] { reference.forward(subject.images, 0); }, "width 0");
  expect_refused([&] { reference.forward(subject.images, 4); }, "a width above the network's");
  expect_refused([&] { reference.learn(subject.images, {0}, {1, 1}); }, "too few labels");
  expect_refused([&] { reference.learn(subject.images, {0, 5}, {1, 1}); }, "an unknown class");
  expect_refused([&] { reference.learn(subject.images, {0, -1}, {1, 1}); }, "a negative class");
  expect_refused([&] { reference.learn(subject.images, {0, 1}, {0, 1}); }, "group 0");
  expect_refused([&] { reference.learn(subject.images, {0, 1}, {2, 4}); }, "too many groups");
  expect_refused([&] { reference.set_group_parameters(1, {}); }, "no parameters");
  expect_refused([&] { reference.set_group_parameters(4, {}); }, "a group above the network's");
  expect_refused([&] { reference.set_parameter(1, 0, ParameterRole::kWeight, {1}); },
                 "weights of another size");
  expect_refused([&] { static_cast<void>(reference.parameter(1, 0, ParameterRole::kScale)); },
                 "a role that the layer has not");
  expect_refused([&] { static_cast<void>(reference.parameter(1, 99, ParameterRole::kBias)); },
                 "a node that is not there");
  expect_refused([&] { static_cast<void>(reference.values(99)); }, "a tensor that is not there");
}

}  // namespace
}  // namespace bellows
