#include "training/distillation.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace bellows {

void DistillationConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("teacher", teacher,
                {.help = "whose probabilities are learned from, besides labels; widest and "
                         "ensemble: of the widths, when joint",
                 .choices = {"none", "widest", "ensemble", "model"}});
  visitor.field("model", model, {.help = "file of the teacher, where that is a model"});
  visitor.field("weight", weight,
                {.help = "of the teacher; the rest is the labels'", .minimum = 0, .maximum = 1});
  visitor.field("temperature", temperature,
                {.help = "that teacher's and learner's logits are divided by",
                 .minimum = 0.1,
                 .maximum = 100});
}

void add_softened(std::span<const float> logits, int classes, double temperature, double share,
                  std::span<float> sums) {
  const auto row = static_cast<std::size_t>(classes);
  if (classes < 1 || logits.size() != sums.size() || logits.size() % row != 0) {
    throw Error(ErrorCode::kInvalidArgument, "distillation was given " +
                                                 std::to_string(logits.size()) + " logits of " +
                                                 std::to_string(classes) + " classes for " +
                                                 std::to_string(sums.size()) + " targets");
  }
  std::vector<double> exponentials(row);
  for (std::size_t n = 0; n < logits.size(); n += row) {
    const auto sample = logits.subspan(n, row);
    const double largest = static_cast<double>(*std::ranges::max_element(sample));
    double sum = 0;
    for (std::size_t c = 0; c < row; ++c) {
      sum += exponentials[c] = std::exp((static_cast<double>(sample[c]) - largest) / temperature);
    }
    for (std::size_t c = 0; c < row; ++c) {
      sums[n + c] += static_cast<float>(share * exponentials[c] / sum);
    }
  }
}

double distil(const float* logits, std::span<const float> targets, int batch, int classes,
              int block, double weight, double temperature, float* diff_logits) {
  const auto place = [batch, block](int n, int c) {
    return (static_cast<std::size_t>(c / block) * static_cast<std::size_t>(batch) +
            static_cast<std::size_t>(n)) *
               static_cast<std::size_t>(block) +
           static_cast<std::size_t>(c % block);
  };
  double mean = 0;
  for (int n = 0; n < batch; ++n) {
    const auto scaled = [&](int c) {
      return static_cast<double>(logits[place(n, c)]) / temperature;
    };
    const auto target = [&](int c) {
      return static_cast<double>(
          targets[static_cast<std::size_t>(n) * static_cast<std::size_t>(classes) +
                  static_cast<std::size_t>(c)]);
    };
    double largest = scaled(0);
    for (int c = 1; c < classes; ++c) largest = std::max(largest, scaled(c));
    double sum = 0;
    for (int c = 0; c < classes; ++c) sum += std::exp(scaled(c) - largest);
    const double log_sum = std::log(sum) + largest;
    for (int c = 0; c < classes; ++c) {
      const double log_probability = scaled(c) - log_sum;
      // What has no probability adds nothing.
      if (target(c) > 0) mean += target(c) * (std::log(target(c)) - log_probability);
      // Of T^2 KL, by a logit that is divided by T.
      const double gradient = temperature * (std::exp(log_probability) - target(c)) / batch;
      float& diff = diff_logits[place(n, c)];
      diff = static_cast<float>((1 - weight) * static_cast<double>(diff) + weight * gradient);
    }
  }
  return temperature * temperature * mean / batch;
}

}  // namespace bellows
