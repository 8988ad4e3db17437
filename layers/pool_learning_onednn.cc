// max_pool, avg_pool and global_avg_pool.
#include "layers/avg_pool.h"
#include "layers/global_avg_pool.h"
#include "layers/learning_onednn.h"
#include "layers/max_pool.h"
#include "layers/pool_onednn.h"

namespace bellows {
namespace {

constexpr int kWinners = 0;  // slot: which pixel of each window was the largest

void emit_mean_backward(const Window& window, LearningEmitter& emitter) {
  if (!emitter.wants_diff_src()) return;
  const View diff_dst = emitter.diff_dst().blocks(emitter.range());
  const View diff_src = emitter.diff_src().blocks(emitter.range());
  emitter.add(pooling_backward(Pooling::kAverage, diff_src.desc, diff_dst.desc, window),
              {{DNNL_ARG_DIFF_DST, diff_dst}, {DNNL_ARG_DIFF_SRC, diff_src}});
}

}  // namespace

void emit_learning_forward(const MaxPool& layer, LearningEmitter& emitter) {
  const GroupRange here{emitter.group(), emitter.group()};
  const View src = emitter.src().blocks(here);
  const View dst = emitter.dst().blocks(here);
  const Primitive primitive =
      pooling_forward(Pooling::kMax, /*learning=*/true, src.desc, dst.desc, pool_window(layer));
  emitter.add(primitive,
              {{DNNL_ARG_SRC, src},
               {DNNL_ARG_DST, dst},
               {DNNL_ARG_WORKSPACE, emitter.keep(kWinners, here.first, primitive.workspace)}});
}

void emit_backward(const MaxPool& layer, LearningEmitter& emitter) {
  if (!emitter.wants_diff_src()) return;
  const TensorPlace place = emitter.diff_src();
  for (int group = emitter.range().first; group <= emitter.range().last; ++group) {
    const View diff_dst = emitter.diff_dst().blocks({group, group});
    const View diff_src = place.blocks({group, group});
    const Primitive primitive =
        pooling_backward(Pooling::kMax, diff_src.desc, diff_dst.desc, pool_window(layer));
    emitter.add(primitive,
                {{DNNL_ARG_DIFF_DST, diff_dst},
                 {DNNL_ARG_WORKSPACE, emitter.keep(kWinners, group, primitive.workspace)},
                 {DNNL_ARG_DIFF_SRC, diff_src}});
  }
}

void emit_learning_forward(const AvgPool& layer, LearningEmitter& emitter) {
  emit_forward(layer, emitter);
}
void emit_backward(const AvgPool& layer, LearningEmitter& emitter) {
  emit_mean_backward(pool_window(layer), emitter);
}

void emit_learning_forward(const GlobalAvgPool& layer, LearningEmitter& emitter) {
  emit_forward(layer, emitter);
}
void emit_backward(const GlobalAvgPool& /*layer*/, LearningEmitter& emitter) {
  emit_mean_backward(whole_map_window(emitter.site().src), emitter);
}

}  // namespace bellows
