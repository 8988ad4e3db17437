#include "cli/report_page.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/console.h"
#include "cli/numbers.h"
#include "cli/page_writer.h"
#include "cli/report_assets.h"
#include "cli/report_policies.h"
#include "cli/report_searches.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

// Longer series are thinned out: a screen has no more columns.
constexpr std::size_t kMostPoints = 1500;
// With so few widths, each has its mark.
constexpr int kFewWidths = 8;

std::string threads_text(int threads) {
  return std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

// Names of the same kind that are told apart, by their paths where they are equal.
template <class Item>
std::vector<std::string> labels_of(const std::vector<Item>& items, std::string Item::*name) {
  std::vector<std::string> labels;
  for (const Item& item : items) {
    const auto same = std::count_if(items.begin(), items.end(),
                                    [&](const Item& other) { return other.*name == item.*name; });
    labels.push_back(same > 1 ? item.*name + " (" + item.path + ")" : item.*name);
  }
  return labels;
}

// The accuracy that curves show: on the test images where all widths have it, else the held-out.
template <class Row>
std::optional<double> Row::*shown_accuracy(const std::vector<Row>& rows) {
  const bool tested = std::all_of(rows.begin(), rows.end(),
                                  [](const Row& row) { return row.test_accuracy.has_value(); });
  return tested ? &Row::test_accuracy : &Row::validation_accuracy;
}

template <class Row>
const char* accuracy_note(const std::vector<Row>& rows) {
  return shown_accuracy(rows) == &Row::test_accuracy ? "" : ", validation";
}

using Value = std::optional<double> ProfileRow::*;

// A profile's accuracy against one of its columns, a series for each number of threads.
void add_curves(const ReportedProfile& profile, const std::string& label, std::size_t index,
                Value column, bool by_threads, std::vector<Series>& series) {
  const Value accuracy = shown_accuracy(profile.rows);
  std::set<int> threads;
  for (const ProfileRow& row : profile.rows) threads.insert(row.threads);
  int number = 0;
  for (const int count : threads) {
    Series one{.name = label + (by_threads ? ", " + threads_text(count) : "") +
                       accuracy_note(profile.rows),
               .colour = colour(index),
               .dash = number,
               .marker = by_threads ? number : static_cast<int>(index)};
    for (const ProfileRow& row : profile.rows) {
      const auto x = row.*column;
      const auto y = row.*accuracy;
      if (row.threads != count || !x || !y) continue;
      one.points.push_back({*x, 100 * *y, "width " + std::to_string(row.width)});
    }
    series.push_back(std::move(one));
    ++number;
    // The others would lie on top of it.
    if (!by_threads) break;
  }
}

std::string profile_table(const ReportedProfile& profile, const std::string& label) {
  HtmlTable table(label,
                  {"width", "threads", "validation", "test", std::string("p50 ") + kMicroseconds,
                   std::string("p95 ") + kMicroseconds, std::string("p99 ") + kMicroseconds,
                   std::string("energy ") + kMicrojoules, "MACs", "weights", "memory"});
  for (const ProfileRow& row : profile.rows) {
    table.add({std::to_string(row.width), std::to_string(row.threads),
               share_cell(row.validation_accuracy), share_cell(row.test_accuracy),
               number_cell(row.latency_p50_us), number_cell(row.latency_p95_us),
               number_cell(row.latency_p99_us), number_cell(row.energy_uj), count_cell(row.macs),
               bytes_cell(row.weight_bytes), bytes_cell(row.memory_bytes)});
  }
  return table.text();
}

std::string model_table(const ReportedModel& model, const std::string& label) {
  HtmlTable table(label, {"width", "validation", "test", "parameters", "MACs", "weights"});
  for (const Width& width : model.widths) {
    table.add({std::to_string(width.number), share_cell(width.validation_accuracy),
               share_cell(width.test_accuracy), count_text(width.parameters),
               scaled_text(width.macs), bytes_text(width.weight_bytes)});
  }
  return table.text();
}

void add_widths(const ReportData& data, Page& page) {
  if (data.profiles.empty() && data.models.empty()) return;
  const auto profile_labels = labels_of(data.profiles, &ReportedProfile::model);
  const auto model_labels = labels_of(data.models, &ReportedModel::name);

  std::vector<Series> by_latency;
  std::vector<Series> by_energy;
  std::vector<Series> by_macs;
  for (std::size_t i = 0; i < data.profiles.size(); ++i) {
    const ReportedProfile& profile = data.profiles[i];
    add_curves(profile, profile_labels[i], i, &ProfileRow::latency_p50_us, true, by_latency);
    add_curves(profile, profile_labels[i], i, &ProfileRow::energy_uj, true, by_energy);
    add_curves(profile, profile_labels[i], i, &ProfileRow::macs, false, by_macs);
  }
  for (std::size_t i = 0; i < data.models.size(); ++i) {
    const ReportedModel& model = data.models[i];
    const bool profiled = std::any_of(
        data.profiles.begin(), data.profiles.end(),
        [&](const ReportedProfile& profile) { return profile.group_sha256 == model.group_sha256; });
    // Its profile has the same curve.
    if (profiled) continue;
    const auto accuracy = shown_accuracy(model.widths);
    const std::size_t index = data.profiles.size() + i;
    Series one{.name = model_labels[i] + accuracy_note(model.widths),
               .colour = colour(index),
               .marker = static_cast<int>(index)};
    for (const Width& width : model.widths) {
      if (!(width.*accuracy)) continue;
      one.points.push_back({static_cast<double>(width.macs), 100 * *(width.*accuracy),
                            "width " + std::to_string(width.number)});
    }
    by_macs.push_back(std::move(one));
  }

  Page::Charts charts(page, Page::Charts::Layout::kBeside);
  charts.add("Accuracy against latency",
             {.title = "median latency", .unit = kMicroseconds, .may_be_logarithmic = true},
             kAccuracyAxis, std::move(by_latency));
  charts.add("Accuracy against energy",
             {.title = "energy of an inference", .unit = kMicrojoules, .may_be_logarithmic = true},
             kAccuracyAxis, std::move(by_energy));
  charts.add("Accuracy against operations",
             {.title = "multiply-accumulates", .compact = true, .may_be_logarithmic = true},
             kAccuracyAxis, std::move(by_macs));
  std::string content = charts.text();
  content += note(
      "Points are widths, narrowest first. Accuracy is that on the test images, or on the "
      "validation images where it says so.");
  for (std::size_t i = 0; i < data.profiles.size(); ++i) {
    const std::string& source = data.profiles[i].energy_source;
    content += profile_table(data.profiles[i],
                             profile_labels[i] + "; energy " +
                                 (source.empty() ? std::string("of unknown source") : source));
  }
  for (std::size_t i = 0; i < data.models.size(); ++i) {
    content += model_table(data.models[i], model_labels[i] + ", as the model file tells");
  }
  page.add_section("What each width reaches and costs", content);
}

std::string groups_name(const LoggedEpoch& epoch) {
  if (epoch.first_group == epoch.last_group) return "group " + std::to_string(epoch.first_group);
  return "groups " + std::to_string(epoch.first_group) + " to " + std::to_string(epoch.last_group);
}

// The series called `name`, made when it is not there.
Series& series_called(std::vector<Series>& all, const std::string& name, int number, bool dashed) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Series& one) { return one.name == name; });
  if (found != all.end()) return *found;
  all.push_back({.name = name,
                 .colour = colour(static_cast<std::size_t>(number - 1)),
                 .dash = dashed ? 1 : 0,
                 .marker = number - 1,
                 .markers = !dashed});
  return all.back();
}

