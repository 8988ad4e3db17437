#include "cli/report_policies.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "cli/numbers.h"
#include "cli/policy_summary.h"
#include "engine/mixture.h"

namespace bellows::cli {
namespace {

using internal::CalibrationFacts;
using internal::PolicyData;
using internal::PolicyPoint;
using internal::PolicyScore;
using internal::SearchFacts;

Axis cost_axis(const PolicyData& data) {
  if (data.cost == "latency_us") {
    return {.title = "mean of median latencies", .unit = kMicroseconds, .logarithmic = true};
  }
  if (data.cost == "energy_uj") {
    return {.title = "mean energy", .unit = kMicrojoules, .logarithmic = true};
  }
  return {.title = "mean multiply-accumulates", .compact = true, .logarithmic = true};
}

// The points of a kind that nothing else of it betters on the images of the tuning, by cost:
// choosing by what is shown, the test figures, would flatter them.
std::vector<std::size_t> front(const PolicyData& data, const std::string& found_by) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < data.points.size(); ++i) {
    if (data.points[i].found_by == found_by) order.push_back(i);
  }
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    const PolicyScore& left = data.points[a].tuning;
    const PolicyScore& right = data.points[b].tuning;
    return std::pair(left.cost, -left.accuracy) < std::pair(right.cost, -right.accuracy);
  });
  std::vector<std::size_t> chosen;
  for (const std::size_t i : order) {
    if (!chosen.empty() &&
        data.points[i].tuning.accuracy <= data.points[chosen.back()].tuning.accuracy) {
      continue;
    }
    chosen.push_back(i);
  }
  return chosen;
}

Point shown_point(const ReportedPolicies& policies, std::size_t index) {
  const PolicyScore& score = shown_score(policies.data.points[index]);
  return {score.cost, 100 * score.accuracy, policies.texts[index]};
}

// What mixing plain widths gives: the corners of their hull, joined by straight lines.
Series mixture_line(const ReportedPolicies& policies) {
  Series line{.name = "mixtures of widths", .colour = "faint", .dash = 1, .markers = false};
  std::vector<double> costs;
  std::vector<double> accuracies;
  for (std::size_t i = 0; i < policies.data.width_costs.size(); ++i) {
    costs.push_back(shown_score(policies.data.points[i]).cost);
    accuracies.push_back(shown_score(policies.data.points[i]).accuracy);
  }
  // Straight against cost, so bent where the axis is logarithmic: drawn in pieces.
  constexpr int kPieces = 16;
  const std::vector<std::size_t> corners = upper_hull(costs, accuracies);
  for (std::size_t i = 0; i < corners.size(); ++i) {
    line.points.push_back(shown_point(policies, corners[i]));
    if (i + 1 == corners.size()) break;
    const std::size_t from = corners[i];
    const std::size_t to = corners[i + 1];
    for (int piece = 1; piece < kPieces; ++piece) {
      const double share = static_cast<double>(piece) / kPieces;
      line.points.push_back({costs[from] + share * (costs[to] - costs[from]),
                             100 * (accuracies[from] + share * (accuracies[to] - accuracies[from])),
                             percent_text(share) + " at the wider"});
    }
  }
  return line;
}

std::vector<Series> accuracy_series(const ReportedPolicies& policies) {
  std::vector<Series> all;
  all.push_back({.name = "single widths", .colour = "text", .marker = 3, .line = false});
  for (std::size_t i = 0; i < policies.data.width_costs.size(); ++i) {
    all.back().points.push_back(shown_point(policies, i));
  }
  all.push_back(mixture_line(policies));
  constexpr std::array<std::pair<const char*, const char*>, 7> kKinds = {
      {{"sweep", "thresholds, exact sweep"},
       {"quantile", "thresholds, one parameter"},
       {"bayesian", "thresholds, Bayesian search"},
       {"random", "thresholds, random search"},
       {"reinforce", "selectors"},
       {"of the model", "selectors learned with the groups"},
       {kMixtureOfPolicies, "mixtures of policies"}}};
  std::size_t number = 0;
  for (const auto& [kind, name] : kKinds) {
    // Threshold policies are many, next to each other; selectors and mixtures a few.
    const bool few = std::string_view(kind) == "reinforce" ||
                     std::string_view(kind) == "of the model" ||
                     std::string_view(kind) == kMixtureOfPolicies;
    Series one{.name = name,
               .colour = colour(number),
               .dash = few ? 0 : static_cast<int>(number),
               .marker = static_cast<int>(number),
               .line = !few,
               .markers = few};
    for (const std::size_t i : front(policies.data, kind)) {
      one.points.push_back(shown_point(policies, i));
    }
    ++number;
    all.push_back(std::move(one));
  }
  return all;
}

