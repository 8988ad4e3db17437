// How activations lie in memory, and what a layer is given to emit its forward pass.
//
// Layout. A tensor is [channel block][N][H][W][channel within block]: oneDNN's nChw16c for N = 1,
// nCdhw16c with the batch as depth for N > 1. Each group starts on a block of its own, padded with
// channels that stay zero, so the groups 1..k are a contiguous prefix for every batch size, and a
// group's slice is pointer arithmetic. A machine without fast convolutions for blocks has blocks of
// one channel, which is plain [C][N][H][W] without padding. The network's input is plain wherever
// its channels are few: oneDNN's first-layer convolutions want that.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "layers/dense.h"
#include "layers/layer.h"
#include "layers/program_onednn.h"

namespace bellows {

/// The layout of one tensor for one batch size.
class ActivationLayout {
 public:
  ActivationLayout() = default;
  /// `plain`: unblocked whatever the machine, for the input only.
  ActivationLayout(const MapShape& shape, int batch, bool plain);

  [[nodiscard]] bool plain() const { return block_ == 1; }
  [[nodiscard]] int block() const { return block_; }
  [[nodiscard]] int batch() const { return batch_; }
  [[nodiscard]] const MapShape& shape() const { return shape_; }
  /// Channels of the groups with their padding.
  [[nodiscard]] int padded_channels(GroupRange range) const;
  [[nodiscard]] std::size_t bytes(GroupRange range) const;

  /// As convolutions see it: [1, C, N, H, W] for N > 1, [1, C, H, W] for N = 1.
  [[nodiscard]] Desc map(GroupRange range) const;
  /// As layers over features see it, whose maps are single pixels: [1, C, 1, N].
  [[nodiscard]] Desc rows(GroupRange range) const;
  /// Every channel block as a sample of `block` channels: for channel-wise layers.
  [[nodiscard]] Desc blocks(GroupRange range) const;
  /// As one row of numbers: for element-wise layers.
  [[nodiscard]] Desc flat(GroupRange range) const;

  /// Padded position, within the range, of each logical channel.
  [[nodiscard]] std::vector<int> channel_positions(GroupRange range) const;
  /// Padded position, within the range, of each logical feature (C, H, W order) when the maps are
  /// laid out as features, [channel block][H][W][channel within block].
  [[nodiscard]] std::vector<int> feature_positions(GroupRange range) const;
  /// Index of the value (sample, channel, pixel) of one group, counted in values from the start of
  /// the group.
  [[nodiscard]] std::size_t index(int sample, int channel, std::int64_t pixel) const;

 private:
  MapShape shape_;
  int batch_ = 1;
  int block_ = 1;
};

/// A tensor's values (or gradients) in a buffer that begins with group `first_group`.
struct TensorPlace {
  ActivationLayout layout;
  BufferId buffer = -1;
  int first_group = 1;
  std::size_t offset = 0;  ///< bytes before group `first_group`

  [[nodiscard]] bool exists() const { return buffer >= 0; }
  [[nodiscard]] std::size_t offset_of(int group) const;
  [[nodiscard]] View map(GroupRange range) const;
  [[nodiscard]] View rows(GroupRange range) const;
  [[nodiscard]] View blocks(GroupRange range) const;
  [[nodiscard]] View flat(GroupRange range) const;
};

/// What the planner has merged into a convolution-like layer.
struct Fusion {
  bool normalised = false;              ///< a folded batch_norm: there is a bias in any case
  const TensorPlace* addend = nullptr;  ///< shortcut of a residual sum; narrower logits of a head
  int addend_group = 0;                 ///< group of `addend` that is added
  Activation activation = Activation::kNone;
};

/// Whether weights are kept as Winograd's algorithm wants them, where a convolution gains by it:
/// not at all, beside those of other convolutions, or instead of them.
enum class Winograd { kNo, kBeside, kInstead };

/// What a layer sees while it emits the forward pass of one of its groups. Implemented by the
/// planner (weights folded and packed once) and by the learner (weights packed at each step).
class ForwardEmitter {
 public:
  ForwardEmitter(const ForwardEmitter&) = delete;
  ForwardEmitter& operator=(const ForwardEmitter&) = delete;
  virtual ~ForwardEmitter() = default;

  [[nodiscard]] virtual const LayerSite& site() const = 0;
  [[nodiscard]] virtual int group() const = 0;
  /// Values; groups above `group()` must not be touched.
  [[nodiscard]] virtual const TensorPlace& src() const = 0;
  [[nodiscard]] virtual const TensorPlace& shortcut() const = 0;
  [[nodiscard]] virtual const TensorPlace& dst() const = 0;
  [[nodiscard]] virtual Fusion fusion() const { return {}; }

  [[nodiscard]] virtual Winograd winograd() const { return Winograd::kNo; }

  /// src as features, [C * H * W] channels of 1 x 1 maps. Where the batch makes that another order
  /// than the map's, emits (once) the steps that reorder group `group()`.
  [[nodiscard]] virtual const TensorPlace& features() = 0;

  /// The layout in which weights of this shape lie already, or format `any`.
  [[nodiscard]] virtual Desc weights_desc(const Dims& dims) = 0;
  /// The layer's weight, as `desc` wants it; `piece` says how the plain matrix is padded.
  [[nodiscard]] virtual View weights(const Desc& desc, const DensePiece& piece) = 0;
  /// Whether `weights` can answer for an opaque `desc`: plain values are there only while a model
  /// is loaded, and none can be made of other opaque ones.
  [[nodiscard]] virtual bool has_weights(const Desc& /*desc*/) const { return true; }
  /// A per-channel parameter padded with zeros: value i stands at positions[i] of `padded`.
  [[nodiscard]] virtual View vector(ParameterRole role, const std::vector<int>& positions,
                                    int padded) = 0;

  /// Memory for what one layer needs in a moment: keeps its content until something else is written
  /// to the same slot. Slots 0 to 4.
  [[nodiscard]] virtual View temporary(int slot, const Desc& desc) = 0;

  /// Adds a primitive (its scratchpad is added here) or a kernel. `label` is completed with the
  /// layer's name and group.
  virtual void add(const Primitive& primitive, std::vector<Argument> arguments) = 0;
  virtual void add_kernel(Kernel kernel, std::vector<View> arguments) = 0;

 protected:
  ForwardEmitter() = default;
};

/// Adds a step to a program and its scratchpad to the arguments and the table.
void add_step(Program& program, BufferTable& table, std::string label, const Primitive& primitive,
              std::vector<Argument> arguments);

/// Kernel that turns maps [block][N][H*W][lane] of one group into features [block][H*W][N][lane],
/// or back: arguments src, dst.
Kernel flatten_kernel(const ActivationLayout& layout, int group, bool back);

/// The layout of features of `layout`'s tensor: its H and W flattened into channels.
ActivationLayout feature_layout(const ActivationLayout& layout);

// One for each kind, in <kind>_onednn.cc: emits group `emitter.group()`.
#define BELLOWS_LAYER(kind, Class) class Class;
#include "layers/layer_list.def"
#undef BELLOWS_LAYER
#define BELLOWS_LAYER(kind, Class) void emit_forward(const Class& layer, ForwardEmitter& emitter);
#include "layers/layer_list.def"
#undef BELLOWS_LAYER

/// Dispatches to the kind's own.
void emit_forward(const Layer& layer, ForwardEmitter& emitter);

}  // namespace bellows
