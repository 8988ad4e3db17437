// What a policy file holds, and reading and writing it.
#pragma once

#include <bellows/policy.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/selector.h"
#include "layers/fields.h"

namespace bellows::internal {

/// What a policy gave on some images. Costs are in the file's unit.
struct PolicyScore {
  double accuracy = 0;               ///< 0..1
  double cost = 0;                   ///< mean of an input
  std::vector<double> stopped = {};  ///< share of inputs that stop at each width, from width 1
  /// 95 % of the resamplings of the images lie within; empty where not computed.
  std::vector<double> accuracy_interval = {};
  std::vector<double> cost_interval = {};

  void visit_fields(FieldVisitor& visitor);
  bool operator==(const PolicyScore&) const = default;
};

/// One policy of a file.
struct PolicyPoint {
  std::string kind = "width";  ///< "width", "thresholds", "selector", "mixture"
  std::string found_by = {};   ///< "sweep", "quantile", "bayesian", "random", "reinforce", ...
  int width = 1;               ///< of a width
  std::string confidence = "max_probability";  ///< of thresholds
  std::vector<double> thresholds = {};
  std::vector<double> temperatures = {};
  int selector = 0;             ///< number in the model file, from 1
  std::vector<int> parts = {};  ///< of a mixture: points of this file, from 1
  std::vector<double> shares = {};
  PolicyScore tuning = {};
  std::optional<PolicyScore> test = {};

  void visit_fields(FieldVisitor& visitor);
  bool operator==(const PolicyPoint&) const = default;
};

/// How far the probabilities of a width can be believed, on the images of the tuning.
struct CalibrationFacts {
  int width = 1;
  double temperature = 1;  ///< that logits were divided by
  double negative_log_likelihood = 0;
  double expected_calibration_error = 0;
  std::vector<double> counts = {};       ///< of answers, by bins of equal width over 0..1
  std::vector<double> confidences = {};  ///< mean of each bin
  std::vector<double> accuracies = {};

  void visit_fields(FieldVisitor& visitor);
  bool operator==(const CalibrationFacts&) const = default;
};

/// How a search went.
struct SearchFacts {
  std::string method = {};      ///< "sweep", "bayesian", "random"
  std::string confidence = {};  ///< that thresholds were compared with
  std::int64_t evaluations = 0;
  double seconds = 0;
  /// Of the plane of cost by the widest width's and share of wrong answers, the area that is
  /// dominated up to `reference`: after each evaluation, or of an exact sweep once.
  std::vector<double> hypervolume = {};
  std::vector<double> reference = {};

  void visit_fields(FieldVisitor& visitor);
  bool operator==(const SearchFacts&) const = default;
};

/// How a selector was learned.
struct SelectorFacts {
  int number = 0;           ///< in the model file, from 1
  std::string sha256 = {};  ///< selector_sha256 of it
  double alpha = 0;
  double expected_reward = 0;
  double variance = 0;  ///< of the gradient's estimate of one image
  double variance_without_baseline = 0;

  void visit_fields(FieldVisitor& visitor);
  bool operator==(const SelectorFacts&) const = default;
};

struct PolicyData {
  std::string source = {};  ///< the file it was read from; not in the file

  std::string model_file = {};
  std::string model_name = {};
  std::vector<std::string> group_sha256 = {};
  std::string data_name = {};
  std::int64_t tuning_images = 0;
  std::int64_t test_images = 0;
  std::string cost = "macs";             ///< "macs", "latency_us", "energy_uj"
  std::string cost_source = {};          ///< where latencies and energies come from
  std::vector<double> width_costs = {};  ///< of each width
  std::string date = {};                 ///< UTC, ISO 8601
  std::string command = {};
  std::string bellows = {};  ///< version
  std::vector<PolicyPoint> points = {};
  std::vector<CalibrationFacts> calibration = {};
  std::vector<SearchFacts> searches = {};
  std::vector<SelectorFacts> selectors = {};

  void visit_fields(FieldVisitor& visitor);
  bool operator==(const PolicyData&) const = default;
};

/// SHA-256 of a selector as it is written: tells whether it is the one that figures are about.
[[nodiscard]] std::string selector_sha256(const Selector& selector);

/// Throws Error naming the file and what in it is wrong: kNotFound, kCorruptData, kUnsupported (a
/// newer format), kIoError.
[[nodiscard]] PolicyData read_policies(const std::filesystem::path& path);

/// Replaces an older file at once. Throws Error(kIoError).
void write_policies(const std::filesystem::path& path, PolicyData data);

/// The policies of `data` in their order, over the selectors of a model. Throws Error naming the
/// point that cannot be: kCorruptData, or kInvalidArgument where a selector is not there.
[[nodiscard]] std::vector<Policy> make_policies(const PolicyData& data,
                                                const std::vector<Selector>& selectors);

}  // namespace bellows::internal
