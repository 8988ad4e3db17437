#include "training/loss.h"

#include <bellows/error.h>

#include <cmath>
#include <cstddef>
#include <string>

namespace bellows {
namespace {

void require(bool holds, const std::string& message) {
  if (!holds) throw Error(ErrorCode::kInvalidArgument, "loss: " + message);
}

}  // namespace

LossResult softmax_cross_entropy(const float* logits, const std::int32_t* labels, int batch,
                                 int classes, int block, double label_smoothing,
                                 float* diff_logits) {
  require(batch >= 1 && classes >= 1 && block >= 1,
          "batch " + std::to_string(batch) + ", classes " + std::to_string(classes) + ", block " +
              std::to_string(block) + "; none may be below 1");
  require(label_smoothing >= 0 && label_smoothing <= 1,
          "label_smoothing is " + std::to_string(label_smoothing) + ", it needs 0 to 1");
  for (int n = 0; n < batch; ++n) {
    require(labels[n] >= 0 && labels[n] < classes,
            "label " + std::to_string(labels[n]) + " of sample " + std::to_string(n) +
                " is not below the number of classes " + std::to_string(classes));
  }
  const auto place = [batch, block](int n, int c) {
    return (static_cast<std::size_t>(c / block) * static_cast<std::size_t>(batch) +
            static_cast<std::size_t>(n)) *
               static_cast<std::size_t>(block) +
           static_cast<std::size_t>(c % block);
  };
  const int padded = (classes + block - 1) / block * block;
  const double smooth_share = label_smoothing / classes;
  LossResult result;
  for (int n = 0; n < batch; ++n) {
    const int label = labels[n];
    int best = 0;
    double sum_of_logits = 0;
    for (int c = 0; c < classes; ++c) {
      if (logits[place(n, c)] > logits[place(n, best)]) best = c;
      sum_of_logits += static_cast<double>(logits[place(n, c)]);
    }
    // Relative to the largest logit no exponential overflows and the sum is at least 1.
    const double largest = static_cast<double>(logits[place(n, best)]);
    double sum = 0;
    for (int c = 0; c < classes; ++c) {
      sum += std::exp(static_cast<double>(logits[place(n, c)]) - largest);
    }
    const double log_sum = std::log(sum);
    const double label_logit = static_cast<double>(logits[place(n, label)]);
    // The targets add up to 1, so the log of the sum counts once.
    result.mean += log_sum + (1 - label_smoothing) * (largest - label_logit) +
                   smooth_share * (classes * largest - sum_of_logits);
    result.correct += best == label ? 1 : 0;
    if (diff_logits == nullptr) continue;
    for (int c = 0; c < padded; ++c) {
      double gradient = 0;
      if (c < classes) {
        const double probability =
            std::exp(static_cast<double>(logits[place(n, c)]) - largest) / sum;
        const double target = smooth_share + (c == label ? 1 - label_smoothing : 0);
        gradient = (probability - target) / batch;
      }
      diff_logits[place(n, c)] = static_cast<float>(gradient);
    }
  }
  result.mean /= batch;
  return result;
}

}  // namespace bellows