void add_training(const TrainingLog& log, const std::string& label, Page& page) {
  std::vector<Series> losses;
  std::vector<Series> accuracies;
  double x = 0;
  for (const LoggedEpoch& epoch : log.epochs) {
    ++x;
    const std::string place = groups_name(epoch) + ", epoch " + std::to_string(epoch.epoch);
    const auto percent = [](std::optional<double> share) {
      if (share) *share *= 100;
      return share;
    };
    const std::string training = groups_name(epoch) + ", training";
    series_called(losses, training, epoch.last_group, true)
        .points.push_back({x, epoch.loss, place});
    series_called(accuracies, training, epoch.last_group, true)
        .points.push_back({x, percent(epoch.accuracy), place});
    for (const Score& score : epoch.validation) {
      const std::string validation = "width " + std::to_string(score.width) + ", validation";
      series_called(losses, validation, score.width, false)
          .points.push_back({x, score.loss, place});
      series_called(accuracies, validation, score.width, false)
          .points.push_back({x, percent(score.accuracy), place});
    }
  }
  const Axis epochs = {.title = "epoch, all steps counted on", .whole = true};
  Page::Charts charts(page, Page::Charts::Layout::kBeside);
  charts.add("Loss", epochs, {.title = "cross-entropy"}, std::move(losses));
  charts.add("Accuracy", epochs, kAccuracyAxis, std::move(accuracies));

  std::string content = charts.text();
  content += note(
      "Training figures are on augmented images; the run " +
      (log.seconds ? "took " + number_cell(log.seconds) + " s." : std::string("is not finished.")) +
      (log.cut_off ? " The log ends in the middle of a line, which is left out." : ""));
  if (!log.validation.empty() || !log.test.empty()) {
    HtmlTable table(label + ", at the end of training",
                    {"width", "validation", "loss", "test", "loss"});
    std::set<int> widths;
    for (const Score& score : log.validation) widths.insert(score.width);
    for (const Score& score : log.test) widths.insert(score.width);
    for (const int width : widths) {
      const auto of_width = [&](const std::vector<Score>& scores) {
        const auto found = std::find_if(scores.begin(), scores.end(),
                                        [&](const Score& score) { return score.width == width; });
        return found == scores.end() ? Score{} : *found;
      };
      const Score validation = of_width(log.validation);
      const Score test = of_width(log.test);
      table.add({std::to_string(width), share_cell(validation.accuracy), loss_cell(validation.loss),
                 share_cell(test.accuracy), loss_cell(test.loss)});
    }
    content += table.text();
  }
  page.add_section("Training of " + label, content);
}

