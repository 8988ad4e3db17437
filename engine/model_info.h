// What a model says about itself: the metadata `info` of its file.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/network.h"
#include "engine/selector.h"
#include "layers/fields.h"

namespace bellows {

/// What a model says about itself besides its network and weights.
struct ModelInfo {
  std::vector<std::string> classes;  ///< names in the order of the logits; or none
  /// Of the input, by channel, for values in 0..1: x becomes (x - mean) / stddev. Or both empty: x
  /// stays as it is.
  std::vector<double> mean;
  std::vector<double> stddev;

  std::string data_set;      ///< what it was trained on
  int seed = 0;              ///< of the training run
  std::string schedule;      ///< "incremental", "joint", ...
  std::string epochs;        ///< how long, in words
  std::string created_with;  ///< program and version

  /// Share of right answers by width, 0..1; or empty: not measured.
  std::vector<double> validation_accuracy;
  std::vector<double> test_accuracy;

  std::vector<Selector> selectors;  ///< learned policies that read the answers; or none

  std::vector<std::pair<std::string, std::string>> extra;  ///< anything else, kept in order

  /// The value of `key` in `extra`, or nullptr. Valid until `extra` changes.
  [[nodiscard]] const std::string* find_extra(std::string_view key) const;

  /// Throws Error(kInvalidArgument) naming the key whose number of entries is not what `network`
  /// asks for.
  void check(const Network& network) const;
  /// Forgets what is known of widths beyond `width`. Selectors stay for the widths that are left:
  /// at the last of these they have nothing more to decide.
  void cut_to(int width);

  void visit_fields(FieldVisitor& visitor);
  bool operator==(const ModelInfo&) const = default;
};

}  // namespace bellows
