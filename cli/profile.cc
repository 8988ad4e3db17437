#include <bellows/bellows.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "cli/command.h"
#include "cli/energy_options.h"
#include "cli/evaluation_data.h"
#include "cli/numbers.h"
#include "cli/output_files.h"
#include "cli/report.h"
#include "cli/signing.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "engine/latency.h"
#include "engine/model_state.h"
#include "engine/profile_data.h"
#include "engine/threads.h"
#include "engine/width_measuring.h"
#include "training/data/random.h"
#include "training/evaluator.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;
using internal::ProfileData;
using internal::ProfilePoint;

constexpr std::size_t kTimedImages = 16;
constexpr double kIdleSeconds = 2;

// What the images tell: accuracies by width, and some of them to run.
struct Images {
  std::string name;
  std::vector<double> validation;  // [width - 1]; empty: not known
  std::vector<double> test;
  std::int64_t validation_images = 0;
  std::int64_t test_images = 0;
  std::vector<float> timed;  // whole images
};

std::vector<double> accuracies(const Model& model, const Dataset& images, const char* what,
                               Console& console) {
  EvaluationOptions options{.threads = available_cores()};
  options.progress = [&](std::size_t done, std::size_t of) {
    if (!console.status_due()) return;
    console.status(std::string(what) + " " +
                   progress_bar(static_cast<double>(done) / static_cast<double>(of), 30));
  };
  std::vector<double> shares;
  for (const WidthScore& score : evaluate(model, images, options)) shares.push_back(score.accuracy);
  return shares;
}

std::vector<float> first_images(const Dataset& images) {
  std::vector<float> values;
  for (std::size_t i = 0; i < std::min(kTimedImages, images.size()); ++i) {
    for (const std::uint8_t pixel : images.image(i)) {
      values.push_back(static_cast<float>(pixel) / 255.0F);
    }
  }
  return values;
}

// Without a folder of images, what the model file says of its accuracy counts.
Images look_at_images(const Arguments& arguments, const Model& model, Console& console) {
  const ModelInfo& info = internal::state_of(model)->info;
  Images found;
  found.name = info.data_set;
  if (!arguments.has("data")) {
    found.validation = info.validation_accuracy;
    found.test = info.test_accuracy;
    data::KeyedRandom random(1);
    found.timed.resize(kTimedImages * model.image_elements());
    for (float& value : found.timed) value = random.uniform();
    return found;
  }
  EvaluationRequest request{
      .data = arguments.text("data"), .format = arguments.text("format"), .split = "validation"};
  console.status("loading images ...", true);
  std::string no_validation;
  try {
    const Dataset validation = load_evaluation_data(info, model, request).images;
    found.name = validation.name();
    found.validation = accuracies(model, validation, "validation images", console);
    found.validation_images = static_cast<std::int64_t>(validation.size());
    found.timed = first_images(validation);
  } catch (const NoHeldOutImages& error) {
    no_validation = error.reason();
  }
  request.split = "test";
  const EvaluationData test = load_evaluation_data(info, model, request);
  if (!test.images.empty() && (test.part == kTestImages || found.timed.empty())) {
    found.name = test.images.name();
    found.test = accuracies(model, test.images, "test images", console);
    found.test_images = static_cast<std::int64_t>(test.images.size());
    if (found.timed.empty()) found.timed = first_images(test.images);
  }
  if (!no_validation.empty()) {
    console.note(no_validation + "; widths will be chosen by the accuracies on " + test.part);
  }
  return found;
}

std::string table_of(const ProfileData& profile, const Console& console) {
  const auto share = [](const std::optional<double>& value) {
    return value ? percent_text(*value) : std::string("-");
  };
  Table table({{"threads"},
               {"width"},
               {"validation"},
               {"test"},
               {"p50"},
               {"p95"},
               {"p99"},
               {"energy"},
               {"MACs"},
               {"activations"}});
  for (const ProfilePoint& point : profile.points) {
    table.add({std::to_string(point.threads), std::to_string(point.width),
               share(point.validation_accuracy), share(point.test_accuracy),
               fixed_text(point.latency_us.p50, 1) + " us", fixed_text(point.latency_us.p95, 1),
               fixed_text(point.latency_us.p99, 1),
               point.energy_uj ? fixed_text(*point.energy_uj, 2) + " uJ" : "-",
               scaled_text(point.macs), bytes_text(point.memory_activations)});
  }
  return table.text(console.heading_begin(), console.heading_end());
}

