// Training beside PyTorch, in one run on one machine: forward, backward and SGD of plain networks,
// one group of the widest width. docs/results/training_speed.md has results and how to read them.
//
//   bellows_training_peers [--network NAME]... [--batch 128] [--threads 2] [--turns 9] [--python
//   FILE]
#include <bellows/error.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
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

constexpr const char* kLayouts[] = {"plain", "channels_last"};
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

void measure(const std::string& name, const Options& options, const std::filesystem::path& folder,
             std::vector<double>& ratios) {
  const Network network = bench::shipped_network(name).as_one_group();
  const std::filesystem::path file = folder / "network.json";
  std::ofstream(file) << network.write().to_json();
  const ThreadCount threads(options.threads);
  bench::Trainee trainee(network.first_groups(1), options.batch, options.threads);
  trainee.step();
  std::vector<Contender> contenders{{"bellows", [&](int steps) {
                                       return steps *
                                              bench::seconds_of([&] { trainee.step(); }, steps);
                                     }}};
  std::vector<std::unique_ptr<Conversation>> peers;
  std::string version;
  for (const char* layout : kLayouts) {
    peers.push_back(std::make_unique<Conversation>(std::vector<std::string>{
        options.python, std::string(BELLOWS_SOURCE_DIR) + "/bench/peers/training/torch_worker.py",
        file.string(), std::to_string(options.batch), std::to_string(options.threads), layout}));
    version = peers.back()->hear();
    contenders.push_back({std::string("PyTorch ") + layout, [peer = peers.back().get()](int steps) {
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
  for (Contender& contender : contenders) {
    speeds.push_back(options.batch / bench::median(contender.seconds));
  }
  const double ratio = speeds[0] / std::max(speeds[1], speeds[2]);
  ratios.push_back(ratio);
  std::printf("%-18s %8.1f M %12.1f %12.1f %14.1f %8.3f   (%s)\n", name.c_str(),
              1e-6 * static_cast<double>(network.macs(1)), speeds[0], speeds[1], speeds[2], ratio,
              version.c_str());
  std::fflush(stdout);
}

void run(const Options& options) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("bellows-peers-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::printf(
      "Images a second of whole training steps, batch %d, %d threads; medians of %d turns\n",
      options.batch, options.threads, options.turns);
  std::printf("%-18s %10s %12s %12s %14s %8s\n", "network", "MACs", "bellows", "torch plain",
              "channels_last", "ratio");
  std::vector<double> ratios;
  for (const std::string& name : options.networks) measure(name, options, folder, ratios);
  double sum = 0;
  for (const double ratio : ratios) sum += std::log(ratio);
  std::printf("geometric mean of the ratios to the better of the two: %.3f\n",
              std::exp(sum / static_cast<double>(ratios.size())));
  std::filesystem::remove_all(folder);
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
  try {
    bellows::peers::run(bellows::peers::options_of(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bellows_training_peers: %s\n", error.what());
    return 1;
  }
}
