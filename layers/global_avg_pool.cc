#include "layers/global_avg_pool.h"

namespace bellows {

void GlobalAvgPool::visit_own_fields(FieldVisitor& /*visitor*/) {}

MapShape GlobalAvgPool::output_shape(const MapShape& src, bool src_is_input, int /*groups*/) const {
  if (src_is_input) fail("cannot stand first");
  return {src.channels, 1, 1};
}

}  // namespace bellows
