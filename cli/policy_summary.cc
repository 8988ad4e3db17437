#include "cli/policy_summary.h"

#include <algorithm>
#include <cstdint>

#include "cli/numbers.h"
#include "training/policies/tuner.h"

namespace bellows::cli {

std::vector<PolicySummary> summaries(const internal::PolicyData& data) {
  std::vector<std::string> kinds;
  for (const PolicyPoint& point : data.points) {
    if (std::ranges::find(kinds, point.found_by) == kinds.end()) kinds.push_back(point.found_by);
  }
  const double accuracy = data.points.at(data.width_costs.size() - 1).tuning.accuracy;
  std::vector<PolicySummary> all;
  for (const double loss : kLossesAllowed) {
    for (const std::string& kind : kinds) {
      const std::size_t best = cheapest_at(data.points, accuracy - loss - 1e-12, kind);
      if (best == data.points.size()) continue;
      all.push_back({.loss_allowed = loss, .found_by = kind, .point = best});
    }
  }
  return all;
}

const PolicyScore& shown_score(const PolicyPoint& point) {
  return point.test ? *point.test : point.tuning;
}

std::string cost_text(const internal::PolicyData& data, double cost) {
  if (data.cost == "latency_us") return fixed_text(cost, 1) + " us";
  if (data.cost == "energy_uj") return fixed_text(cost, 1) + " uJ";
  return scaled_text(static_cast<std::int64_t>(cost));
}

std::string stops_text(const std::vector<double>& stopped) {
  std::string text;
  for (const double share : stopped) text += (text.empty() ? "" : " ") + fixed_text(100 * share, 0);
  return text;
}

}  // namespace bellows::cli
