// What a sum of gradients over all ranks takes when none has to wait for another: the most that
// sums beside the backward pass could save of a training step.
//
//   mpirun -n 2 bellows_rank_sums 0.09 0.30 1.17      megabytes of each rank
#include <bellows/error.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/side_by_side.h"
#include "training/ranks.h"

namespace bellows::bench {
namespace {

constexpr int kRepetitions = 201;

double median_seconds(const Ranks& ranks, double megabytes) {
  std::vector<float> values(static_cast<std::size_t>(megabytes * 1e6 / sizeof(float)), 0.0F);
  std::vector<double> seconds;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    // A short sum first, which nobody leaves before all have come.
    double together = 0;
    ranks.sum({&together, 1});
    const auto start = std::chrono::steady_clock::now();
    ranks.sum(values);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return median(seconds);
}

int time_sums(int count, char** arguments) {
  const Ranks ranks = Ranks::world();
  if (ranks.alone() || count < 2) {
    std::fprintf(stderr, "usage: mpirun -n RANKS bellows_rank_sums MEGABYTES ...\n");
    return 2;
  }
  for (int i = 1; i < count; ++i) {
    char* end = nullptr;
    const double megabytes = std::strtod(arguments[i], &end);
    if (*end != '\0' || !(megabytes > 0 && megabytes <= 4096)) {
      std::fprintf(stderr, "bellows_rank_sums: '%s' is no number of megabytes up to 4096\n",
                   arguments[i]);
      ranks.abandon(2);
      return 2;
    }
    const double seconds = median_seconds(ranks, megabytes);
    if (ranks.first()) {
      std::printf("%8.2f MB  %d ranks  %9.3f ms\n", megabytes, ranks.size(), 1e3 * seconds);
    }
  }
  return 0;
}

}  // namespace
}  // namespace bellows::bench

int main(int count, char** arguments) {
  try {
    return bellows::bench::time_sums(count, arguments);
  } catch (const bellows::Error& error) {
    std::fprintf(stderr, "bellows_rank_sums: %s\n", error.what());
    return 1;
  }
}
