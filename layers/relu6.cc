#include "layers/relu6.h"

namespace bellows {

void Relu6::visit_own_fields(FieldVisitor& /*visitor*/) {}

MapShape Relu6::output_shape(const MapShape& src, bool src_is_input, int /*groups*/) const {
  if (src_is_input) fail("cannot stand first");
  return src;
}

}  // namespace bellows
