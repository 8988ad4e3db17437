// Many threads over one model for a long time: sessions come and go, run, refine, stop early and
// are driven by controllers whose targets change, while the model's file is replaced and loaded
// anew under them. Every answer is compared, bit for bit, with that of one thread alone: logits of
// all widths, and at which width it was given. Every few seconds all threads end, others take their
// places, and what memory the process holds between is noted. While threads live it wavers by
// megabytes: with the sizes of the sessions that happen to be there, and with what the C library
// keeps for each thread, freed pieces of every size that it was ever asked for.
//
//   bellows_soak [--minutes M] [--threads N] [--arenas N] [MODEL MODEL]
//
// Ends with exit code 1 for a wrong answer, an unexpected error, or memory that grows.
#include <bellows/bellows.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <cxxopts.hpp>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <stop_token>
#include <thread>

#include "cli/latency_histogram.h"
#include "engine/atomic_file.h"
#include "engine/input_file.h"

namespace bellows {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kImages = 64;
constexpr int kBatch = 3;
// Of the time, in which the heap's pools and oneDNN's caches come into being: not looked at for
// growth.
constexpr double kWarmUpShare = 0.2;
constexpr double kMaxGrowth = 1;  // MB an hour
// A slope over less is noise.
constexpr double kLeastMinutesForGrowth = 10;

// From the coming of threads to their end.
constexpr double kRoundSeconds = 5;

// A model as it was loaded, and which of the two files it came from.
struct Served {
  explicit Served(Model loaded) : model(std::move(loaded)) {}

  Model model;
  int number = 0;
};

using Logits = std::vector<float>;

// What sessions of one batch size answer.
struct Answers {
  std::vector<std::vector<Logits>> logits;    // [width - 1][image]
  std::vector<std::vector<Result>> policies;  // [policy][image]
};

// A model with the answers of one thread alone.
struct Reference {
  std::string file;
  std::vector<std::uint8_t> bytes;
  std::size_t elements = 0;
  std::size_t classes = 0;
  std::array<Answers, 2> answers;  // [batch is kBatch]
};

// From one that always stops at once to one that never does.
std::vector<Policy> policies_for(int groups) {
  std::vector<Policy> policies;
  for (const double threshold : {0.0, 0.3, 0.6, 0.9, 1.0}) {
    policies.push_back(Policy::with_thresholds(
        {.values = std::vector<double>(static_cast<std::size_t>(groups - 1), threshold)}));
  }
  return policies;
}

std::vector<float> draw_images(std::size_t elements) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> value(0, 1);
  std::vector<float> images((kImages + kBatch) * elements);
  for (float& each : images) each = value(random);
  return images;
}

Reference reference_of(const std::string& file, std::vector<float>& images) {
  Reference reference;
  reference.file = file;
  {
    const InputFile input(file);
    reference.bytes.resize(input.size());
    input.read(0, reference.bytes);
  }
  const Model model = Model::load(file);
  reference.elements = model.image_elements();
  reference.classes = static_cast<std::size_t>(model.classes());
  if (images.empty()) images = draw_images(reference.elements);
  if (images.size() != (kImages + kBatch) * reference.elements) {
    throw Error(ErrorCode::kInvalidArgument,
                file + ": takes images of another size than the first model");
  }
  for (const int batch : {1, kBatch}) {
    Answers& answers = reference.answers[batch == kBatch];
    answers.logits.resize(static_cast<std::size_t>(model.groups()));
    std::vector<Policy> policies = policies_for(model.groups());
    answers.policies.resize(policies.size());
    Session session(model, {.max_batch = batch});
    for (std::size_t image = 0; image < kImages; ++image) {
      const std::span<const float> one(&images[image * reference.elements], reference.elements);
      session.run(one, model.groups());
      for (int width = 1; width <= model.groups(); ++width) {
        const auto logits = session.logits(width);
        answers.logits[static_cast<std::size_t>(width - 1)].emplace_back(logits.begin(),
                                                                         logits.end());
      }
      for (std::size_t policy = 0; policy < policies.size(); ++policy) {
        answers.policies[policy].push_back(session.classify(one, policies[policy]));
      }
    }
  }
  return reference;
}

struct Memory {
  double seconds = 0;      // since the start
  double resident_mb = 0;  // of the process
  double heap_mb = 0;      // asked for and not yet freed
};

// /proc/self/statm is off by some pages for each processor, since Linux adds them up late.
double resident_mb() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Rss:")) return std::stod(line.substr(4)) * 1024 / 1e6;
  }
  throw Error(ErrorCode::kIoError, "/proc/self/smaps_rollup: tells no resident memory");
}

