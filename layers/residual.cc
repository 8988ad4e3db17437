#include "layers/residual.h"

#include "layers/batch_norm.h"
#include "layers/conv.h"

namespace bellows {

void Residual::visit_own_fields(FieldVisitor& visitor) {
  visitor.field("shortcut", shortcut_,
                {.help = "the way around the body", .choices = {"identity", "projected"}});
  visitor.tables(
      "body", {.help = "layers of the block, in order", .required = true},
      [this](const ConfigValue& table) { body_.push_back(read_layer(table)); },
      [this] {
        ConfigValue::Array array;
        for (const auto& layer : body_) array.push_back(write_layer(*layer));
        return array;
      });
}

MapShape Residual::output_shape(const MapShape& src, bool src_is_input, int groups) const {
  if (src_is_input) fail("cannot stand first");
  if (body_.empty()) fail("the body has no layers");
  MapShape shape = src;
  for (const auto& layer : body_) {
    if (layer->kind() == LayerKind::kHead) fail("a head cannot stand inside a body");
    shape = layer->output_shape(shape, false, groups);
  }
  if (!projected() && shape != src) {
    fail("an identity shortcut needs equal shapes, but the body turns " + src.text() + " into " +
         shape.text() + "; use shortcut = \"projected\"");
  }
  if (projected()) {
    MapShape projection = src;
    for (const auto& layer : make_projection(src, shape)) {
      projection = layer->output_shape(projection, false, groups);
    }
    if (projection != shape) {
      fail("no stride of a 1 x 1 projection turns " + src.text() + " into " + shape.text());
    }
  }
  return shape;
}

LayerList Residual::make_projection(const MapShape& src, const MapShape& dst) const {
  const Size2 stride{(src.height + dst.height - 1) / dst.height,
                     (src.width + dst.width - 1) / dst.width};
  LayerList layers;
  layers.push_back(
      std::make_unique<Conv>(name() + "_projection", dst.channels, Size2{1, 1}, stride, false));
  layers.push_back(std::make_unique<BatchNorm>(name() + "_projection_norm"));
  return layers;
}

}  // namespace bellows
