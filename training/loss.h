// Softmax cross-entropy, the loss of every classifier.
#pragma once

#include <cstdint>

namespace bellows {

/// Of one batch.
struct LossResult {
  double mean = 0;  ///< loss per sample
  int correct = 0;  ///< samples whose largest logit (the first of equals) is that of their label
};

/// Cross-entropy between softmax(logits) and the labels smoothed as by Szegedy et al. 2016: the
/// target of a class is label_smoothing / classes, plus 1 - label_smoothing for the label's.
///
/// Logits stand class block by class block, [classes / block rounded up, batch, block]: that of
/// sample n, class c at ((c / block) * batch + n) * block + c % block. A `block` of `classes` or
/// more is row-major [batch, block]. `diff_logits`, in the same layout, receives the gradient of
/// `mean`, with zeros in the padding; null: not wanted; it may be `logits` itself. Sums are made in
/// double and in one order, so equal input gives equal output. Thread safe.
///
/// Throws Error(kInvalidArgument) for a label outside 0..classes-1 (nothing is written then), a
/// batch, classes or block below 1, a label_smoothing outside 0..1.
LossResult softmax_cross_entropy(const float* logits, const std::int32_t* labels, int batch,
                                 int classes, int block, double label_smoothing,
                                 float* diff_logits);

}  // namespace bellows
