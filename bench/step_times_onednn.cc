// Prints where the time of a network goes, primitive by primitive: for finding out why a benchmark
// misses its aim.
//
// Steps of `infer` and `direct` stand beside a roofline: what the machine's arithmetic or, where a
// step moves much for what it computes, its memory allows at most.
//
//   bellows_step_times infer <configs/...toml> [batch] [threads]
//   bellows_step_times direct <configs/...toml> [batch] [threads]     the same without Winograd
//   bellows_step_times dense <configs/...toml> [width]
//   bellows_step_times learn <configs/...toml> [batch] [threads]      plain network, one group
//   bellows_step_times learn <configs/...toml> <batch> <threads> <group>   that group's training
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bench/dense_onednn.h"
#include "bench/matmul_onednn.h"
#include "bench/networks.h"
#include "bench/side_by_side.h"
#include "engine/plan.h"
#include "engine/threads.h"
#include "training/learning_plan_onednn.h"
#include "training/run_config.h"

namespace bellows::bench {
namespace {

struct Row {
  std::string label;
  std::string implementation;
  double seconds = 0;
  double operations = 0;  // two for each multiply-accumulate; 0: not counted
  double bytes = 0;       // of everything that it reads and writes, each once
};

constexpr int kRepetitions = 21;

// What the machine can do at most, measured in turns with the steps.
class Roofline {
 public:
  void measure() {
    flops_.push_back(LargeMatmul::flops() / seconds_of([&] { matmul_.run(); }, 1));
    const auto copy = [&] { std::memcpy(to_.data(), from_.data(), from_.size()); };
    bytes_.push_back(2.0 * static_cast<double>(from_.size()) / seconds_of(copy, 1));
  }
  [[nodiscard]] double flops() { return median(flops_); }  // a second
  [[nodiscard]] double bytes() { return median(bytes_); }  // a second
  [[nodiscard]] double roof(const Row& row) {
    return std::min(flops(), row.operations / row.bytes * bytes());
  }