// The kind whose stops are drawn: the one with the most policies.
std::string kind_of_stops(const PolicyData& data) {
  std::map<std::string, int> counts;
  for (const PolicyPoint& point : data.points) {
    if (point.kind != "width" && point.kind != "mixture") ++counts[point.found_by];
  }
  if (counts.contains("sweep")) return "sweep";
  const auto most =
      std::ranges::max_element(counts, {}, &std::pair<const std::string, int>::second);
  return most == counts.end() ? "" : most->first;
}

std::vector<Series> stop_series(const ReportedPolicies& policies, const std::string& kind) {
  std::vector<Series> all;
  for (std::size_t width = 0; width < policies.data.width_costs.size(); ++width) {
    Series one{.name = "width " + std::to_string(width + 1),
               .colour = colour(width),
               .marker = static_cast<int>(width),
               .markers = false};
    for (const std::size_t i : front(policies.data, kind)) {
      const PolicyScore& score = shown_score(policies.data.points[i]);
      const double share = width < score.stopped.size() ? score.stopped[width] : 0;
      one.points.push_back({score.cost, 100 * share, policies.texts[i]});
    }
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<Series> reliability_series(const PolicyData& data) {
  std::vector<Series> all;
  all.push_back({.name = "as sure as right",
                 .colour = "faint",
                 .dash = 1,
                 .markers = false,
                 .points = {{0, 0}, {100, 100}}});
  for (const CalibrationFacts& facts : data.calibration) {
    const bool fitted = facts.temperature != 1;
    Series one{.name = "width " + std::to_string(facts.width) +
                       (fitted ? ", temperature " + fixed_text(facts.temperature, 2) : ""),
               .colour = colour(static_cast<std::size_t>(facts.width - 1)),
               .dash = fitted ? 2 : 0,
               .marker = facts.width - 1,
               .markers = false};
    const std::size_t bins =
        std::min({facts.counts.size(), facts.confidences.size(), facts.accuracies.size()});
    for (std::size_t i = 0; i < bins; ++i) {
      if (facts.counts[i] < 1) continue;
      one.points.push_back({100 * facts.confidences[i], 100 * facts.accuracies[i],
                            fixed_text(facts.counts[i], 0) + " images"});
    }
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<Series> search_series(const PolicyData& data) {
  std::vector<Series> all;
  std::size_t longest = 0;
  for (const SearchFacts& facts : data.searches) {
    longest = std::max(longest, facts.hypervolume.size());
  }
  if (longest < 2) return all;
  for (const SearchFacts& facts : data.searches) {
    if (facts.hypervolume.empty() || facts.method == "quantile") continue;
    const int confidence = facts.confidence == "margin" ? 1 : facts.confidence == "entropy" ? 2 : 0;
    const bool exact = facts.hypervolume.size() == 1;
    Series one{.name = facts.method + ", " + facts.confidence,
               .colour = colour(static_cast<std::size_t>(confidence)),
               .dash = exact                      ? 1
                       : facts.method == "random" ? 2
                                                  : 0,
               .markers = false};
    // The first evaluations, which all searches make at random, would flatten the rest.
    constexpr std::size_t kFirst = 10;
    if (exact) {
      one.points = {{kFirst, facts.hypervolume[0]},
                    {static_cast<double>(longest), facts.hypervolume[0]}};
    }
    for (std::size_t i = kFirst - 1; i < facts.hypervolume.size() && !exact; ++i) {
      one.points.push_back({static_cast<double>(i + 1), facts.hypervolume[i]});
    }
    all.push_back(std::move(one));
  }
  return all;
}

std::string interval_text(const std::vector<double>& interval) {
  if (interval.size() != 2) return kUnknown;
  return percent_text(interval[0]) + " to " + percent_text(interval[1]);
}

std::string summary_table(const ReportedPolicies& policies) {
  const PolicyData& data = policies.data;
  HtmlTable table(policies.name + ", what is saved",
                  {"policy", "loss allowed", "cost", "saved", "accuracy", "95 % within",
                   "stop at widths, %", "decides by"});
  for (const PolicySummary& row : summaries(data)) {
    const PolicyScore& score = shown_score(data.points[row.point]);
    table.add({row.found_by, fixed_text(100 * row.loss_allowed, 1) + " points",
               cost_text(data, score.cost), percent_text(1 - score.cost / data.width_costs.back()),
               percent_text(score.accuracy), interval_text(score.accuracy_interval),
               stops_text(score.stopped), policies.texts[row.point]});
  }
  return table.text();
}

std::string calibration_table(const ReportedPolicies& policies) {
  if (policies.data.calibration.empty()) return "";
  HtmlTable table(policies.name + ", calibration",
                  {"width", "temperature", "expected calibration error", "cross-entropy"});
  for (const CalibrationFacts& facts : policies.data.calibration) {
    table.add({std::to_string(facts.width), fixed_text(facts.temperature, 3),
               percent_text(facts.expected_calibration_error),
               fixed_text(facts.negative_log_likelihood, 4)});
  }
  return table.text();
}

std::string selector_table(const ReportedPolicies& policies) {
  if (policies.data.selectors.empty()) return "";
  HtmlTable table(
      policies.name + ", learning of selectors",
      {"selector", "alpha", "expected reward", "variance of the gradient", "without the baseline"});
  for (const internal::SelectorFacts& facts : policies.data.selectors) {
    table.add({std::to_string(facts.number), number_cell(facts.alpha),
               fixed_text(facts.expected_reward, 4), scientific_text(facts.variance),
               scientific_text(facts.variance_without_baseline)});
  }
  return table.text();
}

}  // namespace

void add_policies(const ReportedPolicies& policies, Page& page) {
  const PolicyData& data = policies.data;
  const std::string kind = kind_of_stops(data);
  Page::Charts first(page, Page::Charts::Layout::kLarge);
  first.add("Accuracy against cost", cost_axis(data), kAccuracyAxis, accuracy_series(policies));
  Page::Charts charts(page, Page::Charts::Layout::kBeside);
  if (!kind.empty()) {
    charts.add("Where images stop, " + kind, cost_axis(data),
               {.title = "share of the images", .unit = "%", .limit = 100, .min = 0, .max = 100},
               stop_series(policies, kind));
  }
  if (!data.calibration.empty()) {
    charts.add("How sure and how right",
               {.title = "largest probability", .unit = "%", .limit = 100},
               {.title = "accuracy", .unit = "%", .min = 0, .max = 100}, reliability_series(data));
  }
  charts.add("How searches went", {.title = "evaluations", .whole = true}, {.title = "hypervolume"},
             search_series(data));
  std::string content = first.text() + charts.text();
  content += note(std::string("Policies are chosen on ") + count_text(data.tuning_images) +
                  " held-out images; figures are those of " +
                  (data.test_images > 0 ? "the " + count_text(data.test_images) + " test images"
                                        : std::string("the same images")) +
                  ". What lies below the mixtures of widths is worse than tossing a coin.");
  content += summary_table(policies) + calibration_table(policies) + selector_table(policies);
  if (!policies.examples_png.empty()) {
    const std::string what = "Images by where " + policies.examples_of +
                             " stops them: the top row at width 1, each row below at the next";
    content += element("h3", policies.name + ", early and late images") +
               picture(policies.examples_png, what) + note(what + ".");
  }
  page.add_section("Policies of " + policies.name, content);
}

}  // namespace bellows::cli
