#include "training/policies/mixture_program.h"

#include <bellows/error.h>

#include <CbcModel.hpp>
#include <CoinPackedMatrix.hpp>
#include <OsiClpSolverInterface.hpp>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

namespace bellows {
namespace {

constexpr double kMostSeconds = 60;

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, "mixture: " + problem);
}

void check(const MixtureProblem& problem) {
  const std::size_t points = problem.accuracies.size();
  if (points == 0) refuse("there are no points");
  if (problem.costs.size() != points) {
    refuse("there are " + std::to_string(problem.costs.size()) + " costs for " +
           std::to_string(points) + " accuracies");
  }
  if (problem.time_budget && problem.times.size() != points) {
    refuse("there are " + std::to_string(problem.times.size()) + " times for " +
           std::to_string(points) + " accuracies");
  }
  for (const auto* values : {&problem.accuracies, &problem.costs, &problem.times}) {
    if (!std::ranges::all_of(*values, [](double x) { return std::isfinite(x); })) {
      refuse("a value is no number");
    }
  }
  for (const auto& limit : {problem.budget, problem.min_accuracy, problem.time_budget}) {
    if (limit && !std::isfinite(*limit)) refuse("a limit is no number");
  }
  if (!problem.budget && !problem.min_accuracy) refuse("give a budget or an accuracy");
  if (problem.requests < 0) refuse("requests are negative");
  if (!(problem.switching_cost >= 0)) refuse("the switching cost is negative");
  if (problem.switching_cost > 0 && problem.requests == 0) {
    refuse("a switching cost needs a number of requests");
  }
}

// Which of the constraints nothing can keep, judged one by one.
std::string infeasible_text(const MixtureProblem& problem) {
  const double cheapest = *std::ranges::min_element(problem.costs);
  if (problem.budget && *problem.budget < cheapest) {
    return "the budget, " + std::to_string(*problem.budget) + ", lies below the cheapest point, " +
           std::to_string(cheapest);
  }
  const double best = *std::ranges::max_element(problem.accuracies);
  if (problem.min_accuracy && *problem.min_accuracy > best) {
    return "the accuracy, " + std::to_string(*problem.min_accuracy) +
           ", lies above that of the best point, " + std::to_string(best);
  }
  if (problem.time_budget) {
    const double quickest = *std::ranges::min_element(problem.times);
    if (*problem.time_budget < quickest) {
      return "the time budget, " + std::to_string(*problem.time_budget) +
             ", lies below the quickest point, " + std::to_string(quickest);
    }
  }
  return "no mixture keeps all limits together; relax one of them";
}

double largest(const std::vector<double>& values, double floor) {
  for (const double value : values) floor = std::max(floor, std::abs(value));
  return floor > 0 ? floor : 1;
}

// Variables: the share of each point, or with whole requests their number; behind them, where
// switches cost, whether the point is used. Costs and times go in as parts of the largest: the
// solver's tolerances are absolute.
class Programme {
 public:
  explicit Programme(const MixtureProblem& problem)
      : problem_(problem),
        points_(static_cast<int>(problem.accuracies.size())),
        whole_(problem.requests > 0),
        switches_(problem.switching_cost > 0),
        total_(whole_ ? problem.requests : 1),
        cost_unit_(largest(problem.costs, problem.switching_cost)),
        time_unit_(largest(problem.times, 0)) {}

  MixtureSolution solve() {
    const int variables = switches_ ? 2 * points_ : points_;
    std::vector<double> lower(static_cast<std::size_t>(variables), 0.0);
    std::vector<double> upper(static_cast<std::size_t>(variables), 1.0);
    std::fill_n(upper.begin(), points_, total_);
    add_rows();
    CoinPackedMatrix matrix(/*colordered=*/false, 0, 0);
    matrix.setDimensions(0, variables);
    for (const CoinPackedVector& row : rows_) matrix.appendRow(row);
    const std::vector<double> objective = objective_of(variables);
    OsiClpSolverInterface solver;
    solver.setHintParam(OsiDoReducePrint, true, OsiHintTry);
    solver.messageHandler()->setLogLevel(0);
    solver.getModelPtr()->setLogLevel(0);
    solver.loadProblem(matrix, lower.data(), upper.data(), objective.data(), row_lower_.data(),
                       row_upper_.data());
    solver.setObjSense(1);
    if (whole_) {
      for (int i = 0; i < variables; ++i) solver.setInteger(i);
      CbcModel model(solver);
      model.setLogLevel(0);
      model.messageHandler()->setLogLevel(0);
      model.setAllowableGap(0);
      model.setMaximumSeconds(kMostSeconds);
      model.branchAndBound();
      if (model.isSecondsLimitReached()) {
        refuse("was not solved within " + std::to_string(static_cast<int>(kMostSeconds)) +
               " s; give fewer requests, or none for any shares");
      }
      if (!model.isProvenOptimal() || model.bestSolution() == nullptr) {
        refuse(infeasible_text(problem_));
      }
      return solution(model.bestSolution());
    }
    solver.initialSolve();
    if (!solver.isProvenOptimal()) refuse(infeasible_text(problem_));
    return solution(solver.getColSolution());
  }

