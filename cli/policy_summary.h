// What policies save at a given loss of accuracy, for whoever shows them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "engine/policy_data.h"

namespace bellows::cli {

/// How much less accurate than the widest width a policy may be.
inline constexpr std::array kLossesAllowed = {0.0, 0.003, 0.01};

inline constexpr const char* kMixtureOfWidths = "mixture of widths";
inline constexpr const char* kMixtureOfPolicies = "mixture of policies";

/// The cheapest policy of a kind within a loss, both by the images of the tuning.
struct PolicySummary {
  double loss_allowed = 0;
  std::string found_by;
  std::size_t point = 0;  ///< position in the data's points
};

/// Every loss with every kind that has such a policy, in the order of the file. REQUIRES: the data
/// begin with all plain widths, as `bellows tune` writes them.
[[nodiscard]] std::vector<PolicySummary> summaries(const internal::PolicyData& data);

/// The figures that are shown: on test images, where there are any.
[[nodiscard]] const internal::PolicyScore& shown_score(const internal::PolicyPoint& point);

/// A cost in the data's unit: "1.2 M", "35.1 us".
[[nodiscard]] std::string cost_text(const internal::PolicyData& data, double cost);

/// "64 7 12 17": percent that stop at each width.
[[nodiscard]] std::string stops_text(const std::vector<double>& stopped);

}  // namespace bellows::cli
