#include <bellows/bellows.h>
#include <bellows/controller.h>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "cli/command.h"
#include "cli/energy_options.h"
#include "cli/evaluation_data.h"
#include "cli/image_files.h"
#include "cli/interrupt.h"
#include "cli/latency_histogram.h"
#include "cli/numbers.h"
#include "cli/output_files.h"
#include "cli/signing.h"
#include "cli/table.h"
#include "cli/targets.h"
#include "cli/verb.h"
#include "engine/energy_meter.h"
#include "engine/model_state.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

// Everything that came out at one width.
struct WidthTally {
  LatencyHistogram latencies;
  double latency_us = 0;  // sum
  double energy_uj = 0;
  std::int64_t right = 0;
};

// Where a run is told of, request by request: a file, or the results for machines.
class RunLog {
 public:
  RunLog(const Arguments& arguments, Console& console)
      : console_(arguments.has("json") ? &console : nullptr) {
    const auto path = arguments.text("log");
    if (!path) return;
    std::vector<std::filesystem::path> inputs(arguments.plain().begin(), arguments.plain().end());
    for (const char* option : {"profile", "policy", "schedule", "device"}) {
      if (const auto file = arguments.text(option)) inputs.emplace_back(*file);
    }
    check_outputs(arguments, {{"log", *path}}, inputs);
    path_ = *path;
    file_.open(path_, std::ios::trunc);
    if (!file_) {
      throw Error(ErrorCode::kIoError,
                  path_ + ": cannot be opened: " + std::generic_category().message(errno) +
                      "; choose another file");
    }
  }

  [[nodiscard]] bool wanted() const { return console_ != nullptr || file_.is_open(); }

  void add(const Json& event) {
    if (console_ != nullptr) console_->print_json(event);
    if (!file_.is_open()) return;
    file_ << event.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    check();
  }

  void finish() {
    file_.flush();
    check();
  }

 private:
  void check() const {
    if (path_.empty() || file_) return;
    throw Error(ErrorCode::kIoError,
                path_ + ": cannot be written (disk full?); choose another folder");
  }

  Console* console_;
  std::string path_;
  std::ofstream file_;
};

// Serves images one after the other at the widths that a controller chooses.
class Server {
 public:
  Server(const Arguments& arguments, const Model& model, Console& console)
      : console_(console),
        model_(model),
        profile_(Profile::load(arguments.text("profile").value_or(""))),
        threads_(arguments.integer("threads", 1, 1024).value_or(1)),
        rate_(arguments.real("rate", 1e-6, 1e9)),
        most_(arguments.integer("requests", 1)),
        watch_(arguments.has("watch")),
        with_policies_(arguments.has("policy")),
        targets_(targets_of(arguments)),
        controller_(points(arguments), targets_),
        session_(model, {.threads = threads_}),
        tallies_(static_cast<std::size_t>(model.groups())),
        schedule_(schedule(arguments)),
        meter_(make_meter(energy_choice(arguments), internal::state_of(model)->network).meter),
        log_(arguments, console) {
    session_.warm_up(10);
    Json started = {{"event", "start"},
                    {"date", utc_text()},
                    {"model", arguments.plain()[0]},
                    {"profile", *arguments.text("profile")}};
    if (with_policies_) started["policies"] = *arguments.text("policy");
    started.update({{"targets", targets_json(targets_)},
                    {"threads", threads_},
                    {"energy_source", energy_source()}});
    if (measures()) started["meter"] = meter_->source();
    started["widths"] = model.groups();
    if (log_.wanted()) log_.add(started);
    if (measures()) measured_begin_j_ = meter_->joules();
    start_ = read_s_ = steady_seconds();
  }

