#include "layers/reference.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "layers/batch_norm.h"
#include "layers/conv.h"
#include "layers/head.h"
#include "layers/pool.h"
#include "tests/grouped_networks.h"
#include "tests/numeric_gradient.h"

namespace bellows {
namespace {

using config::flag;
using config::integer;
using config::integers;
using config::layer;
using config::text;

constexpr int kGroups = 3;
constexpr int kClasses = 4;

// One layer in one form. The input of the network has a single group.
struct LayerCase {
  const char* name;
  LayerKind kind;
  ConfigValue table;
  MapShape src;
  bool src_is_input = false;
};

std::vector<LayerCase> all_cases() {
  const MapShape map{{3, 5, 2}, 7, 6};
  const MapShape input{{3}, 7, 6};
  const MapShape vector{{3, 5, 2}, 1, 1};
  const ConfigValue window_channels = integers({4, 1, 3});
  const auto window = [](const char* kind) {
    return layer(kind, "it",
                 {{"kernel", integers({3, 2})},
                  {"stride", integers({2, 1})},
                  {"padding", integers({2, 1})}});
  };
  return {
      {"first", LayerKind::kConv, config::conv("it", {4, 1, 3}, 3, 1), input, true},
      {"plain", LayerKind::kConv, config::conv("it", {4, 1, 3}, 3, 0), map},
      {"pointwise without bias", LayerKind::kConv, config::conv("it", {4, 1, 3}, 1, 0, false), map},
      {"strided and padded", LayerKind::kConv,
       layer("conv", "it",
             {{"channels", window_channels},
              {"kernel", integers({3, 2})},
              {"stride", integers({2, 3})},
              {"padding", integers({2, 1})}}),
       map},
      {"depthwise", LayerKind::kConv,
       layer("conv", "it",
             {{"depthwise", flag(true)},
              {"kernel", integers({3, 2})},
              {"stride", integers({1, 2})},
              {"padding", integers({1, 0})}}),
       map},
      {"of maps", LayerKind::kBatchNorm, layer("batch_norm", "it"), map},
      {"of features", LayerKind::kBatchNorm,
       layer("batch_norm", "it",
             {{"momentum", config::real(0.25)}, {"epsilon", config::real(0.01)}}),
       vector},
      {"of maps", LayerKind::kRelu, layer("relu", "it"), map},
      {"of maps", LayerKind::kRelu6, layer("relu6", "it"), map},
      {"plain", LayerKind::kMaxPool, layer("max_pool", "it", {{"kernel", integer(2)}}), map},
      {"overlapping and padded", LayerKind::kMaxPool, window("max_pool"), map},
      {"plain", LayerKind::kAvgPool, layer("avg_pool", "it", {{"kernel", integer(2)}}), map},
      {"overlapping and padded", LayerKind::kAvgPool, window("avg_pool"), map},
      {"of maps", LayerKind::kGlobalAvgPool, layer("global_avg_pool", "it"), map},
      {"of maps", LayerKind::kDropout, layer("dropout", "it"), map},
      {"first", LayerKind::kLinear, config::linear("it", {4, 1, 3}), input, true},
      {"of maps", LayerKind::kLinear, config::linear("it", {4, 1, 3}), map},
      {"of features without bias", LayerKind::kLinear, config::linear("it", {4, 1, 3}, false),
       vector},
      // The body has nodes of its own, so any body of the right shape will do.
      {"sum", LayerKind::kResidual,
       layer("residual", "it", {{"body", config::array({layer("relu", "body")})}}), map},
      {"additive", LayerKind::kHead, layer("head", "it", {{"mode", text("additive")}}), map},
      {"per width", LayerKind::kHead, layer("head", "it", {{"mode", text("per_width")}}), map},
  };
}

std::vector<LayerCase> cases_of(LayerKind kind) {
  std::vector<LayerCase> cases = all_cases();
  std::erase_if(cases, [kind](const LayerCase& one) { return one.kind != kind; });
  return cases;
}

// A layer at its place with values for everything it reads.
struct Subject {
  std::unique_ptr<Layer> layer;
  LayerSite site;
  int batch;
  GroupedValues src, shortcut, factors;
  ReferenceParameters parameters;

