#include "training/search/proposer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "training/search/minimise.h"

namespace bellows {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// A number, an order and a choice; the choice means nothing unless the order's first is taken.
SearchDomain mixed_domain() {
  return SearchDomain({{.name = "number"},
                       {.name = "order",
                        .kind = Dimension::Kind::kOrdered,
                        .choices = 4,
                        .positions = {1, 2, 4, 8}},
                       {.name = "choice", .kind = Dimension::Kind::kUnordered, .choices = 3}},
                      [](SearchPoint& point) {
                        if (point[1] != 0) point[2] = 0;
                      });
}

Objectives bowl(const SearchPoint& x) {
  const double choice = x[2] == 1 ? 0 : 0.5;
  return {std::abs(x[0] - 0.3) + 0.2 * x[1] + choice, std::abs(x[0] - 0.6) + 0.2 * x[1] + choice};
}

TEST(SearchDomain, NumbersOfAnOrderAreEncodedWhereTheyLieAndChoicesAsFarApartAsItsEnds) {
  const SearchDomain domain = mixed_domain();
  EXPECT_EQ(domain.dimension_of_column(), (std::vector<int>{0, 1, 2, 2, 2}));
  const auto distance = [&](const SearchPoint& a, const SearchPoint& b) {
    const std::vector<double> first = domain.encode(a);
    const std::vector<double> second = domain.encode(b);
    double squares = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
      squares += (first[i] - second[i]) * (first[i] - second[i]);
    }
    return std::sqrt(squares);
  };
  EXPECT_NEAR(domain.encode({0.25, 1, 0})[0], 0.25, 1e-12);
  EXPECT_NEAR(domain.encode({0.25, 1, 0})[1], 1.0 / 7, 1e-12);
  EXPECT_NEAR(distance({0.25, 1, 0}, {0.25, 1, 2}), 1, 1e-12);
  EXPECT_NEAR(distance({0, 0, 1}, {0, 3, 1}), 1, 1e-12);
}

TEST(SearchDomain, PointsThatSayTheSameAreEqual) {
  const SearchDomain domain = mixed_domain();
  data::KeyedRandom random(1);
  for (int i = 0; i < 200; ++i) {
    const SearchPoint point = domain.random(random);
    EXPECT_TRUE(point[1] == 0 || point[2] == 0);
    const SearchPoint near = domain.neighbour(point, random);
    EXPECT_NE(near, point);
    EXPECT_TRUE(near[1] == 0 || near[2] == 0);
  }
}

TEST(SearchDomain, EveryPointIsAllowed) {
  const SearchDomain domain({{.name = "x"}, {.name = "y"}}, {},
                            [](const SearchPoint& p) { return p[0] + p[1] < 0.5; });
  data::KeyedRandom random(2);
  const SearchPoint one = domain.random(random);
  const SearchPoint other = domain.random(random);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(domain.allowed(domain.neighbour(one, random)));
    EXPECT_TRUE(domain.allowed(domain.child(one, other, random)));
  }
  for (const SearchPoint& point : domain.around(one)) EXPECT_TRUE(domain.allowed(point));
}

TEST(SearchDomain, ASpaceInWhichNothingIsAllowedIsRefused) {
  const SearchDomain domain({{.name = "x"}}, {}, [](const SearchPoint&) { return false; });
  data::KeyedRandom random(2);
  EXPECT_THROW(static_cast<void>(domain.random(random)), std::exception);
}

TEST(Proposer, FindsTheFrontOfAMixedDomain) {
  const SearchDomain domain = mixed_domain();
  const auto found = minimise(bowl, domain, {.reference = {2, 2}, .seed = 3}, 40);
  // The front: the choice 1, the first of the order, the number from 0.3 to 0.6.
  std::vector<Objectives> exact;
  for (int i = 0; i <= 100; ++i) exact.push_back(bowl({0.3 + 0.003 * i, 0, 1}));
  EXPECT_GT(hypervolume(measured_in_full(found), {2, 2}), 0.97 * hypervolume(exact, {2, 2}));
}

TEST(Proposer, NeverProposesAPointTwice) {
  const SearchDomain domain({{.name = "a", .kind = Dimension::Kind::kOrdered, .choices = 5},
                             {.name = "b", .kind = Dimension::Kind::kUnordered, .choices = 5}});
  for (const SearchMethod method :
       {SearchMethod::kBayesian, SearchMethod::kEvolution, SearchMethod::kRandom}) {
    const auto found = minimise(
        [](const SearchPoint& p) {
          return Objectives{p[0] + (p[1] == 2 ? 0.0 : 1.0), 5 - p[0]};
        },
        domain, {.method = method, .random_first = 4, .reference = {9, 9}, .seed = 1}, 20);
    std::vector<SearchPoint> points;
    points.reserve(found.size());
    for (const Evaluation& evaluation : found) points.push_back(evaluation.point);
    std::ranges::sort(points);
    EXPECT_EQ(std::ranges::adjacent_find(points), points.end());
  }
}

