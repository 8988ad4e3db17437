// Prediction tables made in memory, in which wider is better and sure answers are mostly right.
#pragma once

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

#include "training/policies/prediction_table.h"

namespace bellows {

/// Each image has a difficulty; logits of the label rise with the width and fall with that.
inline PredictionTable random_table(std::size_t images, int widths, int classes = 4,
                                    unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> noise;
  std::uniform_real_distribution<float> uniform;
  PredictionTable table{.group_sha256 = {},
                        .data_name = "random",
                        .part = "all of them",
                        .images_sha256 = "",
                        .classes = classes};
  table.logits.resize(static_cast<std::size_t>(widths));
  for (int width = 1; width <= widths; ++width) {
    table.group_sha256.emplace_back(64, static_cast<char>('0' + width));
  }
  for (std::size_t i = 0; i < images; ++i) {
    const int label = static_cast<int>(random() % static_cast<unsigned>(classes));
    const float difficulty = 4 * uniform(random);
    table.labels.push_back(label);
    for (int width = 1; width <= widths; ++width) {
      for (int c = 0; c < classes; ++c) {
        const float own = c == label ? 2.5F + 0.6F * static_cast<float>(width) - difficulty : 0.0F;
        table.logits[static_cast<std::size_t>(width - 1)].push_back(own + noise(random));
      }
    }
  }
  return table;
}

/// Costs that double from width to width, the widest 8.
inline std::vector<double> doubling_costs(int widths) {
  std::vector<double> costs;
  for (int width = 1; width <= widths; ++width) {
    costs.push_back(8.0 / static_cast<double>(1 << (widths - width)));
  }
  return costs;
}

}  // namespace bellows