  // Returns whether more is wanted.
  bool serve(std::span<const float> image, std::optional<int> true_label) {
    if (!wait_for_turn()) return false;
    follow_schedule();
    const double began = now();
    Decision decision = controller_.decide(began);
    if (decision.policy != nullptr) {
      Policy policy = *decision.policy;
      decision.width = session_.classify(image, policy).width;
    } else {
      session_.run(image, decision.width);
    }
    const double ended = now();
    const double latency_us = 1e6 * (ended - began);
    const std::optional<double> energy_uj = energy_of(decision, ended - began);
    controller_.observe({.point = decision.point,
                         .latency_us = latency_us,
                         .energy_uj = energy_uj,
                         .now_s = ended,
                         .width = decision.width});
    const Prediction best = session_.best();

    WidthTally& tally = tallies_[static_cast<std::size_t>(decision.width - 1)];
    tally.latencies.add(latency_us);
    tally.latency_us += latency_us;
    tally.energy_uj += energy_uj.value_or(0);
    energy_known_ = energy_known_ && energy_uj.has_value();
    const bool missed = targets_.max_latency_us && latency_us > *targets_.max_latency_us;
    misses_ += missed ? 1 : 0;
    infeasible_ += decision.feasible ? 0 : 1;
    if (!decision.feasible) failing_ = decision.failing;
    if (true_label) {
      ++labelled_;
      if (*true_label == best.label) ++tally.right;
    }
    if (log_.wanted()) {
      Json event = {{"event", "request"},
                    {"time_s", began},
                    {"index", requests_},
                    {"width", decision.width},
                    {"latency_us", latency_us}};
      if (with_policies_) event["policy"] = policy_text(decision.point);
      if (energy_uj) event["energy_uj"] = *energy_uj;
      event["label"] = best.label;
      event["confidence"] = best.confidence;
      if (true_label) event["true_label"] = *true_label;
      event["feasible"] = decision.feasible;
      if (!decision.feasible) event["failing"] = limit_name(decision.failing);
      event["missed"] = missed;
      log_.add(event);
    }
    last_point_ = decision.point;
    ++requests_;
    if (watch_ && console_.status_due()) {
      console_.status(live_text(decision, latency_us, energy_uj));
    }
    read_meter(/*now=*/false);
    return !console_.broken() && !(most_ && requests_ >= *most_);
  }

  // Whether a request may still be served: there is time, and nobody wants an end.
  [[nodiscard]] static bool wanted() { return !InterruptWatch::interrupted(); }

  void finish(bool json) {
    console_.clear_status();
    const double seconds = now();
    read_meter(/*now=*/true);
    if (log_.wanted()) log_.add(summary(seconds));
    log_.finish();
    if (!json) console_.print(report(seconds));
  }

 private:
  std::vector<OperatingPoint> points(const Arguments& arguments) {
    if (!arguments.has("estimate")) profile_.check_device();
    const auto policies = arguments.text("policy");
    if (!policies) return profile_.points(model_, threads_);
    return PolicySet::load(*policies, model_).points(profile_, model_, threads_);
  }

  // What the controller has chosen, for people.
  [[nodiscard]] std::string policy_text(std::size_t index) const {
    const OperatingPoint& point = controller_.points()[index];
    return point.policy ? point.policy->text() : "width " + std::to_string(point.width);
  }

  std::vector<ScheduledTargets> schedule(const Arguments& arguments) {
    const auto path = arguments.text("schedule");
    if (!path) return {};
    return read_schedule(*path, controller_.points());
  }

  [[nodiscard]] double now() const { return steady_seconds() - start_; }

  // Whether there is a meter of the machine, not of a model.
  [[nodiscard]] bool measures() const {
    return meter_ != nullptr && meter_->kind() != MeterKind::kModel;
  }

  // Of the energies of single images.
  [[nodiscard]] std::string energy_source() const {
    return meter_ == nullptr || measures() ? profile_.energy_source() : meter_->source();
  }

  // As often as the meter needs it. One that fails on the way tells nothing of the whole.
  void read_meter(bool now) {
    if (!measures() || !meter_problem_.empty()) return;
    const double time_s = steady_seconds();
    if (!now && time_s - read_s_ < meter_->longest_pause_s() / 2) return;
    read_s_ = time_s;
    try {
      measured_j_ = meter_->joules() - measured_begin_j_;
    } catch (const Error& error) {
      meter_problem_ = error.what();
    }
  }

  // In slices, so that an interruption is noticed and the meter is read.
  bool wait_for_turn() {
    while (wanted()) {
      const double early = rate_ ? static_cast<double>(requests_) / *rate_ - now() : 0;
      if (early <= 0) return true;
      const double slice = std::min({early, 0.1, measures() ? meter_->longest_pause_s() / 2 : 0.1});
      std::this_thread::sleep_for(std::chrono::duration<double>(slice));
      read_meter(/*now=*/false);
    }
    return false;
  }

  void follow_schedule() {
    while (next_ < schedule_.size() && schedule_[next_].time_s <= now()) {
      targets_ = schedule_[next_++].targets;
      controller_.set_targets(targets_, now());
      if (log_.wanted()) {
        log_.add({{"event", "targets"}, {"time_s", now()}, {"targets", targets_json(targets_)}});
      }
    }
  }

