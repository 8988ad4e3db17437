#include "training/stacking.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "layers/head.h"

namespace bellows {
namespace {

constexpr double kPull = 1e-4;
constexpr int kMostSteps = 50;

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, problem);
}

// Mean cross-entropy as a function of the two weights, with its first two derivatives. Convex.
struct Loss {
  double value = 0;
  double d_narrower = 0;
  double d_own = 0;
  double d_narrower_narrower = 0;
  double d_narrower_own = 0;
  double d_own_own = 0;
};

Loss loss_of(const StackingWeights& at, std::span<const float> narrower, std::span<const float> own,
             std::span<const std::int32_t> labels) {
  Loss loss;
  const std::size_t classes = own.size() / labels.size();
  std::vector<double> sum(classes);
  for (std::size_t n = 0; n < labels.size(); ++n) {
    const auto a = narrower.subspan(n * classes, classes);
    const auto b = own.subspan(n * classes, classes);
    const auto label = static_cast<std::size_t>(labels[n]);
    for (std::size_t c = 0; c < classes; ++c) {
      sum[c] = at.narrower * double{a[c]} + at.own * double{b[c]};
    }
    const double largest = *std::ranges::max_element(sum);
    const double of_label = sum[label];
    double total = 0;
    for (double& value : sum) total += value = std::exp(value - largest);
    // Means, squares and product under the softmax: the derivatives are differences of these.
    double mean_a = 0;
    double mean_b = 0;
    double mean_aa = 0;
    double mean_ab = 0;
    double mean_bb = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      const double probability = sum[c] / total;
      mean_a += probability * double{a[c]};
      mean_b += probability * double{b[c]};
      mean_aa += probability * double{a[c]} * double{a[c]};
      mean_ab += probability * double{a[c]} * double{b[c]};
      mean_bb += probability * double{b[c]} * double{b[c]};
    }
    loss.value += std::log(total) + largest - of_label;
    loss.d_narrower += mean_a - double{a[label]};
    loss.d_own += mean_b - double{b[label]};
    loss.d_narrower_narrower += mean_aa - mean_a * mean_a;
    loss.d_narrower_own += mean_ab - mean_a * mean_b;
    loss.d_own_own += mean_bb - mean_b * mean_b;
  }
  const auto count = static_cast<double>(labels.size());
  for (double* part : {&loss.value, &loss.d_narrower, &loss.d_own, &loss.d_narrower_narrower,
                       &loss.d_narrower_own, &loss.d_own_own}) {
    *part /= count;
  }
  loss.value += kPull / 2 * (at.narrower * at.narrower + (at.own - 1) * (at.own - 1));
  loss.d_narrower += kPull * at.narrower;
  loss.d_own += kPull * (at.own - 1);
  loss.d_narrower_narrower += kPull;
  loss.d_own_own += kPull;
  return loss;
}

int head_node(const Network& network) { return static_cast<int>(network.nodes().size()) - 1; }

// Features of groups 1..group - 1: the first columns of the classifier's rows.
std::size_t narrower_columns(const Network& network, int group) {
  const Node& node = network.nodes().back();
  const auto& head = static_cast<const Head&>(*node.layer);
  if (head.mode() != HeadMode::kPerWidth) refuse("stacking needs a head of mode \"per_width\"");
  if (group == 1) return 0;
  return static_cast<std::size_t>(node.site.src.channels_in({1, group - 1}) *
                                  node.site.src.pixels());
}

}  // namespace

StackingWeights fit_stacking(std::span<const float> narrower, std::span<const float> own,
                             std::span<const std::int32_t> labels) {
  if (labels.empty() || own.empty() || own.size() % labels.size() != 0 ||
      own.size() != narrower.size()) {
    refuse("stacking was given " + std::to_string(narrower.size()) + " and " +
           std::to_string(own.size()) + " logits for " + std::to_string(labels.size()) + " labels");
  }
  const auto classes = static_cast<std::int32_t>(own.size() / labels.size());
  for (const std::int32_t label : labels) {
    if (label < 0 || label >= classes) {
      refuse("label " + std::to_string(label) + " is not one of " + std::to_string(classes) +
             " classes");
    }
  }
  // Newton's method. The loss is convex, so a step that does not lower it was too long.
  StackingWeights at;
  Loss here = loss_of(at, narrower, own, labels);
  for (int step = 0; step < kMostSteps; ++step) {
    const double determinant =
        here.d_narrower_narrower * here.d_own_own - here.d_narrower_own * here.d_narrower_own;
    const double to_narrower =
        (here.d_own_own * here.d_narrower - here.d_narrower_own * here.d_own) / determinant;
    const double to_own =
        (here.d_narrower_narrower * here.d_own - here.d_narrower_own * here.d_narrower) /
        determinant;
    double length = 1;
    StackingWeights next;
    Loss there;
    do {
      next = {at.narrower - length * to_narrower, at.own - length * to_own};
      there = loss_of(next, narrower, own, labels);
      length /= 2;
    } while (!(there.value <= here.value) && length > 1e-9);
    if (!(there.value < here.value)) break;
    at = next;
    here = there;
  }
  return at;
}

void forget_narrower(const Network& network, int group, WeightSet& values) {
  const std::span<float> weight = values.values(group, head_node(network), ParameterRole::kWeight);
  const std::size_t columns = weight.size() / static_cast<std::size_t>(network.classes());
  const std::size_t narrower = narrower_columns(network, group);
  for (std::size_t row = 0; row < weight.size(); row += columns) {
    std::ranges::fill(weight.subspan(row, narrower), 0.0F);
  }
}

void stack(const Network& network, int group, const StackingWeights& stacking, WeightSet& weights) {
  if (group == 1) refuse("group 1 has no narrower width to be stacked upon");
  const std::size_t narrower = narrower_columns(network, group);
  const int head = head_node(network);
  // sum = its own, times `own`, and the same of the narrower classifier, times `narrower`.
  const auto add_up = [&](std::span<float> sum, std::span<const float> before,
                          std::size_t columns_before) {
    const std::size_t rows = static_cast<std::size_t>(network.classes());
    const std::size_t columns = sum.size() / rows;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < columns; ++column) {
        double value = stacking.own * double{sum[row * columns + column]};
        if (column < columns_before) {
          value += stacking.narrower * double{before[row * columns_before + column]};
        }
        sum[row * columns + column] = static_cast<float>(value);
      }
    }
  };
  const WeightSet& frozen = weights;
  add_up(weights.values(group, head, ParameterRole::kWeight),
         frozen.values(group - 1, head, ParameterRole::kWeight), narrower);
  add_up(weights.values(group, head, ParameterRole::kBias),
         frozen.values(group - 1, head, ParameterRole::kBias), 1);
}

}  // namespace bellows
