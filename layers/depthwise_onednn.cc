#include "layers/depthwise_onednn.h"

#include <bellows/error.h>

#include <utility>

namespace bellows {

Desc depthwise_weights_desc(const Conv& layer, int channels) {
  using Tag = dnnl::memory::format_tag;
  const int block = channel_block();
  const Tag tag = block == 16 ? Tag::Goihw16g : block == 8 ? Tag::Goihw8g : Tag::Goihw4g;
  return {{channels, 1, 1, layer.kernel().height, layer.kernel().width},
          dnnl::memory::data_type::f32,
          tag};
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

Window depthwise_window(const Conv& layer) {
  return {{},
          {layer.stride().height, layer.stride().width},
          {layer.padding().height, layer.padding().width}};
}

int depthwise_channels_at_once(const ActivationLayout& layout, int group) {
  return layout.batch() == 1 ? layout.padded_channels({group, group}) : layout.block();
}

View depthwise_part(const TensorPlace& place, int group, int begin) {
  const GroupRange here{group, group};
  View view = place.map(here);
  if (place.layout.batch() == 1) return view;
  using Tag = dnnl::memory::format_tag;
  const int block = place.layout.block();
  const MapShape& shape = place.layout.shape();
  view.desc =
      Desc({place.layout.batch(), block, shape.height, shape.width}, dnnl::memory::data_type::f32,
           block == 16  ? Tag::nChw16c
           : block == 8 ? Tag::nChw8c
                        : Tag::nChw4c);
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

  PostOps post_ops;
  post_ops.activation = fusion.activation;
  if (fusion.addend != nullptr) post_ops.addend = part(*fusion.addend, 0).desc;
  const auto primitive =
      convolution_forward(part(src, 0).desc, depthwise_weights_desc(layer, at_once), has_bias,
                          part(dst, 0).desc, depthwise_window(layer), post_ops);
  if (!primitive) {
    throw Error(ErrorCode::kUnsupported, "oneDNN has no depthwise convolution for this shape");
  }
  const View weights = emitter.weights(depthwise_weights_desc(layer, channels),
                                       depthwise_piece(layer, dst.layout, group));
  View bias;
  if (has_bias) {
    bias = emitter.vector(ParameterRole::kBias, dst.layout.channel_positions(here), channels);
  }
  for (int begin = 0; begin < channels; begin += at_once) {
    View filter = weights;
    filter.desc = depthwise_weights_desc(layer, at_once);
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
    if (fusion.addend != nullptr) {
      arguments.push_back({post_op_addend(), part(*fusion.addend, begin)});
    }
    emitter.add(*primitive, std::move(arguments));
  }
}

}  // namespace bellows
