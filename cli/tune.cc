#include <bellows/bellows.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "cli/command.h"
#include "cli/evaluation_data.h"
#include "cli/numbers.h"
#include "cli/output_files.h"
#include "cli/policy_summary.h"
#include "cli/report.h"
#include "cli/signing.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "engine/model_header.h"
#include "engine/model_state.h"
#include "engine/policy_data.h"
#include "engine/policy_rule.h"
#include "engine/threads.h"
#include "training/data/contact_sheet.h"
#include "training/policies/calibration.h"
#include "training/policies/outcomes.h"
#include "training/policies/prediction_table.h"
#include "training/policies/selector_training.h"
#include "training/policies/tuner.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;
using internal::PolicyData;
using Clock = std::chrono::steady_clock;

// Images of the tuning that are test images too: public data sets have a few by accident. With
// more, the tuning split is (part of) the test split.
constexpr double kMostShared = 0.01;
// More widths than this make grids too coarse: a search takes fewer evaluations.
constexpr int kMostSweptWidths = 5;
constexpr int kFamilySteps = 200;
constexpr std::size_t kPoints = 24;
constexpr int kEvaluations = 100;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = text.find(',', begin);
    words.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return words;
    begin = end + 1;
  }
}

double real_of(const std::string& word, const std::string& option, double minimum, double maximum) {
  try {
    std::size_t used = 0;
    const double value = std::stod(word, &used);
    if (used == word.size() && value >= minimum && value <= maximum) return value;
  } catch (const std::exception&) {
    // Told below.
  }
  throw UsageError("--" + option + ": '" + word + "' is no number from " + fixed_text(minimum, 0) +
                   " to " + scientific_text(maximum));
}

std::vector<Confidence> confidences_of(const Arguments& arguments) {
  constexpr std::array kAll = {Confidence::kMaxProbability, Confidence::kMargin,
                               Confidence::kEntropy};
  const auto given = arguments.text("confidence");
  if (!given) return {kAll.begin(), kAll.end()};
  std::vector<Confidence> chosen;
  for (const std::string& word : words_of(*given)) {
    const auto found = std::ranges::find(kAll, word, confidence_name);
    if (found == kAll.end()) {
      throw UsageError("--confidence: '" + word + "' is none of max_probability, margin, entropy");
    }
    if (std::ranges::find(chosen, *found) == chosen.end()) chosen.push_back(*found);
  }
  return chosen;
}

std::vector<std::string> methods_of(const Arguments& arguments, int widths) {
  const auto given = arguments.text("method");
  if (!given) return {"quantile", widths <= kMostSweptWidths ? "sweep" : "bayesian"};
  std::vector<std::string> chosen;
  for (const std::string& word : words_of(*given)) {
    if (word != "sweep" && word != "quantile" && word != "bayesian" && word != "random") {
      throw UsageError("--method: '" + word + "' is none of sweep, quantile, bayesian, random");
    }
    if (std::ranges::find(chosen, word) == chosen.end()) chosen.push_back(word);
  }
  return chosen;
}

// What stopping at each width costs.
struct Costs {
  std::string kind = "macs";
  std::string source = "multiply-accumulates of one image";
  std::vector<double> widths;
  std::vector<double> times;  // medians, where a profile is given
};

