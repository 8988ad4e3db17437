#include "cli/report_searches.h"

#include <algorithm>
#include <set>
#include <utility>

#include "cli/numbers.h"
#include "training/search/search.h"

namespace bellows::cli {
namespace {

constexpr Axis kErrorAxis = {.title = "error", .unit = "%", .min = 0};
constexpr Axis kLatencyAxis = {.title = "latency", .unit = kMicroseconds, .logarithmic = true};
constexpr Axis kEnergyAxis = {.title = "energy", .unit = kMicrojoules, .logarithmic = true};

double error_of(const WidthResult& width) { return 100 * width.error.value_or(1); }
double latency_of(const WidthResult& width) { return width.latency_us; }
double energy_of(const WidthResult& width) { return width.energy_uj; }
using Value = double (*)(const WidthResult&);

// Whose width a member of a front is.
using Place = std::pair<int, int>;
Place place_of(const FrontMember& member) { return {member.candidate, member.result.width}; }

std::string name_of(const Place& place) {
  return std::to_string(place.first) + "/" + std::to_string(place.second);
}

std::vector<Series> projection(const SearchRecord& record, Value x, Value y) {
  const std::vector<FrontMember> front = front_of(record);
  std::set<Place> places;
  for (const FrontMember& member : front) places.insert(place_of(member));
  Series best{.name = "front", .colour = colour(0), .line = false};
  Series others{.name = "others", .colour = colour(1), .marker = 3, .line = false};
  for (const int number : record.ended) {
    const LoggedCandidate& candidate = record.candidates[static_cast<std::size_t>(number)];
    for (const WidthResult& width : candidate.result->widths) {
      if (!width.error || width.share < 1) continue;
      const Place place{number, width.width};
      const bool on_front = places.contains(place);
      Point point{
          .x = x(width),
          .y = y(width),
          .note = "candidate " + std::to_string(number) + ", width " + std::to_string(width.width),
          .label = on_front ? name_of(place) : ""};
      (on_front ? best : others).points.push_back(std::move(point));
    }
  }
  std::vector<Series> all;
  all.push_back(std::move(best));
  all.push_back(std::move(others));
  return all;
}

std::string front_table(const SearchRecord& record, const std::string& label) {
  HtmlTable table(
      label + ", front",
      {"candidate/width", "error", std::string("latency ") + kMicroseconds,
       std::string("energy ") + kMicrojoules, "MACs", "parameters", "memory", "network"});
  for (const FrontMember& member : front_of(record)) {
    const WidthResult& width = member.result;
    table.add({name_of(place_of(member)), percent_text(*width.error), number_cell(width.latency_us),
               number_cell(width.energy_uj), scaled_text(width.macs), scaled_text(width.parameters),
               width.memory_bytes > 0 ? bytes_text(width.memory_bytes) : kUnknown,
               record.candidates[static_cast<std::size_t>(member.candidate)].text});
  }
  return table.text();
}

std::string endings_text(const SearchRecord& record) {
  std::vector<std::pair<std::string, int>> counts;
  for (const int number : record.ended) {
    const std::string& ending = record.candidates[static_cast<std::size_t>(number)].result->ending;
    const auto known = std::ranges::find(counts, ending, &std::pair<std::string, int>::first);
    known == counts.end() ? counts.emplace_back(ending, 1) : * known = {ending, known->second + 1};
  }
  std::string text;
  for (const auto& [ending, count] : counts) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + ending;
  }
  return text;
}

void add_search(const ReportedSearch& search, const std::string& label, Page& page) {
  const SearchRecord& record = search.record;
  Page::Charts charts(page, Page::Charts::Layout::kBeside);
  charts.add("Error against latency", kLatencyAxis, kErrorAxis,
             projection(record, latency_of, error_of));
  charts.add("Error against energy", kEnergyAxis, kErrorAxis,
             projection(record, energy_of, error_of));
  charts.add("Energy against latency", kLatencyAxis, kEnergyAxis,
             projection(record, latency_of, energy_of));
  std::string about = "Candidates: " + endings_text(record) + ". ";
  if (epochs_spared(record) > 0) {
    about +=
        "Early stopping has spared " + percent_text(epochs_spared(record)) + " of the epochs. ";
  }
  about += "Errors are those on " + count_text(record.header.validation_images) +
           " held-out images after the training that the search allows; a label is candidate and "
           "width.";
  if (!record.finished) about += " The search has not come to its end.";
  if (record.cut_off) about += " The log's last line is not whole and left out.";
  page.add_section("Search " + label, charts.text() + note(about) + front_table(record, label));
}

std::vector<Series> growth_series(const std::vector<ReportedSearch>& searches,
                                  const std::vector<std::string>& labels) {
  std::vector<Series> all;
  for (std::size_t i = 0; i < searches.size(); ++i) {
    const SearchRecord& record = searches[i].record;
    const auto reached = hypervolume_reached(evaluations_of(record), reference_of(record.header));
    Series one{.name = labels[i] + ", " + record.header.method,
               .colour = colour(i),
               .dash = record.header.method == "random" ? 2 : 0,
               .markers = false};
    for (std::size_t n = 0; n < reached.size(); ++n) {
      one.points.push_back({.x = static_cast<double>(n + 1), .y = reached[n]});
    }
    all.push_back(std::move(one));
  }
  return all;
}

bool same_networks(const SearchRecord& a, const SearchRecord& b) {
  return a.header.config == b.header.config && a.ended == b.ended &&
         a.header.measured_on != b.header.measured_on &&
         std::ranges::equal(a.candidates, b.candidates, {}, &LoggedCandidate::point,
                            &LoggedCandidate::point);
}

// Whether what is best on one device is best on the other.
std::string device_table(const std::vector<ReportedSearch>& searches) {
  HtmlTable table("Fronts of two devices",
                  {"device", "other device", "on the front", "on both", "on this one alone"},
                  false);
  bool any = false;
  for (const ReportedSearch& one : searches) {
    for (const ReportedSearch& other : searches) {
      if (!same_networks(one.record, other.record)) continue;
      std::set<Place> there;
      for (const FrontMember& member : front_of(other.record)) there.insert(place_of(member));
      std::vector<std::string> alone;
      std::size_t both = 0;
      const auto front = front_of(one.record);
      for (const FrontMember& member : front) {
        if (there.contains(place_of(member))) {
          ++both;
        } else {
          alone.push_back(name_of(place_of(member)));
        }
      }
      table.add({one.record.header.measured_on, other.record.header.measured_on,
                 std::to_string(front.size()), std::to_string(both),
                 alone.empty() ? "none" : joined(alone, ", ")});
      any = true;
    }
  }
  return any ? table.text() : "";
}

}  // namespace

void add_searches(const std::vector<ReportedSearch>& searches,
                  const std::vector<std::string>& labels, Page& page) {
  if (searches.empty()) return;
  for (std::size_t i = 0; i < searches.size(); ++i) add_search(searches[i], labels[i], page);
  Page::Charts charts(page, Page::Charts::Layout::kBeside);
  charts.add("How searches went", {.title = "evaluations", .whole = true}, {.title = "hypervolume"},
             growth_series(searches, labels));
  page.add_section(
      "Searches together",
      charts.text() +
          note("Hypervolume of the logarithms of error, latency and energy, up to each "
               "search's reference.") +
          device_table(searches));
}

}  // namespace bellows::cli
