// The answers of every width of a model for every image of a split: computed once, then every
// policy is judged by looking them up.
#pragma once

#include <bellows/bellows.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "training/data/dataset.h"
#include "training/evaluator.h"

namespace bellows {

struct PredictionTable {
  std::vector<std::string> group_sha256;  ///< of the model's groups
  std::string data_name;                  ///< of the data set
  std::string part;                       ///< which images of it, in words
  std::string images_sha256;              ///< Dataset::sha256
  int classes = 0;
  std::vector<std::int32_t> labels = {};        ///< [N], 0 .. classes - 1
  std::vector<std::vector<float>> logits = {};  ///< [width - 1], [N, classes]

  [[nodiscard]] int widths() const { return static_cast<int>(logits.size()); }
  [[nodiscard]] std::size_t size() const { return labels.size(); }
  [[nodiscard]] std::span<const float> answer(int width, std::size_t image) const {
    const auto count = static_cast<std::size_t>(classes);
    return std::span(logits[static_cast<std::size_t>(width - 1)]).subspan(image * count, count);
  }
};

/// The answers of `model`, all widths. Throws Error(kInvalidArgument) as evaluate does, and where
/// the model was not loaded from a file or gives answers that are no numbers.
[[nodiscard]] PredictionTable predict(const Model& model, const Dataset& images,
                                      const std::string& part,
                                      const EvaluationOptions& options = {});

/// Throws Error(kInvalidArgument) unless the table was made by this model.
void check_table(const PredictionTable& table, const Model& model, const std::string& name);

/// Atomically. Throws Error(kIoError).
void save_table(const std::filesystem::path& path, const PredictionTable& table);

/// Throws Error naming the file: kNotFound, kIoError, kCorruptData.
[[nodiscard]] PredictionTable load_table(const std::filesystem::path& path);

/// Positions of the images that are among `others` too, to the byte, ascending.
[[nodiscard]] std::vector<std::uint32_t> shared_images(const Dataset& images,
                                                       const Dataset& others);

}  // namespace bellows
