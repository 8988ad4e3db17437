// Policies: what decides, per input, whether the answer of a width is enough or the next width is
// to be computed. Stopping at width k costs exactly what running width k costs.
//
//   auto policies = bellows::PolicySet::load("policies.json", model);
//   bellows::Policy policy = policies[3].policy;
//   bellows::Result answer = session.classify(image, policy);  // answer.width: where it stopped
//
// `bellows tune` makes the file; docs/policies.md explains the kinds and describes it.
#pragma once

#include <bellows/error.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bellows {

class Model;
class Profile;
struct OperatingPoint;

namespace internal {
struct PolicyRule;
struct PolicyAccess;
}  // namespace internal

/// How sure an answer is, as a number in 0..1.
enum class Confidence {
  kMaxProbability = 0,  ///< of the most probable class
  kMargin = 1,          ///< between the two most probable classes
  kEntropy = 2,         ///< 1 less the entropy by that of all classes being equally probable
};

/// "max_probability", "margin", "entropy".
BELLOWS_API const char* confidence_name(Confidence confidence);

/// Stop at the first width whose confidence is not below its threshold.
struct Thresholds {
  static constexpr double kNever = 2;  ///< the threshold of a width at which nothing stops

  Confidence confidence = Confidence::kMaxProbability;
  /// Of widths 1, 2, ...: 0..1 or kNever. The width behind the last one answers whatever is left.
  std::vector<double> values = {};
  /// What the logits of the same widths are divided by before probabilities are taken; or none: 1.
  std::vector<double> temperatures = {};
};

enum class PolicyKind {
  kWidth = 0,       ///< every input is run at one width
  kThresholds = 1,  ///< LEANets: inputs stop where the answer is sure enough
  kSelector = 2,    ///< a small learned network reads the answer and says stop or go
  kMixture = 3,     ///< inputs are dealt out to other policies by fixed shares, unseen
};

/// A rule for where inputs stop. Copying is cheap. One thread at a time for `turn` (and for the
/// classify that calls it); give each session a copy of its own.
class BELLOWS_API Policy {
 public:
  /// Every input at `width`. Throws Error(kInvalidArgument) below 1.
  static Policy at_width(int width);
  /// Throws Error(kInvalidArgument) naming the culprit: thresholds out of range, temperatures
  /// outside 1e-6..1e6 or not one for each threshold.
  static Policy with_thresholds(const Thresholds& thresholds);
  /// Selector `number` (from 1) of those that are stored in the model. Throws
  /// Error(kInvalidArgument) where it has no such one.
  static Policy with_selector(const Model& model, int number);
  /// Deals inputs out by shares, which are made to sum up to 1: of any first n inputs, each part
  /// gets its share of n, give or take less than one. No randomness: the same sequence each time.
  /// Parts that are mixtures are taken apart. Throws Error(kInvalidArgument) for no parts, shares
  /// that are negative or no numbers, or all 0.
  static Policy mixture(const std::vector<std::pair<Policy, double>>& parts);

  [[nodiscard]] PolicyKind kind() const;
  /// The widest width that it may run.
  [[nodiscard]] int widest() const;
  /// For people: "width 2", "margin >= 0.53, 0.4".
  [[nodiscard]] std::string text() const;

  /// Of a mixture, the part that has the next input, which counts as dealt out; else this. Valid as
  /// long as any copy lives. Allocates nothing.
  const Policy& turn();

 private:
  friend struct internal::PolicyAccess;
  explicit Policy(std::shared_ptr<const internal::PolicyRule> rule);

  std::shared_ptr<const internal::PolicyRule> rule_;
  std::vector<long long> dealt_;  // of a mixture, to each part so far
};

/// A policy with what it gave on the images that it was tuned on.
struct TunedPolicy {
  Policy policy;
  double accuracy = 0;               ///< share of right answers, 0..1
  std::vector<double> stopped = {};  ///< share of inputs that stop at each width, from width 1
};

/// The policies of a file, which belong to one model: first every plain width. Immutable, so thread
/// safe: turns are taken by copies of its policies.
class BELLOWS_API PolicySet {
 public:
  /// Reads and checks a file. Throws Error naming it: kNotFound, kCorruptData, kUnsupported (a
  /// newer format), kIoError, kInvalidArgument (made for another model or another number of widths,
  /// or with other selectors than the model has).
  static PolicySet load(const std::string& path, const Model& model);

  [[nodiscard]] std::size_t size() const { return policies_.size(); }
  /// REQUIRES: index < size().
  [[nodiscard]] const TunedPolicy& operator[](std::size_t index) const { return policies_[index]; }
  [[nodiscard]] auto begin() const { return policies_.begin(); }
  [[nodiscard]] auto end() const { return policies_.end(); }

  /// The plain widths and all policies as a controller takes them, in their order: latencies and
  /// energies follow from those of the widths in `profile` and from how many inputs stop at each.
  /// What another one betters in everything is left out. Throws as Profile::points.
  [[nodiscard]] std::vector<OperatingPoint> points(const Profile& profile, const Model& model,
                                                   int threads = 1) const;

 private:
  std::vector<TunedPolicy> policies_;
};

}  // namespace bellows
