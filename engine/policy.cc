#include <bellows/bellows.h>
#include <bellows/policy.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "engine/confidence.h"
#include "engine/model_state.h"
#include "engine/number_text.h"
#include "engine/policy_rule.h"

namespace bellows {

namespace internal {

Policy PolicyAccess::make(PolicyRule rule) {
  return Policy(std::make_shared<const PolicyRule>(std::move(rule)));
}

bool PolicyRule::stops(int width, std::span<const float> logits,
                       std::span<const float> probabilities, std::span<float> scratch) const {
  const auto index = static_cast<std::size_t>(width - 1);
  const std::size_t classes = logits.size();
  switch (kind) {
    case PolicyKind::kThresholds: {
      const float* given = probabilities.data();
      if (!temperatures.empty() && temperatures[index] != 1) {
        tempered_softmax(logits.data(), classes, temperatures[index], scratch.data());
        given = scratch.data();
      }
      return confidence_of(confidence, given, classes) >= thresholds[index];
    }
    case PolicyKind::kSelector:
      write_selector_inputs(logits.data(), probabilities.data(), classes, scratch.data());
      return selector.widths[index].output(scratch.data(), selector_inputs(classes)) >= 0;
    default:
      return false;
  }
}

std::size_t PolicyRule::classes() const {
  if (kind != PolicyKind::kSelector) return 0;
  const StopNetwork& network = selector.widths.front();
  return network.hidden_weight.size() / network.weight.size() - selector_inputs(0);
}

Policy selector_policy(const Selector& selector, int number) {
  return PolicyAccess::make({.kind = PolicyKind::kSelector,
                             .widest = static_cast<int>(selector.widths.size()) + 1,
                             .number = number,
                             .selector = selector});
}

std::size_t next_turn(std::span<const double> shares, std::span<const long long> dealt) {
  const auto count = static_cast<double>(shares.size());
  if (shares.size() == 1) return 0;
  // Who may have the turn without getting ahead too far: of them, whoever would be the first to
  // fall behind too far without it.
  const double slack = 1 / (2 * count - 2);
  const double turn = 1 + static_cast<double>(std::accumulate(dealt.begin(), dealt.end(), 0LL));
  std::size_t chosen = 0;
  double earliest = std::numeric_limits<double>::infinity();
  std::size_t most_due = 0;
  double most = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double due = shares[i] * turn - static_cast<double>(dealt[i]);
    if (due > most) {
      most = due;
      most_due = i;
    }
    if (due < slack || shares[i] <= 0) continue;
    const double patience = (1 - slack - due) / shares[i];
    if (patience < earliest) {
      earliest = patience;
      chosen = i;
    }
  }
  // There always is one but for rounding.
  return std::isfinite(earliest) ? chosen : most_due;
}

}  // namespace internal

namespace {

using internal::PolicyAccess;
using internal::PolicyRule;
using internal::rule_of;

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, problem);
}

}  // namespace

const char* confidence_name(Confidence confidence) {
  switch (confidence) {
    case Confidence::kMaxProbability:
      return "max_probability";
    case Confidence::kMargin:
      return "margin";
    case Confidence::kEntropy:
      return "entropy";
  }
  return "unknown";
}

Policy::Policy(std::shared_ptr<const PolicyRule> rule)
    : rule_(std::move(rule)), dealt_(rule_->parts.size()) {}

Policy Policy::at_width(int width) {
  if (width < 1) refuse("a policy of width " + std::to_string(width) + "; widths begin at 1");
  return PolicyAccess::make({.widest = width});
}

