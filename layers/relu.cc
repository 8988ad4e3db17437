#include "layers/relu.h"

namespace bellows {

void Relu::visit_own_fields(FieldVisitor& /*visitor*/) {}

MapShape Relu::output_shape(const MapShape& src, bool src_is_input, int /*groups*/) const {
  if (src_is_input) fail("cannot stand first");
  return src;
}

}  // namespace bellows
