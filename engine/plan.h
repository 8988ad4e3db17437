// The plan of a network for one batch size: one program for each group, and where every tensor
// lies. Running width k is running programs 1..k; refining is running the next one.
#pragma once

#include <bellows/bellows.h>

#include <functional>
#include <vector>

#include "engine/fusion.h"
#include "engine/network.h"
#include "engine/packed_weights_onednn.h"
#include "engine/weight_set.h"
#include "layers/forward_onednn.h"

namespace bellows {

struct PlanOptions {
  int batch = 1;
  int groups = 0;            ///< programs to make: groups 1..groups
  int allocated_groups = 0;  ///< groups that the activations have room for; at least `groups`
  Winograd winograd = Winograd::kNo;  ///< of a batch of one; others have no use for it
  bool learning = false;              ///< gradients will be computed over this plan's activations
  /// Emits a layer's group in another way and returns true, or emits nothing; empty: never asked.
  std::function<bool(const Layer& layer, ForwardEmitter& emitter)> emit_instead = {};
};

/// Immutable once built.
struct Plan {
  int batch = 1;
  int groups = 0;
  BufferTable table;
  std::vector<Program> programs;  ///< [g - 1]
  std::vector<FusedNode> nodes;   ///< in order of execution
  /// [g - 1][node]: the steps of group g up to that entry of `nodes`, it included.
  std::vector<std::vector<std::size_t>> node_ends;
  /// Where buffers lie in memory when each group of a node runs before the next node: those that
  /// are not needed at the same time share memory. The input and the logits are always kept.
  BufferPlacement one_shot;
  std::vector<TensorPlace> places;  ///< by tensor; those merged away do not exist
  /// By tensor: the same values as features, where a layer reads them so; else they do not exist.
  std::vector<TensorPlace> features;
  TensorPlace input;
  TensorPlace logits;  ///< group g: the logits of width g

  /// Where buffers lie in this mode.
  [[nodiscard]] BufferPlacement placement(MemoryMode mode) const {
    return mode == MemoryMode::kOneShot ? one_shot : side_by_side(table);
  }

  /// Steps whose implementation is oneDNN's reference code, by label; should be empty.
  [[nodiscard]] std::vector<std::string> reference_steps() const;
};

/// Builds the plan. `weights` may be null once `packed` holds everything (from an earlier plan).
/// Throws Error(kUnsupported) when oneDNN cannot run a layer here.
/// REQUIRES: number of threads that will run it is set (omp_set_num_threads) by the caller.
Plan build_plan(const Network& network, const WeightSet* weights, PackedWeights& packed,
                const PlanOptions& options);

/// Writes `count` images [C, H, W], values in [0, 1], normalised, into the plan's input (the rest
/// of the batch keeps what it had). `memory` is the input's buffer.
void load_images(const Plan& plan, const float* images, int count, const std::vector<float>& mean,
                 const std::vector<float>& stddev, float* memory);

}  // namespace bellows