Policy Policy::with_thresholds(const Thresholds& thresholds) {
  const Confidence kind = thresholds.confidence;
  if (kind != Confidence::kMaxProbability && kind != Confidence::kMargin &&
      kind != Confidence::kEntropy) {
    refuse("confidence " + std::to_string(static_cast<int>(kind)) +
           " is unknown; there are 0 (max_probability), 1 (margin) and 2 (entropy)");
  }
  PolicyRule rule{.kind = PolicyKind::kThresholds,
                  .widest = static_cast<int>(thresholds.values.size()) + 1,
                  .confidence = kind};
  for (const double value : thresholds.values) {
    if (!(value >= 0 && value <= 1) && value != Thresholds::kNever) {
      refuse("threshold " + std::to_string(rule.thresholds.size() + 1) + " is " +
             number_text(value) + "; it must be from 0 to 1, or " +
             number_text(Thresholds::kNever) + " for a width at which nothing stops");
    }
    rule.thresholds.push_back(static_cast<float>(value));
  }
  if (!thresholds.temperatures.empty() &&
      thresholds.temperatures.size() != thresholds.values.size()) {
    refuse("there are " + std::to_string(thresholds.temperatures.size()) + " temperatures for " +
           std::to_string(thresholds.values.size()) + " thresholds; give as many, or none");
  }
  for (const double value : thresholds.temperatures) {
    // As a float, which it becomes.
    constexpr double kLeast = 1e-6;
    constexpr double kMost = 1e6;
    if (!(value >= kLeast && value <= kMost)) {
      refuse("temperature " + std::to_string(rule.temperatures.size() + 1) + " is " +
             number_text(value) + "; it must be from 0.000001 to 1,000,000");
    }
    rule.temperatures.push_back(static_cast<float>(value));
  }
  return PolicyAccess::make(std::move(rule));
}

Policy Policy::with_selector(const Model& model, int number) {
  const std::vector<Selector>& selectors = internal::state_of(model)->info.selectors;
  if (number < 1 || static_cast<std::size_t>(number) > selectors.size()) {
    refuse("selector " + std::to_string(number) + " was asked for; the model has " +
           (selectors.empty() ? "none" : "1 to " + std::to_string(selectors.size())));
  }
  return internal::selector_policy(selectors[static_cast<std::size_t>(number - 1)], number);
}

Policy Policy::mixture(const std::vector<std::pair<Policy, double>>& parts) {
  PolicyRule rule{.kind = PolicyKind::kMixture};
  double sum = 0;
  for (const auto& [policy, share] : parts) {
    if (!(share >= 0 && std::isfinite(share))) {
      refuse("a mixture has a share of " + number_text(share) + "; shares are 0 or more");
    }
    sum += share;
    const PolicyRule& inner = rule_of(policy);
    if (inner.kind != PolicyKind::kMixture) {
      rule.parts.push_back(policy);
      rule.shares.push_back(share);
      continue;
    }
    for (std::size_t i = 0; i < inner.parts.size(); ++i) {
      rule.parts.push_back(inner.parts[i]);
      rule.shares.push_back(share * inner.shares[i]);
    }
  }
  if (!(sum > 0 && std::isfinite(sum))) {
    refuse("a mixture needs a part with a share above 0, and shares that can be summed up");
  }
  for (double& share : rule.shares) share /= sum;
  for (const Policy& part : rule.parts) rule.widest = std::max(rule.widest, part.widest());
  return PolicyAccess::make(std::move(rule));
}

PolicyKind Policy::kind() const { return rule_->kind; }
int Policy::widest() const { return rule_->widest; }

std::string Policy::text() const {
  const PolicyRule& rule = *rule_;
  switch (rule.kind) {
    case PolicyKind::kWidth:
      return "width " + std::to_string(rule.widest);
    case PolicyKind::kThresholds: {
      std::string text = std::string(confidence_name(rule.confidence)) + " >=";
      for (std::size_t i = 0; i < rule.thresholds.size(); ++i) {
        text += i == 0 ? " " : ", ";
        text += rule.thresholds[i] > 1 ? "never" : number_text(double{rule.thresholds[i]});
      }
      return text;
    }
    case PolicyKind::kSelector:
      return "selector " + std::to_string(rule.number) + " (alpha " +
             number_text(rule.selector.alpha) + ")";
    case PolicyKind::kMixture:
      break;
  }
  std::string text;
  for (std::size_t i = 0; i < rule.parts.size(); ++i) {
    text += (i == 0 ? "" : " + ") + number_text(std::round(1000 * rule.shares[i]) / 10) + " % " +
            rule.parts[i].text();
  }
  return text;
}

const Policy& Policy::turn() {
  if (rule_->kind != PolicyKind::kMixture) return *this;
  const std::size_t part = internal::next_turn(rule_->shares, dealt_);
  ++dealt_[part];
  return rule_->parts[part];
}

}  // namespace bellows
