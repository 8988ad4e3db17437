// Largest value under a moving window.
#pragma once

#include "layers/pool.h"

namespace bellows {

/// dst = maximum of src under the window; the rim never wins.
class MaxPool final : public Pool {
 public:
  MaxPool() : Pool(LayerKind::kMaxPool) {}
};

}  // namespace bellows