 private:
  void add_row(CoinPackedVector row, double least, double most) {
    rows_.push_back(std::move(row));
    row_lower_.push_back(least);
    row_upper_.push_back(most);
  }

  CoinPackedVector row_of(const std::vector<double>& values, double unit = 1) const {
    CoinPackedVector row;
    for (int i = 0; i < points_; ++i) row.insert(i, values[static_cast<std::size_t>(i)] / unit);
    return row;
  }

  void add_rows() {
    add_row(row_of(std::vector<double>(static_cast<std::size_t>(points_), 1)), total_, total_);
    if (problem_.budget) {
      CoinPackedVector row = row_of(problem_.costs, cost_unit_);
      // One block less switches than points in use.
      const double switching = problem_.switching_cost / cost_unit_;
      double most = *problem_.budget / cost_unit_ * total_;
      if (switches_) {
        for (int i = 0; i < points_; ++i) row.insert(points_ + i, switching);
        most += switching;
      }
      add_row(row, -COIN_DBL_MAX, most);
    }
    if (problem_.min_accuracy) {
      add_row(row_of(problem_.accuracies), *problem_.min_accuracy * total_, COIN_DBL_MAX);
    }
    if (problem_.time_budget) {
      add_row(row_of(problem_.times, time_unit_), -COIN_DBL_MAX,
              *problem_.time_budget / time_unit_ * total_);
    }
    for (int i = 0; i < points_ && switches_; ++i) {
      CoinPackedVector row;
      row.insert(i, 1);
      row.insert(points_ + i, -total_);
      add_row(row, -COIN_DBL_MAX, 0);
    }
  }

  // Made small.
  [[nodiscard]] std::vector<double> objective_of(int variables) const {
    std::vector<double> objective(static_cast<std::size_t>(variables), 0.0);
    for (std::size_t i = 0; i < problem_.costs.size(); ++i) {
      objective[i] = problem_.budget ? -problem_.accuracies[i] : problem_.costs[i] / cost_unit_;
    }
    if (!problem_.budget && switches_) {
      std::fill(objective.begin() + points_, objective.end(), problem_.switching_cost / cost_unit_);
    }
    return objective;
  }

  [[nodiscard]] MixtureSolution solution(const double* values) const {
    MixtureSolution result;
    int used = 0;
    for (int i = 0; i < points_; ++i) {
      const double value = whole_ ? std::round(values[i]) : std::max(0.0, values[i]);
      result.shares.push_back(value / total_);
      used += value > 0 ? 1 : 0;
    }
    result.accuracy = std::inner_product(result.shares.begin(), result.shares.end(),
                                         problem_.accuracies.begin(), 0.0);
    result.cost =
        std::inner_product(result.shares.begin(), result.shares.end(), problem_.costs.begin(), 0.0);
    if (switches_) result.cost += problem_.switching_cost * (used - 1) / total_;
    return result;
  }

  const MixtureProblem& problem_;
  int points_;
  bool whole_;
  bool switches_;
  double total_;
  double cost_unit_;
  double time_unit_;
  std::vector<CoinPackedVector> rows_ = {};
  std::vector<double> row_lower_ = {};
  std::vector<double> row_upper_ = {};
};

}  // namespace

MixtureSolution solve_mixture(const MixtureProblem& problem) {
  check(problem);
  return Programme(problem).solve();
}

}  // namespace bellows
