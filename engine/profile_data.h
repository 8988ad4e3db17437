// What a profile file holds, and reading and writing it.
#pragma once

#include <bellows/profile.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "layers/fields.h"

namespace bellows::internal {

/// Times of single runs, in microseconds.
struct LatencyFigures {
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
  double mean = 0;
  std::int64_t runs = 0;      ///< behind these figures
  std::int64_t outliers = 0;  ///< runs that were left out, by the profile's rule

  void visit_fields(FieldVisitor& visitor);
  bool operator==(const LatencyFigures&) const = default;
};

/// One width on one number of threads.
struct ProfilePoint {
  int width = 1;
  int threads = 1;
  std::optional<double> validation_accuracy = {};  ///< 0..1
  std::optional<double> test_accuracy = {};        ///< 0..1
  LatencyFigures latency_us = {};
  std::optional<double> energy_uj = {};  ///< of one image
  std::int64_t macs = 0;                 ///< of one image, groups below included
  std::int64_t weight_bytes = 0;         ///< in the model file
  std::int64_t activation_bytes = 0;     ///< written and read in one run
  std::int64_t memory_weights = 0;       ///< bytes, all widths of the model
  std::int64_t memory_activations = 0;   ///< bytes of the session
  std::int64_t memory_scratch = 0;       ///< bytes of the session

  void visit_fields(FieldVisitor& visitor);
  bool operator==(const ProfilePoint&) const = default;
};

struct ProfileData {
  std::string source = {};  ///< the file it was read from; not in the file

  std::string model_file = {};
  std::string model_name = {};
  std::vector<std::string> group_sha256 = {};  ///< of each group of the model
  Device device = {};
  std::string energy_source = {};  ///< empty: energy is not known
  std::optional<double> idle_power_w = {};
  bool idle_subtracted = false;
  std::string data_name = {};
  std::int64_t validation_images = 0;
  std::int64_t test_images = 0;
  std::string date = {};  ///< UTC, ISO 8601
  std::string command = {};
  std::string bellows = {};  ///< version
  int warm_up_runs = 0;
  std::string outlier_rule = {};
  double rate = 0;  ///< timed runs a second; 0: one after the other
  std::vector<ProfilePoint> points = {};

  void visit_fields(FieldVisitor& visitor);
  bool operator==(const ProfileData&) const = default;
};

/// Throws Error naming the file and what in it is wrong: kNotFound, kCorruptData, kUnsupported (a
/// newer format), kIoError.
[[nodiscard]] ProfileData read_profile(const std::filesystem::path& path);

/// Replaces an older file at once. Throws Error(kIoError).
void write_profile(const std::filesystem::path& path, ProfileData profile);

/// The processor's name as the system below `root` ("/") gives it; "unknown processor" where it
/// does not.
[[nodiscard]] std::string processor_name(const std::filesystem::path& root = "/");

/// A profile over data made in memory.
[[nodiscard]] Profile make_profile(ProfileData data);

}  // namespace bellows::internal
