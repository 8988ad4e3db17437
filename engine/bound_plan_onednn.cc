#include "engine/bound_plan_onednn.h"

#include <utility>

namespace bellows {

BoundPlan::BoundPlan(std::shared_ptr<const Plan> plan, MemoryMode mode)
    : plan_(std::move(plan)), memory_(plan_->table, plan_->placement(mode)), stream_(cpu_engine()) {
  programs_.reserve(plan_->programs.size());
  for (const Program& program : plan_->programs) programs_.emplace_back(program, memory_);
}

void BoundPlan::run(GroupRange groups) {
  for (int group = groups.first; group <= groups.last; ++group) {
    programs_[static_cast<std::size_t>(group - 1)].run(stream_);
  }
}

void BoundPlan::run_node_by_node(int width) {
  for (std::size_t node = 0; node < plan_->nodes.size(); ++node) {
    for (std::size_t group = 0; group < static_cast<std::size_t>(width); ++group) {
      const std::vector<std::size_t>& ends = plan_->node_ends[group];
      programs_[group].run(stream_, node == 0 ? 0 : ends[node - 1], ends[node]);
    }
  }
}

float* BoundPlan::floats(const TensorPlace& place, int group) const {
  return reinterpret_cast<float*>(memory_.address(place.buffer) + place.offset_of(group));
}

}  // namespace bellows