Costs costs_of(const Arguments& arguments, const Model& model) {
  Costs costs;
  const std::string kind = arguments.text("cost").value_or("macs");
  if (kind != "macs" && kind != "latency" && kind != "energy") {
    throw UsageError("--cost: '" + kind + "' is none of macs, latency, energy");
  }
  const auto path = arguments.text("profile");
  if (!path && kind != "macs") {
    throw UsageError("--cost " + kind +
                     " needs --profile FILE.json, which 'bellows profile' makes");
  }
  if (!path && arguments.has("threads")) {
    throw UsageError("--threads: it is that of a profile; give --profile too");
  }
  for (const Width& width : model.widths()) {
    if (kind == "macs") costs.widths.push_back(static_cast<double>(width.macs));
  }
  if (!path) return costs;
  const Profile profile = Profile::load(*path);
  const int threads = arguments.integer("threads", 1).value_or(1);
  const std::vector<OperatingPoint> points = profile.points(model, threads);
  if (points.size() != static_cast<std::size_t>(model.groups())) {
    throw Error(ErrorCode::kInvalidArgument,
                *path + ": does not have every width of the model; make it again");
  }
  for (const OperatingPoint& point : points) {
    costs.times.push_back(point.latency_p50_us);
    if (kind == "latency") costs.widths.push_back(point.latency_p50_us);
    if (kind == "energy") {
      if (point.energy_uj <= 0) {
        throw Error(ErrorCode::kInvalidArgument,
                    *path + ": knows no energies; make it with --device, or where a meter works");
      }
      costs.widths.push_back(point.energy_uj);
    }
  }
  if (kind == "latency") {
    costs.kind = "latency_us";
    costs.source = "median of one image on " + profile.device().processor + ", " +
                   std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  } else if (kind == "energy") {
    costs.kind = "energy_uj";
    costs.source = profile.energy_source();
  }
  return costs;
}

EvaluationOptions with_progress(const char* what, Console& console) {
  EvaluationOptions options{.threads = available_cores()};
  options.progress = [what, &console](std::size_t done, std::size_t of) {
    if (!console.status_due()) return;
    console.status(std::string(what) + " " +
                   progress_bar(static_cast<double>(done) / static_cast<double>(of), 30));
  };
  return options;
}

// The images that policies are tuned and tested on.
struct Images {
  EvaluationData tuning;
  std::optional<Dataset> test;
};

Images load_images(const Arguments& arguments, const Model& model, Console& console) {
  console.status("loading images ...", true);
  const ModelInfo& info = internal::state_of(model)->info;
  EvaluationRequest request{.data = arguments.text("data"), .format = arguments.text("format")};
  request.split = "validation";
  Images images;
  try {
    images.tuning = load_evaluation_data(info, model, request);
  } catch (const NoHeldOutImages& error) {
    throw Error(ErrorCode::kInvalidArgument,
                error.reason() +
                    "; policies are tuned on images that were held out of training: "
                    "train with 'data.validation' above 0, or name the folder that the "
                    "model was trained on");
  }
  request.split = "test";
  EvaluationData test = load_evaluation_data(info, model, request);
  if (test.part != kTestImages) {
    console.note("there are no test images: figures are those of the tuning images");
    return images;
  }
  const Dataset& tuning = images.tuning.images;
  const std::vector<std::uint32_t> shared = shared_images(tuning, test.images);
  if (static_cast<double>(shared.size()) > kMostShared * static_cast<double>(tuning.size())) {
    throw Error(ErrorCode::kInvalidArgument,
                count_text(static_cast<std::int64_t>(shared.size())) + " of the " +
                    count_text(static_cast<std::int64_t>(tuning.size())) + " tuning images of " +
                    tuning.name() +
                    " are test images too; tune on others: the test images are for the final "
                    "figures");
  }
  if (!shared.empty()) {
    std::vector<std::uint32_t> kept;
    for (std::uint32_t i = 0; i < tuning.size(); ++i) {
      if (!std::ranges::binary_search(shared, i)) kept.push_back(i);
    }
    console.note(count_text(static_cast<std::int64_t>(shared.size())) +
                 " tuning images are test images too and are left out");
    images.tuning.images = tuning.subset(kept);
  }
  images.test = std::move(test.images);
  return images;
}

// From the file, if it is there and is this model's on these images; else computed, and written to
// it.
PredictionTable tuning_table(const Arguments& arguments, const Model& model, const Images& images,
                             Console& console) {
  const auto path = arguments.text("table");
  std::error_code ignored;
  if (path && std::filesystem::exists(*path, ignored)) {
    PredictionTable table = load_table(*path);
    check_table(table, model, *path);
    if (table.images_sha256 != images.tuning.images.sha256()) {
      throw Error(ErrorCode::kInvalidArgument,
                  *path + ": has the answers for other images (" + table.data_name + ", " +
                      table.part + ") than those held out here; remove it, or name another file");
    }
    if (table.classes != model.classes() ||
        !std::ranges::equal(table.labels, images.tuning.images.labels())) {
      throw Error(ErrorCode::kCorruptData,
                  *path + ": contradicts the images that it says it is about; remove it");
    }
    return table;
  }
  PredictionTable table = predict(model, images.tuning.images, images.tuning.part,
                                  with_progress("tuning images", console));
  if (path) save_table(*path, table);
  return table;
}

