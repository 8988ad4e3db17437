// Bellows beside what one would deploy instead, in one run on one machine: ONNX Runtime on the same
// network exported at each width, ONNX Runtime on dense networks of the same channels, and dense
// networks made by hand with oneDNN. docs/results/peers.md has results and how to read them.
//
//   bellows_peers [--network NAME]... [--batch 1,64] [--threads 1,2] [--rounds 5] [--times-only]
//                 [--winograd]
#include <bellows/bellows.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cxxopts.hpp>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/dense_onednn.h"
#include "bench/networks.h"
#include "bench/peers/onnx_runtime.h"
#include "bench/peers/process.h"
#include "bench/side_by_side.h"
#include "engine/model_file.h"
#include "engine/onnx_export.h"
#include "engine/threads.h"

namespace bellows::peers {
namespace {

using bench::DenseLayout;
using bench::DenseNetwork;

// The engines, in the order of the columns. Bellows is measured as its peers are used, at a width
// that is known beforehand, so in one-shot sessions; and in sessions that can refine.
enum Engine { kBellows, kRefinable, kExported, kDense, kByHand, kEngines };
constexpr const char* kEngineNames[] = {"bellows", "refinable", "exported", "dense", "by-hand"};

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The network of one width as a plain one: a single group of all its channels.
Network dense_network(const Network& network, int width) {
  return network.first_groups(width).as_one_group();
}

std::string exported(const Network& network, int width, OnnxForm form = OnnxForm::kFastest) {
  return onnx_model(network, bench::initial_weights(network), {}, {.width = width, .form = form});
}

std::string dense_exported(const Network& network, int width) {
  const Network dense = dense_network(network, width);
  return onnx_model(dense, bench::initial_weights(dense), {}, {});
}

// How often what takes milliseconds is measured.
constexpr int kStarts = 15;

double median_of(std::vector<double> values) { return bench::median(values); }

// Runs every contender in turn, `rounds` times `turns`; returns for each the least of its medians
// of a round, in seconds: whatever else the machine did made it longer.
std::vector<double> side_by_side(const std::vector<std::function<void()>>& contenders, int rounds,
                                 int threads) {
  // Threads that wait keep their cores busy for some milliseconds, and the next contender needs
  // them: let them go to sleep first.
  const double pause = threads > 1 ? 40e-3 : 0;
  const double settle = 4e-3;
  const double measure = 4e-3;
  constexpr double kRoundSeconds = 4;
  std::vector<int> runs;
  double turn_seconds = 0;
  for (const auto& contender : contenders) {
    contender();
    const double once = std::min(bench::seconds_of(contender, 1), bench::seconds_of(contender, 1));
    runs.push_back(std::clamp(static_cast<int>(measure / once), 1, 10000));
    turn_seconds += pause + std::max(settle, once) + std::max(measure, once);
  }
  const int turns = std::clamp(static_cast<int>(kRoundSeconds / turn_seconds), 5, 25);
  std::vector<double> best(contenders.size(), std::numeric_limits<double>::infinity());
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::vector<double>> seconds(contenders.size());
    for (int turn = 0; turn < turns; ++turn) {
      for (std::size_t i = 0; i < contenders.size(); ++i) {
        std::this_thread::sleep_for(std::chrono::duration<double>(pause));
        for (double settled = 0; settled < settle;) {
          settled += bench::seconds_of(contenders[i], 1);
        }
        seconds[i].push_back(bench::seconds_of(contenders[i], runs[i]));
      }
    }
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      best[i] = std::min(best[i], median_of(seconds[i]));
    }
  }
  return best;
}

struct Case {
  std::string network;
  int batch = 1;
  int threads = 1;
  int width = 1;
  double seconds[kEngines] = {};
  DenseLayout layout = DenseLayout::kBlocked;  // the faster one of the networks by hand
  std::int64_t macs = 0;
  std::int64_t dense_macs = 0;
};

