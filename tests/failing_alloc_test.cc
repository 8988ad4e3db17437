// Memory that runs out at any moment: every call of the C interface says so and leaves nothing
// behind.
//
// This program replaces operator new, which can be told to fail. oneDNN's own allocations are left
// to succeed: what it does without memory is not ours.
#include <bellows/bellows_c.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

namespace {

std::atomic<std::int64_t> left = -1;  // allocations until one fails; below 0: none does
std::atomic<std::int64_t> in_use = 0;

bool in_onednn(const void* caller) {
  Dl_info info;
  return dladdr(caller, &info) != 0 && std::strstr(info.dli_fname, "libdnnl") != nullptr;
}

void* allocate(std::size_t size, std::size_t alignment, const void* caller) {
  if (left >= 0 && !in_onednn(caller) && left-- == 0) throw std::bad_alloc();
  size = (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, size);
  if (memory == nullptr) throw std::bad_alloc();
  ++in_use;
  return memory;
}

void release(void* memory) {
  if (memory != nullptr) --in_use;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new[](std::size_t size) {
  return allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace {

const char* const kModel = BELLOWS_SOURCE_DIR "/tests/golden/tiny.safetensors";

// Calls `act` with the first allocation failing, then the second, and so on until it needs no more;
// after each failure `undone` must hold. Returns how often it has failed.
template <class Act>
int fail_everywhere(const Act& act) {
  int failures = 0;
  for (std::int64_t allowed = 0; allowed < 100000; ++allowed) {
    const std::int64_t before = in_use;
    left = allowed;
    const bellows_status status = act();
    const bool failed = left < 0;
    left = -1;
    if (!failed) {
      EXPECT_EQ(status, BELLOWS_OK) << bellows_last_error();
      return failures;
    }
    ++failures;
    // What holds its promise without that memory may succeed.
    if (status != BELLOWS_OK) {
      EXPECT_EQ(status, BELLOWS_OUT_OF_MEMORY) << allowed << ": " << bellows_last_error();
      EXPECT_EQ(in_use, before) << "after allocation " << allowed << " failed";
    }
    if (::testing::Test::HasFailure()) return failures;
  }
  ADD_FAILURE() << "it never needs enough";
  return failures;
}

TEST(MemoryRunsOut, WhileAModelIsLoaded) {
  // Once without failures, for what libraries keep.
  bellows_model* model = nullptr;
  ASSERT_EQ(bellows_model_load(kModel, nullptr, &model), BELLOWS_OK);
  bellows_model_free(model);
  EXPECT_GT(fail_everywhere([] {
              bellows_model* made = nullptr;
              const bellows_status status = bellows_model_load(kModel, nullptr, &made);
              EXPECT_EQ(status == BELLOWS_OK, made != nullptr);
              bellows_model_free(made);
              return status;
            }),
            100);
}

TEST(MemoryRunsOut, WhileASessionIsMadeAndRun) {
  bellows_model* model = nullptr;
  ASSERT_EQ(bellows_model_load(kModel, nullptr, &model), BELLOWS_OK);
  const std::vector<float> image(2, 0.5F);
  const auto make_and_run = [&](int batch) {
    bellows_session_options options = BELLOWS_SESSION_OPTIONS_INIT;
    options.max_batch = batch;
    bellows_session* session = nullptr;
    bellows_status status = bellows_session_create(model, &options, &session);
    EXPECT_EQ(status == BELLOWS_OK, session != nullptr);
    if (status == BELLOWS_OK) status = bellows_session_run(session, image.data(), image.size(), 2);
    bellows_session_free(session);
    return status;
  };
  ASSERT_EQ(make_and_run(1), BELLOWS_OK);
  EXPECT_GT(fail_everywhere([&] { return make_and_run(1); }), 5);
  // A running session takes no memory of ours.
  bellows_session* session = nullptr;
  ASSERT_EQ(bellows_session_create(model, nullptr, &session), BELLOWS_OK);
  ASSERT_EQ(bellows_session_run(session, image.data(), image.size(), 2), BELLOWS_OK);
  EXPECT_EQ(
      fail_everywhere([&] { return bellows_session_run(session, image.data(), image.size(), 2); }),
      0);
  bellows_session_free(session);
  bellows_model_free(model);
}

TEST(MemoryRunsOut, WhileAControllerIsMade) {
  std::vector<bellows_operating_point> points(2,
                                              bellows_operating_point BELLOWS_OPERATING_POINT_INIT);
  for (int i = 0; i < 2; ++i) {
    bellows_operating_point& point = points[static_cast<std::size_t>(i)];
    point.width = i + 1;
    point.accuracy = 0.5 + 0.1 * i;
    point.latency_p50_us = point.latency_p95_us = point.latency_p99_us = 10.0 * (i + 1);
  }
  EXPECT_GT(fail_everywhere([&] {
              bellows_controller* made = nullptr;
              const bellows_status status =
                  bellows_controller_create(points.data(), points.size(), nullptr, nullptr, &made);
              bellows_controller_free(made);
              return status;
            }),
            2);
}

}  // namespace