// What is asked for, all of it judged before any work.
struct TuningOptions {
  std::vector<Confidence> confidences;
  std::vector<std::string> methods;
  std::vector<double> alphas;
  SelectorLoss loss = SelectorLoss::kError;
  bool temperature = false;
  std::size_t points = kPoints;
  int evaluations = kEvaluations;
  std::uint64_t seed = 1;
  std::vector<MixtureProblem> mixtures;
};

// "40" or "25%" of the widest width's cost.
double budget_of(const std::string& word, const Costs& costs) {
  if (!word.ends_with('%')) return real_of(word, "budget", 0, 1e15);
  return real_of(word.substr(0, word.size() - 1), "budget", 0, 100) / 100 * costs.widths.back();
}

std::vector<MixtureProblem> mixtures_of(const Arguments& arguments, const Costs& costs) {
  MixtureProblem wish;
  wish.min_accuracy = arguments.real("min-accuracy", 0, 1);
  wish.time_budget = arguments.real("time-budget", 1e-6, 1e12);
  wish.requests = arguments.integer("requests", 1, 1'000'000).value_or(0);
  wish.switching_cost = arguments.real("switching-cost", 0, 1e12).value_or(0);
  if (wish.time_budget && costs.times.empty()) {
    throw UsageError("--time-budget needs --profile FILE.json, which knows times");
  }
  std::vector<MixtureProblem> wishes;
  if (const auto given = arguments.text("budget")) {
    for (const std::string& word : words_of(*given)) {
      wish.budget = budget_of(word, costs);
      wishes.push_back(wish);
    }
  } else if (wish.min_accuracy) {
    wishes.push_back(wish);
  }
  return wishes;
}

// Everything that one call finds, in the order of the file.
class Tuning {
 public:
  Tuning(const TuningOptions& options, const PredictionTable& table, const Costs& costs,
         Console& console)
      : options_(options), table_(table), costs_(costs), console_(console) {}

  void widths() {
    append(width_points(table_, costs_.widths));
    // What is worse than every width by itself is of no interest to a search.
    constexpr double kBeyond = 1.1;
    double worst = 0;
    for (const PolicyPoint& point : points_) worst = std::max(worst, 1 - point.tuning.accuracy);
    reference_ = {1, kBeyond * worst};
  }

  void calibrate() {
    std::vector<double> fitted;
    for (int width = 1; width <= table_.widths(); ++width) {
      const std::vector<float>& logits = table_.logits[static_cast<std::size_t>(width - 1)];
      add_calibration(width, 1);
      const double temperature = fit_temperature(logits, table_.labels);
      add_calibration(width, temperature);
      if (width < table_.widths()) fitted.push_back(temperature);
    }
    if (options_.temperature) temperatures_ = fitted;
  }

  void thresholds(Confidence confidence, const std::vector<std::string>& methods) {
    const ConfidenceTable seen = confidence_table(table_, confidence, costs_.widths, temperatures_);
    for (const std::string& method : methods) {
      console_.status(std::string(confidence_name(confidence)) + ": " + method + " ...", true);
      const Clock::time_point start = Clock::now();
      internal::SearchFacts facts{.method = method, .confidence = confidence_name(confidence)};
      std::vector<ThresholdPoint> front;
      if (method == "sweep") {
        const SweepResult sweep = sweep_thresholds(seen);
        front = sweep.front;
        facts.evaluations = static_cast<std::int64_t>(sweep.vectors);
      } else if (method == "quantile") {
        front = quantile_family(seen, kFamilySteps);
        facts.evaluations = kFamilySteps + 1;
      } else {
        front = search(seen, method, facts);
      }
      if (facts.hypervolume.empty()) {
        std::vector<Objectives> objectives;
        objectives.reserve(front.size());
        for (const ThresholdPoint& point : front) {
          objectives.push_back({point.cost / costs_.widths.back(), 1 - point.accuracy});
        }
        facts.hypervolume = {hypervolume(objectives, reference_)};
      }
      facts.reference = {reference_[0], reference_[1]};
      facts.seconds = seconds_since(start);
      searches_.push_back(std::move(facts));
      append(threshold_points(front, seen, method, table_, options_.points));
    }
  }

