#include "layers/conv.h"

#include <bellows/error.h>

#include "layers/bf16_conv_learning_onednn.h"
#include "layers/dense_learning_onednn.h"
#include "layers/depthwise_gradient.h"
#include "layers/depthwise_onednn.h"

namespace bellows {
namespace {

// The gradient of filters and bias by our own code, where oneDNN has none that is fast.
void emit_own_gradient(const Conv& layer, int group, const View& weight, const View& bias,
                       LearningEmitter& emitter) {
  const TensorPlace& src = emitter.src();
  const TensorPlace& diff_dst = emitter.diff_dst();
  const GroupRange here{group, group};
  const int block = src.layout.block();
  const DepthwiseShape shape{.blocks = src.layout.padded_channels(here) / block,
                             .block = block,
                             .batch = src.layout.batch(),
                             .src = {src.layout.shape().height, src.layout.shape().width},
                             .dst = {diff_dst.layout.shape().height, diff_dst.layout.shape().width},
                             .kernel = layer.kernel(),
                             .stride = layer.stride(),
                             .padding = layer.padding()};
  const bool has_bias = layer.bias();
  emitter.add_kernel(
      [shape, has_bias](void* const* arguments) {
        depthwise_weight_gradient(shape, static_cast<const float*>(arguments[0]),
                                  static_cast<const float*>(arguments[1]),
                                  static_cast<float*>(arguments[2]),
                                  has_bias ? static_cast<float*>(arguments[3]) : nullptr);
      },
      {src.map(here), diff_dst.map(here), weight, bias});
}

void emit_depthwise_backward(const Conv& layer, int group, const TensorPlace* diff_src,
                             LearningEmitter& emitter) {
  const GroupRange here{group, group};
  const TensorPlace& src = emitter.src();
  const TensorPlace& diff_dst = emitter.diff_dst();
  const int channels = src.layout.padded_channels(here);
  const int at_once = depthwise_channels_at_once(src.layout, group);
  const Window window = depthwise_window(layer, src.layout);
  const Desc filter = depthwise_weights_desc(layer, src.layout, at_once);
  const auto part = [&](const TensorPlace& place, int begin) {
    return depthwise_part(place, group, begin);
  };

  const auto weights_primitive = convolution_backward_weights(
      part(src, 0).desc, filter, layer.bias(), part(diff_dst, 0).desc, window);
  const auto data_primitive =
      convolution_backward_data(part(src, 0).desc, filter, part(diff_dst, 0).desc, window);
  if (!weights_primitive || !data_primitive) {
    throw Error(ErrorCode::kUnsupported, "oneDNN has no gradient for this depthwise convolution");
  }
  const View weight = emitter.temporary(0, depthwise_weights_desc(layer, src.layout, channels));
  const View bias = emitter.temporary(
      1, Desc({channels}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a));
  const bool own = is_reference(*weights_primitive);
  if (own) emit_own_gradient(layer, group, weight, bias, emitter);
  for (int begin = 0; begin < channels; begin += at_once) {
    View weight_part = weight;
    weight_part.desc = filter;
    weight_part.offset += static_cast<std::size_t>(begin / at_once) * filter.get_size();
    std::vector<Argument> arguments{{DNNL_ARG_SRC, part(src, begin)},
                                    {DNNL_ARG_DIFF_DST, part(diff_dst, begin)},
                                    {DNNL_ARG_DIFF_WEIGHTS, weight_part}};
    if (layer.bias()) {
      View bias_part = bias;
      bias_part.desc = Desc({at_once}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
      bias_part.offset += static_cast<std::size_t>(begin) * sizeof(float);
      arguments.push_back({DNNL_ARG_DIFF_BIAS, bias_part});
    }
    if (!own) emitter.add(*weights_primitive, std::move(arguments));
    if (diff_src != nullptr) {
      View packed = emitter.packed(group, ParameterRole::kWeight);
      packed.desc = filter;
      packed.offset += static_cast<std::size_t>(begin / at_once) * filter.get_size();
      emitter.add(*data_primitive, {{DNNL_ARG_DIFF_SRC, part(*diff_src, begin)},
                                    {DNNL_ARG_WEIGHTS, packed},
                                    {DNNL_ARG_DIFF_DST, part(diff_dst, begin)}});
    }
  }
  const DensePiece piece = depthwise_piece(layer, src.layout, group);
  emitter.store_gradient(group, ParameterRole::kWeight, weight, piece);
  if (layer.bias()) {
    DensePiece vector = piece;
    vector.kernel = 1;
    emitter.store_gradient(group, ParameterRole::kBias, bias, vector);
  }
}

}  // namespace

void emit_learning_forward(const Conv& layer, LearningEmitter& emitter) {
  if (!layer.depthwise() &&
      emit_bf16_forward(dense_geometry(layer), emitter.site().groups_read(emitter.group()),
                        emitter)) {
    return;
  }
  emit_forward(layer, emitter);
}

void emit_backward(const Conv& layer, LearningEmitter& emitter) {
  if (!layer.depthwise()) {
    emit_dense_backward(
        dense_geometry(layer), [&](int group) { return emitter.site().groups_read(group); },
        emitter);
    return;
  }
  TensorPlace diff_src;
  if (emitter.wants_diff_src()) diff_src = emitter.diff_src();
  for (int group = emitter.range().first; group <= emitter.range().last; ++group) {
    emit_depthwise_backward(layer, group, diff_src.exists() ? &diff_src : nullptr, emitter);
  }
}

}  // namespace bellows
