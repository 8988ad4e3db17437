// The controller allocates nothing between requests. This program replaces operator new to count.
#include <bellows/controller.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

namespace {
std::atomic<std::int64_t> allocations = 0;
}  // namespace

// The other forms of the library call these, but not those of the address sanitizer.
void* operator new(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size > 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace bellows {
namespace {

TEST(ControllerAllocation, DecidingObservingAndNewTargetsAllocateNothing) {
  std::vector<OperatingPoint> points;
  for (int width = 1; width <= 8; ++width) {
    points.push_back({.width = width,
                      .accuracy = 0.1 * width,
                      .latency_p50_us = 100.0 * width,
                      .latency_p95_us = 110.0 * width,
                      .latency_p99_us = 120.0 * width,
                      .energy_uj = 10.0 * width});
  }
  OperatingPoint mixed{
      .width = 2,
      .accuracy = 0.15,
      .latency_p50_us = 150,
      .latency_p95_us = 200,
      .latency_p99_us = 240,
      .energy_uj = 15,
      .policy = Policy::mixture({{Policy::at_width(1), 1}, {Policy::at_width(2), 1}})};
  for (const int width : {1, 2}) {
    mixed.stops.push_back({.width = width,
                           .share = 0.5,
                           .latency_p50_us = 100.0 * width,
                           .latency_p95_us = 110.0 * width,
                           .latency_p99_us = 120.0 * width,
                           .energy_uj = 10.0 * width});
  }
  points.push_back(mixed);
  const std::int64_t before_making = allocations;
  Controller controller(points);
  EXPECT_GT(allocations, before_making);

  const std::int64_t before = allocations;
  for (int i = 0; i < 10000; ++i) {
    const double now_s = 0.01 * i;
    if (i % 100 == 0) {
      controller.set_targets({.max_latency_us = 400.0 + 4 * (i % 900),
                              .max_power_w = 4e-3,
                              .energy_left = EnergyLeft{.joules = 1, .until_s = now_s + 100},
                              .min_accuracy = 0.2},
                             now_s);
      controller.energy_left(0.9, now_s);
    }
    const Decision next =
        controller.decide(now_s, i % 3 == 0 ? std::optional(250.0) : std::nullopt);
    controller.observe({.point = next.point,
                        .latency_us = 100.0 * next.width * (1 + i % 7),
                        .energy_uj = 9.0 * next.width,
                        .now_s = now_s,
                        .width = next.width});
  }
  EXPECT_EQ(allocations, before);
  EXPECT_GT(controller.switches(), 10);
}

}  // namespace
}  // namespace bellows
