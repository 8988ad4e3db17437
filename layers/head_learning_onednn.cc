#include "layers/head.h"

#include "layers/dense_learning_onednn.h"
#include "layers/elementwise_onednn.h"

namespace bellows {

void emit_learning_forward(const Head& layer, LearningEmitter& emitter) {
  emit_forward(layer, emitter);
}

void emit_backward(const Head& layer, LearningEmitter& emitter) {
  const GroupRange range = emitter.range();
  if (layer.mode() == HeadMode::kAdditive) {
    // A group's share is in the logits of its own width and of every wider one.
    const TensorPlace& diff = emitter.diff_dst();
    for (int group = range.last - 1; group >= range.first; --group) {
      const View here = diff.flat({group, group});
      emit_sum(here, diff.flat({group + 1, group + 1}), here, emitter);
    }
  }
  emit_dense_backward(
      dense_geometry(layer), [&](int group) { return layer.groups_read(emitter.site(), group); },
      emitter);
}

}  // namespace bellows
