#include "training/search/bayesian_search.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "training/data/random.h"
#include "training/search/gaussian_process.h"

namespace bellows {
namespace {

// Where the next evaluation may be made.
constexpr int kRandomCandidates = 600;
constexpr int kNeighbours = 400;
constexpr float kNeighbourSpread = 0.08F;
// Lengths and noise change little from one evaluation to the next.
constexpr std::size_t kRefitEvery = 8;

std::vector<double> random_input(int dimensions, data::KeyedRandom& random) {
  std::vector<double> input(static_cast<std::size_t>(dimensions));
  for (double& value : input) value = static_cast<double>(random.uniform());
  return input;
}

std::vector<Objectives> objectives_of(const std::vector<Evaluation>& evaluations) {
  std::vector<Objectives> objectives;
  objectives.reserve(evaluations.size());
  for (const Evaluation& evaluation : evaluations) objectives.push_back(evaluation.objectives);
  return objectives;
}

Eigen::VectorXd vector_of(const std::vector<double>& input) {
  return Eigen::Map<const Eigen::VectorXd>(input.data(), static_cast<Eigen::Index>(input.size()));
}

// The processes of both objectives, over all evaluations so far.
class Models {
 public:
  void fit(const std::vector<Evaluation>& evaluations, std::uint64_t seed) {
    const auto count = static_cast<Eigen::Index>(evaluations.size());
    const auto dimensions = static_cast<Eigen::Index>(evaluations.front().input.size());
    Eigen::MatrixXd inputs(count, dimensions);
    Eigen::MatrixXd values(count, 2);
    for (Eigen::Index i = 0; i < count; ++i) {
      const Evaluation& evaluation = evaluations[static_cast<std::size_t>(i)];
      inputs.row(i) = vector_of(evaluation.input).transpose();
      values(i, 0) = evaluation.objectives[0];
      values(i, 1) = evaluation.objectives[1];
    }
    const bool refit = processes_.empty() || evaluations.size() % kRefitEvery == 0;
    std::vector<GaussianProcess> fitted;
    for (Eigen::Index i = 0; i < 2; ++i) {
      if (refit) {
        fitted.emplace_back(inputs, values.col(i), seed);
      } else {
        fitted.emplace_back(inputs, values.col(i),
                            processes_[static_cast<std::size_t>(i)].hyperparameters());
      }
    }
    processes_ = std::move(fitted);
  }

  [[nodiscard]] double expected(const std::vector<double>& input, std::span<const Objectives> found,
                                const Objectives& reference) const {
    const Eigen::VectorXd at = vector_of(input);
    const auto first = processes_[0].predict(at);
    const auto second = processes_[1].predict(at);
    return expected_improvement(found, reference, {first.mean, second.mean},
                                {first.stddev, second.stddev});
  }

 private:
  std::vector<GaussianProcess> processes_;
};

}  // namespace

std::vector<Evaluation> bayesian_search(const Objective2& objective, const SearchOptions& options) {
  data::KeyedRandom random(options.seed);
  std::vector<Evaluation> evaluations;
  const auto evaluate = [&](std::vector<double> input) {
    const Objectives objectives = objective(input);
    evaluations.push_back({std::move(input), objectives});
  };
  const int first = options.random_first > 0 ? options.random_first : 2 * options.dimensions + 2;
  Models models;
  for (int n = 0; n < options.evaluations; ++n) {
    if (n < first) {
      evaluate(random_input(options.dimensions, random));
      continue;
    }
    models.fit(evaluations, options.seed + static_cast<std::uint64_t>(n));
    const std::vector<Objectives> found = objectives_of(evaluations);
    const std::vector<std::size_t> front = pareto_indices(found);
    // Only the front matters to the expectation, and there may be many behind it.
    std::vector<Objectives> corners;
    corners.reserve(front.size());
    for (const std::size_t i : front) corners.push_back(found[i]);
    std::vector<double> best;
    double most = -1;
    const auto consider = [&](std::vector<double> input) {
      const double gain = models.expected(input, corners, options.reference);
      if (gain <= most) return;
      most = gain;
      best = std::move(input);
    };
    for (int i = 0; i < kRandomCandidates; ++i) consider(random_input(options.dimensions, random));
    for (int i = 0; i < kNeighbours; ++i) {
      const auto chosen = front[random.below(static_cast<std::uint32_t>(front.size()))];
      std::vector<double> input = evaluations[chosen].input;
      for (double& value : input) {
        value = std::clamp(value + double{kNeighbourSpread * random.bell()}, 0.0, 1.0);
      }
      consider(std::move(input));
    }
    evaluate(std::move(best));
  }
  return evaluations;
}

std::vector<Evaluation> random_search(const Objective2& objective, const SearchOptions& options) {
  data::KeyedRandom random(options.seed);
  std::vector<Evaluation> evaluations;
  for (int n = 0; n < options.evaluations; ++n) {
    std::vector<double> input = random_input(options.dimensions, random);
    const Objectives objectives = objective(input);
    evaluations.push_back({std::move(input), objectives});
  }
  return evaluations;
}

std::vector<double> hypervolume_reached(const std::vector<Evaluation>& evaluations,
                                        const Objectives& reference) {
  const std::vector<Objectives> all = objectives_of(evaluations);
  std::vector<double> reached;
  for (std::size_t n = 1; n <= all.size(); ++n) {
    reached.push_back(hypervolume(std::span(all).first(n), reference));
  }
  return reached;
}

}  // namespace bellows