Case measure(const OnnxRuntime& runtime, const std::string& name, int batch, int threads, int width,
             int rounds, bool winograd) {
  const ThreadCount thread_count(threads);
  std::unique_ptr<bench::OneCore> one_core;
  if (threads == 1) one_core = std::make_unique<bench::OneCore>();
  const Network network = bench::shipped_network(name);
  const Model model = bench::random_model(network, {.winograd = winograd});
  Session session(model, {.max_batch = batch, .threads = threads, .memory = MemoryMode::kOneShot});
  Session refinable(model, {.max_batch = batch, .threads = threads});
  const std::vector<float> images = bench::random_images(network, batch);
  // Whichever of the two forms is faster here.
  OnnxSession whole(runtime, bytes_of(exported(network, width, OnnxForm::kWhole)),
                    {.threads = threads});
  OnnxSession split(runtime, bytes_of(exported(network, width, OnnxForm::kSplit)),
                    {.threads = threads});
  const std::vector<double> forms = side_by_side(
      {[&] { whole.run(images, batch); }, [&] { split.run(images, batch); }}, 1, threads);
  OnnxSession& exported_session = forms[0] <= forms[1] ? whole : split;
  OnnxSession dense_session(runtime, bytes_of(dense_exported(network, width)),
                            {.threads = threads});
  DenseNetwork blocked(network, width, DenseLayout::kBlocked, batch);
  DenseNetwork channels_last(network, width, DenseLayout::kChannelsLast, batch);
  const std::vector<double> seconds = side_by_side(
      {[&] { session.run(images, width); }, [&] { refinable.run(images, width); },
       [&] { exported_session.run(images, batch); }, [&] { dense_session.run(images, batch); },
       [&] { blocked.run(images); }, [&] { channels_last.run(images); }},
      rounds, threads);
  Case found{.network = name, .batch = batch, .threads = threads, .width = width};
  std::copy_n(seconds.begin(), kByHand, found.seconds);
  found.seconds[kByHand] = std::min(seconds[kByHand], seconds[kByHand + 1]);
  if (seconds[kByHand + 1] < seconds[kByHand]) found.layout = DenseLayout::kChannelsLast;
  found.macs = model.width(width).macs;
  found.dense_macs = blocked.macs();
  return found;
}