// Least squares, in MB an hour.
double slope_of(const std::vector<Memory>& samples, double Memory::*mb) {
  double time = 0;
  double memory = 0;
  for (const Memory& sample : samples) {
    time += sample.seconds;
    memory += sample.*mb;
  }
  const auto count = static_cast<double>(samples.size());
  time /= count;
  memory /= count;
  double above = 0;
  double below = 0;
  for (const Memory& sample : samples) {
    above += (sample.seconds - time) * (sample.*mb - memory);
    below += (sample.seconds - time) * (sample.seconds - time);
  }
  return below > 0 ? 3600 * above / below : 0;
}

class Soak {
 public:
  Soak(std::array<Reference, 2> references, std::vector<float> images, int threads, double minutes)
      : references_(std::move(references)),
        images_(std::move(images)),
        threads_(threads),
        minutes_(minutes),
        path_(std::filesystem::temp_directory_path() /
              ("bellows-soak-" + std::to_string(::getpid()) + ".safetensors")),
        times_(static_cast<std::size_t>(threads)) {}
  ~Soak() { ::unlink(path_.c_str()); }
  Soak(const Soak&) = delete;
  Soak& operator=(const Soak&) = delete;

  bool run() {
    const Clock::time_point start = Clock::now();
    const auto elapsed = [start] {
      return std::chrono::duration<double>(Clock::now() - start).count();
    };
    const double end = 60 * minutes_;
    // Written upon beforehand: what is noted of memory must not take any.
    std::vector<Memory> memory(static_cast<std::size_t>(end / kRoundSeconds) + 1);
    std::size_t samples = 0;
    double next_line = 0;
    for (unsigned round = 0; elapsed() < end; ++round) {
      serve_a_round(round, std::min(kRoundSeconds, std::max(0.1, end / 5)));
      const Memory now = memory_between_rounds(elapsed());
      if (now.seconds > kWarmUpShare * end && samples < memory.size()) memory[samples++] = now;
      if (now.seconds < next_line) continue;
      std::printf(
          "%6.0f s: %lld answers, %lld wrong, %d models loaded, %.2f MB resident, %.3f MB of "
          "heap\n",
          now.seconds, static_cast<long long>(answers_), static_cast<long long>(wrong_),
          swaps_.load(), now.resident_mb, now.heap_mb);
      std::fflush(stdout);
      next_line += std::max(10.0, end / 30);
    }
    memory.resize(samples);
    return report(memory);
  }

 private:
  // Puts a model's bytes in the place of the file and loads that.
  void swap(int number) {
    try {
      write_file_atomically(path_, references_[static_cast<std::size_t>(number)].bytes);
      auto served = std::make_shared<Served>(Model::load(path_));
      served->number = number;
      const std::lock_guard lock(mutex_);
      served_ = std::move(served);
      ++swaps_;
    } catch (const std::exception& error) {
      note(std::string("swapping: ") + error.what());
    }
  }

