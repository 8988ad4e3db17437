#include "engine/bound_plan_onednn.h"

#include <utility>

namespace bellows {

BoundPlan::BoundPlan(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)), memory_(plan_->table), stream_(cpu_engine()) {
  programs_.reserve(plan_->programs.size());
  for (const Program& program : plan_->programs) programs_.emplace_back(program, memory_);
}

void BoundPlan::run(GroupRange groups) {
  for (int group = groups.first; group <= groups.last; ++group) {
    programs_[static_cast<std::size_t>(group - 1)].run(stream_);
  }
}

float* BoundPlan::floats(const TensorPlace& place, int group) const {
  return reinterpret_cast<float*>(memory_.address(place.buffer) + place.offset_of(group));
}

}  // namespace bellows
