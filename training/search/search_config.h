// One architecture search: the space, the data, what training a candidate may take, what counts. A
// TOML file describes it; configs/README.md documents every key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "training/run_config.h"
#include "training/search/proposer.h"
#include "training/search/space.h"

namespace bellows {

/// Table `constraints`: what a candidate must keep at least; 0: anything.
struct ConstraintsConfig {
  std::int64_t parameters = 0;    ///< at most, of the widest width
  std::int64_t macs = 0;          ///< at most, of the widest width
  double latency_us = 0;          ///< at most, measured at the narrowest width
  std::int64_t memory_bytes = 0;  ///< at most: weights, activations and scratch of a session

  void visit_fields(FieldVisitor& visitor);
};

/// Table `reference`: what is no better than this in all three objectives counts for nothing.
struct ReferenceConfig {
  double error = 0;  ///< share of wrong answers on the held-out images
  double latency_us = 0;
  double energy_uj = 0;

  void visit_fields(FieldVisitor& visitor);
};

/// Table `search`.
struct SearchSettings {
  std::string method = "bayesian";
  int evaluations = 60;
  int random_first = 0;  ///< 0: by the number of dimensions
  int seed = 1;
  std::vector<double> rungs = {};  ///< shares of a group's epochs after which candidates are judged
  double keep = 0.5;               ///< share of them that goes on
  int least = 8;                   ///< that were judged there before any is stopped
  std::vector<int> final_epochs = {};  ///< of the configurations that the search writes

  [[nodiscard]] SearchMethod search_method() const;
  void visit_fields(FieldVisitor& visitor);
};

struct SearchConfig {
  std::string name;
  TaskConfig task;
  SpaceConfig space;
  DataConfig data;
  TrainingConfig training;  ///< of a candidate; epochs: one number, or one for each possible group
  ConstraintsConfig constraints;
  ReferenceConfig reference;
  SearchSettings settings;
  std::string source = {};  ///< the file that was read, for messages; else empty

  /// With every key; equal searches give equal JSON.
  [[nodiscard]] ConfigValue write() const;
};

/// Throws Error as read_run_config does.
[[nodiscard]] SearchConfig read_search_config(const std::filesystem::path& path);
[[nodiscard]] SearchConfig read_search_config(const ConfigValue& table);

/// Every key, as run_config_documentation has them; without those of `data` and `training`, which
/// are the same in both.
[[nodiscard]] std::vector<FieldDocumentation> search_config_documentation();

/// The run that trains the network of `point`; `epochs` as in a run, cut to the groups that it has.
/// Throws Error(kInvalidArgument) where the network is impossible.
[[nodiscard]] RunConfig candidate_run(const SearchConfig& config, const ArchitectureSpace& space,
                                      const SearchPoint& point, const std::string& name,
                                      const std::vector<int>& epochs);

/// The space's points whose networks are possible and keep those constraints that can be told
/// without running anything. `space` and `config` must outlive it.
[[nodiscard]] SearchDomain search_domain(const SearchConfig& config,
                                         const ArchitectureSpace& space);

/// A configuration file that `bellows train` reads.
[[nodiscard]] std::string toml_text(const ConfigValue& table);

}  // namespace bellows
