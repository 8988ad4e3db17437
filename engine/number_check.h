// Weights that are no numbers, or none that a layer could work with.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/network.h"

namespace bellows {

/// Looks at the values of one group as they come by, in any pieces, for what would make answers
/// that look sound: values that are infinite or no numbers, variances below 0.
class NumberCheck {
 public:
  /// `network` must outlive this. `file` is for messages.
  NumberCheck(std::string file, const Network& network, int group);

  /// The next of the group's values, in the order of the model file.
  void look_at(std::span<const float> values);

  /// Throws Error(kCorruptData) naming the file and the tensor if one was not as it should be.
  void finish() const;

 private:
  std::string file_;
  const Network& network_;
  std::vector<ParameterKey> tensors_;
  std::size_t tensor_ = 0;  // that the next value belongs to
  std::int64_t begun_ = 0;  // of its values that have come by
  std::string problem_;     // the first that was found
};

}  // namespace bellows
