// max_pool, avg_pool and global_avg_pool.
#include "layers/pool_onednn.h"

#include "layers/avg_pool.h"
#include "layers/global_avg_pool.h"
#include "layers/max_pool.h"

namespace bellows {
namespace {

void emit_pooling(Pooling kind, const Window& window, ForwardEmitter& emitter) {
  const GroupRange here{emitter.group(), emitter.group()};
  const View src = emitter.src().blocks(here);
  const View dst = emitter.dst().blocks(here);
  emitter.add(pooling_forward(kind, /*learning=*/false, src.desc, dst.desc, window),
              {{DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst}});
}

}  // namespace

Window pool_window(const Pool& layer) {
  return {{layer.kernel().height, layer.kernel().width},
          {layer.stride().height, layer.stride().width},
          {layer.padding().height, layer.padding().width}};
}

Window whole_map_window(const MapShape& src) { return {{src.height, src.width}, {1, 1}, {0, 0}}; }

void emit_forward(const MaxPool& layer, ForwardEmitter& emitter) {
  emit_pooling(Pooling::kMax, pool_window(layer), emitter);
}

void emit_forward(const AvgPool& layer, ForwardEmitter& emitter) {
  emit_pooling(Pooling::kAverage, pool_window(layer), emitter);
}

void emit_forward(const GlobalAvgPool& /*layer*/, ForwardEmitter& emitter) {
  emit_pooling(Pooling::kAverage, whole_map_window(emitter.site().src), emitter);
}

}  // namespace bellows