  // A meter that measures is too coarse for one image: what the profile says, corrected, is then
  // the best guess, and the whole run is measured.
  std::optional<double> energy_of(const Decision& decision, double seconds) {
    if (meter_ != nullptr && meter_->kind() == MeterKind::kModel) {
      const double before = meter_->joules();
      meter_->image_done(decision.width, seconds);
      return 1e6 * (meter_->joules() - before);
    }
    const double expected = controller_.expected_energy_uj(decision.point);
    if (expected <= 0) return std::nullopt;
    const OperatingPoint& point = controller_.points()[decision.point];
    const auto stop = std::ranges::find(point.stops, decision.width, &Stop::width);
    if (stop == point.stops.end()) return expected;
    return expected * stop->energy_uj / point.energy_uj;
  }

  [[nodiscard]] std::string live_text(const Decision& decision, double latency_us,
                                      std::optional<double> energy_uj) const {
    const int groups = model_.groups();
    std::string text = count_text(requests_) + " images  width " + std::to_string(decision.width) +
                       " " +
                       progress_bar(static_cast<double>(decision.width) / groups, groups + 2) +
                       " " + fixed_text(latency_us, 1) + " us";
    if (energy_uj) text += "  " + fixed_text(*energy_uj, 1) + " uJ";
    if (with_policies_) text += "  by " + policy_text(decision.point);
    text += "  late " + count_text(misses_) + "  switches " + count_text(controller_.switches());
    if (!decision.feasible) text += "  cannot keep: " + std::string(limit_name(decision.failing));
    return text;
  }

  [[nodiscard]] double total_energy_uj() const {
    double sum = 0;
    for (const WidthTally& tally : tallies_) sum += tally.energy_uj;
    return sum;
  }

  [[nodiscard]] std::int64_t total_right() const {
    std::int64_t sum = 0;
    for (const WidthTally& tally : tallies_) sum += tally.right;
    return sum;
  }

  [[nodiscard]] Json summary(double seconds) const {
    double latency = 0;
    for (const WidthTally& tally : tallies_) latency += tally.latency_us;
    const auto count = static_cast<double>(std::max<std::int64_t>(requests_, 1));
    Json event = {{"event", "end"},
                  {"time_s", seconds},
                  {"requests", requests_},
                  {"missed", misses_},
                  {"infeasible", infeasible_},
                  {"switches", controller_.switches()},
                  {"mean_latency_us", latency / count}};
    if (energy_known_ && requests_ > 0) event["mean_energy_uj"] = total_energy_uj() / count;
    if (measures() && meter_problem_.empty()) event["measured_j"] = measured_j_;
    if (labelled_ > 0) {
      event["accuracy"] = static_cast<double>(total_right()) / static_cast<double>(labelled_);
    }
    return event;
  }

  [[nodiscard]] std::string report(double seconds) {
    std::vector<Column> columns = {{"width"}, {"images"}, {"share"}, {"p50"}, {"p99"}};
    if (energy_known_) columns.push_back({"energy"});
    if (labelled_ > 0) columns.push_back({"accuracy"});
    Table table(std::move(columns));
    for (std::size_t i = 0; i < tallies_.size(); ++i) {
      const WidthTally& tally = tallies_[i];
      const std::int64_t count = tally.latencies.count();
      if (count == 0) continue;
      std::vector<std::string> cells = {
          std::to_string(i + 1), count_text(count),
          percent_text(static_cast<double>(count) / static_cast<double>(requests_)),
          fixed_text(tally.latencies.percentile_us(0.5), 1) + " us",
          fixed_text(tally.latencies.percentile_us(0.99), 1) + " us"};
      if (energy_known_) {
        cells.push_back(fixed_text(tally.energy_uj / static_cast<double>(count), 2) + " uJ");
      }
      if (labelled_ > 0) {
        cells.push_back(
            percent_text(static_cast<double>(tally.right) / static_cast<double>(count)));
      }
      table.add(std::move(cells));
    }
    std::string text = table.text(console_.heading_begin(), console_.heading_end());
    text += count_text(requests_) + " images in " + fixed_text(seconds, 2) + " s, " +
            count_text(controller_.switches()) + " switches";
    if (targets_.max_latency_us) text += ", " + count_text(misses_) + " late";
    if (labelled_ > 0) {
      text += ", accuracy " +
              percent_text(static_cast<double>(total_right()) / static_cast<double>(labelled_));
    }
    if (energy_known_ && requests_ > 0) {
      text += ".\nEnergy: " + fixed_text(total_energy_uj() / static_cast<double>(requests_), 2) +
              " uJ an image, " + fixed_text(1e-6 * total_energy_uj() / seconds, 4) +
              " W on average; " + energy_source();
    }
    if (measures() && meter_problem_.empty()) {
      text += ".\nThe whole run took " + fixed_text(measured_j_, 3) + " J, the idle machine " +
              "included; " + meter_->source();
    } else if (measures()) {
      text += ".\nWhat the whole run took is not known: " + meter_problem_;
    }
    if (with_policies_ && requests_ > 0) {
      text += ".\nThe last image was served by " + policy_text(last_point_);
    }
    if (infeasible_ > 0) {
      text += ".\nFor " + count_text(infeasible_) + " images not all targets could be kept; the " +
              "last that could not: " + limit_name(failing_);
    }
    return text + ".";
  }

