#include "engine/number_check.h"

#include <bellows/error.h>

#include <algorithm>
#include <utility>

#include "engine/finite.h"

namespace bellows {

NumberCheck::NumberCheck(std::string file, const Network& network, int group)
    : file_(std::move(file)), network_(network), tensors_(network.parameters(group)) {}

void NumberCheck::look_at(std::span<const float> values) {
  while (!values.empty() && tensor_ < tensors_.size()) {
    const ParameterKey& key = tensors_[tensor_];
    const std::int64_t elements = key.spec.elements();
    const auto count = static_cast<std::size_t>(
        std::min(elements - begun_, static_cast<std::int64_t>(values.size())));
    const std::span<const float> part = values.first(count);
    const bool variance = key.spec.role == ParameterRole::kVariance;
    const char* problem = nullptr;
    if (!all_finite(part)) {
      problem = "values that are infinite or no numbers";
    } else if (variance && std::ranges::any_of(part, [](float value) { return value < 0; })) {
      problem = "variances below 0";
    }
    if (problem != nullptr && problem_.empty()) {
      problem_ = "tensor '" + network_.parameter_name(key) + "' has " + problem;
    }
    values = values.subspan(count);
    begun_ += static_cast<std::int64_t>(count);
    if (begun_ == elements) {
      ++tensor_;
      begun_ = 0;
    }
  }
}

void NumberCheck::finish() const {
  if (problem_.empty()) return;
  throw Error(ErrorCode::kCorruptData,
              file_ + ": " + problem_ + "; train the group again, with a lower learning rate");
}

}  // namespace bellows