  // What the model brings along, such as a selector learned with its groups.
  void stored(const std::vector<Selector>& selectors) {
    stored_ = selectors;
    std::vector<PolicyPoint> points = selector_points(selectors, 1, table_, costs_.widths);
    for (std::size_t i = 0; i < points.size(); ++i) {
      points[i].found_by = "of the model";
      facts_.push_back({.number = static_cast<int>(i) + 1,
                        .sha256 = internal::selector_sha256(selectors[i]),
                        .alpha = selectors[i].alpha});
    }
    append(std::move(points));
  }

  void selectors() {
    for (const double alpha : options_.alphas) {
      console_.status("selector, alpha " + fixed_text(alpha, 4) + " ...", true);
      const LearnedSelector learned = learn_selector(
          table_, costs_.widths, {.alpha = alpha, .loss = options_.loss, .seed = options_.seed});
      learned_.push_back(learned.selector);
      facts_.push_back({.number = static_cast<int>(facts_.size()) + 1,
                        .sha256 = internal::selector_sha256(learned.selector),
                        .alpha = alpha,
                        .expected_reward = learned.expected_reward,
                        .variance = learned.variance,
                        .variance_without_baseline = learned.variance_without_baseline});
    }
    append(selector_points(learned_, static_cast<int>(stored_.size()) + 1, table_, costs_.widths));
  }

  // Of the plain widths: also what shows at once whether a wish can be met, before the long work.
  void mixtures_of_widths() { mixtures(kMixtureOfWidths); }
  // Of everything found so far. Nothing is found after it.
  void mixtures_of_policies() {
    mixtures(kMixtureOfPolicies);
    append(std::move(mixtures_));
  }

  void test(const PredictionTable& table) {
    const std::vector<Policy> policies = policies_of();
    for (std::size_t i = 0; i < points_.size(); ++i) {
      if (console_.status_due()) {
        console_.status(
            "test figures " +
            progress_bar(static_cast<double>(i) / static_cast<double>(points_.size()), 30));
      }
      points_[i].test = score_policy(policies[i], table, costs_.widths, /*intervals=*/true);
    }
  }

  void move_to(PolicyData& data) {
    data.points = std::move(points_);
    data.calibration = std::move(calibration_);
    data.searches = std::move(searches_);
    data.selectors = std::move(facts_);
  }

  // By the numbers that they will have in the model file.
  [[nodiscard]] std::vector<Selector> all_selectors() const {
    std::vector<Selector> all = stored_;
    all.insert(all.end(), learned_.begin(), learned_.end());
    return all;
  }

 private:
  // Kept aside until the end: parts of mixtures are told by their numbers, and are no mixtures.
  void mixtures(const char* found_by) {
    const double widest = points_[static_cast<std::size_t>(table_.widths() - 1)].tuning.accuracy;
    for (const double loss : kLossesAllowed) {
      mixtures_.push_back(mixed({.min_accuracy = widest - loss}, found_by));
    }
    for (const MixtureProblem& wish : options_.mixtures) mixtures_.push_back(mixed(wish, found_by));
  }

  void append(std::vector<PolicyPoint> points) {
    points_.insert(points_.end(), std::make_move_iterator(points.begin()),
                   std::make_move_iterator(points.end()));
  }

  void add_calibration(int width, double temperature) {
    const Calibration found =
        calibration(table_.logits[static_cast<std::size_t>(width - 1)], table_.labels, temperature);
    internal::CalibrationFacts facts{
        .width = width,
        .temperature = temperature,
        .negative_log_likelihood = found.negative_log_likelihood,
        .expected_calibration_error = found.expected_calibration_error};
    for (const ReliabilityBin& bin : found.bins) {
      facts.counts.push_back(static_cast<double>(bin.count));
      facts.confidences.push_back(bin.confidence);
      facts.accuracies.push_back(bin.accuracy);
    }
    calibration_.push_back(std::move(facts));
  }

