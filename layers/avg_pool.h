// Mean under a moving window.
#pragma once

#include "layers/pool.h"

namespace bellows {

/// dst = mean of src under the window; the rim is not counted.
class AvgPool final : public Pool {
 public:
  AvgPool() : Pool(LayerKind::kAvgPool) {}
};

}  // namespace bellows
