#include "layers/dropout.h"

namespace bellows {

void Dropout::visit_own_fields(FieldVisitor& visitor) {
  visitor.field("rate", rate_, {.help = "share of values dropped", .minimum = 0, .maximum = 0.95});
}

MapShape Dropout::output_shape(const MapShape& src, bool src_is_input, int /*groups*/) const {
  if (src_is_input) fail("cannot stand first");
  return src;
}

}  // namespace bellows