// What requests took together.
struct Sum {
  std::size_t requests = 0;
  std::size_t missed = 0;
  double latency_us = 0;
  double energy_uj = 0;
  std::size_t with_energy = 0;

  void add(const ServedRequest& request) {
    ++requests;
    missed += request.missed ? 1 : 0;
    latency_us += request.latency_us;
    if (request.energy_uj) {
      energy_uj += *request.energy_uj;
      ++with_energy;
    }
  }
  [[nodiscard]] double mean_latency_us() const {
    return latency_us / static_cast<double>(requests);
  }
  [[nodiscard]] std::optional<double> mean_energy_uj() const {
    if (with_energy == 0) return std::nullopt;
    return energy_uj / static_cast<double>(with_energy);
  }
};

// A limit as a line from each change of the targets to the next, and to the end.
Series limit_series(const char* name, const RunLog& log,
                    std::optional<double> ReportedTargets::*limit, double end_s) {
  Series series{.name = name, .colour = "warning", .dash = 1, .markers = false};
  for (std::size_t i = 0; i < log.targets.size(); ++i) {
    const ReportedTargets& targets = log.targets[i];
    const double until = i + 1 < log.targets.size() ? log.targets[i + 1].time_s : end_s;
    series.points.push_back({targets.time_s, targets.*limit});
    series.points.push_back({until, targets.*limit});
    // Not joined with what comes next.
    series.points.push_back({until, std::nullopt});
  }
  return series;
}

