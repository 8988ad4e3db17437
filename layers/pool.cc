#include "layers/pool.h"

namespace bellows {

void Pool::visit_own_fields(FieldVisitor& visitor) {
  visitor.field("kernel", kernel_,
                {.help = "window", .required = true, .minimum = 1, .maximum = kMaxMapLength});
  visitor.field(
      "stride", stride_,
      {.help = "step of the window; 0: the window", .minimum = 0, .maximum = kMaxMapLength});
  visitor.field("padding", padding_,
                {.help = "rim added on each side", .minimum = 0, .maximum = kMaxMapLength});
}

MapShape Pool::output_shape(const MapShape& src, bool src_is_input, int /*groups*/) const {
  if (src_is_input) fail("cannot stand first");
  if ((stride_.height == 0) != (stride_.width == 0)) fail("stride is 0 in one direction only");
  // A window that lies wholly in the rim has no maximum and no mean.
  if (padding_.height >= kernel_.height || padding_.width >= kernel_.width) {
    fail("padding must be smaller than the kernel");
  }
  return {src.channels,
          windowed(src.height, kernel_.height, stride().height, padding_.height, "height"),
          windowed(src.width, kernel_.width, stride().width, padding_.width, "width")};
}

}  // namespace bellows
