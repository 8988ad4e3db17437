// What a network computes and moves for one image: the counts that a device model turns into
// energy. Nothing here depends on what runs the network.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/network.h"

namespace bellows {

/// Of one image. Values are f32, of logical channels: what a machine adds by padding them is not
/// counted.
struct OperationCounts {
  std::int64_t macs = 0;           ///< multiply-accumulates
  std::int64_t weight_bytes = 0;   ///< weights and biases read
  std::int64_t read_bytes = 0;     ///< activations read
  std::int64_t written_bytes = 0;  ///< activations written

  OperationCounts& operator+=(const OperationCounts& other);
  bool operator==(const OperationCounts&) const = default;
};

/// One step of every group's program: a layer with those merged into it (see fusion.h).
struct StepCounts {
  std::string layer;                     ///< the first of them
  std::vector<std::string> merged = {};  ///< normalisation, sum and activation behind it
  /// `[group - 1]`: what that group alone does. A group that reads narrower groups reads their
  /// activations again.
  std::vector<OperationCounts> groups;
  /// `[width - 1]`: bytes of all activations that the step reads or writes at that width, each
  /// once.
  std::vector<std::int64_t> held_bytes;
};

/// Every step in order of execution. A normalisation that is merged costs a bias and no more;
/// dropout costs nothing. Normalising the image and the softmax behind the logits are not counted.
[[nodiscard]] std::vector<StepCounts> count_operations(const Network& network);

/// Of one step at `width`: its groups 1..width.
[[nodiscard]] OperationCounts up_to_width(const StepCounts& step, int width);

/// Of all steps at `width`.
[[nodiscard]] OperationCounts up_to_width(const std::vector<StepCounts>& steps, int width);

}  // namespace bellows
