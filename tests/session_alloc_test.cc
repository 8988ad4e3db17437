// After warm-up a session allocates nothing and makes no primitive, whatever widths it runs.
//
// This program replaces operator new and stands before dnnl_primitive_create to count both. oneDNN
// itself makes a small table of arguments on the heap in every dnnl_primitive_execute and frees it
// before it returns; nobody can prevent that from outside. Such allocations are told from ours by
// the library that the call came from: ours must be none at all, oneDNN's must all be given back.
#include <bellows/bellows.h>
#include <dlfcn.h>
#include <dnnl.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <ostream>
#include <random>
#include <utility>
#include <vector>

#include "engine/model_state.h"
#include "engine/policy_rule.h"
#include "tests/grouped_networks.h"

namespace {

std::atomic<std::int64_t> our_allocations = 0;
std::atomic<std::int64_t> onednn_allocations = 0;
std::atomic<std::int64_t> releases = 0;
std::atomic<std::int64_t> primitives_made = 0;

bool in_onednn(const void* caller) {
  Dl_info info;
  return dladdr(caller, &info) != 0 && std::strstr(info.dli_fname, "libdnnl") != nullptr;
}

void* count_and_allocate(std::size_t size, std::size_t alignment, const void* caller) {
  ++(in_onednn(caller) ? onednn_allocations : our_allocations);
  size = (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void count_and_release(void* memory) {
  if (memory != nullptr) ++releases;
  std::free(memory);
}

}  // namespace

// The other forms of the library call these, but not those of the address sanitizer.
void* operator new(std::size_t size) {
  return count_and_allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new[](std::size_t size) {
  return count_and_allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return count_and_allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return count_and_allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { count_and_release(memory); }
void operator delete[](void* memory) noexcept { count_and_release(memory); }
void operator delete(void* memory, std::size_t) noexcept { count_and_release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { count_and_release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { count_and_release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { count_and_release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  count_and_release(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  count_and_release(memory);
}

// Stands before oneDNN's own.
extern "C" dnnl_status_t dnnl_primitive_create(dnnl_primitive_t* primitive,
                                               const_dnnl_primitive_desc_t description) {
  using Create = dnnl_status_t (*)(dnnl_primitive_t*, const_dnnl_primitive_desc_t);
  static const auto kCreate = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "dnnl_primitive_create"));
  ++primitives_made;
  return kCreate(primitive, description);
}

namespace bellows {
namespace {

struct Counts {
  std::int64_t ours = our_allocations;
  std::int64_t onednn = onednn_allocations;
  std::int64_t freed = releases;
  std::int64_t primitives = primitives_made;
  std::size_t bytes_in_use = mallinfo2().uordblks;
};

Model random_model(const Network& network) {
  const WeightSet weights = random_weights(network, network.groups(), 5);
  return internal::make_model(std::make_shared<internal::ModelState>(
      network.first_groups(network.groups()), ModelInfo{}, weights));
}

// Runs, refines and reads results in a random order; returns a number that needs them all.
float wander(Session& session, const Network& network, const std::vector<float>& images, int batch,
             int steps) {
  std::minstd_rand random(1);
  float sum = 0;
  for (int step = 0; step < steps; ++step) {
    if (session.width() > 0 && session.width() < network.groups() && random() % 2 == 0) {
      session.refine();
    } else {
      const std::size_t count = 1 + random() % 7 % static_cast<std::size_t>(batch);
      session.run(
          std::span(images).first(count * static_cast<std::size_t>(network.input_elements())),
          1 + static_cast<int>(random() % 7) % network.groups());
    }
    sum += session.logits(1)[0] + session.probabilities()[0] + session.best().confidence;
  }
  return sum;
}

struct Case {
  int batch;
  int threads;
};
// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Case& c, std::ostream* out) {
  *out << "batch " << c.batch << ", " << c.threads << " threads";
}

class SessionAllocation : public ::testing::TestWithParam<Case> {};

TEST_P(SessionAllocation, NothingIsAllocatedAndNoPrimitiveMadeWhileRunning) {
  const auto [batch, threads] = GetParam();
  const std::vector<NamedNetwork> networks = property_networks();
  // Two threads on cores that others use as well are slow: a few networks will do.
  const std::size_t stride = threads == 1 ? 1 : 9;
  for (std::size_t i = 0; i < networks.size(); i += stride) {
    const NamedNetwork& named = networks[i];
    SCOPED_TRACE(named.name);
    const Model model = random_model(named.network);
    Session session(model, {.max_batch = batch, .threads = threads});
    const std::vector<float> images = random_images(named.network, batch, 1);
    // Threads and tables per thread come into being with the first run.
    float sum = wander(session, named.network, images, batch, 3);
    session.run(images, named.network.groups());

    // malloc counts what it keeps for itself as in use, so the sum wavers; a leak grows every
    // round.
    bool grew_every_round = true;
    for (int round = 0; round < 3; ++round) {
      const Counts before;
      sum += wander(session, named.network, images, batch, 12);
      const Counts after;
      EXPECT_EQ(after.ours, before.ours);
      EXPECT_EQ(after.primitives, before.primitives);
      EXPECT_EQ(after.freed - before.freed, after.onednn - before.onednn);
      grew_every_round = grew_every_round && after.bytes_in_use > before.bytes_in_use;
    }
    EXPECT_FALSE(grew_every_round);
    EXPECT_TRUE(std::isfinite(sum));
  }
}

INSTANTIATE_TEST_SUITE_P(All, SessionAllocation,
                         ::testing::Values(Case{1, 1}, Case{4, 1}, Case{4, 2}),
                         [](const auto& each) {
                           return "batch" + std::to_string(each.param.batch) + "_threads" +
                                  std::to_string(each.param.threads);
                         });

// Five classes: eight inputs.
Policy selector_by_margin(float limit) {
  StopNetwork network{.hidden_weight = std::vector<float>(8), .hidden_bias = {0}, .weight = {1}};
  network.hidden_weight[5] = 1;
  network.bias = -limit;
  return internal::selector_policy({.alpha = 1, .widths = {network, network}}, 1);
}

TEST(SessionPolicies, ClassifyingByEveryKindOfPolicyAllocatesNothing) {
  const NamedNetwork named = std::move(property_networks().front());
  const Model model = random_model(named.network);
  Session session(model);
  const std::vector<float> images = random_images(named.network, 16, 1);
  const std::size_t elements = model.image_elements();
  std::vector<Policy> policies = {Policy::at_width(2), selector_by_margin(0.5F)};
  for (const Confidence kind :
       {Confidence::kMaxProbability, Confidence::kMargin, Confidence::kEntropy}) {
    policies.push_back(Policy::with_thresholds(
        {.confidence = kind, .values = {0.5, 0.4}, .temperatures = {1.5, 1}}));
  }
  policies.push_back(Policy::mixture({{policies[0], 1}, {policies[1], 2}, {policies[2], 3}}));
  for (Policy& policy : policies) session.classify(std::span(images).first(elements), policy);
  session.run(std::span(images).first(elements), 3);
  int widths = 0;
  const Counts before;
  for (std::size_t i = 0; i < 16; ++i) {
    for (Policy& policy : policies) {
      widths += session.classify(std::span(images).subspan(i * elements, elements), policy).width;
    }
  }
  const Counts after;
  EXPECT_EQ(after.ours, before.ours);
  EXPECT_EQ(after.primitives, before.primitives);
  EXPECT_GT(widths, 16 * 6);
}

TEST(AllocationCounters, TheCountersSeeWhatMakingASessionTakes) {
  const std::vector<NamedNetwork> networks = property_networks();
  const Counts before;
  const Model model = random_model(networks.front().network);
  const Counts loaded;
  const Session session(model, {.max_batch = 3});
  const Counts made;
  EXPECT_GT(loaded.ours, before.ours);
  EXPECT_GT(loaded.primitives, before.primitives);
  EXPECT_GT(made.ours, loaded.ours);
  EXPECT_GT(made.primitives, loaded.primitives);
  // A sanitizer's heap does not count.
  if (before.bytes_in_use > 0) {
    EXPECT_GT(made.bytes_in_use, loaded.bytes_in_use);
  }
}

TEST(AllocationCounters, ASecondSessionOfTheSameSizeMakesNoPrimitive) {
  const std::vector<NamedNetwork> networks = property_networks();
  const Model model = random_model(networks.front().network);
  const Session first(model, {.max_batch = 3});
  const Counts before;
  const Session second(model, {.max_batch = 3});
  const Counts after;
  EXPECT_EQ(after.primitives, before.primitives);
}

}  // namespace
}  // namespace bellows
