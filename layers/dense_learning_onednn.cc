#include "layers/dense_learning_onednn.h"

#include <bellows/error.h>

#include <utility>

#include "layers/bf16_conv_learning_onednn.h"

namespace bellows {
namespace {

constexpr auto kF32 = dnnl::memory::data_type::f32;

Primitive required(std::optional<Primitive> made) {
  if (!made) {
    throw Error(ErrorCode::kUnsupported, "oneDNN has no gradient for a convolution of this shape");
  }
  return *std::move(made);
}

// Gradient of the weights and bias of one group.
void emit_weight_gradient(const DenseGeometry& geometry, GroupRange reads, int group,
                          const TensorPlace& src, LearningEmitter& emitter) {
  const GroupRange here{group, group};
  const TensorPlace& diff_dst = emitter.diff_dst();
  const View src_view = dense_view(geometry, src, reads);
  const View diff_view = dense_view(geometry, diff_dst, here);
  const int outputs = diff_dst.layout.padded_channels(here);

  DensePiece piece;
  piece.column_positions = source_positions(geometry, emitter.src(), reads);
  piece.row_columns = static_cast<int>(piece.column_positions.size());
  piece.kernel = geometry.kernel.height * geometry.kernel.width;
  piece.padded_columns = src.layout.padded_channels(reads);
  piece.row_positions = diff_dst.layout.channel_positions(here);
  if (emit_bf16_weight_gradient(geometry, reads, group, piece, emitter)) return;

  const int batch = diff_dst.layout.batch();
  const Desc any(dense_weight_dims(outputs, piece.padded_columns, geometry, batch), kF32,
                 dnnl::memory::format_tag::any);
  const Primitive primitive = required(convolution_backward_weights(
      src_view.desc, any, geometry.has_bias, diff_view.desc, convolution_window(geometry, batch)));
  const View weight = emitter.temporary(0, primitive.weights);
  std::vector<Argument> arguments{
      {DNNL_ARG_SRC, src_view}, {DNNL_ARG_DIFF_DST, diff_view}, {DNNL_ARG_DIFF_WEIGHTS, weight}};
  View bias;
  if (geometry.has_bias) {
    bias = emitter.temporary(1, Desc({outputs}, kF32, dnnl::memory::format_tag::a));
    arguments.push_back({DNNL_ARG_DIFF_BIAS, bias});
  }
  emitter.add(primitive, std::move(arguments));
  emitter.store_gradient(group, ParameterRole::kWeight, weight, piece);
  if (geometry.has_bias) {
    emitter.store_gradient(group, ParameterRole::kBias, bias, vector_piece(piece.row_positions));
  }
}

// Gradient of group `source` of src. Every trainable group that reads it contributes; their rows of
// the weights are stacked, so that one convolution sums all contributions.
void emit_data_gradient(const DenseGeometry& geometry, const std::function<GroupRange(int)>& reads,
                        int source, const TensorPlace& diff_src, LearningEmitter& emitter) {
  const TensorPlace& diff_dst = emitter.diff_dst();
  GroupRange readers{0, -1};
  std::vector<StackedPiece> pieces;
  int rows = 0;
  for (int group = emitter.range().first; group <= emitter.range().last; ++group) {
    const GroupRange read = reads(group);
    if (source < read.first || source > read.last) continue;
    if (pieces.empty()) readers.first = group;
    readers.last = group;
    DensePiece piece;
    piece.kernel = geometry.kernel.height * geometry.kernel.width;
    piece.row_columns = static_cast<int>(source_positions(geometry, emitter.src(), read).size());
    piece.column_begin = static_cast<int>(
        source_positions(geometry, emitter.src(), {read.first, source - 1}).size());
    piece.column_positions = source_positions(geometry, emitter.src(), {source, source});
    piece.padded_columns = diff_src.layout.padded_channels({source, source});
    piece.row_positions = diff_dst.layout.channel_positions({group, group});
    for (int& position : piece.row_positions) position += rows;
    rows += diff_dst.layout.padded_channels({group, group});
    pieces.push_back({group, std::move(piece)});
  }
  if (emit_bf16_data_gradient(geometry, source, readers, rows, pieces, diff_src, emitter)) return;
  const int batch = diff_dst.layout.batch();
  const View src_view = dense_view(geometry, diff_src, {source, source});
  const View dst_view = dense_view(geometry, diff_dst, readers);
  const Desc any(
      dense_weight_dims(rows, diff_src.layout.padded_channels({source, source}), geometry, batch),
      kF32, dnnl::memory::format_tag::any);
  const Primitive primitive = required(convolution_backward_data(
      src_view.desc, any, dst_view.desc, convolution_window(geometry, batch)));
  emitter.add(primitive,
              {{DNNL_ARG_DIFF_SRC, src_view},
               {DNNL_ARG_WEIGHTS, emitter.stacked_weights(primitive.weights, source, pieces)},
               {DNNL_ARG_DIFF_DST, dst_view}});
}

}  // namespace

void emit_dense_backward(const DenseGeometry& geometry, const std::function<GroupRange(int)>& reads,
                         LearningEmitter& emitter) {
  const GroupRange range = emitter.range();
  const TensorPlace& src = geometry.features ? emitter.features() : emitter.src();
  for (int group = range.first; group <= range.last; ++group) {
    emit_weight_gradient(geometry, reads(group), group, src, emitter);
  }
  if (!emitter.wants_diff_src()) return;
  const TensorPlace diff_src = geometry.features ? emitter.diff_features() : emitter.diff_src();
  for (int source = range.first; source <= range.last; ++source) {
    emit_data_gradient(geometry, reads, source, diff_src, emitter);
  }
  if (geometry.features) emitter.finish_diff_features(diff_src);
}

}  // namespace bellows
