#include "layers/learning_onednn.h"

#include "layers/avg_pool.h"
#include "layers/batch_norm.h"
#include "layers/conv.h"
#include "layers/dropout.h"
#include "layers/global_avg_pool.h"
#include "layers/head.h"
#include "layers/linear.h"
#include "layers/max_pool.h"
#include "layers/relu.h"
#include "layers/relu6.h"
#include "layers/residual.h"

namespace bellows {

void emit_learning_forward(const Layer& layer, LearningEmitter& emitter) {
  switch (layer.kind()) {
#define BELLOWS_LAYER(kind, Class) \
  case LayerKind::k##Class:        \
    return emit_learning_forward(static_cast<const Class&>(layer), emitter);
#include "layers/layer_list.def"
#undef BELLOWS_LAYER
  }
}

void emit_backward(const Layer& layer, LearningEmitter& emitter) {
  switch (layer.kind()) {
#define BELLOWS_LAYER(kind, Class) \
  case LayerKind::k##Class:        \
    return emit_backward(static_cast<const Class&>(layer), emitter);
#include "layers/layer_list.def"
#undef BELLOWS_LAYER
  }
}

}  // namespace bellows
