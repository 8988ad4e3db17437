#include <bellows/bellows.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/browser.h"
#include "cli/command.h"
#include "cli/numbers.h"
#include "cli/output_files.h"
#include "cli/report.h"
#include "cli/report_page.h"
#include "cli/verb.h"
#include "engine/atomic_file.h"
#include "engine/input_file.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostPaths = 1000;
// Of a picture, in CSS pixels.
constexpr int kPictureWidth = 1200;
constexpr int kPictureHeight = 400;
constexpr int kTimeLineHeight = 800;  // three charts, one below the other

// Files in a run's folder that are read too.
std::vector<std::filesystem::path> files_read(const std::vector<std::filesystem::path>& paths) {
  std::vector<std::filesystem::path> files = paths;
  for (const std::filesystem::path& path : paths) {
    for (const char* name : kRunFiles) files.push_back(path / name);
  }
  return files;
}

int run_report(const Arguments& arguments, Console& console) {
  const auto out = arguments.text("out");
  if (!out || out->empty()) {
    throw UsageError("missing --out FILE.html; see bellows report --help");
  }
  ReportRequest request{.paths = {arguments.plain().begin(), arguments.plain().end()},
                        .out = *out,
                        .picture = arguments.text("picture")};
  if (const auto title = arguments.text("title")) request.title = *title;
  check_report(request, "out");
  const auto [data, bytes] = write_report(request, arguments);
  if (arguments.has("json")) {
    Json json = {{"report", *out}};
    if (request.picture) json["picture"] = *request.picture;
    json["profiles"] = data.profiles.size();
    json["models"] = data.models.size();
    json["policies"] = data.policies.size();
    json["training_logs"] = data.trainings.size();
    json["run_logs"] = data.runs.size();
    json["searches"] = data.searches.size();
    json["report_bytes"] = bytes;
    console.print_json(json);
    return kDone;
  }
  const auto counted = [](std::size_t count, const char* name) {
    return std::to_string(count) + " " + name + (count == 1 ? "" : "s");
  };
  console.print(
      *out + ": " + counted(data.profiles.size(), "profile") + ", " +
      counted(data.models.size(), "model") + ", " +
      (data.policies.empty() ? "" : counted(data.policies.size(), "file") + " of policies, ") +
      counted(data.trainings.size(), "log") + " of training, " + counted(data.runs.size(), "log") +
      " of runs" +
      (data.searches.empty() ? "" : ", " + counted(data.searches.size(), "log") + " of searches") +
      "; " + bytes_text(static_cast<std::int64_t>(bytes)));
  if (request.picture) console.print(*request.picture + ": its first charts");
  return kDone;
}

}  // namespace

void check_report(const ReportRequest& request, const std::string& out_option,
                  const std::vector<std::filesystem::path>& inputs) {
  std::vector<OutputFile> outputs = {{out_option, request.out}};
  if (request.picture) {
    if (!request.picture->ends_with(".png")) {
      throw UsageError("--picture: '" + *request.picture +
                       "' does not end in .png; pictures are PNG");
    }
    outputs.push_back({"picture", *request.picture});
  }
  std::vector<std::filesystem::path> read = files_read(request.paths);
  read.insert(read.end(), inputs.begin(), inputs.end());
  check_outputs(outputs, read);
}

WrittenReport write_report(const ReportRequest& request, const Arguments& arguments) {
  ReportData data = read_report_data(request.paths);
  if (request.examples && !data.policies.empty()) {
    const InputFile file(*request.examples);
    std::string& png = data.policies.front().examples_png;
    png.resize(file.size());
    file.read(0, {reinterpret_cast<std::uint8_t*>(png.data()), png.size()});
    data.policies.front().examples_of = request.examples_of;
  }
  const std::string page =
      report_page(data, request.title,
                  "Made by bellows " + std::string(version()) + " on " + utc_text() +
                      " with: " + shell_line(arguments.command()));
  write_file_atomically(request.out, page);
  if (request.picture) {
    const bool only_time_lines = data.profiles.empty() && data.models.empty() &&
                                 data.policies.empty() && data.trainings.empty() &&
                                 data.searches.empty();
    save_picture(file_address(request.out) + "#picture", kPictureWidth,
                 only_time_lines ? kTimeLineHeight : kPictureHeight, *request.picture);
  }
  return {.data = std::move(data), .bytes = page.size()};
}

Verb report_verb() {
  Usage usage;
  usage.verb = "report";
  usage.summary = "Make one page of charts and tables of profiles, models and logs";
  usage.arguments = "PATH... --out FILE.html [options]";
  usage.details =
      "PATHs are profiles, model files, files of policies, logs of training, of `bellows run` and "
      "of\n"
      "`bellows search`, in any mix, and folders of training runs and searches. The page holds all "
      "it needs: any browser shows it, "
      "without a network.\n"
      "--picture draws its first charts by Chromium, which has to be installed for that.";
  usage.example =
      "bellows report runs/mnist-lenet --out report.html\n"
      "bellows report profile.json stream.jsonl --out report.html --picture widths.png";
  usage.least = 1;
  usage.most = kMostPaths;
  usage.wanted = "what to report on (PATH...)";
  usage.options = {
      {"out", "FILE.html", "The page to write"},
      {"picture", "FILE.png", "Also draw the page's first charts as a picture"},
      {"title", "TEXT", "What stands at the head of the page"},
      {"json", "", "Print one JSON object"},
  };
  return {usage, run_report};
}

}  // namespace bellows::cli