void add_time_line(const RunLog& log, Page::Charts& charts, double end_s) {
  Series latency{.name = "latency", .colour = colour(0), .line = false};
  Series missed{.name = "missed", .colour = "warning", .marker = 4, .line = false};
  Series width{.name = "width", .colour = colour(0), .markers = false, .stepped = true};
  Series energy{.name = "energy", .colour = colour(2), .markers = false, .stepped = true};
  Series changes{.name = "targets change", .colour = "warning", .marker = 2, .line = false};

  int widest = 1;
  // Of so many requests, one point: the slowest one's latency, and means.
  const std::size_t together = (log.requests.size() + kMostPoints - 1) / kMostPoints;
  for (std::size_t begin = 0; begin < log.requests.size(); begin += together) {
    const std::size_t end = std::min(begin + together, log.requests.size());
    const ServedRequest* slowest = nullptr;
    Sum sum;
    double widths = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const ServedRequest& request = log.requests[i];
      // A missed one first: it must not hide behind one that was allowed to take longer.
      if (slowest == nullptr || std::pair(request.missed, request.latency_us) >
                                    std::pair(slowest->missed, slowest->latency_us)) {
        slowest = &request;
      }
      sum.add(request);
      widths += request.width;
      widest = std::max(widest, request.width);
    }
    const std::string place = "width " + std::to_string(slowest->width) +
                              (slowest->feasible ? "" : ", targets out of reach");
    (slowest->missed ? missed : latency)
        .points.push_back({slowest->time_s, slowest->latency_us, place});
    const double time_s = log.requests[begin].time_s;
    width.points.push_back({time_s, widths / static_cast<double>(end - begin)});
    energy.points.push_back({time_s, sum.mean_energy_uj()});
  }
  for (std::size_t i = 1; i < log.targets.size(); ++i) {
    changes.points.push_back({log.targets[i].time_s, 1, log.targets[i].text});
  }

  const Axis time = {.title = "time", .unit = "s", .min = 0, .max = end_s};
  std::vector<Series> latencies;
  latencies.push_back(std::move(latency));
  latencies.push_back(std::move(missed));
  latencies.push_back(limit_series("limit", log, &ReportedTargets::max_latency_us, end_s));
  charts.add("Latency of each request", time, {.title = "latency", .unit = kMicroseconds, .min = 0},
             std::move(latencies));
  std::vector<Series> widths;
  widths.push_back(std::move(width));
  widths.push_back(std::move(changes));
  Axis marks = {.title = "width", .whole = together == 1, .min = 0};
  if (widest <= kFewWidths) marks.step = 1;
  charts.add("Width", time, marks, std::move(widths));
  std::vector<Series> energies;
  energies.push_back(std::move(energy));
  energies.push_back(limit_series("limit", log, &ReportedTargets::max_energy_uj, end_s));
  charts.add("Energy of each request", time, {.title = "energy", .unit = kMicrojoules, .min = 0},
             std::move(energies));
}

void add_run(const RunLog& log, const std::string& label, Page& page) {
  double end_s = log.end_s.value_or(0);
  for (const ServedRequest& request : log.requests) end_s = std::max(end_s, request.time_s);
  for (const ReportedTargets& targets : log.targets) end_s = std::max(end_s, targets.time_s);
  Page::Charts charts(page, Page::Charts::Layout::kWide);
  add_time_line(log, charts, end_s);
  std::string content = charts.text();

  const std::size_t together = (log.requests.size() + kMostPoints - 1) / kMostPoints;
  std::string about = log.end_s ? "" : "The log does not tell how the run ended. ";
  if (log.cut_off) about += "Its last line is not whole and left out. ";
  if (together > 1) {
    about += "Each point stands for " + std::to_string(together) +
             " requests: the slowest one's latency, the mean width and energy. ";
  }
  if (!about.empty()) content += note(about);

  Sum all;
  std::vector<Sum> by_width;
  for (const ServedRequest& request : log.requests) {
    all.add(request);
    by_width.resize(std::max(by_width.size(), static_cast<std::size_t>(request.width)));
    by_width[static_cast<std::size_t>(request.width - 1)].add(request);
  }
  HtmlTable table(label + ", requests by width",
                  {"width", "requests", "missed", std::string("mean latency ") + kMicroseconds,
                   std::string("mean energy ") + kMicrojoules});
  const auto add_row = [&](const std::string& name, const Sum& sum) {
    if (sum.requests == 0) return;
    table.add({name, count_text(static_cast<std::int64_t>(sum.requests)),
               count_text(static_cast<std::int64_t>(sum.missed)),
               number_cell(sum.mean_latency_us()), number_cell(sum.mean_energy_uj())});
  };
  for (std::size_t i = 0; i < by_width.size(); ++i) add_row(std::to_string(i + 1), by_width[i]);
  add_row("all", all);
  if (all.requests > 0) content += table.text();
  std::vector<std::string> more;
  if (log.switches) more.push_back(fixed_text(*log.switches, 0) + " changes of width");
  if (log.accuracy) more.push_back(percent_text(*log.accuracy) + " of the answers right");
  if (!more.empty()) content += note(joined(more, "; ") + ".");
  HtmlTable targets(label + ", targets", {"from second", "targets"}, false);
  for (const ReportedTargets& one : log.targets) {
    targets.add({fixed_text(one.time_s, 3), one.text.empty() ? "none" : one.text});
  }
  page.add_section("Run " + label, content + targets.text());
}

