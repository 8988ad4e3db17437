// What a device counts on: memory within what was allowed, no files after loading, a small stack,
// no locale, and weights that are numbers.
#include <bellows/bellows.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <clocale>
#include <cmath>
#include <functional>
#include <limits>
#include <locale>

#include "engine/model_file.h"
#include "engine/policy_data.h"
#include "engine/profile_data.h"
#include "tests/data_fixtures.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kGolden = std::string(BELLOWS_SOURCE_DIR) + "/tests/golden/";
const std::string kModel = kGolden + "every_kind.safetensors";
const std::string kLargerModel =
    std::string(BELLOWS_SOURCE_DIR) + "/models/cifar10-vgg.safetensors";

TEST(EmbeddedLimits, WeightsThatAreNoNumbersAreRefusedAndNamed) {
  const auto path = fresh_folder() / "model.safetensors";
  const std::vector<float> rubbish = {std::numeric_limits<float>::quiet_NaN(),
                                      std::numeric_limits<float>::infinity(),
                                      -std::numeric_limits<float>::infinity()};
  for (const float value : rubbish) {
    ModelFile file = load_model(kModel);
    file.weights.group_values(2).back() = value;
    save_model(path, file.network, file.weights, file.info);
    EXPECT_THAT(refusal(ErrorCode::kCorruptData, [&] { Model::load(path); }),
                AllOf(HasSubstr("tensor 'group.2."), HasSubstr("no numbers")));
    // The groups below have nothing of it.
    EXPECT_EQ(Model::load(path, {.groups = 1}).groups(), 1);
  }
  ModelFile file = load_model(kGolden + "tiny.safetensors");
  for (const ParameterKey& key : file.network.parameters(1)) {
    if (key.spec.role == ParameterRole::kVariance) file.weights.values(key)[0] = -0.5F;
  }
  save_model(path, file.network, file.weights, file.info);
  EXPECT_THAT(refusal(ErrorCode::kCorruptData, [&] { Model::load(path); }),
              AllOf(HasSubstr("variance'"), HasSubstr("below 0")));
}

TEST(EmbeddedLimits, LoadingKeepsToItsMemoryOrFails) {
  const Model whole = Model::load(kLargerModel);
  const std::size_t file = static_cast<std::size_t>(whole.width(whole.groups()).weight_bytes);
  const auto refused = [](std::size_t bytes) {
    return refusal(ErrorCode::kOutOfMemory,
                   [&] { Model::load(kLargerModel, {.max_bytes = bytes}); });
  };
  // Not the weights of the file, these but nothing else, not all of what is packed.
  EXPECT_THAT(refused(file - 1), AllOf(HasSubstr(std::to_string(file)), HasSubstr("max_bytes")));
  EXPECT_THAT(refused(file), HasSubstr("max_bytes"));
  EXPECT_THAT(refused(file + whole.packed_bytes() - 1), HasSubstr("max_bytes"));
  const Model enough = Model::load(kLargerModel, {.max_bytes = 2 * (file + whole.packed_bytes())});
  EXPECT_EQ(enough.packed_bytes(), whole.packed_bytes());
  // Fewer groups need less.
  EXPECT_EQ(Model::load(kLargerModel, {.groups = 1, .max_bytes = file}).groups(), 1);
}

