// How good a model is, width by width.
#pragma once

#include <bellows/bellows.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "training/data/dataset.h"

namespace bellows {

/// One width over one data set.
struct WidthScore {
  int width = 1;
  double accuracy = 0;  ///< share of right answers, 0..1
  double loss = 0;      ///< mean cross-entropy
  /// [true class * classes + answer]: how often.
  std::vector<std::int64_t> confusion;
};

struct EvaluationOptions {
  int first_width = 1;
  int last_width = 0;  ///< 0: the widest
  int batch = 128;
  int threads = 1;
  /// Told after every batch how many images are done; may be empty.
  std::function<void(std::size_t done, std::size_t of)> progress = {};
};

/// Runs all images through the widths asked for (every image once: wider widths refine). Throws
/// Error(kInvalidArgument) when images, classes or widths do not fit the model.
std::vector<WidthScore> evaluate(const Model& model, const Dataset& images,
                                 const EvaluationOptions& options = {});

/// The logits behind such scores: of each width asked for, [N, classes]. Throws as evaluate does.
std::vector<std::vector<float>> collect_logits(const Model& model, const Dataset& images,
                                               const EvaluationOptions& options = {});

}  // namespace bellows
