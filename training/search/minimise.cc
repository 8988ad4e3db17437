#include "training/search/minimise.h"

#include <utility>

namespace bellows {

std::vector<Evaluation> minimise(const ObjectiveFunction& function, const SearchDomain& domain,
                                 const ProposerOptions& options, int evaluations) {
  const Proposer proposer(domain, options);
  std::vector<Evaluation> done;
  for (int number = 0; number < evaluations; ++number) {
    SearchPoint point = proposer.propose(number, done);
    Objectives objectives = function(point);
    done.push_back({std::move(point), {{.objectives = std::move(objectives)}}});
  }
  return done;
}

SearchDomain unit_cube(int dimensions) {
  std::vector<Dimension> all;
  all.reserve(static_cast<std::size_t>(dimensions));
  for (int d = 0; d < dimensions; ++d) all.push_back({.name = "x" + std::to_string(d + 1)});
  return SearchDomain(std::move(all));
}

}  // namespace bellows