  std::vector<ThresholdPoint> search(const ConfidenceTable& seen, const std::string& method,
                                     internal::SearchFacts& facts) const {
    const ProposerOptions options{
        .method = method == "bayesian" ? SearchMethod::kBayesian : SearchMethod::kRandom,
        .reference = reference_,
        .seed = options_.seed};
    const std::vector<Evaluation> found =
        minimise(threshold_objective(seen), unit_cube(static_cast<int>(seen.confidences.size())),
                 options, options_.evaluations);
    facts.evaluations = static_cast<std::int64_t>(found.size());
    facts.hypervolume = hypervolume_reached(found, options.reference);
    std::vector<ThresholdPoint> points;
    points.reserve(found.size());
    for (const Evaluation& evaluation : found) {
      points.push_back(judge(seen, quantile_thresholds(seen, evaluation.point)));
    }
    return pareto_front(std::move(points));
  }

  [[nodiscard]] PolicyPoint mixed(MixtureProblem problem, const std::string& found_by) const {
    for (const PolicyPoint& point : points_) {
      if (!problem.time_budget) break;
      problem.times.push_back(std::inner_product(
          point.tuning.stopped.begin(), point.tuning.stopped.end(), costs_.times.begin(), 0.0));
    }
    return mixture_point(points_, 1, problem, found_by);
  }

  [[nodiscard]] std::vector<Policy> policies_of() const {
    PolicyData data;
    data.points = points_;
    return internal::make_policies(data, all_selectors());
  }

  const TuningOptions& options_;
  const PredictionTable& table_;
  const Costs& costs_;
  Console& console_;
  std::vector<double> temperatures_;
  Objectives reference_ = {1, 1};
  std::vector<PolicyPoint> points_;
  std::vector<PolicyPoint> mixtures_;
  std::vector<internal::CalibrationFacts> calibration_;
  std::vector<internal::SearchFacts> searches_;
  std::vector<internal::SelectorFacts> facts_;
  std::vector<Selector> stored_;
  std::vector<Selector> learned_;
};

// What each kind of policy costs at a given loss of accuracy: chosen by the tuning images, told of
// the test images.
std::string summary(const PolicyData& data, const Console& console) {
  Table table({{"loss allowed"},
               {"policy", Column::Align::kLeft},
               {"cost"},
               {"saved"},
               {"accuracy"},
               {"stop at widths, %"}});
  for (const PolicySummary& row : summaries(data)) {
    const PolicyScore& score = shown_score(data.points[row.point]);
    table.add({fixed_text(100 * row.loss_allowed, 1) + " points", row.found_by,
               cost_text(data, score.cost), percent_text(1 - score.cost / data.width_costs.back()),
               percent_text(score.accuracy), stops_text(score.stopped)});
  }
  return table.text(console.heading_begin(), console.heading_end());
}

// The policy whose examples are shown: the cheapest that looks at answers, at no loss.
std::size_t example_point(const PolicyData& data) {
  for (const PolicySummary& row : summaries(data)) {
    const std::string& kind = data.points[row.point].kind;
    if (kind == "thresholds" || kind == "selector") return row.point;
  }
  return data.width_costs.size() - 1;
}

// One row of images for each width at which `policy` stops them.
void write_examples(const Policy& policy, const Dataset& images, const PredictionTable& table,
                    const std::string& path) {
  const Outcomes outcomes = outcomes_of(policy, table);
  DatasetContent content{.name = images.name(),
                         .provenance = images.provenance(),
                         .shape = images.shape(),
                         .pixels = {},
                         .labels = {},
                         .class_names = {}};
  constexpr int kRow = 20;
  for (int width = 1; width <= table.widths(); ++width) {
    content.class_names.push_back("width " + std::to_string(width));
    int row = 0;
    for (std::size_t i = 0; i < images.size() && row < kRow; ++i) {
      if (outcomes.stopped[static_cast<std::size_t>(width - 1)][i] == 0) continue;
      const auto image = images.image(i);
      content.pixels.insert(content.pixels.end(), image.begin(), image.end());
      content.labels.push_back(width - 1);
      ++row;
    }
  }
  write_contact_sheet(Dataset(std::move(content)), path, {.per_class = kRow});
}

