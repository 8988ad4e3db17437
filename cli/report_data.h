// What a report is made of, read from the files that the other verbs write.
#pragma once

#include <bellows/bellows.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/policy_data.h"
#include "training/search/search_log.h"

namespace bellows::cli {

/// What is read of a run's folder.
inline constexpr std::array kRunFiles = {"log.jsonl", "model.safetensors", "profile.json",
                                         "search.jsonl"};

/// Where something comes from, as rows of name and value.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// One width on one number of threads, as measured; what is not known is empty.
struct ProfileRow {
  int width = 1;
  int threads = 1;
  std::optional<double> validation_accuracy = {};  ///< 0..1
  std::optional<double> test_accuracy = {};        ///< 0..1
  std::optional<double> latency_p50_us = {};
  std::optional<double> latency_p95_us = {};
  std::optional<double> latency_p99_us = {};
  std::optional<double> energy_uj = {};
  std::optional<double> macs = {};
  std::optional<double> weight_bytes = {};
  std::optional<double> memory_bytes = {};  ///< weights, activations and scratch together
};

/// A profile: what `bellows profile` writes.
struct ReportedProfile {
  std::string path;
  std::string model;  ///< name of what was measured
  std::vector<std::string> group_sha256;
  std::string energy_source;
  Facts facts;
  std::vector<ProfileRow> rows;
};

/// A model file, by width.
struct ReportedModel {
  std::string path;
  std::string name;
  std::vector<std::string> group_sha256;
  Facts facts;
  std::vector<Width> widths;
};

/// What a width reached on some images.
struct Score {
  int width = 1;
  std::optional<double> accuracy = {};  ///< 0..1
  std::optional<double> loss = {};
};

/// One epoch of a training run.
struct LoggedEpoch {
  int first_group = 1;
  int last_group = 1;
  int epoch = 1;                        ///< of the step, from 1
  std::optional<double> loss = {};      ///< on augmented training images
  std::optional<double> accuracy = {};  ///< on augmented training images, 0..1
  std::vector<Score> validation;        ///< of the widths that were trained
};

/// The log of a training run, epochs in order; those that were done again stand here once.
struct TrainingLog {
  std::string path;
  std::string name;
  std::vector<LoggedEpoch> epochs;
  std::optional<double> seconds = {};  ///< the run's, once it is finished
  std::vector<Score> validation;       ///< by width, once the run is finished
  std::vector<Score> test;
  bool cut_off = false;  ///< the last line is not whole: whoever wrote it was stopped
};

/// One request that `bellows run` has answered.
struct ServedRequest {
  double time_s = 0;
  int width = 1;
  double latency_us = 0;
  std::optional<double> energy_uj = {};
  bool missed = false;
  bool feasible = true;
};

/// What was asked for from some time on.
struct ReportedTargets {
  double time_s = 0;
  std::string text;  ///< all of them
  std::optional<double> max_latency_us = {};
  std::optional<double> max_energy_uj = {};
};

/// The log of one stream of requests.
struct RunLog {
  std::string path;
  std::string name;
  Facts facts;
  std::vector<ReportedTargets> targets;  ///< by time; the first from the beginning
  std::vector<ServedRequest> requests;
  std::optional<double> end_s = {};
  std::optional<double> switches = {};
  std::optional<double> accuracy = {};  ///< 0..1, where the true classes are known
  bool cut_off = false;                 ///< as TrainingLog's
};

/// Policies: what `bellows tune` writes.
struct ReportedPolicies {
  std::string path;
  std::string name;  ///< of the model
  internal::PolicyData data;
  std::vector<std::string> texts;  ///< of each point, what it decides by
  Facts facts;
  std::string examples_png = {};  ///< images, a row for each width at which they stop; or empty
  std::string examples_of = {};   ///< the policy that stops them there
};

/// A search for architectures: what `bellows search` logs.
struct ReportedSearch {
  std::string path;
  std::string name;
  SearchRecord record;
  Facts facts = {};
};

/// Everything that was found, each kind in the order of the paths.
struct ReportData {
  std::vector<ReportedProfile> profiles;
  std::vector<ReportedModel> models;
  std::vector<ReportedPolicies> policies;
  std::vector<TrainingLog> trainings;
  std::vector<RunLog> runs;
  std::vector<ReportedSearch> searches;
};

/// Reads profiles, models, policies and logs of training, of runs and of searches, told apart by
/// their content; of a folder, `log.jsonl`, `model.safetensors`, `profile.json` and `search.jsonl`
/// in it, where they are there. Models are checked as `load_model` does. Keys that are not known
/// are passed over, and so is the last line of a log when it is not whole. Throws Error naming the
/// file, in logs also the line, and what is wrong: kNotFound, kIoError, kCorruptData, kUnsupported
/// (a newer format), kInvalidArgument (a file of another kind, a folder without any of these, a log
/// without anything).
[[nodiscard]] ReportData read_report_data(const std::vector<std::filesystem::path>& paths);

}  // namespace bellows::cli
