#include <bellows/error.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/numbers.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "training/data/catalogue.h"
#include "training/data/contact_sheet.h"
#include "training/data/download.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormats = "mnist, fashion-mnist, cifar10, svhn, folder, digits";

DatasetFormat format_option(const std::string& option, const std::string& name) {
  try {
    return parse_format_name(name);
  } catch (const Error& error) {
    throw UsageError(option + ": " + error.what());
  }
}

// The format that was asked for, else the one the files show.
DatasetFormat format_of(const Arguments& arguments, const std::string& folder) {
  if (const auto name = arguments.text("format")) return format_option("--format", *name);
  return detect_format(folder);
}

std::size_t sum(const std::vector<std::size_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
}

std::string describe(DatasetFormat format) {
  switch (format) {
    case DatasetFormat::kDigits:
      return "drawn digits (built in, nothing to download)";
    case DatasetFormat::kStreetDigits:
      return "drawn house numbers (from the fonts of this machine)";
    default:
      return "PNG files, one folder for each class";
  }
}

struct Place {
  std::string folder;
  DatasetFormat format = DatasetFormat::kMnist;
};

// What lies in `folder` or in the folders within.
std::vector<Place> find_data_sets(const std::string& folder) {
  std::error_code problem;
  if (!std::filesystem::is_directory(folder, problem)) {
    throw Error(ErrorCode::kNotFound, folder + ": no such folder");
  }
  std::vector<std::filesystem::path> candidates;
  for (std::filesystem::directory_iterator entry(folder, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) candidates.push_back(entry->path());
  }
  if (problem) throw Error(ErrorCode::kIoError, folder + ": " + problem.message());
  std::sort(candidates.begin(), candidates.end());
  candidates.insert(candidates.begin(), folder);
  std::vector<Place> places;
  for (const auto& candidate : candidates) {
    try {
      places.push_back({candidate.string(), detect_format(candidate)});
    } catch (const Error&) {
      // Most folders hold no data set; that is what is being found out.
      continue;
    }
    // One folder for each class looks like a folder of folders.
    if (candidate == std::filesystem::path(folder)) break;
  }
  return places;
}

int run_list(const Arguments& arguments, Console& console) {
  std::optional<std::vector<Place>> places;
  if (!arguments.plain().empty()) places = find_data_sets(arguments.plain()[0]);
  if (arguments.has("json")) {
    auto formats = Json::array();
    for (const DatasetFormat format : all_dataset_formats()) {
      Json object = {{"format", format_name(format)}};
      for (const CatalogueEntry& entry : catalogue()) {
        if (entry.format != format) continue;
        object["title"] = entry.title;
        object["classes"] = entry.class_names;
        object["train_images"] = sum(entry.train_counts);
        object["test_images"] = sum(entry.test_counts);
        object["address"] = entry.base_url;
        object["licence"] = entry.licence;
        object["citation"] = entry.citation;
      }
      formats.push_back(std::move(object));
    }
    Json result = {{"formats", std::move(formats)}};
    if (places) {
      result["found"] = Json::array();
      for (const Place& place : *places) {
        result["found"].push_back(
            {{"folder", place.folder}, {"format", format_name(place.format)}});
      }
    }
    console.print_json(result);
    return kDone;
  }
  Table table({{"format", Column::Align::kLeft},
               {"data set", Column::Align::kLeft},
               {"training"},
               {"test"},
               {"download"},
               {"licence", Column::Align::kLeft}});
  for (const DatasetFormat format : all_dataset_formats()) {
    std::vector<std::string> cells = {std::string(format_name(format)), describe(format)};
    for (const CatalogueEntry& entry : catalogue()) {
      if (entry.format != format) continue;
      std::uint64_t bytes = 0;
      for (const CatalogueFile& file : entry.files) bytes += file.bytes;
      cells = {std::string(format_name(format)),
               entry.title,
               count_text(static_cast<std::int64_t>(sum(entry.train_counts))),
               count_text(static_cast<std::int64_t>(sum(entry.test_counts))),
               bytes_text(static_cast<std::int64_t>(bytes)),
               entry.licence};
    }
    table.add(std::move(cells));
  }
  console.print(table.text(console.heading_begin(), console.heading_end()));
  if (!places) return kDone;
  if (places->empty()) {
    console.print("\nNothing known in " + arguments.plain()[0] + " or the folders within.");
    return kDone;
  }
  Table found({{"format", Column::Align::kLeft}, {"found in", Column::Align::kLeft}});
  for (const Place& place : *places)
    found.add({std::string(format_name(place.format)), place.folder});
  console.print("\n" + found.text(console.heading_begin(), console.heading_end()));
  return kDone;
}

