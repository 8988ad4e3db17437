#include "training/search/domain.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace bellows {
namespace {

constexpr int kMostTries = 20000;
constexpr int kNeighbourTries = 40;
constexpr double kRealSpread = 0.08;

}  // namespace

SearchDomain::SearchDomain(std::vector<Dimension> dimensions, Settle settle, Allowed allowed)
    : dimensions_(std::move(dimensions)), settle_(std::move(settle)), allowed_(std::move(allowed)) {
  for (std::size_t d = 0; d < dimensions_.size(); ++d) {
    Dimension& dimension = dimensions_[d];
    const int columns = dimension.kind == Dimension::Kind::kUnordered ? dimension.choices : 1;
    columns_.insert(columns_.end(), static_cast<std::size_t>(columns), static_cast<int>(d));
    if (dimension.kind != Dimension::Kind::kOrdered) continue;
    std::vector<double>& at = dimension.positions;
    for (int i = static_cast<int>(at.size()); i < dimension.choices; ++i) at.push_back(i);
    const double first = at.front();
    const double length = at.back() - first;
    for (double& position : at) position = length > 0 ? (position - first) / length : 0;
  }
}

double SearchDomain::draw(const Dimension& dimension, data::KeyedRandom& random) const {
  if (dimension.kind == Dimension::Kind::kReal) return static_cast<double>(random.uniform());
  return random.below(static_cast<std::uint32_t>(dimension.choices));
}

bool SearchDomain::allowed(const SearchPoint& point) const { return !allowed_ || allowed_(point); }

bool SearchDomain::settled_and_allowed(SearchPoint& point) const {
  if (settle_) settle_(point);
  return allowed(point);
}

SearchPoint SearchDomain::random(data::KeyedRandom& random) const {
  SearchPoint point(dimensions_.size());
  for (int i = 0; i < kMostTries; ++i) {
    for (std::size_t d = 0; d < point.size(); ++d) point[d] = draw(dimensions_[d], random);
    if (settled_and_allowed(point)) return point;
  }
  throw Error(ErrorCode::kInvalidArgument,
              "none of " + std::to_string(kMostTries) +
                  " points of the search space meets the constraints; loosen them, or allow "
                  "smaller choices");
}

SearchPoint SearchDomain::neighbour(const SearchPoint& point, data::KeyedRandom& random) const {
  const auto count = static_cast<std::uint32_t>(dimensions_.size());
  for (int i = 0; i < kNeighbourTries; ++i) {
    SearchPoint changed = point;
    // One dimension for certain, each other one as likely as one of all.
    const std::uint32_t certain = random.below(count);
    for (std::uint32_t d = 0; d < count; ++d) {
      if (d != certain && random.below(count) != 0) continue;
      const Dimension& dimension = dimensions_[d];
      double& value = changed[d];
      switch (dimension.kind) {
        case Dimension::Kind::kReal:
          value = std::clamp(value + kRealSpread * static_cast<double>(random.bell()), 0.0, 1.0);
          break;
        case Dimension::Kind::kOrdered:
          // Mostly the next one up or down.
          value = random.below(3) == 0
                      ? draw(dimension, random)
                      : std::clamp(value + (random.below(2) == 0 ? -1.0 : 1.0), 0.0,
                                   static_cast<double>(dimension.choices - 1));
          break;
        case Dimension::Kind::kUnordered:
          value = draw(dimension, random);
          break;
      }
    }
    if (settled_and_allowed(changed) && changed != point) return changed;
  }
  return point;
}

SearchPoint SearchDomain::child(const SearchPoint& a, const SearchPoint& b,
                                data::KeyedRandom& random) const {
  for (int i = 0; i < kNeighbourTries; ++i) {
    SearchPoint mixed = a;
    for (std::size_t d = 0; d < mixed.size(); ++d) {
      if (random.below(2) == 0) mixed[d] = b[d];
    }
    if (settled_and_allowed(mixed)) return mixed;
  }
  return a;
}

std::vector<SearchPoint> SearchDomain::around(const SearchPoint& point) const {
  std::vector<SearchPoint> others;
  const auto add = [&](std::size_t d, double value) {
    SearchPoint changed = point;
    changed[d] = value;
    if (settled_and_allowed(changed) && changed != point) others.push_back(std::move(changed));
  };
  for (std::size_t d = 0; d < point.size(); ++d) {
    if (dimensions_[d].kind == Dimension::Kind::kReal) {
      for (const double step : {-0.05, -0.01, 0.01, 0.05}) {
        add(d, std::clamp(point[d] + step, 0.0, 1.0));
      }
      continue;
    }
    for (int choice = 0; choice < dimensions_[d].choices; ++choice) add(d, choice);
  }
  return others;
}

std::vector<double> SearchDomain::encode(const SearchPoint& point) const {
  std::vector<double> encoded(columns_.size(), 0);
  std::size_t column = 0;
  for (std::size_t d = 0; d < dimensions_.size(); ++d) {
    const Dimension& dimension = dimensions_[d];
    switch (dimension.kind) {
      case Dimension::Kind::kReal:
        encoded[column++] = point[d];
        break;
      case Dimension::Kind::kOrdered:
        encoded[column++] = dimension.positions[static_cast<std::size_t>(point[d])];
        break;
      case Dimension::Kind::kUnordered:
        // Two choices are at a distance of 1 from each other.
        encoded[column + static_cast<std::size_t>(point[d])] = 1 / std::numbers::sqrt2;
        column += static_cast<std::size_t>(dimension.choices);
        break;
    }
  }
  return encoded;
}

}  // namespace bellows
