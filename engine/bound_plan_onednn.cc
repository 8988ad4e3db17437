#include "engine/bound_plan_onednn.h"

#include <utility>

namespace bellows {

BoundPlan::BoundPlan(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)), memory_(plan_->table), stream_(cpu_engine()) {
  programs_.reserve(plan_->programs.size());
  for (const Program& program : plan_->programs) programs_.emplace_back(program, memory_);
}

void BoundPlan::run(GroupRange groups) {
  // Node by node: what the narrower groups have just written is what the wider one reads next.
  for (std::size_t node = 0; node < plan_->nodes.size(); ++node) {
    for (int group = groups.first; group <= groups.last; ++group) {
      const auto index = static_cast<std::size_t>(group - 1);
      const std::vector<std::size_t>& ends = plan_->node_ends[index];
      for (std::size_t step = node == 0 ? 0 : ends[node - 1]; step < ends[node]; ++step) {
        programs_[index].run_step(stream_, step);
      }
    }
  }
}

float* BoundPlan::floats(const TensorPlace& place, int group) const {
  return reinterpret_cast<float*>(memory_.address(place.buffer) + place.offset_of(group));
}

}  // namespace bellows