int run_verify(const Arguments& arguments, Console& console) {
  const std::string& folder = arguments.plain()[0];
  const DatasetFormat format = format_of(arguments, folder);
  console.status("reading " + folder + " ...", true);
  const std::vector<Finding> findings = verify_dataset(format, folder);
  const auto bad = std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.kind != Finding::Kind::kAsPublished;
  });
  if (arguments.has("json")) {
    auto list = Json::array();
    for (const Finding& finding : findings) {
      list.push_back({{"kind", finding_name(finding.kind)},
                      {"subject", finding.subject},
                      {"text", finding.text}});
    }
    console.print_json(Json{{"folder", folder},
                            {"format", format_name(format)},
                            {"as_published", bad == 0},
                            {"findings", std::move(list)}});
  } else {
    console.print(folder + ": " + std::string(format_name(format)) + "\n");
    Table table({{"finding", Column::Align::kLeft},
                 {"of", Column::Align::kLeft},
                 {"details", Column::Align::kLeft}});
    for (const Finding& finding : findings) {
      table.add({std::string(finding_name(finding.kind)), finding.subject, finding.text});
    }
    console.print(table.text(console.heading_begin(), console.heading_end()));
  }
  if (bad == 0) return kDone;
  console.note("bellows data verify: error: " + folder + ": " + std::to_string(bad) + " of " +
               std::to_string(findings.size()) + " findings are not as published");
  return kFailed;
}

int run_sheet(const Arguments& arguments, Console& console) {
  const auto out = arguments.text("out");
  if (!out) throw UsageError("missing --out FILE.png; see bellows data sheet --help");
  const std::string folder = arguments.plain().empty() ? "" : arguments.plain()[0];
  const std::string split = arguments.text("split").value_or("train");
  if (split != "train" && split != "test") {
    throw UsageError("--split: '" + split + "' is neither train nor test");
  }
  DatasetFormat format = DatasetFormat::kDigits;
  if (!folder.empty()) {
    format = format_of(arguments, folder);
  } else if (const auto name = arguments.text("format")) {
    format = format_option("--format", *name);
  }
  if (folder.empty() && !is_generated(format)) {
    throw UsageError("missing the folder of the images (DIR); see bellows data sheet --help");
  }
  ContactSheetOptions options;
  options.per_class = arguments.integer("per-class", 1, 1000).value_or(options.per_class);
  options.scale = arguments.integer("scale", 1, 16).value_or(options.scale);
  LoadOptions load;
  // As many of each class, give or take; the rarest of the house numbers is one in sixteen.
  load.digits.train_images = load.digits.test_images = 10 * options.per_class;
  load.street_digits.train_images = load.street_digits.test_images = 20 * options.per_class;
  console.status("loading images ...", true);
  const Dataset images =
      load_dataset(format, folder, split == "test" ? Split::kTest : Split::kTrain, load);
  write_contact_sheet(images, *out, options);
  if (arguments.has("json")) {
    console.print_json(
        Json{{"sheet", *out}, {"data_set", images.name()}, {"classes", images.class_names()}});
  } else {
    console.print(*out + ": " + std::to_string(images.classes()) + " classes of " + images.name() +
                  ", one row each");
  }
  return kDone;
}

DatasetFormat downloadable_format(const std::string& name) {
  std::vector<std::string> known;
  for (const CatalogueEntry& entry : catalogue()) known.emplace_back(format_name(entry.format));
  const auto& formats = all_dataset_formats();
  const auto format = std::find_if(formats.begin(), formats.end(), [&](DatasetFormat candidate) {
    return format_name(candidate) == name;
  });
  if (format == formats.end()) {
    std::string names;
    for (const std::string& each : known) names += (names.empty() ? "" : ", ") + each;
    const auto meant = nearest(name, known);
    throw UsageError("'" + name + "' is no public data set" +
                     (meant ? " (did you mean '" + *meant + "'?)" : std::string()) +
                     "; there are " + names);
  }
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    throw UsageError("'" + name + "' has nothing to download: " + describe(*format));
  }
  return *format;
}