  Console& console_;
  const Model& model_;
  Profile profile_;
  int threads_;
  std::optional<double> rate_;
  std::optional<int> most_;
  bool watch_;
  bool with_policies_;
  Targets targets_;
  Controller controller_;
  Session session_;
  std::vector<WidthTally> tallies_;  // [width - 1]
  std::vector<ScheduledTargets> schedule_;
  std::size_t next_ = 0;  // in schedule_
  std::unique_ptr<EnergyMeter> meter_;
  double measured_begin_j_ = 0;
  double measured_j_ = 0;
  std::string meter_problem_;
  double read_s_ = 0;  // when the meter was read last
  RunLog log_;         // last: a run that is refused leaves an older file alone
  double start_ = 0;
  std::int64_t requests_ = 0;
  std::int64_t misses_ = 0;
  std::int64_t infeasible_ = 0;
  std::int64_t labelled_ = 0;
  Limit failing_ = Limit::kNone;
  std::size_t last_point_ = 0;
  bool energy_known_ = true;
};

void to_floats(std::span<const std::uint8_t> pixels, std::vector<float>& image) {
  image.resize(pixels.size());
  std::ranges::transform(pixels, image.begin(),
                         [](std::uint8_t pixel) { return static_cast<float>(pixel) / 255.0F; });
}

// As many as there are room for, or are left. An interruption ends the wait for more.
std::size_t read_standard_input(std::span<std::uint8_t> bytes) {
  constexpr int kPatienceMs = 100;
  std::size_t found = 0;
  while (found < bytes.size() && Server::wanted()) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&input, 1, kPatienceMs);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t count = ::read(STDIN_FILENO, bytes.data() + found, bytes.size() - found);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      throw Error(ErrorCode::kIoError,
                  "standard input: cannot be read: " + std::generic_category().message(errno));
    }
    if (count == 0) break;
    found += static_cast<std::size_t>(count);
  }
  return found;
}

// Images as bytes [C, H, W], one behind the other.
bool serve_standard_input(Server& server, std::size_t elements) {
  std::vector<std::uint8_t> bytes(elements);
  std::vector<float> image;
  std::int64_t count = 0;
  while (true) {
    const std::size_t found = read_standard_input(bytes);
    // Ctrl-C ends what writes to this too, in the middle of an image.
    if (found == 0 || !Server::wanted()) return true;
    if (found < elements) {
      throw Error(ErrorCode::kCorruptData,
                  "standard input: ends within image " + std::to_string(count) + ", after " +
                      std::to_string(found) + " of its " + std::to_string(elements) + " bytes");
    }
    to_floats(bytes, image);
    if (!server.serve(image, std::nullopt)) return false;
    ++count;
  }
}

// Thrown to end a visit.
struct NoMoreWanted {};

bool serve_files(Server& server, const std::string& path, const ImageShape& shape) {
  std::vector<float> image;
  try {
    visit_images(path, shape, [&](const std::string&, std::span<const std::uint8_t> pixels) {
      to_floats(pixels, image);
      if (!server.serve(image, std::nullopt)) throw NoMoreWanted();
    });
  } catch (const NoMoreWanted&) {
    return false;
  }
  return true;
}

bool serve_data_set(Server& server, const Dataset& images) {
  std::vector<float> image;
  for (std::size_t i = 0; i < images.size(); ++i) {
    to_floats(images.image(i), image);
    if (!server.serve(image, images.label(i))) return false;
  }
  return true;
}

