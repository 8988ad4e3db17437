// Makes functions small that are asked one point at a time, by any of the methods of proposer.h.
#pragma once

#include <functional>
#include <vector>

#include "training/search/proposer.h"

namespace bellows {

/// What the objectives are at a point; all to be made small.
using ObjectiveFunction = std::function<Objectives(const SearchPoint&)>;

/// All evaluations, in their order.
[[nodiscard]] std::vector<Evaluation> minimise(const ObjectiveFunction& function,
                                               const SearchDomain& domain,
                                               const ProposerOptions& options, int evaluations);

/// So many real dimensions.
[[nodiscard]] SearchDomain unit_cube(int dimensions);

}  // namespace bellows