Json summary_json(const PolicyData& data) {
  const std::size_t widest = data.width_costs.size() - 1;
  const double accuracy = data.points[widest].tuning.accuracy;
  Json rows = Json::array();
  for (const double loss : kLossesAllowed) {
    const std::size_t best = cheapest_at(data.points, accuracy - loss - 1e-12);
    const PolicyPoint& point = data.points[best];
    Json row = {{"loss_allowed", loss},
                {"point", best + 1},
                {"found_by", point.found_by},
                {"tuning", {{"cost", point.tuning.cost}, {"accuracy", point.tuning.accuracy}}}};
    if (point.test) {
      row["test"] = {{"cost", point.test->cost}, {"accuracy", point.test->accuracy}};
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<double> alphas_of(const Arguments& arguments) {
  std::vector<double> alphas;
  if (const auto given = arguments.text("alpha")) {
    for (const std::string& word : words_of(*given)) {
      alphas.push_back(real_of(word, "alpha", 0, 1e6));
    }
  }
  if (alphas.empty() != !arguments.has("model-out")) {
    throw UsageError(
        "--alpha learns selectors, which --model-out FILE.safetensors stores; give "
        "both or none");
  }
  return alphas;
}

void check_usage(const Arguments& arguments) {
  const bool mixes = arguments.has("budget") || arguments.has("min-accuracy");
  for (const char* option : {"time-budget", "requests", "switching-cost"}) {
    if (arguments.has(option) && !mixes) {
      throw UsageError("--" + std::string(option) +
                       " is about mixtures: give --budget or --min-accuracy too");
    }
  }
  if (arguments.has("switching-cost") && !arguments.has("requests")) {
    throw UsageError("--switching-cost is shared by --requests N: give that too");
  }
  if (arguments.has("selector-loss")) {
    const std::string loss = *arguments.text("selector-loss");
    if (loss != "error" && loss != "cross-entropy") {
      throw UsageError("--selector-loss: '" + loss + "' is neither error nor cross-entropy");
    }
    if (!arguments.has("alpha")) throw UsageError("--selector-loss: give --alpha too");
  }
}

TuningOptions options_of(const Arguments& arguments, const Model& model, const Costs& costs) {
  TuningOptions options{.confidences = confidences_of(arguments),
                        .methods = methods_of(arguments, model.groups()),
                        .alphas = alphas_of(arguments),
                        .temperature = arguments.has("temperature"),
                        .mixtures = mixtures_of(arguments, costs)};
  if (arguments.text("selector-loss").value_or("error") != "error") {
    options.loss = SelectorLoss::kCrossEntropy;
  }
  if (const auto points = arguments.integer("points", 2, 1000)) {
    options.points = static_cast<std::size_t>(*points);
  }
  options.evaluations = arguments.integer("evaluations", 10, 1000).value_or(kEvaluations);
  options.seed = static_cast<std::uint64_t>(arguments.integer("seed", 0).value_or(1));
  return options;
}

// Whether a model with so many selectors more would be one that loads.
void check_room(const internal::ModelState& state, std::size_t more, const std::string& file) {
  const auto units = static_cast<std::size_t>(SelectorOptions().units);
  const std::size_t inputs = selector_inputs(static_cast<std::size_t>(state.network.classes()));
  constexpr float kLongest = -1.17549435e-38F;  // as text
  const StopNetwork network{.hidden_weight = std::vector<float>(units * inputs, kLongest),
                            .hidden_bias = std::vector<float>(units, kLongest),
                            .weight = std::vector<float>(units, kLongest),
                            .bias = kLongest};
  ModelInfo info = state.info;
  info.selectors.insert(
      info.selectors.end(), more,
      Selector{.widths = std::vector<StopNetwork>(
                   static_cast<std::size_t>(state.network.groups() - 1), network)});
  try {
    static_cast<void>(make_model_header(state.network, state.group_sha256, info, file));
  } catch (const Error& error) {
    throw UsageError("--alpha: a model cannot hold " + std::to_string(more) +
                     " selectors more; give fewer prices (" + error.what() + ")");
  }
}

int run_tune(const Arguments& arguments, Console& console) {
  const std::string& path = arguments.plain()[0];
  const auto out = arguments.text("out");
  if (!out) throw UsageError("missing --out FILE.json; see bellows tune --help");
  check_usage(arguments);
  std::vector<std::filesystem::path> inputs = {path};
  if (const auto profile = arguments.text("profile")) inputs.emplace_back(*profile);
  std::vector<OutputFile> outputs = {{"out", *out}};
  if (const auto table = arguments.text("table")) outputs.push_back({"table", *table});
  const auto model_out = arguments.text("model-out");
  if (model_out) outputs.push_back({"model-out", *model_out});
  if (const auto examples = arguments.text("examples")) outputs.push_back({"examples", *examples});
  check_outputs(arguments, outputs, inputs);
  std::optional<ReportRequest> report;
  if (const auto page = arguments.text("report")) {
    report = ReportRequest{.paths = {*out}, .out = *page, .picture = arguments.text("picture")};
    for (const OutputFile& output : outputs) inputs.push_back(output.path);
    check_report(*report, "report", inputs);
  } else if (arguments.has("picture")) {
    throw UsageError("--picture: it is drawn from the page of --report FILE.html; add that");
  }

  const Model model = Model::load(path, model_options(arguments));
  const auto& state = *internal::state_of(model);
  const Costs costs = costs_of(arguments, model);
  const TuningOptions options = options_of(arguments, model, costs);
  if (model_out) {
    check_room(state, options.alphas.size(), *model_out);
    check_replaced(*model_out, std::nullopt, "the model with its selectors");
  }
  const Images images = load_images(arguments, model, console);
  const PredictionTable table = tuning_table(arguments, model, images, console);

  const Clock::time_point start = Clock::now();
  Tuning tuning(options, table, costs, console);
  tuning.widths();
  tuning.mixtures_of_widths();
  tuning.calibrate();
  for (const Confidence confidence : options.confidences) {
    tuning.thresholds(confidence, options.methods);
  }
  tuning.stored(state.info.selectors);
  tuning.selectors();
  tuning.mixtures_of_policies();
  const double seconds = seconds_since(start);
  std::optional<PredictionTable> tested;
  if (images.test) {
    tested = predict(model, *images.test, kTestImages, with_progress("test images", console));
    tuning.test(*tested);
  }

  PolicyData data;
  data.model_file = mended(std::filesystem::path(model_out.value_or(path)).filename().string());
  if (const std::string* name = state.info.find_extra("configuration")) data.model_name = *name;
  data.group_sha256 = state.group_sha256;
  data.data_name = table.data_name;
  data.tuning_images = static_cast<std::int64_t>(table.size());
  data.test_images = images.test ? static_cast<std::int64_t>(images.test->size()) : 0;
  data.cost = costs.kind;
  data.cost_source = costs.source;
  data.width_costs = costs.widths;
  data.date = utc_text();
  data.command = mended(shell_line(arguments.command()));
  data.bellows = version();
  if (model_out) {
    ModelFile file = load_model(path, std::nullopt, load_limits(arguments));
    file.info.selectors = tuning.all_selectors();
    save_model(*model_out, file.network, file.weights, file.info);
  }
  tuning.move_to(data);
  internal::write_policies(*out, data);
  if (const auto examples = arguments.text("examples")) {
    const Policy policy =
        internal::make_policies(data, tuning.all_selectors())[example_point(data)];
    write_examples(policy, tested ? *images.test : images.tuning.images, tested ? *tested : table,
                   *examples);
    if (report) {
      report->examples = examples;
      report->examples_of = policy.text();
    }
  }
  if (report) write_report(*report, arguments);

  if (arguments.has("json")) {
    Json json = {{"policies", *out},
                 {"model", model_out.value_or(path)},
                 {"tuning_images", data.tuning_images},
                 {"test_images", data.test_images},
                 {"cost", data.cost},
                 {"points", data.points.size()},
                 {"seconds", seconds},
                 {"best", summary_json(data)}};
    if (report) json["report"] = report->out;
    if (report && report->picture) json["picture"] = *report->picture;
    console.print_json(json);
    return kDone;
  }
  console.print(path + ", tuned on " + count_text(data.tuning_images) + " images of " +
                table.data_name + " (" + table.part + ") in " + fixed_text(seconds, 2) + " s\n");
  console.print(summary(data, console));
  std::string notes = "Chosen by the tuning images; figures are those of ";
  notes += images.test ? "the " + count_text(data.test_images) + " test images"
                       : std::string("the tuning images: there are no test images");
  notes += ".\nCost: " + costs.source + ".\nThe " +
           count_text(static_cast<std::int64_t>(data.points.size())) + " policies are " + *out;
  if (model_out) notes += ", the model with their selectors " + *model_out;
  if (report) notes += ", the page " + report->out;
  if (report && report->picture) notes += ", the picture " + *report->picture;
  console.print(notes + ".");
  return kDone;
}

}  // namespace

Verb tune_verb() {
  Usage usage;
  usage.verb = "tune";
  usage.summary = "Find policies that stop early where the answer is sure enough";
  usage.arguments = "MODEL --data DIR --out FILE.json [options]";
  usage.details =
      "The answers of every width for the images that were held out of training are computed "
      "once;\n"
      "thresholds, selectors and mixtures are found on them, and judged on the test images.\n"
      "`bellows run --policy` serves by them (docs/policies.md).";
  usage.example =
      "bellows tune runs/mnist-lenet/model.safetensors --data DATA/mnist --out policies.json\n"
      "bellows tune model.safetensors --data DATA/cifar-10 --out policies.json \\\n"
      "    --alpha 0.02,0.05,0.1,0.2 --model-out with-selectors.safetensors --budget 20%,50%";
  usage.least = usage.most = 1;
  usage.wanted = "the model file (MODEL)";
  usage.options = {
      {"out", "FILE.json", "The file of policies to write"},
      {"data", "DIR", "Folder of the images that the model was trained on"},
      {"format", "F",
       "mnist, fashion-mnist, cifar10, svhn, folder, digits, street-digits; else told by the "
       "files"},
      {"table", "FILE", "Keep the answers here; read, not computed, where it is there already"},
      {"cost", "C", "What is to be saved: macs (default), latency, energy"},
      {"profile", "FILE.json", "What `bellows profile` measured; for latency and energy"},
      {"threads", "N", "Threads for each image, as profiled (default 1)"},
      {"method", "M,..",
       "How thresholds are found: quantile, sweep, bayesian, random (default: the first two; for "
       "more than 5 widths bayesian instead of sweep)"},
      {"confidence", "C,..", "max_probability, margin, entropy (default: all)"},
      {"temperature", "", "Divide each width's logits by a temperature that is fitted first"},
      {"evaluations", "N", "Of a search, bayesian or random (default 100)"},
      {"points", "N", "Thresholds to keep of each kind (default 24)"},
      {"alpha", "A,..", "Learn selectors with these prices of the widest width, in losses"},
      {"selector-loss", "L", "What selectors avoid: error (default) or cross-entropy"},
      {"model-out", "FILE", "Write the model with its selectors here"},
      {"budget", "B,..", "Mix policies for these mean costs; 25% is that share of the widest"},
      {"min-accuracy", "A", "Of mixtures: share of right answers, 0..1"},
      {"time-budget", "US", "Of mixtures: mean time, by --profile"},
      {"requests", "N", "Of mixtures: every policy answers a whole number of N requests"},
      {"switching-cost", "C", "Of mixtures: cost of a switch; between widths there is none"},
      {"examples", "FILE.png", "Draw images, a row for each width at which they stop"},
      {"report", "FILE.html", "Also write a page of charts and tables, as `bellows report` does"},
      {"picture", "FILE.png", "With --report: also draw its charts as a picture (by Chromium)"},
      {"seed", "N", "Of searches and learning (default 1)"},
      {"json", "", "Print one JSON object"}};
  add_signature_options(usage);
  return {usage, run_tune};
}

}  // namespace bellows::cli