// With the accuracies that the images have told.
std::vector<ProfilePoint> with_accuracies(std::vector<ProfilePoint> points, const Images& images) {
  for (ProfilePoint& point : points) {
    const auto index = static_cast<std::size_t>(point.width - 1);
    if (index < images.validation.size()) point.validation_accuracy = images.validation[index];
    if (index < images.test.size()) point.test_accuracy = images.test[index];
  }
  return points;
}

class Profiler {
 public:
  Profiler(const Arguments& arguments, const Model& model, Console& console)
      : arguments_(arguments), model_(model), console_(console) {}

  // By the device's own figures: nothing is run.
  void estimate(const DeviceModel& device, const Images& images, ProfileData& profile) {
    profile.device = {.processor = "estimate: " + device.name, .isa = "none", .onednn = "none"};
    profile.energy_source = "modelled: operations (" + device.name + ")";
    profile.outlier_rule = "nothing was run: time at the device's peak";
    if (!device.clock_hz) {
      throw UsageError("--device: '" + device.name +
                       "' has no clock, so that its times cannot be estimated; choose another");
    }
    profile.points = with_accuracies(estimate_widths(model_, device), images);
  }

  void measure(EnergyMeter* meter, const Images& images, ProfileData& profile) {
    const double seconds = arguments_.real("seconds", 0.001, 3600).value_or(1);
    const LatencyOptions options{.seconds = seconds,
                                 .least_runs = 200,
                                 .most_runs = 100000,
                                 .turns = 5,
                                 .rate = arguments_.real("rate", 0.001, 1e6).value_or(0)};
    profile.device = this_device();
    profile.warm_up_runs = options.warm_up_runs;
    profile.outlier_rule = kOutlierRule;
    profile.rate = options.rate;
    if (meter != nullptr) {
      profile.energy_source = meter->source();
      console_.status("measuring the idle machine ...", true);
      const auto sleep = [](double s) {
        std::this_thread::sleep_for(std::chrono::duration<double>(s));
      };
      profile.idle_power_w = idle_power_w(*meter, std::max(kIdleSeconds, meter->shortest_span_s()),
                                          steady_seconds, sleep);
      profile.idle_subtracted = arguments_.has("subtract-idle");
    }
    const std::vector<int> given = arguments_.integers("threads", 1);
    const std::set<int> threads =
        given.empty() ? std::set{1} : std::set(given.begin(), given.end());
    // Before anything is measured, whether the system makes so many.
    const Session most(model_, {.threads = *threads.rbegin()});
    for (const int count : threads) {
      const WidthMeasuring measuring{
          .latency = options,
          .energy_seconds = seconds / 5,
          .idle_power_w = profile.idle_subtracted ? *profile.idle_power_w : 0,
          .threads = count};
      const std::vector<ProfilePoint> measured =
          measure_widths(model_, images.timed, meter, measuring, [&](const std::string& what) {
            console_.status("threads " + std::to_string(count) + ": measuring " + what + " ...",
                            true);
          });
      const auto points = with_accuracies(measured, images);
      profile.points.insert(profile.points.end(), points.begin(), points.end());
    }
  }

 private:
  const Arguments& arguments_;
  const Model& model_;
  Console& console_;
};

