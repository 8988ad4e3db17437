// What a device counts on: memory within what was allowed, no files after loading, a small stack,
// no locale, and weights that are numbers.
#include <bellows/bellows.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <clocale>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <locale>

#include "engine/model_file.h"
#include "engine/policy_data.h"
#include "engine/profile_data.h"
#include "tests/data_fixtures.h"
#include "tests/grouped_networks.h"
#include "tests/refusal.h"
#include "training/run_config.h"

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
  // Not the header, not the weights of the file, these but nothing else, not all of what is packed.
  EXPECT_THAT(refused(1000), AllOf(HasSubstr("its header takes"), HasSubstr("allows 1000")));
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

// Layers cost where they have no weights: oneDNN's code, and what keeps it.
TEST(EmbeddedLimits, OperationsCountAsMemoryOfTheModel) {
  const ModelFile file = load_model(kGolden + "tiny.safetensors");
  const std::size_t operations = file.network.operation_bytes();
  EXPECT_EQ(operations, file.network.nodes().size() * 2 * kOperationBytes);
  EXPECT_THAT(
      refusal(ErrorCode::kOutOfMemory,
              [&] { Model::load(kGolden + "tiny.safetensors", {.max_bytes = operations - 1}); }),
      AllOf(HasSubstr("operations take " + std::to_string(operations)),
            HasSubstr("load fewer groups")));
  const std::size_t enough = operations + 100'000;
  const Model model = Model::load(kGolden + "tiny.safetensors", {.max_bytes = enough});
  EXPECT_EQ(model.memory().operations, operations);
  // Those for another batch size are others, as long as somebody has them.
  const auto batch_of_three = [&] { Session session(model, {.max_batch = 3}); };
  EXPECT_THAT(refusal(ErrorCode::kOutOfMemory, batch_of_three), HasSubstr("max_bytes"));
  const Model larger =
      Model::load(kGolden + "tiny.safetensors", {.max_bytes = enough + operations});
  {
    Session three(larger, {.max_batch = 3});
    Session again(larger, {.max_batch = 3});
    EXPECT_THAT(refusal(ErrorCode::kOutOfMemory, [&] { Session two(larger, {.max_batch = 2}); }),
                HasSubstr("max_bytes"));
  }
  Session two(larger, {.max_batch = 2});
}

// Channels are padded to 16 in each group, which groups of one channel make 100 times as many of.
TEST(EmbeddedLimits, PaddingIsHeldToAFewTimesTheFileUnlessMoreIsAllowed) {
  const auto path = fresh_folder() / "model.safetensors";
  const std::vector<int> ones(64, 1);
  ConfigValue::Array layers;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    layers.push_back(config::conv(name, ones, 3, 1));
  }
  const Network network = Network::read(
      config::network({1, 4, 4}, 2, 64, "triangular", "per_width", std::move(layers)));
  save_model(path, network, random_weights(network, 64, 1), {});
  const std::size_t file = std::filesystem::file_size(path);
  EXPECT_THAT(refusal(ErrorCode::kOutOfMemory, [&] { Model::load(path); }),
              AllOf(HasSubstr("padding included"), HasSubstr("Give another max_bytes")));
  const Model allowed = Model::load(path, {.max_bytes = std::size_t{1} << 30});
  EXPECT_GT(allowed.packed_bytes(), 8 * file + (std::size_t{64} << 20));
}

// A long name is held several times while it is read.
TEST(EmbeddedLimits, LongTextsOfTheHeaderCountAsMemory) {
  const auto path = fresh_folder() / "model.safetensors";
  ModelFile file = load_model(kGolden + "tiny.safetensors");
  file.info.extra.emplace_back("long", std::string(2'000'000, 'x'));
  save_model(path, file.network, file.weights, file.info);
  EXPECT_THAT(
      refusal(ErrorCode::kOutOfMemory, [&] { Model::load(path, {.max_bytes = 11'000'000}); }),
      HasSubstr("max_bytes"));
  EXPECT_EQ(Model::load(path, {.max_bytes = 14'000'000}).groups(), 2);
}

