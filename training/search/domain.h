// What a search may choose among: dimensions that are numbers, choices with an order, or choices
// without one, in any mix.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "training/data/random.h"

namespace bellows {

struct Dimension {
  enum class Kind {
    kReal,       ///< any number from 0 to 1
    kOrdered,    ///< one of some choices, of which neighbours are alike
    kUnordered,  ///< one of some choices, each as different from any other
  };
  std::string name = {};
  Kind kind = Kind::kReal;
  int choices = 0;  ///< unless real
  /// Of ordered choices: where each lies, rising, in any unit. Empty: evenly.
  std::vector<double> positions = {};
};

/// One value for each dimension: a number from 0 to 1, or the number of a choice, from 0.
using SearchPoint = std::vector<double>;

/// Immutable; its functions must be pure.
class SearchDomain {
 public:
  /// Dimensions that mean nothing, others being as they are, are set to 0, so that points that say
  /// the same are equal.
  using Settle = std::function<void(SearchPoint&)>;
  using Allowed = std::function<bool(const SearchPoint&)>;

  /// Without functions every dimension counts and every point is allowed. REQUIRES: at least one
  /// dimension, and of each that is not real at least one choice.
  explicit SearchDomain(std::vector<Dimension> dimensions, Settle settle = {},
                        Allowed allowed = {});

  [[nodiscard]] const std::vector<Dimension>& dimensions() const { return dimensions_; }

  /// Uniform in each dimension. Throws Error(kInvalidArgument) where none of many is allowed.
  [[nodiscard]] SearchPoint random(data::KeyedRandom& random) const;
  /// `point` with at least one dimension changed, where that is allowed; else `point` itself.
  [[nodiscard]] SearchPoint neighbour(const SearchPoint& point, data::KeyedRandom& random) const;
  /// Each dimension from the one or the other, where that is allowed; else one of them.
  [[nodiscard]] SearchPoint child(const SearchPoint& a, const SearchPoint& b,
                                  data::KeyedRandom& random) const;
  /// All that differ from `point` in one dimension: every choice, numbers a little up and down.
  [[nodiscard]] std::vector<SearchPoint> around(const SearchPoint& point) const;
  [[nodiscard]] bool allowed(const SearchPoint& point) const;

  /// As numbers from 0 to 1 for a Gaussian process: a column for each dimension, or one for each of
  /// the choices without an order, which are then as far from each other as the ends of an order.
  [[nodiscard]] std::vector<double> encode(const SearchPoint& point) const;
  /// The dimension of each of these columns.
  [[nodiscard]] const std::vector<int>& dimension_of_column() const { return columns_; }

 private:
  [[nodiscard]] double draw(const Dimension& dimension, data::KeyedRandom& random) const;
  [[nodiscard]] bool settled_and_allowed(SearchPoint& point) const;

  std::vector<Dimension> dimensions_;
  std::vector<int> columns_;
  Settle settle_;
  Allowed allowed_;
};

}  // namespace bellows