// Runs `act` in a process of its own; true: it returned true.
bool in_child(const std::function<bool()>& act) {
  const pid_t child = ::fork();
  if (child == 0) {
    bool fine = false;
    try {
      fine = act();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(fine ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(EmbeddedLimits, NoFileIsOpenedAfterLoading) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers open files of their own";
#endif
  EXPECT_TRUE(in_child([] {
    const Model model = Model::load(kModel);
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_NOFILE, &none) != 0 || ::open("/dev/null", 0) >= 0) return false;
    const std::vector<float> image(model.image_elements(), 0.5F);
    for (const int batch : {1, 3}) {
      Session session(model, {.max_batch = batch});
      session.warm_up();
      session.run(image, 1);
      while (session.width() < model.groups()) session.refine();
      session.run_until(image, std::chrono::steady_clock::now() + std::chrono::seconds(5));
      Policy policy = Policy::at_width(model.groups());
      session.classify(image, policy);
    }
    return true;
  }));
}

// What a thread writes upon of its stack while it computes, found by what it leaves of a pattern.
std::size_t stack_bytes(const std::function<void()>& act) {
  constexpr std::size_t kStack = std::size_t{1} << 20;
  constexpr std::uint8_t kPattern = 0xa5;
  std::vector<std::uint8_t> memory(kStack + 4096, kPattern);
  auto* base =
      memory.data() + (4096 - reinterpret_cast<std::uintptr_t>(memory.data()) % 4096) % 4096;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  EXPECT_EQ(pthread_attr_setstack(&attributes, base, kStack), 0);
  pthread_t thread{};
  const auto run = [](void* what) -> void* {
    (*static_cast<const std::function<void()>*>(what))();
    return nullptr;
  };
  EXPECT_EQ(
      pthread_create(&thread, &attributes, run, const_cast<void*>(static_cast<const void*>(&act))),
      0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  std::size_t untouched = 0;
  while (untouched < kStack && base[untouched] == kPattern) ++untouched;
  return kStack - untouched;
}

// docs/embedding.md says how much stack a call takes; threads that libraries make have their own.
TEST(EmbeddedLimits, ACallTakesLittleOfTheStack) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need a stack of their own";
#endif
  const std::size_t nothing = stack_bytes([] {});
  for (const std::string& path : {kModel, kLargerModel}) {
    const Model model = Model::load(path);
    const std::vector<float> images(3 * model.image_elements(), 0.5F);
    for (const int batch : {1, 3}) {
      Session session(model, {.max_batch = batch});
      const std::span<const float> given(images.data(),
                                         static_cast<std::size_t>(batch) * model.image_elements());
      const std::size_t running = stack_bytes([&] { session.run(given, model.groups()); });
      EXPECT_LT(running - nothing, 64U << 10) << path << ", batch " << batch;
      RecordProperty("bytes_batch_" + std::to_string(batch), static_cast<int>(running - nothing));
    }
    const std::size_t loading = stack_bytes([&] { static_cast<void>(Model::load(path)); });
    EXPECT_LT(loading - nothing, 256U << 10) << path;
    std::printf("%s: loading takes %zu bytes of the stack\n", path.c_str(), loading - nothing);
  }
}

// Numbers with a comma, groups of digits and other words for true and false.
struct Comma : std::numpunct<char> {
  [[nodiscard]] char do_decimal_point() const override { return ','; }
  [[nodiscard]] char do_thousands_sep() const override { return '.'; }
  [[nodiscard]] std::string do_grouping() const override { return "\3"; }
  [[nodiscard]] std::string do_truename() const override { return "ja"; }
};

TEST(EmbeddedLimits, NumbersAreReadAndWrittenAlikeInAnyLocale) {
  const auto folder = fresh_folder();
  const internal::ProfileData data = internal::read_profile(kGolden + "tiny_profile.json");
  internal::write_profile(folder / "before.json", data);
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Comma));
  // The C library's, where the system has one with a comma.
  const bool changed = std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
  internal::write_profile(folder / "after.json", data);
  const internal::ProfileData again = internal::read_profile(folder / "before.json");
  const Model model = Model::load(kGolden + "tiny.safetensors");
  Session session(model);
  session.run(std::vector<float>(model.image_elements(), 0.5F), 2);
  const std::string text = Policy::with_thresholds({.values = {0.25}}).text();
  ModelFile file = load_model(kGolden + "tiny.safetensors");
  save_model(folder / "model", file.network, file.weights, file.info);
  std::locale::global(before);
  std::setlocale(LC_ALL, "C");
  EXPECT_TRUE(read_file(folder / "before.json") == read_file(folder / "after.json"));
  EXPECT_EQ(again.points, data.points);
  EXPECT_THAT(text, HasSubstr("0.25"));
  EXPECT_TRUE(read_file(folder / "model") == read_file(kGolden + "tiny.safetensors"));
  if (!changed) std::printf("the system has no locale de_DE.UTF-8; C++'s own was changed only\n");
}

}  // namespace
}  // namespace bellows
