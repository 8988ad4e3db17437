// Training beside PyTorch, in one run on one machine: forward, backward and SGD of plain networks,
// one group of the widest width; in f32, and with products of bfloat16 numbers.
// In the table b is ours with bfloat16, best is PyTorch's best with or without it.
//
//   bellows_training_peers [--network NAME]... [--batch 128] [--threads 2] [--turns 9] [--python
//   FILE]
#include <bellows/error.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cxxopts.hpp>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/networks.h"
#include "bench/peers/process.h"
#include "bench/side_by_side.h"
#include "bench/trainee.h"
#include "engine/threads.h"

namespace bellows::peers {
namespace {

constexpr const char* kPeers[] = {"plain", "channels_last", "bf16"};
// A turn of steps lasts about so long.
constexpr double kTurnSeconds = 2;
// Threads of OpenMP that wait keep their cores busy for a while; whoever is next needs them.
constexpr std::chrono::milliseconds kPause{200};

struct Options {
  std::vector<std::string> networks = {"mnist/lenet", "cifar10/convnet", "cifar10/vgg",
                                       "cifar10/resnet20"};
  int batch = 128;
  int threads = 2;
  int turns = 9;
  std::string python = "/usr/bin/python3";
};

// Whoever trains: seconds of so many steps.
struct Contender {
  std::string name;
  std::function<double(int steps)> run;
  int steps = 1;  // of a turn
  std::vector<double> seconds = {};
};

// Ours to PyTorch's, a value for each network.
struct Ratios {
  std::vector<double> f32;   // both in f32
  std::vector<double> bf16;  // ours with bfloat16, PyTorch's at its best with or without
  std::vector<double> best;  // ours with bfloat16, PyTorch's in f32
};

void measure(const std::string& name, const Options& options, const std::filesystem::path& folder,
             Ratios& ratios) {
  const Network network = bench::shipped_network(name).as_one_group();
  const std::filesystem::path file = folder / "network.json";
  std::ofstream(file) << network.write().to_json();
  const ThreadCount threads(options.threads);
  bench::Trainee exact(network.first_groups(1), options.batch, options.threads);
  bench::Trainee rounded(network.first_groups(1), options.batch, options.threads, /*bf16=*/true);
  std::vector<Contender> contenders;
  for (bench::Trainee* trainee : {&exact, &rounded}) {
    trainee->update();
    contenders.push_back({"bellows", [trainee](int steps) {
                            return steps * bench::seconds_of([&] { trainee->update(); }, steps);
                          }});
  }
  std::vector<std::unique_ptr<Conversation>> peers;
  std::string version;
  for (const char* form : kPeers) {
    peers.push_back(std::make_unique<Conversation>(std::vector<std::string>{
        options.python, std::string(BELLOWS_SOURCE_DIR) + "/bench/peers/training/torch_worker.py",
        file.string(), std::to_string(options.batch), std::to_string(options.threads), form}));
    version = peers.back()->hear();
    contenders.push_back({std::string("PyTorch ") + form, [peer = peers.back().get()](int steps) {
                            peer->say(std::to_string(steps));
                            return std::stod(peer->hear());
                          }});
  }
  for (Contender& contender : contenders) {
    contender.run(1);
    std::this_thread::sleep_for(kPause);
    contender.steps = std::max(1, static_cast<int>(kTurnSeconds / contender.run(2) * 2));
  }
  for (int turn = 0; turn < options.turns; ++turn) {
    for (Contender& contender : contenders) {
      std::this_thread::sleep_for(kPause);
      contender.run(1);
      contender.seconds.push_back(contender.run(contender.steps) / contender.steps);
    }
  }
  std::vector<double> speeds;
  speeds.reserve(contenders.size());
  for (Contender& contender : contenders) {
    speeds.push_back(options.batch / bench::median(contender.seconds));
  }
  const double f32 = std::max(speeds[2], speeds[3]);
  ratios.f32.push_back(speeds[0] / f32);
  ratios.bf16.push_back(speeds[1] / std::max(f32, speeds[4]));
  ratios.best.push_back(speeds[1] / f32);
  std::printf("%-18s %7.1f M %8.1f %8.1f %8.1f %13.1f %8.1f %8.3f %8.3f %8.3f   (%s)\n",
              name.c_str(), 1e-6 * static_cast<double>(network.macs(1)), speeds[0], speeds[1],
              speeds[2], speeds[3], speeds[4], ratios.f32.back(), ratios.bf16.back(),
              ratios.best.back(), version.c_str());
  std::fflush(stdout);
}

double geometric_mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

void run(const Options& options) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("bellows-peers-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::unique_ptr<const std::filesystem::path, void (*)(const std::filesystem::path*)>
      removal(&folder,
              [](const std::filesystem::path* path) { std::filesystem::remove_all(*path); });
  std::printf(
      "Images a second of whole training steps, batch %d, %d threads; medians of %d turns\n",
      options.batch, options.threads, options.turns);
  std::printf("%-18s %9s %8s %8s %8s %13s %8s %8s %8s %8s\n", "network", "MACs", "f32", "bf16",
              "torch", "channels_last", "bf16", "f32/f32", "b/best", "b/f32");
  Ratios ratios;
  for (const std::string& name : options.networks) measure(name, options, folder, ratios);
  std::printf(
      "geometric means: both in f32 %.3f, ours with bf16 to PyTorch's best %.3f, to its f32 "
      "%.3f\n",
      geometric_mean(ratios.f32), geometric_mean(ratios.bf16), geometric_mean(ratios.best));
}

Options options_of(int argc, char** argv) {
  Options options;
  cxxopts::Options parser("bellows_training_peers", "Training beside PyTorch");
  parser.add_options()("network", "", cxxopts::value(options.networks))(
      "batch", "", cxxopts::value(options.batch))("threads", "", cxxopts::value(options.threads))(
      "turns", "", cxxopts::value(options.turns))("python", "", cxxopts::value(options.python));
  parser.parse(argc, argv);
  return options;
}

}  // namespace
}  // namespace bellows::peers

int main(int argc, char** argv) {
  // A peer that has ended shows as a pipe that cannot be written.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    bellows::peers::run(bellows::peers::options_of(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bellows_training_peers: %s\n", error.what());
    return 1;
  }
}
