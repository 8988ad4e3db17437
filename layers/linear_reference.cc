#include "layers/linear.h"

#include <Eigen/Core>

#include "layers/reference_kinds.h"

namespace bellows {
namespace {

using Eigen::Index;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixView = Eigen::Map<Matrix>;
using ConstMatrixView = Eigen::Map<const Matrix>;

}  // namespace

void reference_dense_forward(const ReferenceNode& node, int group, GroupRange read,
                             const GroupedValues& src, std::vector<double>& dst) {
  const std::vector<double> features = reference_gather(node, src, read);
  const Index inputs = node.site.src.channels_in(read) * node.site.src.pixels();
  const Index outputs = node.site.dst.channels_of(group);
  const std::vector<double>& weight = *reference_parameter(node, group, ParameterRole::kWeight);
  const std::vector<double>* bias = reference_parameter(node, group, ParameterRole::kBias);
  MatrixView result(dst.data(), node.batch, outputs);
  result.noalias() += ConstMatrixView(features.data(), node.batch, inputs) *
                      ConstMatrixView(weight.data(), outputs, inputs).transpose();
  if (bias != nullptr) {
    result.rowwise() += Eigen::Map<const Eigen::RowVectorXd>(bias->data(), outputs);
  }
}

void reference_dense_backward(const ReferenceNode& node, int group, GroupRange read,
                              const GroupedValues& src, const std::vector<double>& diff_dst,
                              const ReferenceGradients& gradients) {
  const std::vector<double> features = reference_gather(node, src, read);
  const Index inputs = node.site.src.channels_in(read) * node.site.src.pixels();
  const Index outputs = node.site.dst.channels_of(group);
  const ConstMatrixView diff(diff_dst.data(), node.batch, outputs);
  std::vector<double>& diff_weight =
      *reference_parameter_gradient(node, gradients, group, ParameterRole::kWeight);
  MatrixView(diff_weight.data(), outputs, inputs).noalias() +=
      diff.transpose() * ConstMatrixView(features.data(), node.batch, inputs);
  if (std::vector<double>* diff_bias =
          reference_parameter_gradient(node, gradients, group, ParameterRole::kBias)) {
    Eigen::Map<Eigen::RowVectorXd>(diff_bias->data(), outputs) += diff.colwise().sum();
  }

  const GroupRange trainable = reference_trainable(node, read);
  if (gradients.diff_src == nullptr || trainable.size() <= 0) return;
  const std::vector<double>& weight = *reference_parameter(node, group, ParameterRole::kWeight);
  const Index wanted = node.site.src.channels_in(trainable) * node.site.src.pixels();
  std::vector<double> diff_features(static_cast<std::size_t>(node.batch * wanted));
  // Frozen features stand first among those read; nothing is computed for them.
  MatrixView(diff_features.data(), node.batch, wanted).noalias() =
      diff * ConstMatrixView(weight.data(), outputs, inputs).rightCols(wanted);
  reference_scatter(node, diff_features, trainable, *gradients.diff_src);
}

void linear_reference_forward(const ReferenceNode& node, const GroupedValues& src,
                              const GroupedValues* /*shortcut*/, GroupedValues& dst) {
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    reference_dense_forward(node, group, node.site.groups_read(group), src,
                            dst[static_cast<std::size_t>(group - 1)]);
  }
}

void linear_reference_backward(const ReferenceNode& node, const GroupedValues& src,
                               const GroupedValues& diff_dst, const ReferenceGradients& gradients) {
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    reference_dense_backward(
        node, group, node.site.groups_read(group), src,
        reference_group(node, node.site.dst, diff_dst, group, "its result's gradient"), gradients);
  }
}

}  // namespace bellows