// What makes a search resumable: nothing but the log decides.
TEST(Proposer, TheSameEvaluationsGiveTheSameProposalWhoeverAsks) {
  const SearchDomain domain = mixed_domain();
  const ProposerOptions options{.reference = {2, 2}, .seed = 5};
  const auto found = minimise(bowl, domain, options, 21);
  const Proposer fresh(domain, options);
  for (std::size_t n = 0; n < found.size(); ++n) {
    EXPECT_EQ(fresh.propose(static_cast<int>(n), std::span(found).first(n)), found[n].point) << n;
  }
}

TEST(Proposer, PointsThatAreBeingEvaluatedAreNotProposedAndMoveTheNextOnesAway) {
  const SearchDomain domain = unit_cube(2);
  const ProposerOptions options{.random_first = 8, .reference = {2, 2}, .seed = 1};
  const auto objective = [](const SearchPoint& x) {
    return Objectives{std::abs(x[0] - 0.5) + x[1], std::abs(x[0] - 0.5) + x[1]};
  };
  const auto found = minimise(objective, domain, options, 12);
  const Proposer proposer(domain, options);
  std::vector<SearchPoint> pending;
  pending.reserve(4);
  for (int i = 0; i < 4; ++i) pending.push_back(proposer.propose(12 + i, found, pending));
  for (std::size_t i = 0; i < pending.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(pending[i], pending[j]);
  }
  // Not knowing what is being evaluated, the same call would go about where the first has gone.
  const auto distance = [&](const SearchPoint& x) {
    return std::hypot(x[0] - pending[0][0], x[1] - pending[0][1]);
  };
  EXPECT_GT(distance(pending[1]), distance(proposer.propose(13, found)));
}

// A setting costs the more the further it is and is the better; the wide ones of small points are
// as the narrow ones of large points, so that models have to tell them apart.
TEST(Proposer, SettingsOfAPointAddUp) {
  const SearchDomain domain({{.name = "size"}, {.name = "waste"}});
  ProposerOptions options{.random_first = 6, .reference = {3, 3}, .seed = 2};
  options.settings = [](const SearchPoint&) { return 3; };
  options.most_settings = 3;
  const auto evaluate = [](const SearchPoint& x) {
    Evaluation evaluation{.point = x};
    for (int setting = 1; setting <= 3; ++setting) {
      const double cost = x[0] * setting + x[1];
      evaluation.measurements.push_back(
          {.setting = setting, .objectives = {2 / (1 + 2 * x[0] * setting), cost}});
    }
    return evaluation;
  };
  const Proposer proposer(domain, options);
  std::vector<Evaluation> found;
  found.reserve(24);
  for (int n = 0; n < 24; ++n) found.push_back(evaluate(proposer.propose(n, found)));
  double waste = 0;
  for (std::size_t n = 12; n < found.size(); ++n) waste += found[n].point[1] / 12;
  EXPECT_LT(waste, 0.1);
}

// Measurements of a short training only say something about long ones where both are known.
TEST(Proposer, LearnsFromMeasurementsOfAShare) {
  const SearchDomain domain({{.name = "x"}});
  const ProposerOptions options{.random_first = 4, .reference = {3, 3}, .seed = 4};
  const auto objective = [](double x, double share) {
    return Objectives{(x - 0.7) * (x - 0.7) + 0.5 * (1 - share), 1.0};
  };
  std::vector<Evaluation> found;
  for (int i = 0; i < 5; ++i) {
    const double x = 0.1 + 0.2 * i;
    Evaluation evaluation{.point = {x}};
    evaluation.measurements.push_back(
        {.share = 0.25, .objectives = {objective(x, 0.25)[0], kUnknown}});
    if (i < 2) evaluation.measurements.push_back({.objectives = objective(x, 1)});
    found.push_back(evaluation);
  }
  const SearchPoint next = Proposer(domain, options).propose(5, found);
  EXPECT_NEAR(next[0], 0.7, 0.15);
}

TEST(Proposer, AvoidsWhatIsLikelyToBreakALimit) {
  const SearchDomain domain = unit_cube(2);
  ProposerOptions options{.random_first = 10, .reference = {2, 2}, .seed = 3};
  options.limits = {kUnknown, 0.5};
  const auto objective = [](const SearchPoint& x) { return Objectives{1 - x[0] + x[1], x[0]}; };
  const auto found = minimise(objective, domain, options, 30);
  int beyond = 0;
  for (std::size_t n = 10; n < found.size(); ++n) beyond += found[n].point[0] > 0.55 ? 1 : 0;
  EXPECT_LE(beyond, 2);
}

TEST(Proposer, EvaluationsWithoutAnyMeasurementDoNoHarm) {
  const SearchDomain domain = unit_cube(2);
  const ProposerOptions options{.random_first = 3, .reference = {2, 2}, .seed = 3};
  const Proposer proposer(domain, options);
  std::vector<Evaluation> found;
  for (int n = 0; n < 8; ++n) {
    Evaluation evaluation{.point = proposer.propose(n, found)};
    if (n % 2 == 1) {
      evaluation.measurements.push_back({.objectives = {evaluation.point[0], 1.0}});
    }
    found.push_back(evaluation);
  }
  EXPECT_EQ(measured_in_full(found).size(), 4U);
}

}  // namespace
}  // namespace bellows