int run_profile(const Arguments& arguments, Console& console) {
  const std::string& path = arguments.plain()[0];
  const auto out = arguments.text("out");
  if (!out) throw UsageError("missing --out FILE.json; see bellows profile --help");
  std::vector<std::filesystem::path> inputs = {path};
  if (const auto device = arguments.text("device")) inputs.emplace_back(*device);
  check_outputs(arguments, {{"out", *out}}, inputs);
  std::optional<ReportRequest> report;
  if (const auto page = arguments.text("report")) {
    report = ReportRequest{.paths = {*out}, .out = *page, .picture = arguments.text("picture")};
    check_report(*report, "report", inputs);
  } else if (arguments.has("picture")) {
    throw UsageError("--picture: it is drawn from the page of --report FILE.html; add that");
  }
  const EnergyChoice energy = energy_choice(arguments);
  const bool estimate = arguments.has("estimate");
  if (estimate && !energy.device) {
    throw UsageError("--estimate needs a device model: --device NAME|FILE.toml");
  }
  for (const char* option : {"threads", "seconds", "rate", "subtract-idle", "energy", "sysfs"}) {
    if (estimate && arguments.has(option)) {
      throw UsageError("--" + std::string(option) +
                       ": --estimate runs nothing; leave one of them out");
    }
  }
  if (arguments.has("format") && !arguments.has("data")) {
    throw UsageError("--format: it is that of the images in --data DIR; add that");
  }
  const Model model = Model::load(path, model_options(arguments));
  const auto& state = *internal::state_of(model);
  const Images images = look_at_images(arguments, model, console);

  ProfileData profile;
  profile.model_file = mended(std::filesystem::path(path).filename().string());
  if (const std::string* name = state.info.find_extra("configuration")) profile.model_name = *name;
  profile.group_sha256 = state.group_sha256;
  profile.data_name = images.name;
  profile.validation_images = images.validation_images;
  profile.test_images = images.test_images;
  profile.date = utc_text();
  profile.command = mended(shell_line(arguments.command()));
  profile.bellows = version();
  Profiler profiler(arguments, model, console);
  std::string energy_problem;
  if (estimate) {
    profiler.estimate(*energy.device, images, profile);
  } else {
    const ChosenMeter chosen = make_meter(energy, state.network);
    energy_problem = chosen.problem;
    const bool measures = chosen.meter && chosen.meter->kind() != MeterKind::kModel;
    if (arguments.has("subtract-idle") && !measures) {
      throw UsageError("--subtract-idle: nothing measures energy here" +
                       (energy_problem.empty() ? "" : " (" + energy_problem + ")") +
                       "; leave it out");
    }
    profiler.measure(chosen.meter.get(), images, profile);
  }
  write_profile(*out, profile);
  if (report) write_report(*report, arguments);

  if (arguments.has("json")) {
    Json json = {{"profile", *out},
                 {"model", path},
                 {"energy_source", profile.energy_source},
                 {"points", profile.points.size()}};
    if (report) json["report"] = report->out;
    if (report && report->picture) json["picture"] = *report->picture;
    console.print_json(json);
    return kDone;
  }
  console.print(path + " on " + profile.device.processor + "\n");
  console.print(table_of(profile, console));
  const std::string pace =
      profile.rate > 0 ? ", " + fixed_text(profile.rate, profile.rate < 10 ? 2 : 0) + " a second"
                       : std::string();
  std::string notes =
      "Latency: one image" + pace +
      (estimate ? "" : ", after " + std::to_string(profile.warm_up_runs) + " runs to warm up") +
      "; " + profile.outlier_rule + ".\nEnergy: " +
      (profile.energy_source.empty() ? "not known; " + energy_problem : profile.energy_source);
  if (profile.idle_power_w) {
    notes += "; idle power " + fixed_text(*profile.idle_power_w, 2) + " W" +
             (profile.idle_subtracted ? ", subtracted" : "");
  }
  notes += ".\nThe profile is " + *out;
  if (report) notes += ", its page " + report->out;
  if (report && report->picture) notes += ", the picture " + *report->picture;
  console.print(notes + ".");
  return kDone;
}

}  // namespace

Verb profile_verb() {
  Usage usage;
  usage.verb = "profile";
  usage.summary = "Measure latency, energy and accuracy of every width on this device";
  usage.arguments = "MODEL --out FILE.json [options]";
  usage.details =
      "`bellows run` and the controller of the library choose widths by such a profile. It "
      "belongs\n"
      "to this model and this device. Energy comes from the most trusted meter that works here, "
      "or\n"
      "from a device model (docs/energy.md). Without --data the accuracies are those that the "
      "model\n"
      "file tells.";
  usage.example =
      "bellows profile runs/mnist-lenet/model.safetensors --data DATA/mnist --out profile.json \\\n"
      "    --report profile.html\n"
      "bellows profile model.safetensors --estimate --device small-accelerator --out estimate.json";
  usage.least = usage.most = 1;
  usage.wanted = "the model file (MODEL)";
  usage.options = {
      {"out", "FILE.json", "The file to write"},
      {"data", "DIR", "Folder of the images that the model was trained on"},
      {"format", "F",
       "mnist, fashion-mnist, cifar10, svhn, folder, digits, street-digits; else told by the "
       "files"},
      {"threads", "N,..", "Numbers of threads to measure (default 1)"},
      {"seconds", "S", "Time to run each width for (default 1), at least 200 runs"},
      {"rate", "R", "Images a second, with pauses as in use (default: one after the other)"},
      {"subtract-idle", "", "Take the power of the idle machine off the energies"},
      {"report", "FILE.html", "Also write a page of charts and tables, as `bellows report` does"},
      {"picture", "FILE.png", "With --report: also draw its charts as a picture (by Chromium)"},
      {"estimate", "", "Run nothing: times and energies by the figures of --device"},
  };
  add_energy_options(usage);
  usage.options.push_back({"json", "", "Print one JSON object"});
  add_signature_options(usage);
  return {usage, run_profile};
}

}  // namespace bellows::cli