double geometric_mean(const std::vector<Case>& cases, Engine peer,
                      const std::function<bool(const Case&)>& counted) {
  double logs = 0;
  int count = 0;
  for (const Case& each : cases) {
    if (!counted(each)) continue;
    logs += std::log(each.seconds[peer] / each.seconds[kBellows]);
    ++count;
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : std::exp(logs / count);
}

void print_times(const std::vector<Case>& cases) {
  std::printf(
      "\nMicroseconds of a run, least of the medians; in brackets, times Bellows'. by hand/MAC: "
      "Bellows'\ntime for a multiply-accumulate by that of the network by hand.\n\n");
  std::printf(
      "| network | batch | threads | width | MMAC | dense MMAC | Bellows | Bellows, refinable | "
      "ONNX Runtime, "
      "exported | ONNX Runtime, dense | oneDNN by hand | by hand/MAC |\n");
  std::printf("|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Case& each : cases) {
    std::printf("| %s | %d | %d | %d | %.2f | %.2f | %.1f", each.network.c_str(), each.batch,
                each.threads, each.width, 1e-6 * static_cast<double>(each.macs),
                1e-6 * static_cast<double>(each.dense_macs), 1e6 * each.seconds[kBellows]);
    for (const Engine peer : {kRefinable, kExported, kDense, kByHand}) {
      std::printf(" | %.1f (%.2f)", 1e6 * each.seconds[peer],
                  each.seconds[peer] / each.seconds[kBellows]);
    }
    std::printf("%s | %.2f |\n", each.layout == DenseLayout::kBlocked ? " blocks" : " last",
                each.seconds[kBellows] / static_cast<double>(each.macs) /
                    (each.seconds[kByHand] / static_cast<double>(each.dense_macs)));
  }
  std::printf("\nGeometric means of the times by Bellows':\n\n");
  std::printf(
      "| batch | threads | exported | dense | both | least of all |\n|---|---|---|---|---|---|\n");
  std::vector<std::pair<int, int>> kinds;
  for (const Case& each : cases) {
    const std::pair kind{each.batch, each.threads};
    if (std::ranges::find(kinds, kind) != kinds.end()) continue;
    kinds.push_back(kind);
    const auto counted = [&](const Case& other) {
      return other.batch == kind.first && other.threads == kind.second;
    };
    const double by_exported = geometric_mean(cases, kExported, counted);
    const double by_dense = geometric_mean(cases, kDense, counted);
    double least = std::numeric_limits<double>::infinity();
    for (const Case& other : cases) {
      if (!counted(other)) continue;
      for (const Engine peer : {kExported, kDense}) {
        least = std::min(least, other.seconds[peer] / other.seconds[kBellows]);
      }
    }
    std::printf("| %d | %d | %.2f | %.2f | %.2f | %.2f |\n", kind.first, kind.second, by_exported,
                by_dense, std::sqrt(by_exported * by_dense), least);
  }
}

// --- What is measured in processes of its own: this program, told to be one of the engines.

// The networks of one engine on disk, one for each width, or one for all.
std::string stored(const std::filesystem::path& folder, const std::string& name, Engine engine,
                   int width) {
  std::string file = name + "-" + kEngineNames[engine];
  std::ranges::replace(file, '/', '-');
  if (engine == kBellows) return (folder / (file + ".safetensors")).string();
  return (folder / (file + "-" + std::to_string(width) + ".onnx")).string();
}

void store(const std::filesystem::path& folder, const std::string& name) {
  const Network network = bench::shipped_network(name);
  const WeightSet weights = bench::initial_weights(network);
  save_model(stored(folder, name, kBellows, 0), network, weights, {});
  for (int width = 1; width <= network.groups(); ++width) {
    save_onnx_model(stored(folder, name, kExported, width), network, weights, {}, {.width = width});
    const Network dense = dense_network(network, width);
    save_onnx_model(stored(folder, name, kDense, width), dense, bench::initial_weights(dense), {});
  }
}

// Loads what is named, looks at one image with it, and says so.
void answer_first(Engine engine, const std::string& file, int width) {
  std::vector<float> image;
  float logit = 0;
  if (engine == kBellows) {
    const Model model = Model::load(file);
    Session session(model);
    image.assign(model.image_elements(), 0.5F);
    session.run(image, width);
    logit = session.logits()[0];
  } else {
    const OnnxRuntime runtime;
    OnnxSession session(runtime, std::filesystem::path(file));
    std::size_t values = 1;
    for (const std::int64_t length : session.input_shape()) {
      values *= static_cast<std::size_t>(std::max<std::int64_t>(length, 1));
    }
    image.assign(values, 0.5F);
    logit = session.run(image, 1)[0];
  }
  std::printf("%g\n", static_cast<double>(logit));
}

// Prints how many more bytes are in memory once the engine is ready at every width, and has run.
void hold_all(Engine engine, const std::filesystem::path& folder, const std::string& name,
              int widths) {
  const Network network = bench::shipped_network(name);
  const std::vector<float> image = bench::random_images(network, 1);
  // The library itself, and what it does once for a process, is no part of a network.
  std::size_t before = 0;
  if (engine == kBellows) {
    { const Session warm(bench::random_model(bench::shipped_network("digits/lenet"))); }
    before = resident_bytes();
    const Model model = Model::load(stored(folder, name, engine, 0));
    Session session(model);
    for (int width = 1; width <= widths; ++width) session.run(image, width);
    std::printf("%zu\n", resident_bytes() - before);
    return;
  }
  const OnnxRuntime runtime;
  {
    const Network small = bench::shipped_network("digits/lenet");
    OnnxSession warm(runtime, bytes_of(exported(small, 1)));
    warm.run(bench::random_images(small, 1), 1);
  }
  before = resident_bytes();
  std::vector<OnnxSession> sessions;
  for (int width = 1; width <= widths; ++width) {
    sessions.emplace_back(runtime, std::filesystem::path(stored(folder, name, engine, width)));
    sessions.back().run(image, 1);
  }
  std::printf("%zu\n", resident_bytes() - before);
}

void print_processes(const std::string& program, const std::vector<std::string>& names) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("bellows_peers_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::printf(
      "\nHolding all widths, in a process of its own; kB. Weights: as held by Bellows, padding\n"
      "included; of the peers, the parameters of one network for each width, which ONNX Runtime\n"
      "holds at least; in brackets, Bellows' by theirs. Resident: how much the process grew, once\n"
      "every width has run.\n\n");
  std::printf(
      "| network | Bellows' weights | exported weights | dense weights | Bellows, resident | "
      "exported, resident | dense, resident |\n|---|---|---|---|---|---|---|\n");
  for (const std::string& name : names) {
    store(folder, name);
    const Network network = bench::shipped_network(name);
    const Model model = bench::random_model(network);
    double exported_bytes = 0;
    double dense_bytes = 0;
    for (int width = 1; width <= network.groups(); ++width) {
      exported_bytes += static_cast<double>(model.width(width).weight_bytes);
      dense_bytes +=
          sizeof(float) * static_cast<double>(dense_network(network, width).parameter_count(1));
    }
    const auto weights = static_cast<double>(model.packed_bytes());
    std::printf("| %s | %.0f | %.0f (%.2f) | %.0f (%.2f)", name.c_str(), weights / 1e3,
                exported_bytes / 1e3, weights / exported_bytes, dense_bytes / 1e3,
                weights / dense_bytes);
    for (const Engine engine : {kBellows, kExported, kDense}) {
      std::vector<double> bytes(5);
      for (double& held : bytes) {
        held =
            std::stod(output_of({program, "--hold", kEngineNames[engine], "--file", folder.string(),
                                 "--network", name, "--width", std::to_string(network.groups())}));
      }
      std::printf(" | %.0f", median_of(bytes) / 1e3);
    }
    std::printf(" |\n");
    std::fflush(stdout);
  }

  std::printf("\nMilliseconds from the start of a process to its first answer, median of %d.\n\n",
              kStarts);
  std::printf(
      "| network | width | Bellows | ONNX Runtime, exported | ONNX Runtime, dense |\n"
      "|---|---|---|---|---|\n");
  for (const std::string& name : names) {
    for (const int width : {1, bench::shipped_network(name).groups()}) {
      std::vector<double> seconds[kEngines];
      for (int i = 0; i < kStarts; ++i) {
        for (const Engine engine : {kBellows, kExported, kDense}) {
          seconds[engine].push_back(seconds_to_first_output(
              {program, "--first-answer", kEngineNames[engine], "--file",
               stored(folder, name, engine, width), "--width", std::to_string(width)}));
        }
      }
      std::printf("| %s | %d | %.1f | %.1f | %.1f |\n", name.c_str(), width,
                  1e3 * median_of(seconds[kBellows]), 1e3 * median_of(seconds[kExported]),
                  1e3 * median_of(seconds[kDense]));
      std::fflush(stdout);
    }
  }
  std::filesystem::remove_all(folder);
}

