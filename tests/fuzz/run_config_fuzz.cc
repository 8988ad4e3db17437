// Configurations in TOML: of runs, searches and devices.
#include "training/run_config.h"

#include "tests/fuzz/fuzz.h"
#include "training/device_config.h"
#include "training/search/search_config.h"
#include "training/toml_reader.h"

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  const std::string text(reinterpret_cast<const char*>(data), size);
  const fuzz::MemoryFile file({data, size});
  const fuzz::MemoryLimit limit(fuzz::bytes_as_values({data, size}));
  ConfigValue table;
  if (!fuzz::accepted([&] { table = parse_toml(text, "fuzz.toml"); })) return 0;
  fuzz::accepted([&] {
    const RunConfig run = read_run_config(table);
    // What is written into a model must be read again.
    static_cast<void>(Network::read(run.network.write()));
  });
  fuzz::accepted([&] { static_cast<void>(read_search_config(table)); });
  fuzz::accepted([&] { static_cast<void>(read_device_model(file.path())); });
  return 0;
}
