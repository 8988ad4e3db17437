#include "layers/batch_norm.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "layers/reference_kinds.h"

namespace bellows {
namespace {

using Eigen::Index;

// One channel of a batch [N, channels, pixels] as an array [pixels, N].
template <typename Array>
using ChannelView = Eigen::Map<Array, 0, Eigen::OuterStride<>>;

ChannelView<const Eigen::ArrayXXd> channel_of(const std::vector<double>& values, Index channel,
                                              Index channels, Index pixels, Index batch) {
  return {values.data() + channel * pixels, pixels, batch, Eigen::OuterStride<>(channels * pixels)};
}
ChannelView<Eigen::ArrayXXd> channel_of(std::vector<double>& values, Index channel, Index channels,
                                        Index pixels, Index batch) {
  return {values.data() + channel * pixels, pixels, batch, Eigen::OuterStride<>(channels * pixels)};
}

struct Statistics {
  double mean;
  double variance;
};

Statistics of_batch(const ChannelView<const Eigen::ArrayXXd>& x) {
  const double mean = x.mean();
  return {mean, (x - mean).square().mean()};
}

}  // namespace

void batch_norm_reference_forward(const ReferenceNode& node, const GroupedValues& src,
                                  const GroupedValues* /*shortcut*/, GroupedValues& dst) {
  const auto& norm = static_cast<const BatchNorm&>(*node.layer);
  const Index pixels = node.site.src.pixels();
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const Index channels = node.site.src.channels_of(group);
    const std::vector<double>& in = reference_group(node, node.site.src, src, group, "its source");
    const std::vector<double>& scale = *reference_parameter(node, group, ParameterRole::kScale);
    const std::vector<double>& shift = *reference_parameter(node, group, ParameterRole::kShift);
    // Checks that both are there.
    reference_parameter(node, group, ParameterRole::kMean);
    reference_parameter(node, group, ParameterRole::kVariance);
    std::vector<double>& mean = node.parameters->at({group, ParameterRole::kMean});
    std::vector<double>& variance = node.parameters->at({group, ParameterRole::kVariance});
    for (Index channel = 0; channel < channels; ++channel) {
      const auto x = channel_of(in, channel, channels, pixels, node.batch);
      const auto c = static_cast<std::size_t>(channel);
      Statistics statistics{mean[c], variance[c]};
      if (node.learning) {
        statistics = of_batch(x);
        const auto count = static_cast<double>(x.size());
        // A single value says nothing about the spread; its variance of 0 is taken as it is.
        const double unbiased = statistics.variance * count / std::max(count - 1, 1.0);
        mean[c] += norm.momentum() * (statistics.mean - mean[c]);
        variance[c] += norm.momentum() * (unbiased - variance[c]);
      }
      channel_of(dst[static_cast<std::size_t>(group - 1)], channel, channels, pixels, node.batch) =
          (x - statistics.mean) / std::sqrt(statistics.variance + norm.epsilon()) * scale[c] +
          shift[c];
    }
  }
}

void batch_norm_reference_backward(const ReferenceNode& node, const GroupedValues& src,
                                   const GroupedValues& diff_dst,
                                   const ReferenceGradients& gradients) {
  const auto& norm = static_cast<const BatchNorm&>(*node.layer);
  const Index pixels = node.site.src.pixels();
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const Index channels = node.site.src.channels_of(group);
    const std::vector<double>& in = reference_group(node, node.site.src, src, group, "its source");
    const std::vector<double>& diff_out =
        reference_group(node, node.site.dst, diff_dst, group, "its result's gradient");
    const std::vector<double>& scale = *reference_parameter(node, group, ParameterRole::kScale);
    const std::vector<double>& mean = *reference_parameter(node, group, ParameterRole::kMean);
    const std::vector<double>& variance =
        *reference_parameter(node, group, ParameterRole::kVariance);
    std::vector<double>& diff_scale =
        *reference_parameter_gradient(node, gradients, group, ParameterRole::kScale);
    std::vector<double>& diff_shift =
        *reference_parameter_gradient(node, gradients, group, ParameterRole::kShift);
    for (Index channel = 0; channel < channels; ++channel) {
      const auto x = channel_of(in, channel, channels, pixels, node.batch);
      const auto dy = channel_of(diff_out, channel, channels, pixels, node.batch);
      const auto c = static_cast<std::size_t>(channel);
      const Statistics statistics = node.learning ? of_batch(x) : Statistics{mean[c], variance[c]};
      const double inverse = 1 / std::sqrt(statistics.variance + norm.epsilon());
      const Eigen::ArrayXXd normalised = (x - statistics.mean) * inverse;
      diff_shift[c] += dy.sum();
      diff_scale[c] += (dy * normalised).sum();
      if (gradients.diff_src == nullptr) continue;
      Eigen::ArrayXXd diff_normalised = dy;
      if (node.learning) {
        // Mean and variance are of this very batch, so each value also acts through them.
        diff_normalised -= dy.mean() + normalised * (dy * normalised).mean();
      }
      std::vector<double>& diff_in =
          reference_group(node, node.site.src, *gradients.diff_src, group, "its source's gradient");
      channel_of(diff_in, channel, channels, pixels, node.batch) +=
          diff_normalised * (scale[c] * inverse);
    }
  }
}

}  // namespace bellows
