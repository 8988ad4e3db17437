#include "layers/learning_onednn.h"

#include "layers/all_layers.h"

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
