// What a Model points at. Internal to the engine and to the tools that look inside a model.
#pragma once

#include <bellows/bellows.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/model_file.h"
#include "engine/plan.h"

namespace bellows::internal {

/// A network with its packed weights, and the plans made over it so far. Logically immutable: plans
/// are a cache behind a lock. Thread safe.
struct ModelState {
  ModelState(Network description, ModelInfo about, const WeightSet& weights);

  /// The plan for a batch size and a number of threads, built when first asked for.
  std::shared_ptr<const Plan> plan(int batch, int threads);

  const Network network;
  const ModelInfo info;
  PackedWeights packed;

 private:
  std::shared_ptr<const Plan> build(const WeightSet* weights, int batch, int threads);

  std::mutex mutex_;
  std::map<std::pair<int, int>, std::shared_ptr<const Plan>> plans_;
};

/// A model over a state made in memory.
Model make_model(std::shared_ptr<ModelState> state);

/// What a model points at.
const std::shared_ptr<ModelState>& state_of(const Model& model);

}  // namespace bellows::internal