int run_download(const Arguments& arguments, Console& console) {
  const std::string& name = arguments.plain()[0];
  const std::string& folder = arguments.plain()[1];
  const DatasetFormat format = downloadable_format(name);
  DownloadOptions options;
  options.base_url = arguments.text("from").value_or("");
  options.timeout_seconds = arguments.integer("timeout", 1, 3600).value_or(options.timeout_seconds);
  const InterruptWatch watch;
  options.progress = [&](const std::string& file, std::uint64_t received, std::uint64_t total) {
    if (console.status_due()) {
      const double share =
          total == 0 ? 0 : static_cast<double>(received) / static_cast<double>(total);
      console.status(file + " " + progress_bar(share, 30) + " " +
                     bytes_text(static_cast<std::int64_t>(received)));
    }
    return !InterruptWatch::interrupted();
  };
  const std::vector<std::string> fetched = download_dataset(format, folder, options);
  const std::size_t files = catalogue_entry(format).files.size();
  if (arguments.has("json")) {
    console.print_json(
        Json{{"folder", folder}, {"fetched", fetched}, {"kept", files - fetched.size()}});
    return kDone;
  }
  for (const std::string& file : fetched) console.print("fetched " + file);
  console.print(folder + ": all " + std::to_string(files) + " files are there, checksums right");
  return kDone;
}

}  // namespace

std::vector<Verb> data_verbs() {
  Usage list;
  list.verb = "data list";
  list.summary = "Show the data sets that can be read, and which a folder holds";
  list.arguments = "[DIR] [options]";
  list.details = "Looks into DIR and the folders directly within.";
  list.example = "bellows data list DATA";
  list.most = 1;
  list.options = {{"json", "", "Print one JSON object"}};

  Usage verify;
  verify.verb = "data verify";
  verify.summary = "Compare files and counts with what was published";
  verify.arguments = "DIR [options]";
  verify.details = "Exit code 1 when anything is missing, damaged or different.";
  verify.example = "bellows data verify DATA/mnist";
  verify.least = verify.most = 1;
  verify.wanted = "the folder of the images (DIR)";
  verify.options = {{"format", "F", std::string(kFormats) + "; else told by the files"},
                    {"json", "", "Print one JSON object"}};

  Usage sheet;
  sheet.verb = "data sheet";
  sheet.summary = "Show the first images of every class as one PNG";
  sheet.arguments = "[DIR] --out FILE.png [options]";
  sheet.details = "Without DIR it shows the built-in digits.";
  sheet.example =
      "bellows data sheet --out digits.png\n"
      "bellows data sheet DATA/cifar-10 --split test --out cifar10.png";
  sheet.most = 1;
  sheet.options = {{"out", "FILE.png", "The picture"},
                   {"format", "F", std::string(kFormats) + "; else told by the files"},
                   {"split", "PART", "train (default) or test"},
                   {"per-class", "N", "Images of each class (default 16)"},
                   {"scale", "N", "Enlargement, 1..16 (default: tiles about 56 pixels high)"},
                   {"json", "", "Print one JSON object"}};

  Usage download;
  download.verb = "data download";
  download.summary = "Fetch a public data set and check its checksums";
  download.arguments = "NAME DIR [options]";
  download.details =
      "NAME is mnist, fashion-mnist, cifar10 or svhn. Files that are there already with the right\n"
      "checksum are kept; a file gets its name only when its checksum is right.";
  download.example = "bellows data download mnist DATA/mnist";
  download.least = download.most = 2;
  download.wanted = "the name of a data set (NAME) and a folder for it (DIR)";
  download.options = {{"from", "URL", "Address to fetch from instead of the public one"},
                      {"timeout", "SECONDS", "Patience with a silent server (default 30)"},
                      {"json", "", "Print one JSON object"}};

  return {{list, run_list}, {verify, run_verify}, {sheet, run_sheet}, {download, run_download}};
}

}  // namespace bellows::cli
