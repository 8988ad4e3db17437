#include <bellows/bellows.h>
#include <bellows/policy.h>

#include <algorithm>
#include <array>
#include <utility>

#include "engine/model_state.h"
#include "engine/policy_costs.h"
#include "engine/policy_data.h"

namespace bellows {
namespace {

void check_model(const internal::PolicyData& data, const Model& model) {
  const std::vector<std::string>& hashes = internal::state_of(model)->group_sha256;
  const auto refuse = [&](const std::string& problem) {
    throw Error(ErrorCode::kInvalidArgument, data.source + ": " + problem);
  };
  if (hashes.empty()) refuse("says nothing of a model that was not loaded from a file");
  if (hashes.size() != data.group_sha256.size()) {
    refuse("was made for " + std::to_string(data.group_sha256.size()) + " widths, the model has " +
           std::to_string(hashes.size()) +
           "; load as many groups, or make a new one with 'bellows tune'");
  }
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (hashes[i] == data.group_sha256[i]) continue;
    refuse("was made for another model: group " + std::to_string(i + 1) + " there has SHA-256 " +
           data.group_sha256[i] + ", here " + hashes[i]);
  }
}

// Their numbers alone would also fit selectors that were learned later.
void check_selectors(const internal::PolicyData& data, const std::vector<Selector>& selectors) {
  for (const internal::SelectorFacts& facts : data.selectors) {
    const auto index = static_cast<std::size_t>(facts.number - 1);
    if (facts.sha256.empty() || index >= selectors.size()) continue;
    if (internal::selector_sha256(selectors[index]) == facts.sha256) continue;
    throw Error(ErrorCode::kInvalidArgument,
                data.source + ": selector " + std::to_string(facts.number) +
                    " of the model is another one than the policies were made with; use the model "
                    "file that 'bellows tune' wrote with them");
  }
}

void check_stopped(const internal::PolicyData& data, const std::vector<Policy>& policies) {
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const std::vector<double>& stopped = data.points[i].tuning.stopped;
    for (auto width = static_cast<std::size_t>(policies[i].widest()); width < stopped.size();
         ++width) {
      if (stopped[width] <= 0) continue;
      throw Error(ErrorCode::kCorruptData, data.source + ": point " + std::to_string(i + 1) +
                                               ": stops at width " + std::to_string(width + 1) +
                                               ", its policy runs no wider than " +
                                               std::to_string(policies[i].widest()));
    }
  }
}

}  // namespace

PolicySet PolicySet::load(const std::string& path, const Model& model) {
  const internal::PolicyData data = internal::read_policies(path);
  check_model(data, model);
  const std::vector<Selector>& selectors = internal::state_of(model)->info.selectors;
  const std::vector<Policy> policies = internal::make_policies(data, selectors);
  check_selectors(data, selectors);
  check_stopped(data, policies);
  PolicySet set;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const internal::PolicyScore& tuning = data.points[i].tuning;
    set.policies_.push_back(
        {.policy = policies[i], .accuracy = tuning.accuracy, .stopped = tuning.stopped});
  }
  return set;
}

namespace {

// Whether nothing speaks for `point` beside `other`. Of equals the earlier one stays. Energies
// count where both are known.
bool bettered(const OperatingPoint& point, const OperatingPoint& other, bool other_is_earlier) {
  const bool energies = point.energy_uj > 0 && other.energy_uj > 0;
  if (other.energy_uj <= 0 && point.energy_uj > 0) return false;
  const auto values = [energies](const OperatingPoint& p) {
    return std::array{-p.accuracy, energies ? p.energy_uj : 0, p.latency_p50_us, p.latency_p95_us,
                      p.latency_p99_us};
  };
  const auto own = values(point);
  const auto others = values(other);
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (others[i] > own[i]) return false;
  }
  return others != own || other_is_earlier;
}

}  // namespace

std::vector<OperatingPoint> PolicySet::points(const Profile& profile, const Model& model,
                                              int threads) const {
  std::vector<OperatingPoint> points = profile.points(model, threads);
  const std::vector<OperatingPoint> widths = points;
  for (const TunedPolicy& tuned : policies_) {
    // The profile has it already.
    if (tuned.policy.kind() == PolicyKind::kWidth) continue;
    points.push_back(internal::policy_point(tuned, widths));
  }
  std::vector<OperatingPoint> best;
  for (std::size_t i = 0; i < points.size(); ++i) {
    bool needed = true;
    for (std::size_t j = 0; j < points.size() && needed; ++j) {
      needed = j == i || !bettered(points[i], points[j], j < i);
    }
    if (needed) best.push_back(points[i]);
  }
  return best;
}

}  // namespace bellows
