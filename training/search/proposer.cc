#include "training/search/proposer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <optional>
#include <utility>

#include "training/search/gaussian_process.h"

namespace bellows {
namespace {

// Where the next evaluation may be made.
constexpr int kRandomCandidates = 600;
constexpr int kNeighbours = 400;
constexpr std::size_t kJudgedClosely = 24;
constexpr int kMostClimbs = 12;
// Lengths and noise change little from one evaluation to the next.
constexpr std::size_t kRefitEvery = 8;
constexpr int kMostRandomFirst = 24;
constexpr std::size_t kPopulation = 24;
constexpr int kTries = 60;
constexpr double kSmallest = 1e-300;

bool in_full(const Measurement& measurement) {
  return measurement.share >= 1 &&
         std::ranges::none_of(measurement.objectives, [](double v) { return std::isnan(v); });
}

double probability_below(double limit, double mean, double stddev) {
  if (std::isnan(limit)) return 1;
  if (stddev <= 0) return mean <= limit ? 1 : 0;
  return std::erfc(-(limit - mean) / stddev / std::numbers::sqrt2) / 2;
}

// The processes of all objectives over the evaluations so far.
class Models {
 public:
  struct Prediction {
    Objectives mean;
    Objectives stddev;
  };

  Models(const SearchDomain& domain, const ProposerOptions& options,
         std::span<const Evaluation> evaluations, std::span<const SearchPoint> pending)
      : domain_(domain), options_(options) {
    for (const Evaluation& evaluation : evaluations) {
      for (const Measurement& measurement : evaluation.measurements) {
        with_share_ = with_share_ || measurement.share < 1;
      }
    }
    const std::vector<int>& columns = domain.dimension_of_column();
    length_of_ = columns;
    int next = columns.back() + 1;
    if (options.most_settings > 1) length_of_.push_back(next++);
    if (with_share_) length_of_.push_back(next++);

    // The lengths are those of the first so many evaluations, whoever asks.
    const std::size_t fitted = std::max<std::size_t>(
        std::min(evaluations.size(), kRefitEvery), evaluations.size() / kRefitEvery * kRefitEvery);
    for (std::size_t objective = 0; objective < options.reference.size(); ++objective) {
      const Rows first = rows_of(evaluations.first(fitted), objective);
      const Rows all = rows_of(evaluations, objective);
      if (first.values.size() == 0) {
        processes_.emplace_back(all.inputs, all.values, options.seed + fitted, length_of_);
        continue;
      }
      const GaussianProcess process(first.inputs, first.values, options.seed + fitted, length_of_);
      processes_.emplace_back(all.inputs, all.values, process.hyperparameters(), length_of_);
    }
    // Fantasies: of the pending points, one after the other, the means of all settings.
    std::vector<Evaluation> extended(evaluations.begin(), evaluations.end());
    for (const SearchPoint& point : pending) {
      Evaluation fantasy{.point = point};
      for (int setting = 1; setting <= settings_of(point); ++setting) {
        fantasy.measurements.push_back(
            {.setting = setting, .objectives = predict(point, setting).mean});
      }
      fantasies_.push_back(fantasy);
      extended.push_back(std::move(fantasy));
      for (std::size_t objective = 0; objective < processes_.size(); ++objective) {
        const Rows all = rows_of(extended, objective);
        processes_[objective] = GaussianProcess(
            all.inputs, all.values, processes_[objective].hyperparameters(), length_of_);
      }
    }
  }

  [[nodiscard]] int settings_of(const SearchPoint& point) const {
    return options_.settings ? options_.settings(point) : 1;
  }

  [[nodiscard]] Prediction predict(const SearchPoint& point, int setting) const {
    const Eigen::VectorXd input = input_of(point, setting, 1);
    Prediction prediction;
    for (const GaussianProcess& process : processes_) {
      const GaussianProcess::Prediction one = process.predict(input);
      prediction.mean.push_back(one.mean);
      prediction.stddev.push_back(one.stddev);
    }
    return prediction;
  }

  [[nodiscard]] const std::vector<Evaluation>& fantasies() const { return fantasies_; }

 private:
  struct Rows {
    Eigen::MatrixXd inputs;
    Eigen::VectorXd values;
  };

  [[nodiscard]] Eigen::VectorXd input_of(const SearchPoint& point, int setting,
                                         double share) const {
    const std::vector<double> encoded = domain_.encode(point);
    Eigen::VectorXd input(static_cast<Eigen::Index>(length_of_.size()));
    std::ranges::copy(encoded, input.begin());
    auto next = static_cast<Eigen::Index>(encoded.size());
    if (options_.most_settings > 1) {
      input[next++] = static_cast<double>(setting - 1) / (options_.most_settings - 1);
    }
    // Half the share is one step, as with the epochs of training.
    if (with_share_) input[next++] = std::clamp(1 + std::log2(share) / 4, 0.0, 1.0);
    return input;
  }

