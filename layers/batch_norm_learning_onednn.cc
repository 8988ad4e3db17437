#include "layers/batch_norm.h"

#include <utility>
#include <vector>

#include "layers/learning_onednn.h"

namespace bellows {
namespace {

// Slots of what backward needs of forward.
constexpr int kMean = 0;
constexpr int kVariance = 1;
constexpr int kRectified = 2;  // which values a merged relu let through

Desc channel_vector(int channels) {
  return {{channels}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a};
}

}  // namespace

void emit_learning_forward(const BatchNorm& layer, LearningEmitter& emitter) {
  const int group = emitter.group();
  const GroupRange here{group, group};
  const View src = emitter.src().map(here);
  const std::vector<int> positions = emitter.src().layout.channel_positions(here);
  const int padded = emitter.src().layout.padded_channels(here);
  const View mean = emitter.keep(kMean, group, channel_vector(padded));
  const View variance = emitter.keep(kVariance, group, channel_vector(padded));
  const bool with_relu = emitter.fusion().activation == Activation::kRelu;
  const Primitive primitive =
      batch_norm_forward(/*learning=*/true, src.desc, layer.epsilon(), with_relu);
  std::vector<Argument> arguments{
      {DNNL_ARG_SRC, src},
      {DNNL_ARG_DST, emitter.dst().map(here)},
      {DNNL_ARG_SCALE, emitter.vector(ParameterRole::kScale, positions, padded)},
      {DNNL_ARG_SHIFT, emitter.vector(ParameterRole::kShift, positions, padded)},
      {DNNL_ARG_MEAN, mean},
      {DNNL_ARG_VARIANCE, variance}};
  if (with_relu) {
    arguments.push_back({DNNL_ARG_WORKSPACE, emitter.keep(kRectified, group, primitive.workspace)});
  }
  emitter.add(primitive, std::move(arguments));

  const auto values =
      static_cast<float>(emitter.src().layout.batch() * emitter.site().src.pixels());
  const float unbiased = values > 1 ? values / (values - 1) : 1.0F;
  const auto momentum = static_cast<float>(layer.momentum());
  const std::span<float> running_mean = emitter.parameter(group, ParameterRole::kMean);
  const std::span<float> running_variance = emitter.parameter(group, ParameterRole::kVariance);
  emitter.add_kernel(
      [=](void* const* statistics) {
        const auto* batch_mean = static_cast<const float*>(statistics[0]);
        const auto* batch_variance = static_cast<const float*>(statistics[1]);
        // Groups start on a block: logical channel i is padded channel i.
        for (std::size_t i = 0; i < running_mean.size(); ++i) {
          running_mean[i] += momentum * (batch_mean[i] - running_mean[i]);
          running_variance[i] += momentum * (batch_variance[i] * unbiased - running_variance[i]);
        }
      },
      {mean, variance});
}

void emit_backward(const BatchNorm& layer, LearningEmitter& emitter) {
  TensorPlace place = emitter.diff_src();
  for (int group = emitter.range().first; group <= emitter.range().last; ++group) {
    const GroupRange here{group, group};
    const View src = emitter.src().map(here);
    const std::vector<int> positions = emitter.src().layout.channel_positions(here);
    const int padded = emitter.src().layout.padded_channels(here);
    const View diff_scale = emitter.temporary(0, channel_vector(padded));
    const View diff_shift = emitter.temporary(1, channel_vector(padded));
    const bool with_relu = emitter.fusion().activation == Activation::kRelu;
    const Primitive primitive = batch_norm_backward(src.desc, layer.epsilon(), with_relu);
    std::vector<Argument> arguments{
        {DNNL_ARG_SRC, src},
        {DNNL_ARG_MEAN, emitter.keep(kMean, group, channel_vector(padded))},
        {DNNL_ARG_VARIANCE, emitter.keep(kVariance, group, channel_vector(padded))},
        {DNNL_ARG_SCALE, emitter.packed(group, ParameterRole::kScale)},
        {DNNL_ARG_DIFF_DST, emitter.diff_dst().map(here)},
        {DNNL_ARG_DIFF_SRC, place.map(here)},
        {DNNL_ARG_DIFF_SCALE, diff_scale},
        {DNNL_ARG_DIFF_SHIFT, diff_shift}};
    if (batch_norm_backward_takes_shift()) {
      arguments.push_back({DNNL_ARG_SHIFT, emitter.packed(group, ParameterRole::kShift)});
    }
    if (with_relu) {
      arguments.push_back(
          {DNNL_ARG_WORKSPACE, emitter.keep(kRectified, group, primitive.workspace)});
    }
    emitter.add(primitive, std::move(arguments));
    const DensePiece vector = vector_piece(positions);
    emitter.store_gradient(group, ParameterRole::kScale, diff_scale, vector);
    emitter.store_gradient(group, ParameterRole::kShift, diff_shift, vector);
  }
}

}  // namespace bellows
