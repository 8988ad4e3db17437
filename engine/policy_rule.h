// What a Policy points at, and how a session asks it.
#pragma once

#include <bellows/policy.h>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/selector.h"

namespace bellows::internal {

/// Immutable and shared.
struct PolicyRule {
  PolicyKind kind = PolicyKind::kWidth;
  int widest = 1;

  // kThresholds
  Confidence confidence = Confidence::kMaxProbability;
  std::vector<float> thresholds = {};
  std::vector<float> temperatures = {};  // empty: all 1

  // kSelector
  int number = 0;
  Selector selector = {};

  // kMixture: none of them is one.
  std::vector<Policy> parts = {};
  std::vector<double> shares = {};  // sum 1

  /// Whether an input stops at `width`, below the widest, where it got `logits` and, as their
  /// softmax, `probabilities`. `scratch` has room for selector_inputs(classes) values. REQUIRES: no
  /// mixture. Allocates nothing.
  [[nodiscard]] bool stops(int width, std::span<const float> logits,
                           std::span<const float> probabilities, std::span<float> scratch) const;

  /// How many classes it takes; 0: any.
  [[nodiscard]] std::size_t classes() const;
};

struct PolicyAccess {
  static const PolicyRule& rule(const Policy& policy) { return *policy.rule_; }
  static Policy make(PolicyRule rule);
};

inline const PolicyRule& rule_of(const Policy& policy) { return PolicyAccess::rule(policy); }

/// A policy over a selector that no model has (yet).
[[nodiscard]] Policy selector_policy(const Selector& selector, int number);

/// Whose turn it is after `dealt` has been dealt out, with `shares` that sum up to 1: of any first
/// n turns each gets its share of n, give or take less than one (Tijdeman 1980, "The chairman
/// assignment problem").
[[nodiscard]] std::size_t next_turn(std::span<const double> shares,
                                    std::span<const long long> dealt);

}  // namespace bellows::internal