// What a change of width costs: the time of a run after one at the other width, less that of one
// after its like, mean over both widths. All four kinds take turns, and medians are compared, so
// that neither drift nor single disturbances count.
double change_us(const std::function<void(int)>& run_at) {
  constexpr int kCycles = 2000;
  std::vector<double> seconds[2][2];  // [width - 1][same as before]
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    for (const int width : {1, 2}) {
      for (const int same : {0, 1}) {
        seconds[width - 1][same].push_back(bench::seconds_of([&] { run_at(width); }, 1));
      }
    }
  }
  double change = 0;
  for (auto& of_width : seconds) change += median_of(of_width[0]) - median_of(of_width[1]);
  return 1e6 * change / 2;
}

// What reaching the widest width step by step costs more than running it at once, by refinement.
double refine_us(Session& session, const std::vector<float>& image, int widest) {
  constexpr int kCycles = 1000;
  std::vector<double> refined;
  std::vector<double> at_once;
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    refined.push_back(bench::seconds_of(
        [&] {
          session.run(image, 1);
          while (session.width() < widest) session.refine();
        },
        1));
    at_once.push_back(bench::seconds_of([&] { session.run(image, widest); }, 1));
  }
  return 1e6 * (median_of(refined) - median_of(at_once)) / (widest - 1);
}

void print_changes(const OnnxRuntime& runtime, const std::vector<std::string>& names) {
  std::printf(
      "\nMicroseconds that a change between widths 1 and 2 adds to a run (scatter may make it\n"
      "negative), and that each refinement up to the widest adds to a run of the widest. For ONNX\n"
      "Runtime: two sessions held at once, and making the session of width 2 anew.\n\n");
  std::printf(
      "| network | Bellows, run | Bellows, refine | exported, both held | exported, made anew |\n"
      "|---|---|---|---|---|\n");
  const bench::OneCore one_core;
  for (const std::string& name : names) {
    const Network network = bench::shipped_network(name);
    const Model model = bench::random_model(network);
    Session session(model);
    const std::vector<float> image = bench::random_images(network, 1);
    const std::string wide = exported(network, 2);
    std::vector<OnnxSession> sessions;
    sessions.emplace_back(runtime, bytes_of(exported(network, 1)));
    sessions.emplace_back(runtime, bytes_of(wide));
    const auto onnx_run = [&](int width) {
      sessions[static_cast<std::size_t>(width - 1)].run(image, 1);
    };
    std::vector<double> anew(kStarts);
    for (double& seconds : anew) {
      seconds = bench::seconds_of([&] { OnnxSession(runtime, bytes_of(wide)); }, 1);
    }
    const double ours = change_us([&](int width) { session.run(image, width); });
    std::printf("| %s | %.2f | %.2f | %.2f | %.0f |\n", name.c_str(), ours,
                refine_us(session, image, model.groups()), change_us(onnx_run),
                1e6 * median_of(anew));
    std::fflush(stdout);
  }
}

