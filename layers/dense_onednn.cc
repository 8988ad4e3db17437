#include "layers/dense_onednn.h"

#include <utility>

#include "layers/elementwise_onednn.h"

namespace bellows {
namespace {

constexpr auto kF32 = dnnl::memory::data_type::f32;
using Tag = dnnl::memory::format_tag;

// Winograd's algorithm gains where the transforms of tiles, whose cost grows with the sum of inputs
// and outputs, are small beside the products that it saves; and where what it adds in memory,
// weights of 16/9 of the size and the transformed tiles, does not push more out of the caches than
// it gains (docs/decisions/0006-winograd.md has the measurements).
constexpr int kWinogradInputs = 32;
constexpr int kWinogradOutputs = 64;

bool suits_winograd(const DenseGeometry& geometry, int inputs, int outputs) {
  return !geometry.features && geometry.kernel == Size2{3, 3} && geometry.stride == Size2{1, 1} &&
         inputs >= kWinogradInputs && outputs >= kWinogradOutputs;
}

// A batch of maps lies along depth; a batch of features along width.
bool with_depth(const DenseGeometry& geometry, int batch) {
  return batch > 1 && !geometry.features;
}

}  // namespace

Window convolution_window(const DenseGeometry& geometry, int batch) {
  Window window{{},
                {geometry.stride.height, geometry.stride.width},
                {geometry.padding.height, geometry.padding.width}};
  if (with_depth(geometry, batch)) {
    window.strides.insert(window.strides.begin(), 1);
    window.padding.insert(window.padding.begin(), 0);
  }
  return window;
}

Dims dense_weight_dims(int outputs, int inputs, const DenseGeometry& geometry, int batch) {
  const Size2 kernel = geometry.kernel;
  if (!with_depth(geometry, batch)) return {outputs, inputs, kernel.height, kernel.width};
  return {outputs, inputs, 1, kernel.height, kernel.width};
}

View dense_view(const DenseGeometry& geometry, const TensorPlace& place, GroupRange range) {
  return geometry.features ? place.rows(range) : place.map(range);
}

std::vector<int> source_positions(const DenseGeometry& geometry, const TensorPlace& src,
                                  GroupRange range) {
  return geometry.features ? src.layout.feature_positions(range)
                           : src.layout.channel_positions(range);
}

void emit_dense_forward(const DenseGeometry& geometry, GroupRange reads, ForwardEmitter& emitter) {
  const int group = emitter.group();
  const TensorPlace& src = geometry.features ? emitter.features() : emitter.src();
  const TensorPlace& dst = emitter.dst();
  const GroupRange here{group, group};
  const Fusion fusion = emitter.fusion();

  DensePiece piece;
  piece.column_positions = source_positions(geometry, emitter.src(), reads);
  piece.row_columns = static_cast<int>(piece.column_positions.size());
  piece.kernel = geometry.kernel.height * geometry.kernel.width;
  piece.padded_columns = src.layout.padded_channels(reads);
  piece.row_positions = dst.layout.channel_positions(here);
  const int outputs = dst.layout.padded_channels(here);

  const View src_view = dense_view(geometry, src, reads);
  const View dst_view = dense_view(geometry, dst, here);
  const bool has_bias = geometry.has_bias || fusion.normalised;
  View addend;
  if (fusion.addend != nullptr) {
    addend = dense_view(geometry, *fusion.addend, {fusion.addend_group, fusion.addend_group});
  }

  const int batch = dst.layout.batch();
  const Dims dims = dense_weight_dims(outputs, piece.padded_columns, geometry, batch);
  const Window window = convolution_window(geometry, batch);
  const auto convolution = [&](const PostOps& post_ops) {
    auto primitive = convolution_forward(src_view.desc, emitter.weights_desc(dims), has_bias,
                                         dst_view.desc, window, post_ops);
    if (!primitive || is_reference(*primitive)) {
      // The layout that the weights have already does not suit this batch size: oneDNN may choose.
      const Desc any(dims, kF32, Tag::any);
      primitive =
          convolution_forward(src_view.desc, any, has_bias, dst_view.desc, window, post_ops);
    }
    return primitive;
  };
  FusedConvolution made = fused_convolution(fusion, addend.desc, convolution);
  if (emitter.winograd() != Winograd::kNo &&
      suits_winograd(geometry, piece.padded_columns, outputs)) {
    const bool rectifier_only = fusion.addend == nullptr && fusion.activation != Activation::kRelu6;
    const PostOps post_ops{.addend = {},
                           .activation = rectifier_only ? fusion.activation : Activation::kNone};
    const auto faster = convolution_forward(src_view.desc, Desc(dims, kF32, Tag::any), has_bias,
                                            dst_view.desc, window, post_ops, Algorithm::kWinograd);
    // For another number of threads oneDNN may want other ones than it wanted when the model was
    // loaded.
    if (faster && is_opaque(faster->weights) && emitter.has_weights(faster->weights)) {
      // Made here and now, while the plain values are at hand.
      if (emitter.winograd() == Winograd::kBeside) {
        static_cast<void>(emitter.weights(made.primitive.weights, piece));
      }
      made = {*faster, rectifier_only};
    }
  }
  std::vector<Argument> arguments{
      {DNNL_ARG_SRC, src_view},
      {DNNL_ARG_WEIGHTS, emitter.weights(made.primitive.weights, piece)},
      {DNNL_ARG_DST, dst_view}};
  if (has_bias) {
    arguments.push_back(
        {DNNL_ARG_BIAS, emitter.vector(ParameterRole::kBias, piece.row_positions, outputs)});
  }
  if (made.fused && fusion.addend != nullptr) arguments.push_back({post_op_addend(), addend});
  emitter.add(made.primitive, std::move(arguments));
  if (!made.fused) emit_unfused(fusion, emitter);
}

}  // namespace bellows
