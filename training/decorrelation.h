// Features of a new group that differ from those that are there: a loss of how strongly they
// correlate over a batch.
#pragma once

#include <Eigen/Dense>

namespace bellows {

/// The mean, over all pairs of a fresh and an old feature, of their squared correlation over the
/// samples, 0..1; `gradient`, as large as `fresh`, becomes its gradient by the fresh features. A
/// feature that hardly varies counts as uncorrelated. Columns are features, rows samples, as many
/// in both.
double decorrelation(const Eigen::MatrixXf& fresh, const Eigen::MatrixXf& old,
                     Eigen::MatrixXf& gradient);

}  // namespace bellows