Engine engine_named(const std::string& name) {
  for (int engine = 0; engine < kEngines; ++engine) {
    if (name == kEngineNames[engine]) return static_cast<Engine>(engine);
  }
  throw Error(ErrorCode::kInvalidArgument, "there is no engine '" + name + "'");
}

int run(int argc, char** argv) {
  cxxopts::Options options("bellows_peers",
                           "Bellows beside ONNX Runtime and oneDNN by hand, in one run.");
  auto add = options.add_options();
  add("network", "Of configs/, any number of times",
      cxxopts::value<std::vector<std::string>>()->default_value(
          "mnist/lenet,cifar10/convnet,cifar10/vgg,cifar10/resnet20"));
  add("batch", "Batch sizes", cxxopts::value<std::vector<int>>()->default_value("1,64"));
  add("threads", "Numbers of threads", cxxopts::value<std::vector<int>>()->default_value("1,2"));
  add("rounds", "Rounds; the least median counts", cxxopts::value<int>()->default_value("5"));
  add("winograd", "Load Bellows' models with ModelOptions::winograd, for the table of times");
  add("times-only", "Neither memory, nor start, nor changes of width");
  add("first-answer", "Used by the program itself", cxxopts::value<std::string>());
  add("hold", "Used by the program itself", cxxopts::value<std::string>());
  add("file", "Used by the program itself", cxxopts::value<std::string>());
  add("width", "Used by the program itself", cxxopts::value<int>()->default_value("1"));
  add("help", "This page");
  const cxxopts::ParseResult parsed = options.parse(argc, argv);
  if (parsed.count("help") > 0) {
    std::cout << options.help();
    return 0;
  }
  const auto names = parsed["network"].as<std::vector<std::string>>();
  const int width = parsed["width"].as<int>();
  if (parsed.count("first-answer") > 0) {
    answer_first(engine_named(parsed["first-answer"].as<std::string>()),
                 parsed["file"].as<std::string>(), width);
    return 0;
  }
  if (parsed.count("hold") > 0) {
    hold_all(engine_named(parsed["hold"].as<std::string>()), parsed["file"].as<std::string>(),
             names.at(0), width);
    return 0;
  }
  const OnnxRuntime runtime;
  std::printf("Bellows %s, ONNX Runtime %s, oneDNN %d.%d.%d\n", version(),
              runtime.version().c_str(), dnnl_version()->major, dnnl_version()->minor,
              dnnl_version()->patch);
  const int rounds = parsed["rounds"].as<int>();
  const bool winograd = parsed.count("winograd") > 0;
  std::vector<Case> cases;
  for (const int threads : parsed["threads"].as<std::vector<int>>()) {
    for (const int batch : parsed["batch"].as<std::vector<int>>()) {
      for (const std::string& name : names) {
        for (int at = 1; at <= bench::shipped_network(name).groups(); ++at) {
          cases.push_back(measure(runtime, name, batch, threads, at, rounds, winograd));
          std::fprintf(stderr, "%s, batch %d, threads %d, width %d\n", name.c_str(), batch, threads,
                       at);
        }
      }
    }
  }
  print_times(cases);
  std::fflush(stdout);
  if (parsed.count("times-only") == 0) {
    print_changes(runtime, names);
    print_processes("/proc/self/exe", names);
  }
  return 0;
}

}  // namespace
}  // namespace bellows::peers

int main(int argc, char** argv) try {
  return bellows::peers::run(argc, argv);
} catch (const std::exception& error) {
  std::fprintf(stderr, "bellows_peers: error: %s\n", error.what());
  return 1;
}
