// What the pooling layers share: a window over every channel block.
#pragma once

#include "layers/forward_onednn.h"
#include "layers/pool.h"

namespace bellows {

Window pool_window(const Pool& layer);
/// The window that covers the whole map.
Window whole_map_window(const MapShape& src);

}  // namespace bellows
