// Files that a report is made of, small enough to be checked by eye.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/data_fixtures.h"

namespace bellows {

/// Two widths, each on one thread and on two.
inline nlohmann::ordered_json profile_json(const std::string& name = "lenet") {
  using Json = nlohmann::ordered_json;
  const auto point = [](int width, int threads, double accuracy, double p50, double energy) {
    return Json{{"width", width},
                {"threads", threads},
                {"validation_accuracy", accuracy - 0.01},
                {"test_accuracy", accuracy},
                {"latency_us", {{"p50", p50}, {"p95", p50 + 1}, {"p99", p50 + 2}, {"runs", 2000}}},
                {"energy_uj", energy},
                {"macs", 670'000 * width},
                {"weight_bytes", 100'000 * width},
                {"activation_bytes", 50'000},
                {"memory", {{"weights", 1000}, {"activations", 200}, {"scratch", 30}}}};
  };
  return {{"format", "bellows profile"},
          {"format_version", 1},
          {"model",
           {{"file", "model.safetensors"},
            {"name", name},
            {"groups", 2},
            {"group_sha256", {"aa11", "bb22"}}}},
          {"device", {{"processor", "A processor"}, {"isa", "AVX2"}, {"cores", 2}}},
          {"energy",
           {{"source", "modelled: operations"}, {"idle_power_w", 0.1}, {"idle_subtracted", false}}},
          {"data", {{"name", "MNIST"}, {"validation_images", 6000}, {"test_images", 10000}}},
          {"measured", {{"date", "2026-11-21T13:00:00Z"}, {"command", "bellows profile"}}},
          {"points",
           {point(2, 1, 0.985, 45.5, 3.5), point(1, 1, 0.975, 22.5, 1.25),
            point(1, 2, 0.975, 19.5, 1.5), point(2, 2, 0.985, 33.5, 4.5)}}};
}

/// Two groups of two epochs each, finished.
inline std::string training_log() {
  return R"({"event":"begin","first_group":1,"last_group":1,"epoch":1,"batch":0,"threads":2}
{"event":"epoch","first_group":1,"last_group":1,"epoch":1,"loss":1.5,"accuracy":0.5,"validation":[{"width":1,"accuracy":0.6,"loss":1.25}]}
{"event":"epoch","first_group":1,"last_group":1,"epoch":2,"loss":1.0,"accuracy":0.7,"validation":[{"width":1,"accuracy":0.75,"loss":0.75}]}
{"event":"group","first_group":1,"last_group":1}
{"event":"begin","first_group":2,"last_group":2,"epoch":1,"batch":0,"threads":2}
{"event":"epoch","first_group":2,"last_group":2,"epoch":1,"loss":0.5,"accuracy":0.8,"validation":[{"width":2,"accuracy":0.85,"loss":0.5}]}
{"event":"epoch","first_group":2,"last_group":2,"epoch":2,"loss":0.25,"accuracy":0.9,"validation":[{"width":2,"accuracy":0.95,"loss":0.25}]}
{"event":"group","first_group":2,"last_group":2}
{"event":"finished","seconds":75.0,"validation":[{"width":1,"accuracy":0.75,"loss":0.75},{"width":2,"accuracy":0.95,"loss":0.25}],"test":[{"width":1,"accuracy":0.74,"loss":0.8},{"width":2,"accuracy":0.94,"loss":0.3}]}
)";
}

/// Four requests, one of them missed, and one change of the targets.
inline std::string run_log() {
  return R"({"event":"start","date":"2026-11-21T13:10:00Z","model":"model.safetensors","profile":"profile.json","targets":{"max_latency_us":300,"latency_percentile":99},"threads":1,"energy_source":"modelled: operations","widths":2}
{"event":"request","time_s":0.25,"index":0,"width":2,"latency_us":45.5,"energy_uj":3.5,"label":7,"confidence":0.98,"feasible":true,"missed":false}
{"event":"request","time_s":0.5,"index":1,"width":2,"latency_us":350.5,"energy_uj":3.5,"label":2,"confidence":0.9,"feasible":true,"missed":true}
{"event":"targets","time_s":0.75,"targets":{"max_energy_uj":2}}
{"event":"request","time_s":1,"index":2,"width":1,"latency_us":22.5,"energy_uj":1.25,"label":1,"confidence":0.7,"feasible":true,"missed":false}
{"event":"request","time_s":1.25,"index":3,"width":1,"latency_us":23.5,"energy_uj":null,"label":0,"confidence":0.8,"feasible":false,"missed":false}
{"event":"end","time_s":1.5,"requests":4,"missed":1,"switches":1,"mean_latency_us":110.5,"mean_energy_uj":2.75,"accuracy":0.75}
)";
}

inline std::filesystem::path write_text(const std::filesystem::path& file,
                                        const std::string& text) {
  return write_file(file, bytes_of(text));
}

}  // namespace bellows