// A header of many short values takes far more than its text while it is read.
TEST(EmbeddedLimits, ValuesOfTheHeaderCountAsMemory) {
  const auto path = fresh_folder() / "model.safetensors";
  ModelFile file = load_model(kGolden + "tiny.safetensors");
  file.info.extra.emplace_back("long", std::string(100'000, 'x'));
  save_model(path, file.network, file.weights, file.info);
  EXPECT_EQ(Model::load(path, {.max_bytes = 1'000'000}).groups(), 2);
  file.info.extra.back().second = std::string(100'000, ',');
  save_model(path, file.network, file.weights, file.info);
  EXPECT_THAT(
      refusal(ErrorCode::kOutOfMemory, [&] { Model::load(path, {.max_bytes = 1'000'000}); }),
      HasSubstr("its header takes"));
}

TEST(EmbeddedLimits, ASessionTakesNoMoreThanItTells) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers have a heap of their own";
#endif
  const auto heap = [] {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  for (const std::string& path : {kModel, kLargerModel}) {
    const Model model = Model::load(path);
    for (const int batch : {1, 100}) {
      const Session first(model, {.max_batch = batch});  // with it operations are made
      const std::size_t before = heap();
      const Session second(model, {.max_batch = batch});
      const std::size_t taken = heap() - before;
      const MemoryUse use = second.memory();
      EXPECT_LT(taken, use.activations + use.scratch + 4096) << path << ", batch " << batch;
      EXPECT_GT(taken, (use.activations + use.scratch) / 2) << path << ", batch " << batch;
    }
  }
}

TEST(EmbeddedLimits, AModelTakesNoMoreThanItTells) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers have a heap of their own";
#endif
  const auto resident = [] {
    std::size_t all = 0;
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> all >> pages;
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  };
  EXPECT_TRUE(in_child([&] {
    const Model small = Model::load(kModel);  // with it the library is begun with
    const std::size_t before = resident();
    const Model model = Model::load(kLargerModel);
    const std::size_t taken = resident() - before;
    const MemoryUse use = model.memory();
    const auto file = static_cast<std::size_t>(model.width(model.groups()).weight_bytes);
    std::fprintf(stderr, "loading takes %zu bytes, reckoned %zu, of them operations %zu\n", taken,
                 file + use.weights + use.operations, use.operations);
    return taken < file + use.weights + use.operations;
  }));
}

// From here on whoever opens a file ends the process. Whether the system can do that.
bool forbid_opening() {
  const auto kill_for = [](unsigned call) {
    return std::array<sock_filter, 2>{
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  };
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned call : {
#ifdef __NR_open
           unsigned{__NR_open}, unsigned{__NR_creat},
#endif
           unsigned{__NR_openat}, unsigned{__NR_openat2}}) {
    const auto rule = kill_for(call);
    program.insert(program.end(), rule.begin(), rule.end());
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(EmbeddedLimits, NoFileIsOpenedAfterLoading) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers open files of their own";
#endif
  if (!in_child(forbid_opening)) GTEST_SKIP() << "the system has no filter for calls";
  ASSERT_FALSE(in_child([] {
    forbid_opening();
    return ::open("/nowhere", O_RDONLY) < 0;
  }));
  EXPECT_TRUE(in_child([] {
    const Model model = Model::load(kModel);
    forbid_opening();
    const std::vector<float> image(model.image_elements(), 0.5F);
    for (const int batch : {1, 3}) {
      for (const int threads : {1, 2}) {
        Session session(model, {.max_batch = batch, .threads = threads});
        session.warm_up();
        session.run(image, 1);
        while (session.width() < model.groups()) session.refine();
        session.run_until(image, std::chrono::steady_clock::now() + std::chrono::seconds(5));
        Policy policy = Policy::at_width(model.groups());
        session.classify(image, policy);
        OperatingPoint point;
        point.threads = threads;
        point.latency_p50_us = point.latency_p95_us = point.latency_p99_us = 100;
        Controller controller({point}, {.max_latency_us = 1000});
        session.classify(image, controller);
        try {
          session.run({}, 1);
          return false;
        } catch (const Error&) {
        }
      }
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
      const auto check = [&](const char* call, const std::function<void()>& act) {
        const std::size_t bytes = stack_bytes(act) - nothing;
        EXPECT_LT(bytes, 64U << 10) << call << ", " << path << ", batch " << batch;
      };
      check("run", [&] { session.run(given, model.groups()); });
      check("refine", [&] {
        session.run(given, 1);
        session.refine();
      });
      check("run_until", [&] {
        session.run_until(given, std::chrono::steady_clock::now() + std::chrono::seconds(5));
      });
      check("classify by a policy", [&] {
        Policy policy = Policy::with_thresholds(
            {.values = std::vector<double>(static_cast<std::size_t>(model.groups()) - 1, 1)});
        session.classify(given.first(model.image_elements()), policy);
      });
      check("what is refused", [&] { EXPECT_THROW(session.run(given.first(1), 1), Error); });
    }
    const std::size_t making = stack_bytes([&] { Session(model, {.max_batch = 2}); });
    EXPECT_LT(making - nothing, 256U << 10) << path;
    const std::size_t loading = stack_bytes([&] { static_cast<void>(Model::load(path)); });
    EXPECT_LT(loading - nothing, 256U << 10) << path;
    std::printf("%s: of the stack, loading takes %zu bytes, making a session %zu\n", path.c_str(),
                loading - nothing, making - nothing);
  }
}

// Numbers with a comma, groups of digits and other words for true and false.
struct Comma : std::numpunct<char> {
  [[nodiscard]] char do_decimal_point() const override { return ','; }
  [[nodiscard]] char do_thousands_sep() const override { return '.'; }
  [[nodiscard]] std::string do_grouping() const override { return "\3"; }
  [[nodiscard]] std::string do_truename() const override { return "ja"; }
};

// The C library's German, made for this test: few systems have it.
void make_german(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::string command = "localedef --no-archive -i de_DE -f UTF-8 '" +
                              (folder / "de_DE.UTF-8").string() + "' > '" +
                              (folder / "said").string() + "' 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0)
      << command << " failed; Debian's package locales has what it reads";
  ::setenv("LOCPATH", folder.c_str(), 1);
}

TEST(EmbeddedLimits, NumbersAreReadAndWrittenAlikeInAnyLocale) {
  const auto folder = fresh_folder();
  const std::string shipped =
      std::string(BELLOWS_SOURCE_DIR) + "/models/mnist-vgg-growing.safetensors";
  const std::string config = std::string(BELLOWS_SOURCE_DIR) + "/configs/mnist/vgg-growing.toml";
  const internal::ProfileData data = internal::read_profile(kGolden + "tiny_profile.json");
  internal::write_profile(folder / "before.json", data);
  const std::string config_before = read_run_config(config).write().to_json();
  make_german(folder / "locales");
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Comma));
  ASSERT_NE(std::setlocale(LC_ALL, "de_DE.UTF-8"), nullptr);
  std::array<char, 8> half{};
  std::snprintf(half.data(), half.size(), "%.1f", 0.5);
  internal::write_profile(folder / "after.json", data);
  const internal::ProfileData again = internal::read_profile(folder / "before.json");
  const Model model = Model::load(shipped);
  Session session(model);
  session.run(std::vector<float>(model.image_elements(), 0.5F), 2);
  const std::string text = Policy::with_thresholds({.values = {0.25}}).text();
  ModelFile file = load_model(shipped);
  save_model(folder / "model", file.network, file.weights, file.info);
  const std::string config_after = read_run_config(config).write().to_json();
  const std::string said = refusal([&] { Policy::with_thresholds({.values = {1.5}}); });
  std::locale::global(before);
  std::setlocale(LC_ALL, "C");
  ::unsetenv("LOCPATH");
  EXPECT_STREQ(half.data(), "0,5");
  EXPECT_TRUE(read_file(folder / "before.json") == read_file(folder / "after.json"));
  EXPECT_EQ(again.points, data.points);
  EXPECT_THAT(text, HasSubstr("0.25"));
  EXPECT_THAT(said, HasSubstr("1.5"));
  EXPECT_TRUE(read_file(folder / "model") == read_file(shipped));
  EXPECT_EQ(config_after, config_before);
}

}  // namespace
}  // namespace bellows
