// Searches on functions whose fronts are known: those of Zitzler, Deb and Thiele (2000, ZDT) and
// of Deb, Thiele, Laumanns and Zitzler (2002, DTLZ).
#include "training/search/minimise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

namespace bellows {
namespace {

double rest_of(const SearchPoint& x) {
  return std::accumulate(x.begin() + 1, x.end(), 0.0) / static_cast<double>(x.size() - 1);
}

Objectives zdt1(const SearchPoint& x) {
  const double g = 1 + 9 * rest_of(x);
  return {x[0], g * (1 - std::sqrt(x[0] / g))};
}
Objectives zdt2(const SearchPoint& x) {
  const double g = 1 + 9 * rest_of(x);
  return {x[0], g * (1 - (x[0] / g) * (x[0] / g))};
}
Objectives zdt3(const SearchPoint& x) {
  const double g = 1 + 9 * rest_of(x);
  return {x[0], g * (1 - std::sqrt(x[0] / g) - x[0] / g * std::sin(10 * std::numbers::pi * x[0]))};
}
// Its front is the eighth of a sphere.
Objectives dtlz2(const SearchPoint& x) {
  double g = 0;
  for (std::size_t i = 2; i < x.size(); ++i) g += (x[i] - 0.5) * (x[i] - 0.5);
  const double a = x[0] * std::numbers::pi / 2;
  const double b = x[1] * std::numbers::pi / 2;
  return {(1 + g) * std::cos(a) * std::cos(b), (1 + g) * std::cos(a) * std::sin(b),
          (1 + g) * std::sin(a)};
}

struct Known {
  const char* name;
  ObjectiveFunction function;
  int dimensions;
  Objectives reference;  // near the front: what is far from it counts for nothing
  double front;          // hypervolume of the known front
  Objectives far;        // a reference that random points better, too
  double share;          // of that hypervolume that 60 evaluations reach at least; points of three
                         // objectives have a surface to cover
};

// The fronts' hypervolumes: of ZDT1, ZDT2 and DTLZ2 by integration, of ZDT3 over many points of it.
double volume_of_zdt3_front() {
  std::vector<Objectives> points;
  for (int i = 0; i <= 20000; ++i) points.push_back(zdt3({i / 20000.0, 0}));
  std::vector<Objectives> front;
  for (const Objectives& point : points) {
    if (front.empty() || point[1] < front.back()[1]) front.push_back(point);
  }
  double area = 0;
  for (std::size_t i = 0; i < front.size(); ++i) {
    const double end = i + 1 < front.size() ? front[i + 1][0] : 1.1;
    area += (end - front[i][0]) * (1.1 - front[i][1]);
  }
  return area;
}

const std::vector<Known>& known() {
  static const std::vector<Known> kKnown = {
      {"zdt1", zdt1, 6, {1.1, 1.1}, 1.21 - 1.0 / 3, {1.1, 7}, 0.9},
      {"zdt2", zdt2, 6, {1.1, 1.1}, 1.21 - 2.0 / 3, {1.1, 7}, 0.9},
      {"zdt3", zdt3, 6, {1.1, 1.1}, volume_of_zdt3_front(), {1.1, 7}, 0.9},
      {"dtlz2", dtlz2, 6, {1.1, 1.1, 1.1}, 1.331 - std::numbers::pi / 6, {2, 2, 2}, 0.65},
  };
  return kKnown;
}

std::vector<Objectives> found(const Known& known, SearchMethod method, int evaluations,
                              std::uint64_t seed) {
  return measured_in_full(minimise(known.function, unit_cube(known.dimensions),
                                   {.method = method, .reference = known.reference, .seed = seed},
                                   evaluations));
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

class Minimise : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Minimise, BayesianSearchReachesMoreWithAQuarterOfTheEvaluationsOfARandomOne) {
  const Known& function = known()[GetParam()];
  std::vector<double> bayesian;
  std::vector<double> random;
  std::vector<double> near;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto by_models = found(function, SearchMethod::kBayesian, 60, seed);
    bayesian.push_back(hypervolume(by_models, function.far));
    near.push_back(hypervolume(by_models, function.reference));
    random.push_back(hypervolume(found(function, SearchMethod::kRandom, 240, seed), function.far));
  }
  RecordProperty("bayesian", std::to_string(median(bayesian)));
  RecordProperty("random", std::to_string(median(random)));
  RecordProperty("share_of_front", std::to_string(median(near) / function.front));
  EXPECT_GT(median(bayesian), median(random)) << function.name;
  EXPECT_LE(median(near), function.front) << function.name;
  EXPECT_GT(median(near), function.share * function.front) << function.name;
}

TEST_P(Minimise, EvolutionReachesMoreThanRandomSearchWithAsManyEvaluations) {
  const Known& function = known()[GetParam()];
  std::vector<double> evolution;
  std::vector<double> random;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    evolution.push_back(
        hypervolume(found(function, SearchMethod::kEvolution, 150, seed), function.far));
    random.push_back(hypervolume(found(function, SearchMethod::kRandom, 150, seed), function.far));
  }
  EXPECT_GT(median(evolution), median(random)) << function.name;
}

INSTANTIATE_TEST_SUITE_P(All, Minimise, ::testing::Range(std::size_t{0}, known().size()),
                         [](const auto& which) { return std::string(known()[which.param].name); });

TEST(Minimise, TheSameSeedGivesTheSamePointsWithinTheUnitCube) {
  const SearchDomain domain = unit_cube(4);
  const ProposerOptions options{.reference = {1.1, 1.1}, .seed = 7};
  const auto first = minimise(zdt1, domain, options, 30);
  const auto second = minimise(zdt1, domain, options, 30);
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].point, second[i].point);
    for (const double x : first[i].point) {
      EXPECT_GE(x, 0);
      EXPECT_LE(x, 1);
    }
  }
}

TEST(Minimise, TheHypervolumeNeverFalls) {
  const auto found = minimise(zdt2, unit_cube(3), {.reference = {1.1, 1.1}, .seed = 2}, 30);
  const auto reached = hypervolume_reached(found, {1.1, 1.1});
  ASSERT_EQ(reached.size(), 30U);
  for (std::size_t i = 1; i < reached.size(); ++i) EXPECT_GE(reached[i], reached[i - 1]);
}

}  // namespace
}  // namespace bellows
