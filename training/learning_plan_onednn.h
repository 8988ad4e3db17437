// One training step as programs: frozen groups by the inference plan, then forward and backward of
// the trainable groups. Built once for a batch size; running a step makes no primitive.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/plan.h"
#include "layers/learning_onednn.h"
#include "training/ranks.h"

namespace bellows {

struct LearningOptions {
  GroupRange trainable{1, 1};  ///< groups below are frozen, groups above do not exist yet
  /// Groups below are not run, and count as 0: for a group that reads nothing of them but by a head
  /// whose weights for them are 0.
  bool alone = false;
  int batch = 128;
  int threads = 1;
  /// Convolutions multiply in bfloat16 where that is faster here (has_fast_bf16), else in f32.
  bool bf16 = false;
  double label_smoothing = 0;
  double decorrelation = 0;  ///< weight of that loss (decorrelation.h), between what the heads read
  std::uint64_t seed = 1;    ///< of dropout
  /// Processes over whose batches together batch_norm takes its statistics.
  Ranks ranks = {};
};

/// Of one width, over one batch.
struct WidthLoss {
  int width = 1;
  double loss = 0;  ///< mean cross-entropy
  int correct = 0;
};

/// Computes losses and gradients of the trainable groups. The loss is the sum over the widths in
/// `trainable` of each width's mean cross-entropy. Not thread safe.
class LearningPlan {
 public:
  /// `network` must outlive this. `weights` and `gradients` hold groups 1..trainable.last and must
  /// stay where they are; forward moves the running statistics in `weights`, backward overwrites
  /// `gradients` of trainable groups. Frozen groups of neither are ever written. Throws
  /// Error(kUnsupported) when oneDNN cannot run it here.
  LearningPlan(const Network& network, WeightSet& weights, WeightSet& gradients,
               const LearningOptions& options);
  ~LearningPlan();
  LearningPlan(const LearningPlan&) = delete;
  LearningPlan& operator=(const LearningPlan&) = delete;

  /// Forward pass and losses. `images`: normalised [N, C, H, W]; `labels`: [N]; `step` numbers the
  /// batch and, with the seed, decides dropout. The result stays valid until the next call. Throws
  /// Error(kInvalidArgument) for a label out of range.
  const std::vector<WidthLoss>& forward(const float* images, const std::int32_t* labels,
                                        std::uint64_t step);
  /// Makes each sample's loss at a width count `weights[n]` times, [N], in the gradients that the
  /// next `backward` computes; what `forward` told stays. Throws Error(kInvalidArgument) for a
  /// width that is not trained, or another number of weights.
  void weigh(int width, std::span<const float> weights);
  /// Lets a width also learn from a teacher, as distillation.h says, in the next `backward`; call
  /// it before `weigh`. `targets`: probabilities, [N, classes]. Returns the mean loss of
  /// distillation. Throws Error(kInvalidArgument) for a width that is not trained, or another
  /// number of targets.
  double distil(int width, std::span<const float> targets, double weight, double temperature);
  /// Gradients of the last forward pass. Once for each: it works in place on what forward left.
  void backward();

  /// Factors of a dropout layer in the last forward pass, [N, C, H, W] of one trainable group.
  [[nodiscard]] std::vector<float> dropout_factors(int node, int group) const;
  /// Logits of a width in the last forward pass, [N, classes].
  [[nodiscard]] std::vector<float> logits(int width) const;

  /// Bytes of activations, gradients and scratch.
  [[nodiscard]] std::size_t memory_bytes() const;
  /// Steps whose implementation is oneDNN's reference code; should be empty.
  [[nodiscard]] std::vector<std::string> reference_steps() const;

  /// Time spent in each step of the last timed run; for finding out where the time goes.
  struct StepTime {
    std::string label;
    std::string implementation;
    double seconds = 0;
  };
  /// Runs forward and backward once more on the last batch, timing every step.
  [[nodiscard]] std::vector<StepTime> time_steps();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bellows
