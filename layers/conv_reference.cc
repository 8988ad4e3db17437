#include "layers/conv.h"

#include <Eigen/Core>

#include "layers/reference_kinds.h"

namespace bellows {
namespace {

using Eigen::Index;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixView = Eigen::Map<Matrix>;
using ConstMatrixView = Eigen::Map<const Matrix>;

// Output channels that read the same source channels: all of a group, or, depthwise, one each.
struct Block {
  Index dst_begin, dst_channels;
  Index src_begin, src_channels;
};

std::vector<Block> blocks_of(const Conv& conv, const LayerSite& site, int group) {
  if (!conv.depthwise()) {
    return {{0, site.dst.channels_of(group), 0, site.channels_read(group)}};
  }
  std::vector<Block> blocks;
  blocks.reserve(static_cast<std::size_t>(site.dst.channels_of(group)));
  for (int channel = 0; channel < site.dst.channels_of(group); ++channel) {
    blocks.push_back({channel, 1, channel, 1});
  }
  return blocks;
}

GroupRange groups_read(const Conv& conv, const LayerSite& site, int group) {
  return conv.depthwise() ? GroupRange{group, group} : site.groups_read(group);
}

// Calls visit(row, column, pixel) for every value of `channels` maps that a window touches: the
// product of weights and sources is a matrix product once the values stand in rows (channel and
// place in the window) and columns (place of the window).
template <typename Visit>
void for_each_tap(const Conv& conv, const LayerSite& site, Index channels, Visit visit) {
  Index row = 0;
  for (Index channel = 0; channel < channels; ++channel) {
    for (int kh = 0; kh < conv.kernel().height; ++kh) {
      for (int kw = 0; kw < conv.kernel().width; ++kw, ++row) {
        for (int oh = 0; oh < site.dst.height; ++oh) {
          const int h = oh * conv.stride().height - conv.padding().height + kh;
          if (h < 0 || h >= site.src.height) continue;
          for (int ow = 0; ow < site.dst.width; ++ow) {
            const int w = ow * conv.stride().width - conv.padding().width + kw;
            if (w < 0 || w >= site.src.width) continue;
            visit(row, Index{oh} * site.dst.width + ow,
                  (channel * site.src.height + h) * site.src.width + w);
          }
        }
      }
    }
  }
}

Matrix unfold(const Conv& conv, const LayerSite& site, const double* maps, Index channels) {
  const Index window = Index{conv.kernel().height} * conv.kernel().width;
  Matrix columns = Matrix::Zero(channels * window, site.dst.pixels());
  for_each_tap(conv, site, channels,
               [&](Index row, Index column, Index pixel) { columns(row, column) = maps[pixel]; });
  return columns;
}

void fold(const Conv& conv, const LayerSite& site, const Matrix& columns, Index channels,
          double* maps) {
  for_each_tap(conv, site, channels,
               [&](Index row, Index column, Index pixel) { maps[pixel] += columns(row, column); });
}

}  // namespace

void conv_reference_forward(const ReferenceNode& node, const GroupedValues& src,
                            const GroupedValues* /*shortcut*/, GroupedValues& dst) {
  const auto& conv = static_cast<const Conv&>(*node.layer);
  const LayerSite& site = node.site;
  const Index window = Index{conv.kernel().height} * conv.kernel().width;
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const GroupRange read = groups_read(conv, site, group);
    const std::vector<double> features = reference_gather(node, src, read);
    const Index src_size = site.src.channels_in(read) * site.src.pixels();
    const Index dst_size = site.dst.channels_of(group) * site.dst.pixels();
    const std::vector<double>& weight = *reference_parameter(node, group, ParameterRole::kWeight);
    const std::vector<double>* bias = reference_parameter(node, group, ParameterRole::kBias);
    std::vector<double>& out = dst[static_cast<std::size_t>(group - 1)];
    for (int n = 0; n < node.batch; ++n) {
      for (const Block& block : blocks_of(conv, site, group)) {
        const Index rows = block.src_channels * window;
        const ConstMatrixView filters(weight.data() + block.dst_begin * rows, block.dst_channels,
                                      rows);
        MatrixView result(out.data() + n * dst_size + block.dst_begin * site.dst.pixels(),
                          block.dst_channels, site.dst.pixels());
        const double* maps = features.data() + n * src_size + block.src_begin * site.src.pixels();
        result.noalias() = filters * unfold(conv, site, maps, block.src_channels);
        if (bias != nullptr) {
          result.colwise() +=
              Eigen::Map<const Eigen::VectorXd>(bias->data() + block.dst_begin, block.dst_channels);
        }
      }
    }
  }
}

void conv_reference_backward(const ReferenceNode& node, const GroupedValues& src,
                             const GroupedValues& diff_dst, const ReferenceGradients& gradients) {
  const auto& conv = static_cast<const Conv&>(*node.layer);
  const LayerSite& site = node.site;
  const Index window = Index{conv.kernel().height} * conv.kernel().width;
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const GroupRange read = groups_read(conv, site, group);
    const GroupRange trainable = reference_trainable(node, read);
    const Index frozen_channels = site.src.channels_in({read.first, trainable.first - 1});
    const Index trainable_size = site.src.channels_in(trainable) * site.src.pixels();
    const std::vector<double> features = reference_gather(node, src, read);
    const Index src_size = site.src.channels_in(read) * site.src.pixels();
    const Index dst_size = site.dst.channels_of(group) * site.dst.pixels();
    const std::vector<double>& weight = *reference_parameter(node, group, ParameterRole::kWeight);
    std::vector<double>& diff_weight =
        *reference_parameter_gradient(node, gradients, group, ParameterRole::kWeight);
    std::vector<double>* diff_bias =
        reference_parameter_gradient(node, gradients, group, ParameterRole::kBias);
    const std::vector<double>& diff_out =
        reference_group(node, site.dst, diff_dst, group, "its result's gradient");
    const bool wants_src = gradients.diff_src != nullptr && trainable.size() > 0;
    std::vector<double> diff_features(
        wants_src ? static_cast<std::size_t>(node.batch * trainable_size) : 0);
    for (int n = 0; n < node.batch; ++n) {
      for (const Block& block : blocks_of(conv, site, group)) {
        const Index rows = block.src_channels * window;
        const ConstMatrixView diff(
            diff_out.data() + n * dst_size + block.dst_begin * site.dst.pixels(),
            block.dst_channels, site.dst.pixels());
        const double* maps = features.data() + n * src_size + block.src_begin * site.src.pixels();
        MatrixView(diff_weight.data() + block.dst_begin * rows, block.dst_channels, rows)
            .noalias() += diff * unfold(conv, site, maps, block.src_channels).transpose();
        if (diff_bias != nullptr) {
          Eigen::Map<Eigen::VectorXd>(diff_bias->data() + block.dst_begin, block.dst_channels) +=
              diff.rowwise().sum();
        }
        if (!wants_src) continue;
        // Frozen channels stand first among those read; nothing is computed for them. A depthwise
        // convolution reads no frozen channel at all.
        const Index channels = block.src_channels - frozen_channels;
        const ConstMatrixView filters(weight.data() + block.dst_begin * rows, block.dst_channels,
                                      rows);
        const Matrix columns = filters.rightCols(channels * window).transpose() * diff;
        fold(conv, site, columns, channels,
             diff_features.data() + n * trainable_size + block.src_begin * site.src.pixels());
      }
    }
    if (wants_src) reference_scatter(node, diff_features, trainable, *gradients.diff_src);
  }
}

}  // namespace bellows