  void serve_a_round(unsigned round, double seconds) {
    swap(0);
    std::vector<std::jthread> workers;  // told to end whichever way this is left
    workers.reserve(static_cast<std::size_t>(threads_));
    for (std::size_t i = 0; i < static_cast<std::size_t>(threads_); ++i) {
      workers.emplace_back([this, round, i](const std::stop_token& end) { work(round, i, end); });
    }
    const Clock::time_point end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                     std::chrono::duration<double>(seconds));
    for (int number = 1; Clock::now() < end; number = 1 - number) {
      std::this_thread::sleep_for(std::chrono::duration<double>(std::min(0.2, 0.2 * seconds)));
      swap(number);
    }
    for (std::jthread& worker : workers) worker.request_stop();
  }

  Memory memory_between_rounds(double seconds) {
    served_.reset();
    // What the heap keeps for whoever comes next is nobody's.
    ::malloc_trim(0);
    const struct mallinfo2 heap = ::mallinfo2();
    return {seconds, resident_mb(), static_cast<double>(heap.uordblks + heap.hblkhd) / 1e6};
  }

  std::shared_ptr<const Served> current() {
    const std::lock_guard lock(mutex_);
    return served_;
  }

  void note(const std::string& problem) {
    ++wrong_;
    const std::lock_guard lock(mutex_);
    if (problems_.size() < 20) problems_.push_back(problem);
  }

  void work(unsigned round, std::size_t thread, const std::stop_token& end) {
    std::mt19937 random(100 + round * static_cast<unsigned>(threads_) +
                        static_cast<unsigned>(thread));
    cli::LatencyHistogram times;
    while (!end.stop_requested()) {
      const std::shared_ptr<const Served> served = current();
      if (served == nullptr) continue;  // it could not be loaded, which is noted
      try {
        serve(*served, end, random, times);
      } catch (const std::exception& error) {
        note(error.what());
      }
    }
    const std::lock_guard lock(mutex_);
    times_[thread].add(times);
  }

  // A session's life, of a few hundred requests.
  void serve(const Served& served, const std::stop_token& end, std::mt19937& random,
             cli::LatencyHistogram& times) {
    const Reference& reference = references_[static_cast<std::size_t>(served.number)];
    const Model& model = served.model;
    const bool one_shot = random() % 4 == 0;
    const bool batched = random() % 4 == 0;
    Session session(model, {.max_batch = batched ? kBatch : 1,
                            .memory = one_shot ? MemoryMode::kOneShot : MemoryMode::kRefinable});
    // So that it knows how long a width takes, which it chooses before it begins.
    if (one_shot) session.warm_up(1);
    const Answers& expected = reference.answers[batched];
    const int groups = model.groups();
    std::vector<OperatingPoint> points;
    for (int width = 1; width <= groups; ++width) {
      points.push_back({.width = width,
                        .accuracy = 0.9 + 0.01 * width,
                        .latency_p50_us = 20.0 * width,
                        .latency_p95_us = 30.0 * width,
                        .latency_p99_us = 40.0 * width,
                        .energy_uj = 10.0 * width});
    }
    Controller controller(points, {.max_latency_us = 100});
    std::vector<Policy> policies = policies_for(groups);
    std::size_t policy = 0;
    for (int request = 0; request < 300 && !end.stop_requested(); ++request) {
      const std::size_t image = random() % kImages;
      const std::size_t count = batched ? 1 + random() % kBatch : 1;
      const std::span<const float> one(&images_[image * reference.elements], reference.elements);
      const std::span<const float> some(one.data(),
                                        std::min(count, kImages - image) * reference.elements);
      const int width = 1 + static_cast<int>(random() % static_cast<unsigned>(groups));
      const Clock::time_point start = Clock::now();
      std::size_t images = some.size() / reference.elements;
      int reached = width;
      switch (random() % 5) {
        case 0:
          session.run(some, width);
          break;
        case 1:
          session.run(some, 1);
          if (one_shot) reached = 1;
          while (session.width() < reached) session.refine();
          break;
        case 2:
          // Long enough for all widths, whoever else has the processors meanwhile.
          session.run_until(some, Clock::now() + std::chrono::hours(24));
          reached = groups;
          break;
        case 3: {
          if (one_shot) continue;
          if (random() % 8 == 0) policy = random() % policies.size();
          const Result result = session.classify(one, policies[policy]);
          const Result& wanted = expected.policies[policy][image];
          compare(result, wanted.width, wanted.label, wanted.confidence, image);
          images = 1;
          reached = wanted.width;
          break;
        }
        default: {
          if (random() % 8 == 0) {
            controller.set_targets({.max_latency_us = 20.0 + static_cast<double>(random() % 200)},
                                   std::chrono::duration<double>(start.time_since_epoch()).count());
          }
          const Result result = session.classify(one, controller);
          // Its choice depends on how long others took.
          reached = points[result.decision.point].width;
          const Logits& logits = expected.logits[static_cast<std::size_t>(reached - 1)][image];
          const auto label = std::ranges::max_element(logits) - logits.begin();
          compare(result, reached, static_cast<int>(label),
                  session.probabilities()[static_cast<std::size_t>(label)], image);
          images = 1;
        }
      }
      times.add(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
      if (session.width() != reached || static_cast<std::size_t>(session.batch()) != images) {
        note("image " + std::to_string(image) + " was run at width " +
             std::to_string(session.width()) + ", not " + std::to_string(reached) + ", or with " +
             std::to_string(session.batch()) + " images, not " + std::to_string(images));
      }
      compare(session, expected.logits, image, reference.classes);
      ++answers_;
    }
  }

  void compare(const Result& found, int width, int label, float confidence, std::size_t image) {
    if (found.width == width && found.label == label && found.confidence == confidence) return;
    note("image " + std::to_string(image) + " is class " + std::to_string(found.label) + " (" +
         std::to_string(found.confidence) + ") at width " + std::to_string(found.width) +
         ", not class " + std::to_string(label) + " (" + std::to_string(confidence) +
         ") at width " + std::to_string(width));
  }

  // All widths of the result.
  void compare(const Session& session, const std::vector<std::vector<Logits>>& expected,
               std::size_t first, std::size_t classes) {
    for (int width = 1; width <= session.width(); ++width) {
      const auto found = session.logits(width);
      for (std::size_t i = 0; i < static_cast<std::size_t>(session.batch()); ++i) {
        const Logits& wanted = expected[static_cast<std::size_t>(width - 1)][first + i];
        // By bits: as numbers, zeros of either sign would be equal, and those that are none never.
        if (std::memcmp(wanted.data(), &found[i * classes], classes * sizeof(float)) == 0) continue;
        note("image " + std::to_string(first + i) + " at width " + std::to_string(width) +
             " has other logits");
      }
    }
  }

  static void print(const std::string& whose, const cli::LatencyHistogram& times) {
    if (times.count() == 0) return;
    std::printf("%s: p50 %.1f us, p99 %.1f us, p99.9 %.1f us of %lld\n", whose.c_str(),
                times.percentile_us(0.5), times.percentile_us(0.99), times.percentile_us(0.999),
                static_cast<long long>(times.count()));
  }

  bool report(const std::vector<Memory>& memory) {
    std::printf("%.1f minutes, %d threads: %lld answers, %lld wrong, %d models loaded\n", minutes_,
                threads_, static_cast<long long>(answers_), static_cast<long long>(wrong_),
                swaps_.load());
    cli::LatencyHistogram all_times;
    for (std::size_t i = 0; i < times_.size(); ++i) {
      print("thread " + std::to_string(i + 1), times_[i]);
      all_times.add(times_[i]);
    }
    print("all threads", all_times);
    for (const std::string& problem : problems_) std::printf("wrong: %s\n", problem.c_str());
    bool fine = wrong_ == 0 && all_times.count() > 0;
    if (memory.size() > 2) {
      const double slope = slope_of(memory, &Memory::resident_mb);
      std::printf("resident memory after warming up: from %.2f to %.2f MB, %+.2f MB an hour\n",
                  memory.front().resident_mb, memory.back().resident_mb, slope);
      std::printf("heap after warming up: from %.3f to %.3f MB, %+.3f MB an hour\n",
                  memory.front().heap_mb, memory.back().heap_mb,
                  slope_of(memory, &Memory::heap_mb));
      if (minutes_ >= kLeastMinutesForGrowth) fine = fine && slope < kMaxGrowth;
    }
    if (memory.size() <= 2 || minutes_ < kLeastMinutesForGrowth) {
      std::printf("too short to judge how memory grows: that takes %g minutes\n",
                  kLeastMinutesForGrowth);
    }
    std::printf("%s\n", fine ? "passed" : "FAILED");
    return fine;
  }

  const std::array<Reference, 2> references_;
  const std::vector<float> images_;
  const int threads_;
  const double minutes_;
  const std::string path_;
  std::mutex mutex_;
  std::shared_ptr<const Served> served_;
  std::vector<cli::LatencyHistogram> times_;  // of each thread of a round
  std::vector<std::string> problems_;
  std::atomic<std::int64_t> answers_ = 0;
  std::atomic<std::int64_t> wrong_ = 0;
  std::atomic<int> swaps_ = 0;
};