  Subject(const LayerCase& one, Connectivity connectivity, int images)
      : layer(read_layer(one.table)), batch(images) {
    site.src = one.src;
    site.dst = layer->output_shape(one.src, one.src_is_input, kGroups);
    if (one.kind == LayerKind::kHead) site.dst.channels.assign(kGroups, kClasses);
    site.connectivity = connectivity;
    site.src_is_input = one.src_is_input;
    site.classes = kClasses;
    // Values reach beyond both kinks of relu6.
    src = random(site.src, -3, 9, 1);
    shortcut = random(site.dst, -1, 1, 2);
    factors = random(site.src, 0, 1, 3);
    for (auto& group : factors) {
      for (double& value : group) value = value < 0.4 ? 0 : 1 / 0.6;
    }
    for (int group = 1; group <= kGroups; ++group) {
      for (const ParameterSpec& spec : layer->parameters(site, group)) {
        data::KeyedRandom values(4, static_cast<std::uint64_t>(group),
                                 static_cast<std::uint64_t>(spec.role));
        const bool positive = spec.role == ParameterRole::kVariance;
        auto& array = parameters[{group, spec.role}];
        for (std::int64_t i = 0; i < spec.elements(); ++i) {
          array.push_back(positive ? values.uniform(0.5F, 2.0F) : values.uniform(-1.0F, 1.0F));
        }
      }
    }
  }

  [[nodiscard]] GroupedValues random(const MapShape& shape, float low, float high,
                                     std::uint64_t seed) const {
    GroupedValues values;
    for (int group = 1; group <= shape.groups(); ++group) {
      data::KeyedRandom numbers(seed, static_cast<std::uint64_t>(group));
      auto& array = values.emplace_back(static_cast<std::size_t>(
          std::int64_t{batch} * shape.channels_of(group) * shape.pixels()));
      for (double& value : array) value = numbers.uniform(low, high);
    }
    return values;
  }

  ReferenceNode node(GroupRange groups, bool learning, ReferenceParameters* of) const {
    ReferenceNode made;
    made.layer = layer.get();
    made.site = site;
    made.batch = batch;
    made.groups = groups;
    made.learning = learning;
    made.parameters = of;
    made.dropout_factors = &factors;
    return made;
  }

  // The groups below `groups` run, those of `groups` learn or run.
  GroupedValues forward(GroupRange groups, bool learning) const {
    ReferenceParameters copy = parameters;  // learning moves running statistics
    GroupedValues dst;
    if (groups.first > 1) {
      reference_forward(node({1, groups.first - 1}, false, &copy), src, &shortcut, dst);
    }
    reference_forward(node(groups, learning, &copy), src, &shortcut, dst);
    return dst;
  }

  // The value at [n, channel, row, column] of group `group`.
  static double at(const GroupedValues& values, const MapShape& shape, int group, int n,
                   int channel, int row, int column) {
    const std::int64_t index =
        ((std::int64_t{n} * shape.channels_of(group) + channel) * shape.height + row) *
            shape.width +
        column;
    return values.at(static_cast<std::size_t>(group - 1)).at(static_cast<std::size_t>(index));
  }
  [[nodiscard]] double source(int group, int n, int channel, int row, int column) const {
    return at(src, site.src, group, n, channel, row, column);
  }
  [[nodiscard]] double parameter(int group, ParameterRole role, std::int64_t index) const {
    const auto found = parameters.find({group, role});
    if (found == parameters.end()) return 0;  // a bias left out
    return found->second.at(static_cast<std::size_t>(index));
  }

  // Calls check(group, n, channel, row, column) at every place of dst.
  template <typename Check>
  void for_each_result(Check check) const {
    for (int group = 1; group <= kGroups; ++group) {
      for (int n = 0; n < batch; ++n) {
        for (int channel = 0; channel < site.dst.channels_of(group); ++channel) {
          for (int row = 0; row < site.dst.height; ++row) {
            for (int column = 0; column < site.dst.width; ++column) {
              check(group, n, channel, row, column);
            }
          }
        }
      }
    }
  }

