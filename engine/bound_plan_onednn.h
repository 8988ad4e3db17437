// A plan with memory of its own, ready to run: what stands between a session and oneDNN.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/plan.h"

namespace bellows {

/// A plan bound to activations and scratch of its own. Making it allocates everything; running it
/// allocates nothing and makes no primitive. One thread at a time; the plan is shared.
class BoundPlan {
 public:
  /// Throws Error(kOutOfMemory).
  explicit BoundPlan(std::shared_ptr<const Plan> plan, MemoryMode mode = MemoryMode::kRefinable);
  BoundPlan(const BoundPlan&) = delete;
  BoundPlan& operator=(const BoundPlan&) = delete;
  ~BoundPlan() = default;

  [[nodiscard]] const Plan& plan() const { return *plan_; }

  /// Where `load_images` writes.
  [[nodiscard]] float* input() { return floats(plan_->input, 1); }

  /// Runs the programs of `groups`, one after the other.
  /// REQUIRES: the input is loaded and the groups below have been run on it; the number of OpenMP
  /// threads is the one that the plan was built for, the mode kRefinable.
  void run(GroupRange groups);

  /// Runs groups 1..`width`, all of them at each node before the next. Gives the same bits.
  /// REQUIRES: the input is loaded; the number of OpenMP threads as above.
  void run_node_by_node(int width);

  /// The logits of width `group`, once its program has run; `plan().logits.layout` says how they
  /// lie.
  [[nodiscard]] const float* logits(int group) const { return floats(plan_->logits, group); }

  /// Bytes of activations and scratch.
  [[nodiscard]] std::size_t bytes() const { return memory_.bytes(); }

 private:
  [[nodiscard]] float* floats(const TensorPlace& place, int group) const;

  std::shared_ptr<const Plan> plan_;
  BufferMemory memory_;
  std::vector<BoundProgram> programs_;  // [group - 1]
  dnnl::stream stream_;
};

}  // namespace bellows
