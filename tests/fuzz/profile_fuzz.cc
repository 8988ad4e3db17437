// Profiles in JSON.
#include <bellows/bellows.h>

#include "engine/profile_data.h"
#include "tests/fuzz/fuzz.h"

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  static const Model kModel = Model::load(BELLOWS_SOURCE_DIR "/tests/golden/tiny.safetensors");
  const fuzz::MemoryFile file({data, size});
  const fuzz::MemoryLimit limit(fuzz::bytes_as_values({data, size}));
  fuzz::accepted([&] {
    const Profile profile = Profile::load(file.path());
    fuzz::accepted([&] { profile.check_device(); });
    fuzz::accepted([&] {
      Controller controller(profile.points(kModel), {.max_latency_us = 100, .min_accuracy = 0.5});
      const Decision decision = controller.decide(0);
      controller.observe({.point = decision.point, .latency_us = 10, .now_s = 1});
    });
  });
  return 0;
}
