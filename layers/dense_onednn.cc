#include "layers/dense_onednn.h"

#include <bellows/error.h>

#include <utility>

namespace bellows {
namespace {

constexpr auto kF32 = dnnl::memory::data_type::f32;
using Tag = dnnl::memory::format_tag;

}  // namespace

Window convolution_window(const DenseGeometry& geometry, int batch) {
  Window window{{},
                {geometry.stride.height, geometry.stride.width},
                {geometry.padding.height, geometry.padding.width}};
  if (batch > 1) {
    window.strides.insert(window.strides.begin(), 1);
    window.padding.insert(window.padding.begin(), 0);
  }
  return window;
}

Dims dense_weight_dims(int outputs, int inputs, Size2 kernel, int batch) {
  if (batch == 1) return {outputs, inputs, kernel.height, kernel.width};
  return {outputs, inputs, 1, kernel.height, kernel.width};
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

  DensePiece piece;
  piece.column_positions = source_positions(geometry, emitter.src(), reads);
  piece.row_columns = static_cast<int>(piece.column_positions.size());
  piece.kernel = geometry.kernel.height * geometry.kernel.width;
  piece.padded_columns = src.layout.padded_channels(reads);
  piece.row_positions = dst.layout.channel_positions(here);
  const int outputs = dst.layout.padded_channels(here);

  const Fusion fusion = emitter.fusion();
  const View src_view = src.map(reads);
  const View dst_view = dst.map(here);
  PostOps post_ops;
  post_ops.activation = fusion.activation;
  const bool has_bias = geometry.has_bias || fusion.normalised;
  View addend;
  if (fusion.addend != nullptr) {
    addend = fusion.addend->map({fusion.addend_group, fusion.addend_group});
    post_ops.addend = addend.desc;
  }

  const Dims dims =
      dense_weight_dims(outputs, piece.padded_columns, geometry.kernel, dst.layout.batch());
  const Window window = convolution_window(geometry, dst.layout.batch());
  auto primitive = convolution_forward(src_view.desc, emitter.weights_desc(dims), has_bias,
                                       dst_view.desc, window, post_ops);
  if (!primitive || is_reference(*primitive)) {
    // The layout that the weights have already does not suit this batch size: let oneDNN choose.
    const Desc any(dims, kF32, Tag::any);
    primitive = convolution_forward(src_view.desc, any, has_bias, dst_view.desc, window, post_ops);
  }
  if (!primitive) {
    throw Error(ErrorCode::kUnsupported, "oneDNN has no convolution for this layer's shape");
  }
  std::vector<Argument> arguments{{DNNL_ARG_SRC, src_view},
                                  {DNNL_ARG_WEIGHTS, emitter.weights(primitive->weights, piece)},
                                  {DNNL_ARG_DST, dst_view}};
  if (has_bias) {
    arguments.push_back(
        {DNNL_ARG_BIAS, emitter.vector(ParameterRole::kBias, piece.row_positions, outputs)});
  }
  if (fusion.addend != nullptr) {
    arguments.push_back({post_op_addend(), addend});
  }
  emitter.add(*primitive, std::move(arguments));
}

}  // namespace bellows
