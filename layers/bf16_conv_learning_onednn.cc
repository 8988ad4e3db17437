#include "layers/bf16_conv_learning_onednn.h"

#include <optional>
#include <string_view>
#include <utility>

#include "layers/elementwise_onednn.h"

namespace bellows {
namespace {

constexpr auto kF32 = dnnl::memory::data_type::f32;
constexpr auto kBf16 = dnnl::memory::data_type::bf16;
using Tag = dnnl::memory::format_tag;

// Slots of the emitter's memory; others use the first ones.
constexpr int kSrcTemporary = 3;  // of frozen groups, which have no gradients
constexpr int kDiffDstTemporary = 3;
constexpr int kResultTemporary = 4;
constexpr int kKeptSrc = 0;

// Channels-last maps, as convolutions read them: [N, C, H, W].
Desc channels_last(const ActivationLayout& layout, int channels) {
  return {
      {layout.batch(), channels, layout.shape().height, layout.shape().width}, kBf16, Tag::nhwc};
}

// The same memory with the dimensions that blocked maps of this batch have, for reorders.
Desc as_map(const ActivationLayout& layout, int channels) {
  const int height = layout.shape().height;
  const int width = layout.shape().width;
  if (layout.batch() > 1) {
    return {{1, channels, layout.batch(), height, width}, kBf16, Tag::ndhwc};
  }
  return {{1, channels, height, width}, kBf16, Tag::nhwc};
}

Desc any_weights(const DenseGeometry& geometry, int outputs, int inputs,
                 dnnl::memory::data_type type) {
  return {dense_weight_dims(outputs, inputs, geometry, 1), type, Tag::any};
}

bool is_fast(const std::optional<Primitive>& primitive) {
  return primitive && multiplies_fast_bf16(primitive->implementation);
}

bool wanted(const DenseGeometry& geometry, const TensorPlace& src, const LearningEmitter& emitter) {
  return emitter.bf16() && !geometry.features && !src.layout.plain();
}

// Both primitives that a group's own pass needs, or nothing.
struct Primitives {
  Primitive forward;
  Primitive weights;
};
std::optional<Primitives> primitives(const DenseGeometry& geometry, GroupRange reads, int group,
                                     const ActivationLayout& src, const ActivationLayout& dst) {
  const int inputs = src.padded_channels(reads);
  const int outputs = dst.padded_channels({group, group});
  const Window window = convolution_window(geometry, 1);
  const Desc from = channels_last(src, inputs);
  const Desc to = channels_last(dst, outputs);
  auto forward = convolution_forward(from, any_weights(geometry, outputs, inputs, kBf16),
                                     geometry.has_bias, to, window, {});
  auto weights = convolution_backward_weights(from, any_weights(geometry, outputs, inputs, kF32),
                                              geometry.has_bias, to, window);
  if (!is_fast(forward) || !is_fast(weights)) return std::nullopt;
  return Primitives{*std::move(forward), *std::move(weights)};
}

View with_desc(View view, const Desc& desc) {
  view.desc = desc;
  return view;
}

// Rounds groups of a tensor into `to`, channels last.
void emit_rounding(const TensorPlace& from, GroupRange range, const View& to,
                   ForwardEmitter& emitter) {
  const View map = from.map(range);
  const Desc target = as_map(from.layout, from.layout.padded_channels(range));
  emitter.add(reorder(map.desc, target),
              {{DNNL_ARG_FROM, map}, {DNNL_ARG_TO, with_desc(to, target)}});
}

// The way back.
void emit_widening(const View& from, const TensorPlace& to, GroupRange range,
                   ForwardEmitter& emitter) {
  const View map = to.map(range);
  const Desc source = as_map(to.layout, to.layout.padded_channels(range));
  emitter.add(reorder(source, map.desc),
              {{DNNL_ARG_FROM, with_desc(from, source)}, {DNNL_ARG_TO, map}});
}

// How the plain weights of the group are padded.
DensePiece forward_piece(const DenseGeometry& geometry, GroupRange reads,
                         const ForwardEmitter& emitter) {
  const TensorPlace& src = emitter.src();
  DensePiece piece;
  piece.column_positions = source_positions(geometry, src, reads);
  piece.row_columns = static_cast<int>(piece.column_positions.size());
  piece.kernel = geometry.kernel.height * geometry.kernel.width;
  piece.padded_columns = src.layout.padded_channels(reads);
  piece.row_positions = emitter.dst().layout.channel_positions({emitter.group(), emitter.group()});
  return piece;
}

// The gradient of dst, rounded. Groups one by one leave it there for each other.
View rounded_diff_dst(GroupRange range, LearningEmitter& emitter) {
  const TensorPlace& diff_dst = emitter.diff_dst();
  const Desc desc = channels_last(diff_dst.layout, diff_dst.layout.padded_channels(range));
  const View rounded = emitter.temporary(kDiffDstTemporary, desc);
  emit_rounding(diff_dst, range, rounded, emitter);
  return rounded;
}

// Vector instructions for bfloat16 (AVX512_BF16) multiply twice as many numbers a cycle as those
// for f32 on AMD's processors, but no more on Intel's.
bool has_fast_vectors() {
#ifdef __x86_64__
  return __builtin_cpu_is("amd") != 0;
#else
  return false;
#endif
}

}  // namespace

bool multiplies_fast_bf16(std::string_view implementation) {
  if (implementation.find("amx") != std::string_view::npos) return true;
  return implementation.find("avx512_core_bf16") != std::string_view::npos && has_fast_vectors();
}

bool has_fast_bf16() {
  static const bool kHas = [] {
    const Desc map({16, 64, 16, 16}, kBf16, Tag::nhwc);
    const Desc weights({64, 64, 3, 3}, kBf16, Tag::any);
    const Desc gradient({64, 64, 3, 3}, kF32, Tag::any);
    const Window window{{}, {1, 1}, {1, 1}};
    return is_fast(convolution_forward(map, weights, false, map, window, {})) &&
           is_fast(convolution_backward_data(map, weights, map, window)) &&
           is_fast(convolution_backward_weights(map, gradient, false, map, window));
  }();
  return kHas;
}

bool emit_bf16_frozen(const DenseGeometry& geometry, GroupRange reads, ForwardEmitter& emitter) {
  const TensorPlace& src = emitter.src();
  const TensorPlace& dst = emitter.dst();
  if (geometry.features || src.layout.plain()) return false;
  const GroupRange here{emitter.group(), emitter.group()};
  const int inputs = src.layout.padded_channels(reads);
  const int outputs = dst.layout.padded_channels(here);
  const Fusion fusion = emitter.fusion();
  const bool has_bias = geometry.has_bias || fusion.normalised;
  // A sum is added up where it is exact, behind the convolution.
  PostOps post_ops;
  if (fusion.addend == nullptr) post_ops.activation = fusion.activation;
  const auto made = convolution_forward(
      channels_last(src.layout, inputs), any_weights(geometry, outputs, inputs, kBf16), has_bias,
      channels_last(dst.layout, outputs), convolution_window(geometry, 1), post_ops);
  if (!is_fast(made)) return false;

  const View rounded = emitter.temporary(kSrcTemporary, made->src);
  emit_rounding(src, reads, rounded, emitter);
  const View result = emitter.temporary(kResultTemporary, made->dst);
  const DensePiece piece = forward_piece(geometry, reads, emitter);
  std::vector<Argument> arguments{{DNNL_ARG_SRC, rounded},
                                  {DNNL_ARG_WEIGHTS, emitter.weights(made->weights, piece)},
                                  {DNNL_ARG_DST, result}};
  if (has_bias) {
    arguments.push_back(
        {DNNL_ARG_BIAS, emitter.vector(ParameterRole::kBias, piece.row_positions, outputs)});
  }
  emitter.add(*made, std::move(arguments));
  emit_widening(result, dst, here, emitter);
  if (fusion.addend != nullptr) emit_unfused(fusion, emitter);
  return true;
}

bool emit_bf16_forward(const DenseGeometry& geometry, GroupRange reads, LearningEmitter& emitter) {
  const TensorPlace& src = emitter.src();
  const TensorPlace& dst = emitter.dst();
  if (!wanted(geometry, src, emitter)) return false;
  const int group = emitter.group();
  const auto made = primitives(geometry, reads, group, src.layout, dst.layout);
  if (!made) return false;
  const View kept = emitter.keep(kKeptSrc, group, made->forward.src);
  emit_rounding(src, reads, kept, emitter);

  const DensePiece piece = forward_piece(geometry, reads, emitter);
  const View result = emitter.temporary(kResultTemporary, made->forward.dst);
  std::vector<Argument> arguments{{DNNL_ARG_SRC, kept},
                                  {DNNL_ARG_WEIGHTS, emitter.weights(made->forward.weights, piece)},
                                  {DNNL_ARG_DST, result}};
  if (geometry.has_bias) {
    arguments.push_back(
        {DNNL_ARG_BIAS, emitter.vector(ParameterRole::kBias, piece.row_positions,
                                       dst.layout.padded_channels({group, group}))});
  }
  emitter.add(made->forward, std::move(arguments));
  emit_widening(result, dst, {group, group}, emitter);
  return true;
}

bool emit_bf16_weight_gradient(const DenseGeometry& geometry, GroupRange reads, int group,
                               const DensePiece& piece, LearningEmitter& emitter) {
  const TensorPlace& src = emitter.src();
  if (!wanted(geometry, src, emitter)) return false;
  const TensorPlace& diff_dst = emitter.diff_dst();
  const auto made = primitives(geometry, reads, group, src.layout, diff_dst.layout);
  if (!made) return false;
  const View weight = emitter.temporary(0, made->weights.weights);
  std::vector<Argument> arguments{{DNNL_ARG_SRC, emitter.keep(kKeptSrc, group, made->forward.src)},
                                  {DNNL_ARG_DIFF_DST, rounded_diff_dst({group, group}, emitter)},
                                  {DNNL_ARG_DIFF_WEIGHTS, weight}};
  View bias;
  if (geometry.has_bias) {
    bias =
        emitter.temporary(1, Desc({diff_dst.layout.padded_channels({group, group})}, kF32, Tag::a));
    arguments.push_back({DNNL_ARG_DIFF_BIAS, bias});
  }
  emitter.add(made->weights, std::move(arguments));
  emitter.store_gradient(group, ParameterRole::kWeight, weight, piece);
  if (geometry.has_bias) {
    emitter.store_gradient(group, ParameterRole::kBias, bias, vector_piece(piece.row_positions));
  }
  return true;
}

bool emit_bf16_data_gradient(const DenseGeometry& geometry, int source, GroupRange readers,
                             int rows, const std::vector<StackedPiece>& pieces,
                             const TensorPlace& diff_src, LearningEmitter& emitter) {
  if (!wanted(geometry, emitter.src(), emitter)) return false;
  const TensorPlace& diff_dst = emitter.diff_dst();
  const int channels = diff_src.layout.padded_channels({source, source});
  const auto primitive = convolution_backward_data(
      channels_last(diff_src.layout, channels), any_weights(geometry, rows, channels, kBf16),
      channels_last(diff_dst.layout, rows), convolution_window(geometry, 1));
  if (!is_fast(primitive)) return false;
  // With a single group its gradient is there already, from that of the weights.
  const bool there =
      emitter.range().size() == 1 && primitives(geometry, emitter.site().groups_read(source),
                                                source, emitter.src().layout, diff_dst.layout);
  const View from = there ? emitter.temporary(kDiffDstTemporary, primitive->dst)
                          : rounded_diff_dst(readers, emitter);
  const View result = emitter.temporary(kResultTemporary, primitive->src);
  emitter.add(*primitive,
              {{DNNL_ARG_DIFF_SRC, result},
               {DNNL_ARG_WEIGHTS, emitter.stacked_weights(primitive->weights, source, pieces)},
               {DNNL_ARG_DIFF_DST, from}});
  emit_widening(result, diff_src, {source, source}, emitter);
  return true;
}

}  // namespace bellows