  [[nodiscard]] Rows rows_of(std::span<const Evaluation> evaluations, std::size_t objective) const {
    std::vector<Eigen::VectorXd> inputs;
    std::vector<double> values;
    for (const Evaluation& evaluation : evaluations) {
      for (const Measurement& measurement : evaluation.measurements) {
        const double value = measurement.objectives[objective];
        if (std::isnan(value)) continue;
        inputs.push_back(input_of(evaluation.point, measurement.setting, measurement.share));
        values.push_back(value);
      }
    }
    Rows rows;
    rows.inputs.resize(static_cast<Eigen::Index>(inputs.size()),
                       static_cast<Eigen::Index>(length_of_.size()));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      rows.inputs.row(static_cast<Eigen::Index>(i)) = inputs[i].transpose();
    }
    rows.values =
        Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
    return rows;
  }

  const SearchDomain& domain_;
  const ProposerOptions& options_;
  std::vector<int> length_of_;
  bool with_share_ = false;
  std::vector<GaussianProcess> processes_;
  std::vector<Evaluation> fantasies_;
};

// How much the hypervolume is expected to grow.
class Acquisition {
 public:
  Acquisition(const Models& models, const ProposerOptions& options, std::vector<Objectives> found)
      : models_(models), options_(options), found_(std::move(found)), space_(found_, reference()) {}

  // The growth by each setting as if it were alone: too much, but quick.
  [[nodiscard]] double roughly(const SearchPoint& point) const {
    double sum = 0;
    for (int setting = 1; setting <= models_.settings_of(point); ++setting) {
      const Models::Prediction prediction = models_.predict(point, setting);
      sum += space_.expected_improvement(prediction.mean, prediction.stddev);
    }
    return sum * within_limits(point);
  }

  // The growth by each setting over those before it, which are taken to give what is expected.
  [[nodiscard]] double closely(const SearchPoint& point) const {
    const int settings = models_.settings_of(point);
    if (settings == 1) return roughly(point);
    double sum = 0;
    std::vector<Objectives> found = found_;
    for (int setting = 1; setting <= settings; ++setting) {
      const Models::Prediction prediction = models_.predict(point, setting);
      sum += setting == 1
                 ? space_.expected_improvement(prediction.mean, prediction.stddev)
                 : expected_improvement(found, reference(), prediction.mean, prediction.stddev);
      found.push_back(prediction.mean);
    }
    return sum * within_limits(point);
  }

 private:
  [[nodiscard]] const Objectives& reference() const { return options_.reference; }

  [[nodiscard]] double within_limits(const SearchPoint& point) const {
    if (options_.limits.empty()) return 1;
    const Models::Prediction narrowest = models_.predict(point, 1);
    double probability = 1;
    for (std::size_t i = 0; i < options_.limits.size(); ++i) {
      probability *= probability_below(options_.limits[i], narrowest.mean[i], narrowest.stddev[i]);
    }
    return probability;
  }

  const Models& models_;
  const ProposerOptions& options_;
  std::vector<Objectives> found_;
  FreeSpace space_;
};

// How well each evaluation stands among all: by the front of its best measurement, then by how much
// room that has (NSGA-II's crowding distance).
struct Standing {
  int front = std::numeric_limits<int>::max();
  double room = 0;
  [[nodiscard]] bool before(const Standing& other) const {
    return front != other.front ? front < other.front : room > other.room;
  }
};

std::vector<Standing> standings(std::span<const Evaluation> evaluations) {
  std::vector<Objectives> points;
  std::vector<std::size_t> owners;
  for (std::size_t i = 0; i < evaluations.size(); ++i) {
    for (const Measurement& measurement : evaluations[i].measurements) {
      if (!in_full(measurement)) continue;
      points.push_back(measurement.objectives);
      owners.push_back(i);
    }
  }
  const std::vector<int> fronts = front_numbers(points);
  const std::vector<double> room = crowding_distances(points, fronts);
  std::vector<Standing> all(evaluations.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Standing one{.front = fronts[i], .room = room[i]};
    if (one.before(all[owners[i]])) all[owners[i]] = one;
  }
  return all;
}

}  // namespace

Proposer::Proposer(const SearchDomain& domain, ProposerOptions options)
    : domain_(domain), options_(std::move(options)) {
  if (options_.random_first <= 0) {
    options_.random_first =
        std::min(2 * static_cast<int>(domain.dimensions().size()) + 2, kMostRandomFirst);
  }
}

SearchPoint Proposer::propose(int number, std::span<const Evaluation> evaluations,
                              std::span<const SearchPoint> pending) const {
  data::KeyedRandom random(options_.seed, static_cast<std::uint64_t>(number));
  std::vector<SearchPoint> known(pending.begin(), pending.end());
  for (const Evaluation& evaluation : evaluations) known.push_back(evaluation.point);
  const bool anything = !measured_in_full(evaluations).empty();
  if (number < options_.random_first || options_.method == SearchMethod::kRandom || !anything) {
    return random_point(random, known);
  }
  return options_.method == SearchMethod::kEvolution
             ? bred(random, evaluations, known)
             : expected_best(random, evaluations, pending, known);
}

