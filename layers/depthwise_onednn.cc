#include "layers/depthwise_onednn.h"

#include <utility>

#include "layers/elementwise_onednn.h"

namespace bellows {
namespace {

bool with_depth(const ActivationLayout& layout) { return layout.plain() && layout.batch() > 1; }

bool all_at_once(const ActivationLayout& layout) { return layout.plain() || layout.batch() == 1; }

}  // namespace

Desc depthwise_weights_desc(const Conv& layer, const ActivationLayout& layout, int channels) {
  using Tag = dnnl::memory::format_tag;
  const auto f32 = dnnl::memory::data_type::f32;
  const Size2 kernel = layer.kernel();
  if (with_depth(layout)) {
    return {{channels, 1, 1, 1, kernel.height, kernel.width}, f32, Tag::goidhw};
  }
  const int block = layout.block();
  const Tag tag = block == 16  ? Tag::Goihw16g
                  : block == 8 ? Tag::Goihw8g
                  : block == 4 ? Tag::Goihw4g
                               : Tag::goihw;
  return {{channels, 1, 1, kernel.height, kernel.width}, f32, tag};
}

DensePiece depthwise_piece(const Conv& layer, const ActivationLayout& layout, int group) {
  DensePiece piece;
  piece.row_columns = 1;
  piece.kernel = layer.kernel().height * layer.kernel().width;
  piece.padded_columns = 1;
  piece.row_positions = layout.channel_positions({group, group});
  piece.column_positions = {0};
  return piece;
}

Window depthwise_window(const Conv& layer, const ActivationLayout& layout) {
  const Size2 stride = layer.stride();
  const Size2 padding = layer.padding();
  if (with_depth(layout)) {
    return {{}, {1, stride.height, stride.width}, {0, padding.height, padding.width}};
  }
  return {{}, {stride.height, stride.width}, {padding.height, padding.width}};
}

int depthwise_channels_at_once(const ActivationLayout& layout, int group) {
  return all_at_once(layout) ? layout.padded_channels({group, group}) : layout.block();
}

View depthwise_part(const TensorPlace& place, int group, int begin) {
  const GroupRange here{group, group};
  View view = place.map(here);
  if (all_at_once(place.layout)) return view;
  const int block = place.layout.block();
  const MapShape& shape = place.layout.shape();
  view.desc = Desc({place.layout.batch(), block, shape.height, shape.width},
                   dnnl::memory::data_type::f32, map_tag(block, /*with_depth=*/false));
  view.offset += static_cast<std::size_t>(begin / block) * view.desc.get_size();
  return view;
}

void emit_depthwise_forward(const Conv& layer, ForwardEmitter& emitter) {
  const int group = emitter.group();
  const GroupRange here{group, group};
  const TensorPlace& src = emitter.src();
  const TensorPlace& dst = emitter.dst();
  const int channels = dst.layout.padded_channels(here);
  const int at_once = depthwise_channels_at_once(dst.layout, group);
  const Fusion fusion = emitter.fusion();
  const bool has_bias = layer.bias() || fusion.normalised;

  const auto part = [group](const TensorPlace& place, int begin) {
    return depthwise_part(place, group, begin);
  };

  const Desc filter_desc = depthwise_weights_desc(layer, dst.layout, at_once);
  const auto convolution = [&](const PostOps& post_ops) {
    return convolution_forward(part(src, 0).desc, filter_desc, has_bias, part(dst, 0).desc,
                               depthwise_window(layer, dst.layout), post_ops);
  };
  const FusedConvolution made = fused_convolution(
      fusion, fusion.addend == nullptr ? Desc() : part(*fusion.addend, 0).desc, convolution);
  const View weights = emitter.weights(depthwise_weights_desc(layer, dst.layout, channels),
                                       depthwise_piece(layer, dst.layout, group));
  View bias;
  if (has_bias) {
    bias = emitter.vector(ParameterRole::kBias, dst.layout.channel_positions(here), channels);
  }
  for (int begin = 0; begin < channels; begin += at_once) {
    View filter = weights;
    filter.desc = filter_desc;
    filter.offset += static_cast<std::size_t>(begin / at_once) * filter.desc.get_size();
    std::vector<Argument> arguments{{DNNL_ARG_SRC, part(src, begin)},
                                    {DNNL_ARG_WEIGHTS, filter},
                                    {DNNL_ARG_DST, part(dst, begin)}};
    if (has_bias) {
      View offsets = bias;
      offsets.desc = Desc({at_once}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
      offsets.offset += static_cast<std::size_t>(begin) * sizeof(float);
      arguments.push_back({DNNL_ARG_BIAS, offsets});
    }
    if (made.fused && fusion.addend != nullptr) {
      arguments.push_back({post_op_addend(), part(*fusion.addend, begin)});
    }
    emitter.add(made.primitive, std::move(arguments));
  }
  if (!made.fused) emit_unfused(fusion, emitter);
}

}  // namespace bellows
