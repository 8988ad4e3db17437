#include "layers/forward_onednn.h"

#include <algorithm>
#include <utility>

#include "layers/all_layers.h"

namespace bellows {
namespace {

constexpr auto kF32 = dnnl::memory::data_type::f32;
using Tag = dnnl::memory::format_tag;

int rounded_up(int channels, int block) { return (channels + block - 1) / block * block; }

}  // namespace

ActivationLayout::ActivationLayout(const MapShape& shape, int batch, bool plain)
    : shape_(shape), batch_(batch), block_(plain ? 1 : channel_block()) {}

int ActivationLayout::padded_channels(GroupRange range) const {
  int channels = 0;
  for (int group = range.first; group <= range.last; ++group) {
    channels += rounded_up(shape_.channels_of(group), block_);
  }
  return channels;
}

std::size_t ActivationLayout::bytes(GroupRange range) const {
  return static_cast<std::size_t>(padded_channels(range)) * static_cast<std::size_t>(batch_) *
         static_cast<std::size_t>(shape_.pixels()) * sizeof(float);
}

Desc ActivationLayout::map(GroupRange range) const {
  const int channels = padded_channels(range);
  if (batch_ == 1) {
    return {{1, channels, shape_.height, shape_.width}, kF32, map_tag(block_, false)};
  }
  return {{1, channels, batch_, shape_.height, shape_.width}, kF32, map_tag(block_, true)};
}

Desc ActivationLayout::rows(GroupRange range) const {
  return {{1, padded_channels(range), 1, batch_}, kF32, map_tag(block_, false)};
}

Desc ActivationLayout::blocks(GroupRange range) const {
  const auto samples = dnnl::memory::dim{padded_channels(range) / block_} * batch_;
  return {{samples, block_, shape_.height, shape_.width}, kF32, map_tag(block_, false)};
}

Desc ActivationLayout::flat(GroupRange range) const {
  return {{static_cast<dnnl::memory::dim>(bytes(range) / sizeof(float))}, kF32, Tag::a};
}

std::vector<int> ActivationLayout::channel_positions(GroupRange range) const {
  std::vector<int> positions;
  int start = 0;
  for (int group = range.first; group <= range.last; ++group) {
    for (int channel = 0; channel < shape_.channels_of(group); ++channel) {
      positions.push_back(start + channel);
    }
    start += rounded_up(shape_.channels_of(group), block_);
  }
  return positions;
}

std::vector<int> ActivationLayout::feature_positions(GroupRange range) const {
  std::vector<int> positions;
  const int pixels = static_cast<int>(shape_.pixels());
  int start = 0;
  for (int group = range.first; group <= range.last; ++group) {
    for (int channel = 0; channel < shape_.channels_of(group); ++channel) {
      for (int pixel = 0; pixel < pixels; ++pixel) {
        positions.push_back(start + (channel / block_ * pixels + pixel) * block_ +
                            channel % block_);
      }
    }
    start += rounded_up(shape_.channels_of(group), block_) * pixels;
  }
  return positions;
}

std::size_t ActivationLayout::index(int sample, int channel, std::int64_t pixel) const {
  const auto block = static_cast<std::size_t>(block_);
  const auto lane = static_cast<std::size_t>(channel % block_);
  const auto plane = static_cast<std::size_t>(channel / block_) * static_cast<std::size_t>(batch_) +
                     static_cast<std::size_t>(sample);
  return (plane * static_cast<std::size_t>(shape_.pixels()) + static_cast<std::size_t>(pixel)) *
             block +
         lane;
}

std::size_t TensorPlace::offset_of(int group) const {
  return offset + layout.bytes({first_group, group - 1});
}
View TensorPlace::map(GroupRange range) const {
  return {layout.map(range), buffer, offset_of(range.first)};
}
View TensorPlace::rows(GroupRange range) const {
  return {layout.rows(range), buffer, offset_of(range.first)};
}
View TensorPlace::blocks(GroupRange range) const {
  return {layout.blocks(range), buffer, offset_of(range.first)};
}
View TensorPlace::flat(GroupRange range) const {
  return {layout.flat(range), buffer, offset_of(range.first)};
}

void add_step(Program& program, BufferTable& table, std::string label, const Primitive& primitive,
              std::vector<Argument> arguments) {
  const std::size_t scratch = primitive.scratchpad.get_size();
  if (scratch > 0) {
    table.grow(BufferTable::kScratchpad, scratch);
    arguments.push_back({DNNL_ARG_SCRATCHPAD, {primitive.scratchpad, BufferTable::kScratchpad, 0}});
  }
  program.push_back({std::move(label), primitive, {}, std::move(arguments)});
}

Kernel flatten_kernel(const ActivationLayout& layout, int group, bool back) {
  const auto block = static_cast<std::size_t>(layout.block());
  const auto blocks = static_cast<std::size_t>(layout.padded_channels({group, group})) / block;
  const auto batch = static_cast<std::size_t>(layout.batch());
  const auto pixels = static_cast<std::size_t>(layout.shape().pixels());
  return [=](void* const* arguments) {
    const auto* src = static_cast<const float*>(arguments[0]);
    auto* dst = static_cast<float*>(arguments[1]);
    for (std::size_t b = 0; b < blocks; ++b) {
      for (std::size_t n = 0; n < batch; ++n) {
        for (std::size_t p = 0; p < pixels; ++p) {
          const std::size_t as_map = ((b * batch + n) * pixels + p) * block;
          const std::size_t as_features = ((b * pixels + p) * batch + n) * block;
          std::copy_n(src + (back ? as_features : as_map), block,
                      dst + (back ? as_map : as_features));
        }
      }
    }
  };
}

ActivationLayout feature_layout(const ActivationLayout& layout) {
  MapShape shape = layout.shape();
  // Counted with the padding inside, since padded channels become padded features in between.
  for (std::size_t i = 0; i < shape.channels.size(); ++i) {
    const int group = static_cast<int>(i) + 1;
    shape.channels[i] = layout.padded_channels({group, group}) * static_cast<int>(shape.pixels());
  }
  shape.height = 1;
  shape.width = 1;
  return {shape, layout.batch(), false};
}

void emit_forward(const Layer& layer, ForwardEmitter& emitter) {
  switch (layer.kind()) {
#define BELLOWS_LAYER(kind, Class) \
  case LayerKind::k##Class:        \
    return emit_forward(static_cast<const Class&>(layer), emitter);
#include "layers/layer_list.def"
#undef BELLOWS_LAYER
  }
}

}  // namespace bellows