SearchPoint Proposer::random_point(data::KeyedRandom& random,
                                   const std::vector<SearchPoint>& known) const {
  SearchPoint point;
  for (int i = 0; i < kTries; ++i) {
    point = domain_.random(random);
    if (std::ranges::find(known, point) == known.end()) break;
  }
  return point;
}

SearchPoint Proposer::bred(data::KeyedRandom& random, std::span<const Evaluation> evaluations,
                           const std::vector<SearchPoint>& known) const {
  const std::vector<Standing> all = standings(evaluations);
  std::vector<std::size_t> order(evaluations.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order,
                           [&](std::size_t a, std::size_t b) { return all[a].before(all[b]); });
  order.resize(std::min(order.size(), kPopulation));
  const auto parent = [&]() -> const SearchPoint& {
    const auto pick = [&] { return random.below(static_cast<std::uint32_t>(order.size())); };
    const auto one = pick();
    const auto other = pick();
    return evaluations[order[std::min(one, other)]].point;
  };
  for (int i = 0; i < kTries; ++i) {
    const SearchPoint& first = parent();
    const SearchPoint& second = parent();
    SearchPoint point = domain_.neighbour(domain_.child(first, second, random), random);
    if (std::ranges::find(known, point) == known.end()) return point;
  }
  return random_point(random, known);
}

SearchPoint Proposer::expected_best(data::KeyedRandom& random,
                                    std::span<const Evaluation> evaluations,
                                    std::span<const SearchPoint> pending,
                                    const std::vector<SearchPoint>& known) const {
  const Models models(domain_, options_, evaluations, pending);
  std::vector<Objectives> all = measured_in_full(evaluations);
  for (const Objectives& fantasy : measured_in_full(models.fantasies())) all.push_back(fantasy);
  // Only the front matters to the expectation, and there may be many behind it.
  std::vector<Objectives> front;
  for (const std::size_t i : pareto_indices(all)) front.push_back(all[i]);
  const Acquisition acquisition(models, options_, front);

  // Those whose measurements are on the front, to look around them.
  std::vector<const SearchPoint*> leaders;
  for (const Evaluation& evaluation : evaluations) {
    for (const Measurement& measurement : evaluation.measurements) {
      if (in_full(measurement) && std::ranges::find(front, measurement.objectives) != front.end()) {
        leaders.push_back(&evaluation.point);
        break;
      }
    }
  }
  struct Candidate {
    double gain = 0;
    SearchPoint point;
  };
  std::vector<Candidate> candidates;
  const auto consider = [&](SearchPoint point) {
    if (std::ranges::find(known, point) != known.end()) return;
    const double gain = acquisition.roughly(point);
    candidates.push_back({gain, std::move(point)});
  };
  for (int i = 0; i < kRandomCandidates; ++i) consider(domain_.random(random));
  for (int i = 0; i < kNeighbours && !leaders.empty(); ++i) {
    consider(domain_.neighbour(*leaders[random.below(static_cast<std::uint32_t>(leaders.size()))],
                               random));
  }
  if (candidates.empty()) return random_point(random, known);
  const std::size_t close = std::min(kJudgedClosely, candidates.size());
  const auto more = [](const Candidate& a, const Candidate& b) { return a.gain > b.gain; };
  std::ranges::partial_sort(candidates, candidates.begin() + static_cast<std::ptrdiff_t>(close),
                            more);
  candidates.resize(close);
  for (Candidate& candidate : candidates) candidate.gain = acquisition.closely(candidate.point);
  Candidate best = *std::ranges::min_element(candidates, more);
  for (int climb = 0; climb < kMostClimbs; ++climb) {
    std::optional<Candidate> better;
    for (SearchPoint& point : domain_.around(best.point)) {
      if (std::ranges::find(known, point) != known.end()) continue;
      const double gain = acquisition.closely(point);
      if (gain > (better ? better->gain : best.gain) + kSmallest) {
        better = Candidate{gain, std::move(point)};
      }
    }
    if (!better) break;
    best = *std::move(better);
  }
  return best.point;
}

std::vector<Objectives> measured_in_full(std::span<const Evaluation> evaluations) {
  std::vector<Objectives> all;
  for (const Evaluation& evaluation : evaluations) {
    for (const Measurement& measurement : evaluation.measurements) {
      if (in_full(measurement)) all.push_back(measurement.objectives);
    }
  }
  return all;
}

std::vector<double> hypervolume_reached(std::span<const Evaluation> evaluations,
                                        const Objectives& reference) {
  std::vector<double> reached;
  for (std::size_t n = 1; n <= evaluations.size(); ++n) {
    reached.push_back(hypervolume(measured_in_full(evaluations.first(n)), reference));
  }
  return reached;
}

}  // namespace bellows