  // Compares `dst` with expected(group, n, channel, row, column) at every place.
  template <typename Expected>
  void expect_results(const GroupedValues& dst, Expected expected) const {
    for_each_result([&](int group, int n, int channel, int row, int column) {
      const double value = expected(group, n, channel, row, column);
      ASSERT_NEAR(at(dst, site.dst, group, n, channel, row, column), value,
                  1e-12 * std::max(1.0, std::abs(value)))
          << "group " << group << ", image " << n << ", channel " << channel << ", place " << row
          << ", " << column;
    });
  }
};

double dot(const GroupedValues& a, const GroupedValues& b, GroupRange groups) {
  double sum = 0;
  for (int group = groups.first; group <= groups.last; ++group) {
    const auto index = static_cast<std::size_t>(group - 1);
    for (std::size_t i = 0; i < a[index].size(); ++i) sum += a[index][i] * b[index][i];
  }
  return sum;
}

// Runs `check` for every case of a kind, in both connectivities, for one image and for seven.
template <typename Check>
void for_each_subject(LayerKind kind, Check check) {
  const std::vector<LayerCase> cases = cases_of(kind);
  ASSERT_FALSE(cases.empty()) << "layer kind '" << layer_kind_name(kind)
                              << "' has no case: add one to all_cases() in this file";
  for (const LayerCase& one : cases) {
    for (const Connectivity connectivity : {Connectivity::kTriangular, Connectivity::kGrouped}) {
      for (const int batch : {1, 7}) {
        SCOPED_TRACE(std::string(layer_kind_name(kind)) + " '" + one.name + "', " +
                     (connectivity == Connectivity::kTriangular ? "triangular" : "grouped") +
                     ", batch " + std::to_string(batch));
        check(Subject(one, connectivity, batch));
      }
    }
  }
}

class EveryKind : public ::testing::TestWithParam<LayerKind> {};

INSTANTIATE_TEST_SUITE_P(Reference, EveryKind, ::testing::ValuesIn(all_layer_kinds()),
                         [](const auto& kind) { return std::string(layer_kind_name(kind.param)); });

// Objective: a random weighting of all results of the groups that learn.
void check_gradients(Subject& subject, GroupRange groups, bool learning, GradientCheck& check) {
  const GroupedValues weights = subject.random(subject.site.dst, -1, 1, 5);
  const auto objective = [&] { return dot(subject.forward(groups, learning), weights, groups); };

  // Gradients are added to what is there; groups that do not learn stay as they are.
  constexpr double kBefore = 0.5;
  constexpr std::size_t kTries = 12;  // of each array
  GroupedValues diff_src = subject.random(subject.site.src, kBefore, kBefore, 0);
  GroupedValues diff_shortcut = subject.random(subject.site.dst, kBefore, kBefore, 0);
  ReferenceParameters diff_parameters;
  ReferenceGradients gradients;
  gradients.diff_src = subject.site.src_is_input ? nullptr : &diff_src;
  gradients.diff_shortcut = &diff_shortcut;
  gradients.parameters = &diff_parameters;
  reference_backward(subject.node(groups, learning, &subject.parameters), subject.src, weights,
                     gradients);

  const auto check_values = [&](GroupedValues& values, GroupedValues& diff, const char* what) {
    for (int group = 1; group <= static_cast<int>(values.size()); ++group) {
      const auto index = static_cast<std::size_t>(group - 1);
      if (group < groups.first || group > groups.last) {
        EXPECT_THAT(diff[index], ::testing::Each(kBefore))
            << "a gradient went into group " << group << " of the " << what;
        continue;
      }
      for (double& value : diff[index]) value -= kBefore;
      check_gradient(objective, values[index], diff[index], kTries,
                     std::string(what) + " of group " + std::to_string(group), check);
    }
  };
  if (!subject.site.src_is_input) check_values(subject.src, diff_src, "source");
  if (subject.layer->kind() == LayerKind::kResidual) {
    check_values(subject.shortcut, diff_shortcut, "shortcut");
  }

  std::size_t learned = 0;
  for (int group = groups.first; group <= groups.last; ++group) {
    for (const ParameterSpec& spec : subject.layer->parameters(subject.site, group)) {
      if (!spec.learned()) continue;
      ++learned;
      check_gradient(
          objective, subject.parameters[{group, spec.role}], diff_parameters[{group, spec.role}],
          60, std::string(parameter_role_name(spec.role)) + " of group " + std::to_string(group),
          check);
    }
  }
  EXPECT_EQ(diff_parameters.size(), learned) << "gradients of parameters that do not learn";
}

TEST_P(EveryKind, HasTheGradientThatSmallChangesShow) {
  for_each_subject(GetParam(), [](Subject subject) {
    for (const GroupRange groups : {GroupRange{2, 2}, GroupRange{1, 3}}) {
      for (const bool learning : {true, false}) {
        SCOPED_TRACE("groups " + std::to_string(groups.first) + " to " +
                     std::to_string(groups.last) + (learning ? ", learning" : ", running"));
        GradientCheck check;
        check_gradients(subject, groups, learning, check);
        EXPECT_EQ(check.wrong, 0U) << check.first_wrong;
        EXPECT_GT(check.tried, 0U);
        EXPECT_GE(check.compared, check.tried - check.tried / 50);
      }
    }
  });
}

TEST_P(EveryKind, NeverReadsWiderGroups) {
  for_each_subject(GetParam(), [](Subject subject) {
    const GroupedValues all = subject.forward({1, 3}, false);
    // Gone altogether: reading one would be an error.
    subject.src.resize(subject.site.src_is_input ? 1 : 2);
    subject.shortcut.resize(2);
    std::erase_if(subject.parameters, [](const auto& entry) { return entry.first.first == 3; });
    const GroupedValues narrow = subject.forward({1, 2}, false);
    ASSERT_EQ(narrow.size(), 2U);
    EXPECT_EQ(narrow[0], all[0]);
    EXPECT_EQ(narrow[1], all[1]);
  });
}

TEST_P(EveryKind, ComputesAGroupAloneAsTogetherWithOthers) {
  for_each_subject(GetParam(), [](const Subject& subject) {
    for (const bool learning : {true, false}) {
      const GroupedValues together = subject.forward({1, 3}, learning);
      ReferenceParameters parameters = subject.parameters;
      GroupedValues one_by_one;
      for (int group = 1; group <= kGroups; ++group) {
        reference_forward(subject.node({group, group}, learning, &parameters), subject.src,
                          &subject.shortcut, one_by_one);
      }
      EXPECT_EQ(one_by_one, together);
    }
  });
}

TEST_P(EveryKind, RefusesASourceOfAnotherSizeByName) {
  for_each_subject(GetParam(), [](Subject subject) {
    subject.src.front().pop_back();
    try {
      subject.forward({1, 3}, false);
      FAIL() << "computed from a source that is too short";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_THAT(error.what(), ::testing::HasSubstr("layer 'it'"));
      EXPECT_THAT(error.what(), ::testing::HasSubstr("group 1"));
    }
  });
}

TEST(ReferenceConv, EqualsTheSumOverWindowAndChannelsRead) {
  for_each_subject(LayerKind::kConv, [](const Subject& subject) {
    const auto& conv = static_cast<const Conv&>(*subject.layer);
    const LayerSite& site = subject.site;
    const auto expected = [&](int group, int n, int channel, int row, int column) {
      // The channels read, in group order.
      std::vector<std::pair<int, int>> read;
      if (conv.depthwise()) {
        read.emplace_back(group, channel);
      } else {
        const bool triangular = site.connectivity == Connectivity::kTriangular;
        const int first = site.src_is_input || triangular ? 1 : group;
        const int last = site.src_is_input ? 1 : group;
        for (int other = first; other <= last; ++other) {
          for (int c = 0; c < site.src.channels_of(other); ++c) read.emplace_back(other, c);
        }
      }
      double sum = subject.parameter(group, ParameterRole::kBias, channel);
      std::int64_t weight = std::int64_t{channel} * static_cast<std::int64_t>(read.size()) *
                            conv.kernel().height * conv.kernel().width;
      for (const auto& [other, c] : read) {
        for (int kh = 0; kh < conv.kernel().height; ++kh) {
          for (int kw = 0; kw < conv.kernel().width; ++kw, ++weight) {
            const int h = row * conv.stride().height + kh - conv.padding().height;
            const int w = column * conv.stride().width + kw - conv.padding().width;
            if (h < 0 || h >= site.src.height || w < 0 || w >= site.src.width) continue;
            sum += subject.parameter(group, ParameterRole::kWeight, weight) *
                   subject.source(other, n, c, h, w);
          }
        }
      }
      return sum;
    };
    subject.expect_results(subject.forward({1, 3}, false), expected);
  });
}

// Weights times features [group][channel][row][column] of the groups first..last, plus bias.
double dense(const Subject& subject, int group, int n, int output, int first, int last) {
  const MapShape& src = subject.site.src;
  std::int64_t features = 0;
  for (int other = first; other <= last; ++other) features += src.channels_of(other) * src.pixels();
  double sum = subject.parameter(group, ParameterRole::kBias, output);
  std::int64_t weight = output * features;
  for (int other = first; other <= last; ++other) {
    for (int channel = 0; channel < src.channels_of(other); ++channel) {
      for (int row = 0; row < src.height; ++row) {
        for (int column = 0; column < src.width; ++column, ++weight) {
          sum += subject.parameter(group, ParameterRole::kWeight, weight) *
                 subject.source(other, n, channel, row, column);
        }
      }
    }
  }
  return sum;
}

TEST(ReferenceLinear, EqualsTheSumOverFeaturesRead) {
  for_each_subject(LayerKind::kLinear, [](const Subject& subject) {
    const bool triangular = subject.site.connectivity == Connectivity::kTriangular;
    subject.expect_results(subject.forward({1, 3}, false),
                           [&](int group, int n, int output, int, int) {
                             if (subject.site.src_is_input) {
                               return dense(subject, group, n, output, 1, 1);
                             }
                             return dense(subject, group, n, output, triangular ? 1 : group, group);
                           });
  });
}

TEST(ReferenceHead, AddsSharesOrReadsAllFeaturesOfTheWidth) {
  for_each_subject(LayerKind::kHead, [](const Subject& subject) {
    const auto& head = static_cast<const Head&>(*subject.layer);
    const auto expected = [&](int width, int n, int output, int, int) {
      if (head.mode() == HeadMode::kPerWidth) return dense(subject, width, n, output, 1, width);
      double sum = 0;
      for (int group = 1; group <= width; ++group) {
        sum += dense(subject, group, n, output, group, group);
      }
      return sum;
    };
    subject.expect_results(subject.forward({1, 3}, false), expected);
  });
}

// The values under the window at one place of dst, those of the rim left out, row by row.
std::vector<double> under_window(const Subject& subject, int group, int n, int channel, int row,
                                 int column) {
  const auto& pool = static_cast<const Pool&>(*subject.layer);
  std::vector<double> values;
  for (int kh = 0; kh < pool.kernel().height; ++kh) {
    for (int kw = 0; kw < pool.kernel().width; ++kw) {
      const int h = row * pool.stride().height + kh - pool.padding().height;
      const int w = column * pool.stride().width + kw - pool.padding().width;
      if (h < 0 || h >= subject.site.src.height || w < 0 || w >= subject.site.src.width) continue;
      values.push_back(subject.source(group, n, channel, h, w));
    }
  }
  return values;
}

TEST(ReferenceMaxPool, TakesTheLargestValueAndTheRimNeverWins) {
  for_each_subject(LayerKind::kMaxPool, [](Subject subject) {
    for (auto& group : subject.src) {
      for (double& value : group) value -= 20;  // a rim of zeros would win everywhere
    }
    subject.expect_results(
        subject.forward({1, 3}, false), [&](int group, int n, int channel, int row, int column) {
          const auto values = under_window(subject, group, n, channel, row, column);
          return *std::max_element(values.begin(), values.end());
        });
  });
}

TEST(ReferenceMaxPool, GivesTheGradientOfATieToTheFirstInRowMajorOrder) {
  const LayerCase one{"tie", LayerKind::kMaxPool, layer("max_pool", "it", {{"kernel", integer(2)}}),
                      MapShape{{1, 1, 1}, 2, 4}};
  Subject subject(one, Connectivity::kTriangular, 1);
  subject.src[0] = {1, 5, 3, 3,  //
                    5, 2, 3, 3};
  GroupedValues diff_src(3, std::vector<double>(8, 0.0));
  ReferenceGradients gradients;
  gradients.diff_src = &diff_src;
  reference_backward(subject.node({1, 1}, true, nullptr), subject.src, {{10, 20}}, gradients);
  EXPECT_THAT(diff_src[0], ::testing::ElementsAre(0, 10, 20, 0, 0, 0, 0, 0));
}

TEST(ReferenceAvgPool, TakesTheMeanWithoutTheRim) {
  for_each_subject(LayerKind::kAvgPool, [](const Subject& subject) {
    subject.expect_results(
        subject.forward({1, 3}, false), [&](int group, int n, int channel, int row, int column) {
          double sum = 0;
          const auto values = under_window(subject, group, n, channel, row, column);
          for (const double value : values) sum += value;
          return sum / static_cast<double>(values.size());
        });
  });
}

TEST(ReferenceGlobalAvgPool, TakesTheMeanOfTheMap) {
  for_each_subject(LayerKind::kGlobalAvgPool, [](const Subject& subject) {
    const MapShape& src = subject.site.src;
    subject.expect_results(subject.forward({1, 3}, false),
                           [&](int group, int n, int channel, int, int) {
                             double sum = 0;
                             for (int row = 0; row < src.height; ++row) {
                               for (int column = 0; column < src.width; ++column) {
                                 sum += subject.source(group, n, channel, row, column);
                               }
                             }
                             return sum / static_cast<double>(src.pixels());
                           });
  });
}

TEST(ReferenceRelu, IsZeroBelowZero) {
  for_each_subject(LayerKind::kRelu, [](const Subject& subject) {
    subject.expect_results(subject.forward({1, 3}, false),
                           [&](int group, int n, int channel, int row, int column) {
                             const double value = subject.source(group, n, channel, row, column);
                             return value < 0 ? 0 : value;
                           });
  });
}

TEST(ReferenceRelu6, IsZeroBelowZeroAndSixAboveSix) {
  for_each_subject(LayerKind::kRelu6, [](const Subject& subject) {
    subject.expect_results(subject.forward({1, 3}, false),
                           [&](int group, int n, int channel, int row, int column) {
                             const double value = subject.source(group, n, channel, row, column);
                             if (value > 6) return 6.0;
                             return value < 0 ? 0.0 : value;
                           });
  });
}

TEST(ReferenceResidual, SumsSourceAndShortcut) {
  for_each_subject(LayerKind::kResidual, [](const Subject& subject) {
    subject.expect_results(
        subject.forward({1, 3}, false), [&](int group, int n, int channel, int row, int column) {
          return subject.source(group, n, channel, row, column) +
                 Subject::at(subject.shortcut, subject.site.dst, group, n, channel, row, column);
        });
  });
}

TEST(ReferenceResidual, RefusesToRunWithoutAShortcut) {
  const Subject subject(cases_of(LayerKind::kResidual).front(), Connectivity::kTriangular, 1);
  GroupedValues dst;
  EXPECT_THROW(reference_forward(subject.node({1, 3}, false, nullptr), subject.src, nullptr, dst),
               Error);
}

TEST(ReferenceDropout, ScalesByTheFactorsWhileLearningAndIsTheIdentityElse) {
  for_each_subject(LayerKind::kDropout, [](const Subject& subject) {
    subject.expect_results(
        subject.forward({1, 3}, true), [&](int group, int n, int channel, int row, int column) {
          return subject.source(group, n, channel, row, column) *
                 Subject::at(subject.factors, subject.site.src, group, n, channel, row, column);
        });
    EXPECT_EQ(subject.forward({1, 3}, false), subject.src);
    ReferenceNode without_factors = subject.node({1, 3}, true, nullptr);
    without_factors.dropout_factors = nullptr;
    GroupedValues dst;
    reference_forward(without_factors, subject.src, nullptr, dst);
    EXPECT_EQ(dst, subject.src);
  });
}

// All values of one channel of the batch.
std::vector<double> channel_values(const Subject& subject, int group, int channel) {
  std::vector<double> values;
  for (int n = 0; n < subject.batch; ++n) {
    for (int row = 0; row < subject.site.src.height; ++row) {
      for (int column = 0; column < subject.site.src.width; ++column) {
        values.push_back(subject.source(group, n, channel, row, column));
      }
    }
  }
  return values;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double squares_around(const std::vector<double>& values, double mean) {
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum;
}

TEST(ReferenceBatchNorm, NormalisesByTheBatchWhileLearningAndByRunningStatisticsElse) {
  for_each_subject(LayerKind::kBatchNorm, [](const Subject& subject) {
    const auto& norm = static_cast<const BatchNorm&>(*subject.layer);
    for (const bool learning : {true, false}) {
      const auto expected = [&](int group, int n, int channel, int row, int column) {
        double mean = subject.parameter(group, ParameterRole::kMean, channel);
        double variance = subject.parameter(group, ParameterRole::kVariance, channel);
        if (learning) {
          const std::vector<double> values = channel_values(subject, group, channel);
          mean = mean_of(values);
          variance = squares_around(values, mean) / static_cast<double>(values.size());
        }
        return (subject.source(group, n, channel, row, column) - mean) /
                   std::sqrt(variance + norm.epsilon()) *
                   subject.parameter(group, ParameterRole::kScale, channel) +
               subject.parameter(group, ParameterRole::kShift, channel);
      };
      subject.expect_results(subject.forward({1, 3}, learning), expected);
    }
  });
}

TEST(ReferenceBatchNorm, MovesTheRunningStatisticsOfTheLearningGroupsOnly) {
  for_each_subject(LayerKind::kBatchNorm, [](const Subject& subject) {
    const double momentum = static_cast<const BatchNorm&>(*subject.layer).momentum();
    ReferenceParameters moved = subject.parameters;
    GroupedValues dst;
    reference_forward(subject.node({1, 3}, false, &moved), subject.src, nullptr, dst);
    EXPECT_EQ(moved, subject.parameters) << "running moved a parameter";
    reference_forward(subject.node({2, 2}, true, &moved), subject.src, nullptr, dst);
    for (auto& [key, values] : moved) {
      const auto& [group, role] = key;
      const bool mean_role = role == ParameterRole::kMean;
      if (group != 2 || (!mean_role && role != ParameterRole::kVariance)) {
        EXPECT_EQ(values, subject.parameters.at(key));
        continue;
      }
      for (int channel = 0; channel < subject.site.src.channels_of(group); ++channel) {
        const std::vector<double> all = channel_values(subject, group, channel);
        const double mean = mean_of(all);
        const double unbiased =
            squares_around(all, mean) / std::max(static_cast<double>(all.size()) - 1, 1.0);
        const double before = subject.parameter(group, role, channel);
        const double batch = mean_role ? mean : unbiased;
        EXPECT_NEAR(values[static_cast<std::size_t>(channel)],
                    (1 - momentum) * before + momentum * batch, 1e-12 * (1 + std::abs(batch)));
      }
    }
  });
}

TEST(Reference, RefusesAbsentParametersByName) {
  Subject subject(cases_of(LayerKind::kConv).front(), Connectivity::kTriangular, 1);
  subject.parameters.erase({2, ParameterRole::kWeight});
  try {
    subject.forward({1, 3}, false);
    FAIL() << "computed without weights";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("weight of group 2"));
  }
}

TEST(Reference, RefusesGroupsThatTheLayerHasNot) {
  const Subject subject(cases_of(LayerKind::kRelu).front(), Connectivity::kTriangular, 1);
  GroupedValues dst;
  for (const GroupRange groups : {GroupRange{0, 1}, GroupRange{1, 4}}) {
    EXPECT_THROW(reference_forward(subject.node(groups, false, nullptr), subject.src, nullptr, dst),
                 Error);
  }
}

}  // namespace
}  // namespace bellows