std::string facts_list(const char* kind, const std::string& path, const Facts& facts) {
  std::string text = element("h3", std::string(kind) + " " + path) + "<dl>\n";
  for (const auto& [name, value] : facts) text += element("dt", name) + element("dd", value);
  return text + "</dl>\n";
}

void add_provenance(const ReportData& data, Page& page) {
  std::string content;
  for (const ReportedProfile& profile : data.profiles) {
    content += facts_list("Profile", profile.path, profile.facts);
  }
  for (const ReportedModel& model : data.models) {
    content += facts_list("Model", model.path, model.facts);
  }
  for (const ReportedPolicies& policies : data.policies) {
    content += facts_list("Policies", policies.path, policies.facts);
  }
  for (const TrainingLog& log : data.trainings) {
    content += facts_list(
        "Log of training", log.path,
        {{"epochs", std::to_string(log.epochs.size())}, {"finished", log.seconds ? "yes" : "no"}});
  }
  for (const RunLog& log : data.runs) content += facts_list("Log of a run", log.path, log.facts);
  for (const ReportedSearch& search : data.searches) {
    content += facts_list("Search", search.path, search.facts);
  }
  page.add_section("Where the figures come from", content);
}

// Every `{{name}}` of the template, in one pass: what is put in is not looked at again.
std::string filled(std::string_view text,
                   const std::vector<std::pair<std::string_view, std::string_view>>& parts) {
  std::string page;
  for (;;) {
    const std::size_t begin = text.find("{{");
    page += text.substr(0, begin);
    if (begin == std::string_view::npos) return page;
    const std::size_t end = text.find("}}", begin);
    const std::string_view name = text.substr(begin + 2, end - begin - 2);
    const auto part = std::find_if(parts.begin(), parts.end(),
                                   [&](const auto& one) { return one.first == name; });
    if (part != parts.end()) page += part->second;
    text.remove_prefix(end + 2);
  }
}

}  // namespace

std::string report_page(const ReportData& data, const std::string& title,
                        const std::string& generated) {
  Page page;
  add_widths(data, page);
  for (const ReportedPolicies& policies : data.policies) add_policies(policies, page);
  const auto trainings = labels_of(data.trainings, &TrainingLog::name);
  for (std::size_t i = 0; i < trainings.size(); ++i) {
    add_training(data.trainings[i], trainings[i], page);
  }
  const auto runs = labels_of(data.runs, &RunLog::name);
  for (std::size_t i = 0; i < runs.size(); ++i) add_run(data.runs[i], runs[i], page);
  add_searches(data.searches, labels_of(data.searches, &ReportedSearch::name), page);
  add_provenance(data, page);
  const std::string html_title = html_text(title);
  const std::string html_summary = html_text(generated);
  const std::string charts = script_json(page.charts);
  return filled(kReportHtml, {{"title", html_title},
                              {"style", kReportStyle},
                              {"summary", html_summary},
                              {"sections", page.sections},
                              {"charts", charts},
                              {"library", kChartLibrary},
                              {"script", kReportScript}});
}

}  // namespace bellows::cli
