#include "engine/energy_budget.h"

#include <algorithm>
#include <limits>

namespace bellows {

void EnergyBudget::refill(double power_w, double size_j, double seconds) {
  level_ = std::min(1.0, level_ + power_w * seconds / size_j);
}

// What could not be avoided is not paid back later.
void EnergyBudget::spend(double size_j, double joules) {
  level_ = std::max(0.0, level_ - joules / size_j);
}

double EnergyBudget::allowed_j(double power_w, double size_j, double interval_s) const {
  if (interval_s == 0) return tokens_j(size_j);
  if (level_ == 1) return std::numeric_limits<double>::infinity();
  return power_w * interval_s * level_ / (1 - level_);
}

}  // namespace bellows
