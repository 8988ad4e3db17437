// What a Model points at. Internal to the engine and to the tools that look inside a model.
#pragma once

#include <bellows/bellows.h>

#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/model_file.h"
#include "engine/plan.h"

namespace bellows::internal {

/// Returns `make()`. What it throws, oneDNN's and the heap's exceptions included, leaves as an
/// Error that begins with `name`; `remedy` says what helps where memory is short.
template <class Make>
auto with_every_failure_an_error(const std::string& name, const char* remedy, const Make& make) {
  const auto no_memory = [&] {
    return Error(ErrorCode::kOutOfMemory, name + ": not enough memory; " + remedy);
  };
  try {
    return make();
  } catch (const Error& error) {
    const std::string problem = error.what();
    throw Error(error.code(), problem.starts_with(name + ": ") ? problem : name + ": " + problem);
  } catch (const std::bad_alloc&) {
    throw no_memory();
  } catch (const std::length_error&) {
    throw no_memory();
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kUnsupported, name + ": oneDNN cannot run it here: " + error.what());
  }
}

/// A network with its packed weights, and the plans made over it so far. Logically immutable: plans
/// are a cache behind a lock. Thread safe.
struct ModelState {
  /// Of `options`, the number of groups plays no part: they are those of `description`.
  ModelState(Network description, ModelInfo about, const WeightSet& weights,
             const ModelOptions& options = {});

  /// The plan for a batch size and a number of threads, built unless somebody has it. That of one
  /// image on one thread is kept for as long as this lives, the others for as long as they are
  /// used.
  std::shared_ptr<const Plan> plan(int batch, int threads);

  /// What running that plan takes.
  [[nodiscard]] MemoryUse memory(const Plan& plan, MemoryMode mode) const;

  const Network network;
  const ModelInfo info;
  const ModelOptions loaded;
  PackedWeights packed;
  /// Of each group, as in the file; empty: it was made in memory. Set before it is shared.
  std::vector<std::string> group_sha256 = {};
  std::int64_t generation = -1;  ///< of the file's signature; -1: none

 private:
  // Lets weights take what max_bytes has beside the operations of so many plans and other bytes.
  void leave_for_weights(std::size_t plans, std::size_t besides);
  std::shared_ptr<const Plan> build(const WeightSet* weights, int batch, int threads);

  std::mutex mutex_;
  std::shared_ptr<const Plan> first_plan_;
  std::map<std::pair<int, int>, std::weak_ptr<const Plan>> plans_;  // by batch size and threads
};

/// What a width of a network costs and, by `info`, is worth. REQUIRES: it is one of its widths.
Width width_of(const Network& network, const ModelInfo& info, int number);

/// Throws Error(kInvalidArgument) where they are out of range.
void check(const SessionOptions& options);

/// Returns `make()`, whose failures become Errors that name the session.
template <class Make>
auto for_session(const SessionOptions& options, const Make& make) {
  check(options);
  return with_every_failure_an_error("session with max_batch " + std::to_string(options.max_batch),
                                     "use a smaller max_batch or load fewer groups", make);
}

/// A model over a state made in memory.
Model make_model(std::shared_ptr<ModelState> state);

/// What a model points at.
const std::shared_ptr<ModelState>& state_of(const Model& model);

}  // namespace bellows::internal