int soak(int count, char** arguments) {
  const std::string models = BELLOWS_SOURCE_DIR "/models/";
  cxxopts::Options options("bellows_soak",
                           "Many threads over one model that is replaced under them.");
  options.add_options()("minutes", "How long", cxxopts::value<double>()->default_value("30"))(
      "threads", "That serve", cxxopts::value<int>()->default_value("8"))(
      "arenas",
      "Pools of the C library's heap; 0: one or more for each thread, of which each stays as large "
      "as it ever was",
      cxxopts::value<int>()->default_value("1"))("h,help", "Print this page")(
      "models", "Two files for images of one size",
      cxxopts::value<std::vector<std::string>>()->default_value(
          models + "digits-lenet.safetensors," + models + "mnist-vgg-growing.safetensors"));
  options.parse_positional({"models"});
  options.positional_help("[MODEL MODEL]");
  const auto given = options.parse(count, arguments);
  if (given.count("help") > 0) {
    std::printf("%s", options.help().c_str());
    return 0;
  }
  const auto files = given["models"].as<std::vector<std::string>>();
  const int threads = given["threads"].as<int>();
  const int arenas = given["arenas"].as<int>();
  const double minutes = given["minutes"].as<double>();
  if (files.size() != 2 || threads < 1 || threads > 1000 || arenas < 0 || !(minutes > 0)) {
    std::fprintf(
        stderr,
        "bellows_soak: give two models, 1 to 1000 threads, no negative number of arenas and "
        "minutes above 0\n");
    return 2;
  }
  if (arenas > 0) ::mallopt(M_ARENA_MAX, arenas);
  std::vector<float> images;
  std::array<Reference, 2> references = {reference_of(files[0], images),
                                         reference_of(files[1], images)};
  return Soak(std::move(references), std::move(images), threads, minutes).run() ? 0 : 1;
}

}  // namespace
}  // namespace bellows

int main(int count, char** arguments) {
  try {
    return bellows::soak(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bellows_soak: %s\n", error.what());
    return 2;
  }
}
