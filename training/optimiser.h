// Optimisers: they move the parameters they are handed, and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "layers/fields.h"

namespace bellows {

/// A group's tensor as the optimiser sees it.
struct ParameterBlock {
  std::string name;                  ///< unique; part of the names of its state
  std::span<float> values;           ///< moved by `step`
  std::span<const float> gradients;  ///< of the mean loss, as long as `values`
  bool decays = false;               ///< subject to weight decay
};

struct OptimiserOptions {
  std::string kind = "sgd";
  double learning_rate = 0.1;  ///< the base rate that the schedule scales
  double weight_decay = 5e-4;
  double momentum = 0.9;
  bool nesterov = true;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;

  /// Only the fields that `kind` has.
  void visit_fields(FieldVisitor& visitor);
};

/// With gradient g (after weight decay for sgd: g + weight_decay w), rate r, update number t:
///   sgd    v = momentum v + g;  w -= r v, or with nesterov  w -= r (g + momentum v)
///          (Nesterov's momentum after Sutskever et al. 2013, as PyTorch writes it)
///   adamw  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
///          w -= r ((m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon) + weight_decay w)
///          (Loshchilov, Hutter 2019; the decay is multiplied by the rate, not by the gradient)
///
/// The blocks' memory is the caller's and must outlive the optimiser. One thread at a time; equal
/// values, gradients and state give equal results bit for bit.
class Optimiser {
 public:
  /// Throws Error(kInvalidArgument) for an unknown kind, or a block whose gradients are not as long
  /// as its values.
  Optimiser(const OptimiserOptions& options, std::vector<ParameterBlock> blocks);

  /// One update of every block. Allocates nothing.
  void step(double learning_rate);

  /// Memory between updates, one entry for each array ("conv1.weight/momentum"), in a fixed order,
  /// all zero at first. Writing back what was read, together with `set_updates`, continues bit for
  /// bit. The spans live as long as the optimiser.
  struct StateArray {
    std::string name;
    std::span<float> values;
  };
  [[nodiscard]] std::vector<StateArray> state();
  /// Updates made so far.
  [[nodiscard]] std::int64_t updates() const { return updates_; }
  /// Throws Error(kInvalidArgument) for a negative number.
  void set_updates(std::int64_t updates);

 private:
  void step_sgd(std::size_t block, float rate);
  void step_adamw(std::size_t block, double rate);

  OptimiserOptions options_;
  bool adamw_ = false;
  std::vector<ParameterBlock> blocks_;
  std::vector<std::vector<float>> first_;   // momentum of sgd, mean of adamw; one a block
  std::vector<std::vector<float>> second_;  // mean square of adamw; empty for sgd
  std::int64_t updates_ = 0;
};

/// Euclidean norm of all `gradients` together, summed in double in the order given. When
/// `max_norm` is above 0 and the norm above it, scales every gradient by max_norm / norm (Pascanu
/// et al. 2013). Returns the norm before scaling; one that is not finite leaves all as it is.
double clip_gradients(std::span<const std::span<float>> gradients, double max_norm);

}  // namespace bellows