int run_run(const Arguments& arguments, Console& console) {
  const std::vector<std::string>& plain = arguments.plain();
  if (!arguments.has("profile")) {
    throw UsageError(
        "missing --profile FILE.json, which 'bellows profile' makes; see bellows run "
        "--help");
  }
  const Model model = Model::load(plain[0], model_options(arguments));
  const bool from_data = arguments.has("data") || plain.size() == 1;
  if (from_data && plain.size() > 1) {
    throw UsageError("--data: there are images already ('" + plain[1] +
                     "'); leave one of them out");
  }
  if (arguments.has("format") && !arguments.has("data") && plain.size() > 1) {
    throw UsageError("--format: it is that of a data set, and there are images ('" + plain[1] +
                     "'); leave it out");
  }
  const int repeat = arguments.integer("repeat", 1).value_or(1);
  const bool standard_input = plain.size() == 2 && plain[1] == "-";
  if (standard_input && arguments.has("repeat")) {
    throw UsageError("--repeat: standard input can be read only once");
  }
  std::optional<EvaluationData> data;
  if (from_data) {
    console.status("loading images ...", true);
    data = load_evaluation_data(
        internal::state_of(model)->info, model,
        {.data = arguments.text("data"), .format = arguments.text("format"), .split = "test"});
    if (data->images.shape().elements() != model.image_elements()) {
      throw Error(ErrorCode::kInvalidArgument,
                  data->images.name() + ": its images are not of the size that the model takes");
    }
  }
  Server server(arguments, model, console);
  const InterruptWatch watch;
  const ImageShape shape{model.image_channels(), model.image_height(), model.image_width()};
  bool more = true;
  try {
    for (int round = 0; round < repeat && more; ++round) {
      if (data) {
        more = serve_data_set(server, data->images);
      } else if (standard_input) {
        more = serve_standard_input(server, model.image_elements());
      } else {
        for (std::size_t i = 1; i < plain.size() && more; ++i) {
          more = serve_files(server, plain[i], shape);
        }
      }
    }
  } catch (...) {
    // What was served until then is told all the same.
    server.finish(arguments.has("json"));
    throw;
  }
  server.finish(arguments.has("json"));
  return kDone;
}

}  // namespace

Verb run_verb() {
  Usage usage;
  usage.verb = "run";
  usage.summary = "Serve a stream of images at the widths that meet targets";
  usage.arguments = "MODEL [IMAGE...] --profile FILE.json [targets] [options]";
  usage.details =
      "IMAGE is a PNG file, a folder of them, an idx file of images, or - for standard input: "
      "bytes\n"
      "[C, H, W], image after image. Without any, the test images of --data, or of the built-in\n"
      "digits, are served, and the answers are checked. The width of each image is chosen by the\n"
      "profile, corrected by what is observed; targets that cannot be kept are told\n"
      "(docs/targets.md). --schedule changes targets on the way: lines such as\n"
      "{\"time_s\": 1.5, \"max_latency_us\": 300}. Ctrl-C ends the stream and prints the summary.";
  usage.example =
      "bellows run model.safetensors --profile profile.json --data DATA/mnist --max-latency 100\n"
      "camera | bellows run model.safetensors - --profile profile.json --max-power 0.5 --watch";
  usage.least = 1;
  usage.most = std::numeric_limits<int>::max();
  usage.wanted = "the model file (MODEL)";
  usage.options = {{"profile", "FILE.json", "What `bellows profile` measured on this device"},
                   {"policy", "FILE.json",
                    "Policies of `bellows tune`: targets may be met by them, not only by widths"},
                   {"estimate", "", "Take a profile of another device as an estimate"}};
  add_target_options(usage);
  for (Option option : std::initializer_list<Option>{
           {"schedule", "FILE", "Targets to change to, a JSON object a line"},
           {"data", "DIR", "Serve the test images of this folder"},
           {"format", "F",
            "mnist, fashion-mnist, cifar10, svhn, folder, digits, street-digits; else told by the "
            "files"},
           {"threads", "N", "Threads for each image, as profiled (default 1)"},
           {"rate", "R", "Images a second (default: one after the other)"},
           {"requests", "N", "Stop after so many images"},
           {"repeat", "N", "Serve everything so many times"},
           {"watch", "", "Show it live, on a terminal"},
           {"log", "FILE.jsonl", "Write a line for every image, which `bellows report` draws"}}) {
    usage.options.push_back(std::move(option));
  }
  add_energy_options(usage);
  usage.options.push_back({"json", "", "Print what --log writes"});
  add_signature_options(usage);
  return {usage, run_run};
}

}  // namespace bellows::cli
