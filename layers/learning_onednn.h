// What a layer is given to emit its learning: a forward pass over the trainable groups that keeps
// what backward needs, and the backward pass. Frozen groups are run by forward_onednn.h's code;
// nothing here computes a gradient for them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "layers/forward_onednn.h"

namespace bellows {

/// Rows of one group's plain weight matrix that go into a stack of several groups' rows.
struct StackedPiece {
  int group = 1;
  DensePiece piece;
};

/// Processes that compute parts of one batch together, equal in size.
struct SumOverRanks {
  int size = 2;
  std::function<void(std::span<float>)> sum;
};

/// Implemented by the learning plan. During forward, `group()` is the group to emit; during
/// backward a layer emits all groups of `range()`.
class LearningEmitter : public ForwardEmitter {
 public:
  /// The trainable groups.
  [[nodiscard]] virtual GroupRange range() const = 0;
  /// Whether convolutions may multiply in bfloat16.
  [[nodiscard]] virtual bool bf16() const = 0;

  /// Memory of this layer and group that keeps its content from forward to backward; the same
  /// `slot` gives the same memory.
  [[nodiscard]] virtual View keep(int slot, int group, const Desc& desc) = 0;
  /// The plain values themselves, for kernels that move running statistics.
  [[nodiscard]] virtual std::span<float> parameter(int group, ParameterRole role) = 0;
  /// The packed parameter that the forward pass of `group` used.
  [[nodiscard]] virtual const View& packed(int group, ParameterRole role) const = 0;
  /// A number of this layer and group that changes at every step, the same in every run of the same
  /// seed: what dropout draws from. Stays where it is; read it when a kernel runs.
  [[nodiscard]] virtual const std::uint64_t* step_seed(int group) = 0;

  /// Adds up a few numbers over all processes that share a batch, for layers whose values depend on
  /// the whole batch; none: this process has all of it. Stays where it is.
  [[nodiscard]] virtual const SumOverRanks* ranks() const = 0;

  /// Gradient of dst, complete; begins with group range().first.
  [[nodiscard]] virtual const TensorPlace& diff_dst() = 0;
  /// False where src depends on nothing trainable.
  [[nodiscard]] virtual bool wants_diff_src() const = 0;
  /// Memory for this layer's contribution to the gradient of src, groups range(); to be
  /// overwritten.
  [[nodiscard]] virtual TensorPlace diff_src() = 0;
  /// The same as features; `finish_diff_features` turns it into a contribution.
  [[nodiscard]] virtual TensorPlace diff_features() = 0;
  virtual void finish_diff_features(const TensorPlace& place) = 0;
  /// The gradient of dst is the contribution to both src and shortcut.
  virtual void pass_diff_to_both() = 0;

  /// Weights of several groups below each other, [padded rows, padded columns, kernel], as `desc`
  /// wants them.
  [[nodiscard]] virtual View stacked_weights(const Desc& desc, int source_group,
                                             const std::vector<StackedPiece>& pieces) = 0;
  /// Hands a gradient over to the optimiser's array of (group, role).
  virtual void store_gradient(int group, ParameterRole role, const View& gradient,
                              const DensePiece& piece) = 0;
};

// One pair for each kind, in <kind>_learning_onednn.cc.
#define BELLOWS_LAYER(kind, Class)                                          \
  void emit_learning_forward(const Class& layer, LearningEmitter& emitter); \
  void emit_backward(const Class& layer, LearningEmitter& emitter);
#include "layers/layer_list.def"
#undef BELLOWS_LAYER

/// Dispatch to the kind's own.
void emit_learning_forward(const Layer& layer, LearningEmitter& emitter);
void emit_backward(const Layer& layer, LearningEmitter& emitter);

}  // namespace bellows
