// Memory that runs out at any moment: every call of the C interface says so and leaves nothing
// behind.
//
// This program replaces operator new, which can be told to fail. oneDNN's own allocations are left
// to succeed: what it does without memory is not ours.
#include <bellows/bellows_c.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include "tests/fuzz/samples.h"

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

// Of the sample model, a profile and policies, as files; and what else is wanted of them.
class MemoryRunsOutOverFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    namespace fs = std::filesystem;
    // In memory where that is a folder: every file is flushed to its disk.
    folder_ = (fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) /
              ("bellows-failing-alloc-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    bellows::internal::write_profile(folder_ / "profile", bellows::fuzz::sample_profile());
    bellows::internal::write_policies(folder_ / "policies", bellows::fuzz::sample_policies());
    bellows::fuzz::write_sample_with_selector(folder_ / "model");
    bellows::trim_model(folder_ / "model", 1, folder_ / "narrow");
    ASSERT_EQ(bellows_model_load(path("model").c_str(), nullptr, &model_), BELLOWS_OK)
        << bellows_last_error();
  }
  void TearDown() override {
    bellows_model_free(model_);
    std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] std::string path(const char* name) const { return folder_ / name; }

  std::filesystem::path folder_;
  bellows_model* model_ = nullptr;
};

TEST_F(MemoryRunsOutOverFiles, WhileProfilesAndPoliciesAreReadAndControllersMadeOfThem) {
  const std::string profile = path("profile");
  const std::string policies = path("policies");
  const auto all = [&] {
    bellows_profile* read = nullptr;
    bellows_policies* stops = nullptr;
    bellows_controller* widths = nullptr;
    bellows_controller* points = nullptr;
    bellows_status status = bellows_profile_load(profile.c_str(), &read);
    if (status == BELLOWS_OK) status = bellows_profile_check_device(read);
    if (status == BELLOWS_OK) status = bellows_policies_load(policies.c_str(), model_, &stops);
    if (status == BELLOWS_OK) {
      status = bellows_controller_create_from(read, model_, 1, nullptr, nullptr, &widths);
    }
    if (status == BELLOWS_OK) {
      status = bellows_controller_create_with(read, stops, model_, 1, nullptr, nullptr, &points);
    }
    EXPECT_EQ(status == BELLOWS_OK, points != nullptr);
    bellows_controller_free(points);
    bellows_controller_free(widths);
    bellows_policies_free(stops);
    bellows_profile_free(read);
    return status;
  };
  ASSERT_EQ(all(), BELLOWS_OK) << bellows_last_error();
  EXPECT_GT(fail_everywhere(all), 100);
}

TEST_F(MemoryRunsOutOverFiles, WhileModelsGrowAndAreTrimmed) {
  const std::string wide = path("model");
  const std::string narrow = path("narrow");
  const std::string growth = path("growth");
  const std::string result = path("result");
  const auto all = [&] {
    bellows_status status =
        bellows_write_growth(wide.c_str(), narrow.c_str(), growth.c_str(), nullptr);
    if (status == BELLOWS_OK) {
      status = bellows_apply_growth(growth.c_str(), narrow.c_str(), result.c_str(), nullptr);
    }
    if (status == BELLOWS_OK) status = bellows_trim_model(wide.c_str(), 1, result.c_str());
    return status;
  };
  ASSERT_EQ(all(), BELLOWS_OK) << bellows_last_error();
  EXPECT_GT(fail_everywhere(all), 100);
}

TEST_F(MemoryRunsOutOverFiles, WhileAnImageIsClassified) {
  bellows_policies* stops = nullptr;
  bellows_controller* controller = nullptr;
  bellows_profile* profile = nullptr;
  bellows_session* session = nullptr;
  ASSERT_EQ(bellows_profile_load(path("profile").c_str(), &profile), BELLOWS_OK);
  ASSERT_EQ(bellows_policies_load(path("policies").c_str(), model_, &stops), BELLOWS_OK);
  ASSERT_EQ(
      bellows_controller_create_with(profile, stops, model_, 1, nullptr, nullptr, &controller),
      BELLOWS_OK);
  ASSERT_EQ(bellows_session_create(model_, nullptr, &session), BELLOWS_OK);
  const std::vector<float> image(2, 0.5F);
  std::size_t count = 0;
  ASSERT_EQ(bellows_policies_count(stops, &count), BELLOWS_OK);
  const auto all = [&] {
    bellows_answer answer = BELLOWS_ANSWER_INIT;
    bellows_status status = BELLOWS_OK;
    for (std::size_t i = 0; i < count && status == BELLOWS_OK; ++i) {
      status = bellows_session_classify_by(session, image.data(), image.size(), stops, i, &answer);
    }
    if (status != BELLOWS_OK) return status;
    return bellows_session_classify(session, image.data(), image.size(), controller, &answer);
  };
  ASSERT_EQ(all(), BELLOWS_OK) << bellows_last_error();
  fail_everywhere(all);
  bellows_session_free(session);
  bellows_controller_free(controller);
  bellows_policies_free(stops);
  bellows_profile_free(profile);
}

}  // namespace
