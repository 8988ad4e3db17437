// A trained network on disk: safetensors, group after group, so that a narrower network is a prefix
// of the data. docs/model_format.md has every byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "engine/model_header.h"
#include "engine/model_info.h"
#include "engine/network.h"
#include "engine/weight_set.h"

namespace bellows {

/// What was found on disk, all groups of the file included.
struct ModelFileFacts {
  std::int64_t header_bytes = 0;  ///< everything before the first tensor
  std::int64_t total_bytes = 0;   ///< of the file
  std::vector<GroupFacts> groups;
  std::optional<Signature> signature = {};  ///< valid where there is one; by whomever
};

/// What a file must meet to be loaded; nothing is asked for by default.
struct LoadLimits {
  /// That must have signed it, in hexadecimal digits; none: it need not be signed.
  std::optional<std::string> public_key = {};
  std::int64_t min_generation = 0;  ///< of its signature
  /// Of weights and operations (Network::operation_bytes) together, and of the header while it is
  /// read; 0: any number.
  std::size_t max_bytes = 0;
};

/// A loaded model. `network`, `weights` and the accuracies in `info` have the groups asked for,
/// `facts` those of the file.
struct ModelFile {
  Network network;
  WeightSet weights;
  ModelInfo info;
  ModelFileFacts facts;
};

/// Writes all groups of `network` to `path`, atomically (see AtomicFile); `weights` may hold
/// further groups. Equal arguments give equal bytes. Throws Error(kInvalidArgument) when the
/// weights do not fit the network or when `load_model` would refuse the result (wrong number of
/// class names, an accuracy above 1, text that is not UTF-8, ...), Error(kIoError) when the system
/// refuses.
void save_model(const std::filesystem::path& path, const Network& network, const WeightSet& weights,
                const ModelInfo& info);

/// Reads a model, or its first `groups` groups, of which only the header and those groups' bytes
/// are read. Everything is checked before anything is returned, and memory is taken group by group,
/// never more than the file has bytes for. Throws Error naming the file and what in it is wrong:
/// kNotFound, kIoError, kCorruptData, kUnsupported (a newer format), kOutOfMemory,
/// kInvalidArgument (`groups` outside 1..those of the file); kUntrusted, or kOutOfMemory
/// beyond `limits`, before weights are read. Weights that are infinite or no numbers and variances
/// below 0 make a corrupt file.
[[nodiscard]] ModelFile load_model(const std::filesystem::path& path,
                                   std::optional<int> groups = std::nullopt,
                                   const LoadLimits& limits = {});

/// Signs the model file `path`: writes it to `out`, or in its place when `out` is empty, with its
/// signature, in place of one that it has. Everything is checked before. Throws Error as
/// `load_model`, and kInvalidArgument for what is no secret key or a generation below 0, kIoError;
/// kUntrusted where it would replace a model that the same key has signed with a later generation,
/// or, at `out`, one that another key has signed, or unless `path` is signed by `public_key` and of
/// `min_generation` or later, where there is such a key.
void sign_model(const std::filesystem::path& path, const std::string& secret_key,
                std::int64_t generation, const std::filesystem::path& out = {},
                const std::optional<std::string>& public_key = {}, std::int64_t min_generation = 0);

}  // namespace bellows