 private:
  LargeMatmul matmul_;
  // Larger than the caches of a core.
  std::vector<char> from_ = std::vector<char>(std::size_t{32} << 20, 1);
  std::vector<char> to_ = std::vector<char>(from_.size());
  std::vector<double> flops_;
  std::vector<double> bytes_;
};

// Steps in order, each with the median over several measurements of the whole.
void print(const std::function<std::vector<Row>()>& measure, Roofline* roofline = nullptr) {
  std::vector<Row> rows = measure();
  std::vector<std::vector<double>> seconds(rows.size());
  for (int i = 0; i < kRepetitions; ++i) {
    if (roofline != nullptr) {
      roofline->measure();
      (void)measure();  // the caches hold the network again
    }
    const std::vector<Row> again = measure();
    for (std::size_t step = 0; step < rows.size(); ++step) {
      seconds[step].push_back(again[step].seconds);
    }
  }
  double sum = 0;
  std::map<std::string, double> by_implementation;
  for (std::size_t step = 0; step < rows.size(); ++step) {
    rows[step].seconds = median(seconds[step]);
    sum += rows[step].seconds;
    by_implementation[rows[step].implementation] += rows[step].seconds;
  }
  for (const Row& row : rows) {
    std::printf("%10.1f us %5.1f %%  %-32s %s", row.seconds * 1e6, 100 * row.seconds / sum,
                row.label.c_str(), row.implementation.c_str());
    if (roofline != nullptr && row.operations > 0) {
      const double speed = row.operations / row.seconds;
      std::printf("  %.1f GFLOP/s, %.0f %% of the roof (%.0f operations a byte)", speed / 1e9,
                  100 * speed / roofline->roof(row), row.operations / row.bytes);
    }
    std::printf("\n");
  }
  if (roofline != nullptr) {
    std::printf("\nroof: %.1f GFLOP/s, %.1f GB/s\n", roofline->flops() / 1e9,
                roofline->bytes() / 1e9);
  }
  std::printf("\n%10.1f us in all; by implementation:\n", sum * 1e6);
  for (const auto& [implementation, part] : by_implementation) {
    std::printf("%10.1f us %5.1f %%  %s\n", part * 1e6, 100 * part / sum, implementation.c_str());
  }
}

// Multiply-accumulates of one image by the label of the step that does them.
std::map<std::string, std::int64_t> macs_by_label(const Network& network) {
  std::map<std::string, std::int64_t> macs;
  for (const Node& node : network.nodes()) {
    for (int group = 1; group <= network.groups(); ++group) {
      macs[node.layer->name() + " group " + std::to_string(group)] =
          node.layer->macs(node.site, group);
    }
  }
  return macs;
}

void infer(const Network& network, int batch, int threads, Winograd winograd) {
  const ThreadCount thread_count(threads);
  const WeightSet weights = initial_weights(network);
  PackedWeights packed;
  const Plan plan = build_plan(network, &weights, packed,
                               {.batch = batch, .groups = network.groups(), .winograd = winograd});
  const BufferMemory memory(plan.table);
  std::vector<BoundProgram> programs;
  for (const Program& program : plan.programs) programs.emplace_back(program, memory);
  const std::vector<float> images = random_images(network, batch);
  const std::vector<float> mean(static_cast<std::size_t>(network.input().channels_of(1)), 0.5F);
  const std::vector<float> stddev(mean.size(), 0.3F);
  load_images(plan, images.data(), batch, mean, stddev,
              reinterpret_cast<float*>(memory.address(plan.input.buffer)));
  const dnnl::stream stream(cpu_engine());
  const std::map<std::string, std::int64_t> macs = macs_by_label(network);
  Roofline roofline;
  print(
      [&] {
        std::vector<Row> rows;
        for (std::size_t group = 0; group < programs.size(); ++group) {
          for (std::size_t i = 0; i < programs[group].size(); ++i) {
            const Step& step = plan.programs[group][i];
            Row row{step.label, step.kernel ? "kernel" : step.primitive.implementation,
                    seconds_of([&] { programs[group].run_step(stream, i); }, 1)};
            for (const Argument& argument : step.arguments) {
              if (argument.view.buffer == BufferTable::kScratchpad) continue;
              row.bytes += static_cast<double>(argument.view.desc.get_size());
            }
            const auto counted = macs.find(step.label);
            if (!step.kernel && counted != macs.end()) {
              row.operations = 2.0 * batch * static_cast<double>(counted->second);
            }
            rows.push_back(std::move(row));
          }
        }
        return rows;
      },
      &roofline);
}

void dense(const Network& network, int width) {
  const ThreadCount thread_count(1);
  const std::vector<float> image = random_images(network, 1);
  for (const auto& [layout, name] : {std::pair{DenseLayout::kBlocked, "blocked"},
                                     std::pair{DenseLayout::kChannelsLast, "channels last"}}) {
    DenseNetwork peer(network, width, layout);
    peer.run(image);
    std::printf("%s\n", name);
    print([&] {
      std::vector<Row> rows;
      for (const auto& step : peer.time_steps()) {
        rows.push_back({step.label, step.implementation, step.seconds});
      }
      return rows;
    });
  }
}

void learn(const Network& network, int group, int batch, int threads, bool bf16) {
  const ThreadCount thread_count(threads);
  WeightSet weights = initial_weights(network);
  WeightSet gradients(network, network.groups());
  LearningPlan plan(
      network, weights, gradients,
      {.trainable = {group, group}, .batch = batch, .threads = threads, .bf16 = bf16});
  const std::vector<float> images = random_images(network, batch);
  const std::vector<std::int32_t> labels(static_cast<std::size_t>(batch), 0);
  plan.forward(images.data(), labels.data(), 1);
  print([&] {
    std::vector<Row> rows;
    for (const auto& step : plan.time_steps()) {
      rows.push_back({step.label, step.implementation, step.seconds});
    }
    return rows;
  });
}

int run(const std::vector<std::string>& arguments) {
  const auto number = [&](std::size_t index, int fallback) {
    return arguments.size() > index ? std::max(1, std::stoi(arguments[index])) : fallback;
  };
  if (arguments.size() < 2) {
    std::fprintf(stderr,
                 "usage: bellows_step_times infer|direct|dense|learn|learn-bf16 <configuration> "
                 "[batch or width] "
                 "[threads] [group]\n");
    return 2;
  }
  const RunConfig config = read_run_config(std::filesystem::path(arguments[1]));
  if (arguments[0] == "infer" || arguments[0] == "direct") {
    infer(config.network, number(2, 1), number(3, 1),
          arguments[0] == "infer" ? Winograd::kInstead : Winograd::kNo);
  } else if (arguments[0] == "dense") {
    dense(config.network, std::min(number(2, 4), config.network.groups()));
  } else if (arguments[0] == "learn" || arguments[0] == "learn-bf16") {
    const bool bf16 = arguments[0] == "learn-bf16";
    if (arguments.size() > 4) {
      learn(config.network, std::min(number(4, 1), config.network.groups()), number(2, 128),
            number(3, 2), bf16);
    } else {
      learn(config.network.as_one_group(), 1, number(2, 128), number(3, 2), bf16);
    }
  } else {
    std::fprintf(stderr, "'%s' is not one of infer, direct, dense, learn, learn-bf16\n",
                 arguments[0].c_str());
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace bellows::bench

int main(int count, char** arguments) {
  try {
    return bellows::bench::run({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
