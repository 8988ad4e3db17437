#include "layers/conv.h"

#include <utility>

namespace bellows {

Conv::Conv(std::string name, std::vector<int> channels, Size2 kernel, Size2 stride, bool bias)
    : Layer(LayerKind::kConv, std::move(name)),
      channels_(std::move(channels)),
      kernel_(kernel),
      stride_(stride),
      bias_(bias) {}

void Conv::visit_own_fields(FieldVisitor& visitor) {
  visitor.field("channels", channels_,
                {.help = "output channels of each group; not for depthwise",
                 .minimum = 1,
                 .maximum = 1048576,
                 .per_group = true});
  visitor.field("kernel", kernel_,
                {.help = "window", .required = true, .minimum = 1, .maximum = kMaxMapLength});
  visitor.field("stride", stride_,
                {.help = "step of the window", .minimum = 1, .maximum = kMaxMapLength});
  visitor.field("padding", padding_,
                {.help = "zeros added on each side", .minimum = 0, .maximum = kMaxMapLength});
  visitor.field("depthwise", depthwise_, {.help = "each channel reads only its own channel"});
  visitor.field("bias", bias_, {.help = "learn an offset; needless before batch_norm"});
}

MapShape Conv::output_shape(const MapShape& src, bool src_is_input, int groups) const {
  MapShape dst;
  if (depthwise_) {
    if (!channels_.empty()) fail("a depthwise convolution keeps its channels; remove 'channels'");
    if (src_is_input) fail("the first convolution cannot be depthwise");
    dst.channels = src.channels;
  } else {
    require_group_sizes(channels_, "channels", groups);
    dst.channels = channels_;
  }
  dst.height = windowed(src.height, kernel_.height, stride_.height, padding_.height, "height");
  dst.width = windowed(src.width, kernel_.width, stride_.width, padding_.width, "width");
  return dst;
}

std::vector<ParameterSpec> Conv::parameters(const LayerSite& site, int group) const {
  const std::int64_t out = site.dst.channels_of(group);
  const std::int64_t in = depthwise_ ? 1 : site.channels_read(group);
  std::vector<ParameterSpec> specs;
  specs.push_back({ParameterRole::kWeight,
                   {out, in, kernel_.height, kernel_.width},
                   in * kernel_.height * kernel_.width});
  if (bias_) specs.push_back({ParameterRole::kBias, {out}});
  return specs;
}

std::int64_t Conv::macs(const LayerSite& site, int group) const {
  const std::int64_t in = depthwise_ ? 1 : site.channels_read(group);
  return saturated_product({site.dst.channels_of(group), in, kernel_.height, kernel_.width,
                            site.dst.height, site.dst.width});
}

}  // namespace bellows
