#include "cli/report_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data_fixtures.h"
#include "tests/report_files.h"

namespace bellows::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

ReportData read(const std::filesystem::path& path) { return read_report_data({path}); }

ReportData read_text(const std::string& name, const std::string& text) {
  return read(write_text(fresh_folder() / name, text));
}

std::string without(std::string text, const std::string& part) {
  const std::size_t at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return text.erase(at, part.size());
}

std::string with(std::string text, const std::string& part, const std::string& other) {
  const std::size_t at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return text.replace(at, part.size(), other);
}

TEST(ReportData, HasEveryFigureOfAProfileByThreadsAndWidth) {
  const ReportData data = read_text("lenet.json", profile_json().dump(2));
  ASSERT_EQ(data.profiles.size(), 1U);
  const ReportedProfile& profile = data.profiles[0];
  EXPECT_EQ(profile.model, "lenet");
  EXPECT_EQ(profile.energy_source, "modelled: operations");
  EXPECT_THAT(profile.group_sha256, ElementsAre("aa11", "bb22"));
  ASSERT_EQ(profile.rows.size(), 4U);
  std::vector<std::pair<int, int>> order;
  for (const ProfileRow& row : profile.rows) order.emplace_back(row.threads, row.width);
  EXPECT_THAT(order, ElementsAre(Pair(1, 1), Pair(1, 2), Pair(2, 1), Pair(2, 2)));
  const ProfileRow& row = profile.rows[1];
  EXPECT_EQ(row.validation_accuracy, 0.975);
  EXPECT_EQ(row.test_accuracy, 0.985);
  EXPECT_EQ(row.latency_p50_us, 45.5);
  EXPECT_EQ(row.latency_p95_us, 46.5);
  EXPECT_EQ(row.latency_p99_us, 47.5);
  EXPECT_EQ(row.energy_uj, 3.5);
  EXPECT_EQ(row.macs, 1'340'000);
  EXPECT_EQ(row.weight_bytes, 200'000);
  EXPECT_EQ(row.memory_bytes, 1230);
  EXPECT_THAT(profile.facts, ::testing::IsSupersetOf({Pair("processor", "A processor"),
                                                      Pair("idle power", "0.1 W"),
                                                      Pair("SHA-256 by group", "aa11, bb22")}));
}

TEST(ReportData, TakesForUnknownWhatIsNullOrAbsent) {
  auto json = profile_json();
  json["points"] = {{{"width", 1},
                     {"threads", 1},
                     {"test_accuracy", nullptr},
                     {"latency_us", nullptr},
                     {"energy_uj", nullptr}}};
  json.erase("energy");
  const ReportData data = read_text("profile.json", json.dump());
  const ProfileRow& row = data.profiles.at(0).rows.at(0);
  EXPECT_EQ(row.test_accuracy, std::nullopt);
  EXPECT_EQ(row.validation_accuracy, std::nullopt);
  EXPECT_EQ(row.latency_p50_us, std::nullopt);
  EXPECT_EQ(row.energy_uj, std::nullopt);
  EXPECT_EQ(row.macs, std::nullopt);
  EXPECT_EQ(row.memory_bytes, std::nullopt);
  EXPECT_EQ(data.profiles[0].energy_source, "");
}

TEST(ReportData, HasTheEpochsAndTheEndOfATrainingRun) {
  const ReportData data = read_text("log.jsonl", training_log());
  ASSERT_EQ(data.trainings.size(), 1U);
  const TrainingLog& log = data.trainings[0];
  ASSERT_EQ(log.epochs.size(), 4U);
  EXPECT_EQ(log.epochs[2].first_group, 2);
  EXPECT_EQ(log.epochs[2].epoch, 1);
  EXPECT_EQ(log.epochs[2].loss, 0.5);
  EXPECT_EQ(log.epochs[2].accuracy, 0.8);
  ASSERT_EQ(log.epochs[2].validation.size(), 1U);
  EXPECT_EQ(log.epochs[2].validation[0].width, 2);
  EXPECT_EQ(log.epochs[2].validation[0].accuracy, 0.85);
  EXPECT_EQ(log.seconds, 75);
  ASSERT_EQ(log.test.size(), 2U);
  EXPECT_EQ(log.test[1].accuracy, 0.94);
  EXPECT_FALSE(log.cut_off);
}

TEST(ReportData, ForgetsTheEpochsThatAResumedRunHasDoneAgain) {
  const std::string log =
      R"({"event":"begin","first_group":1,"last_group":1,"epoch":1}
{"event":"epoch","first_group":1,"last_group":1,"epoch":1,"loss":3,"validation":[]}
{"event":"epoch","first_group":1,"last_group":1,"epoch":2,"loss":2,"validation":[]}
{"event":"begin","first_group":1,"last_group":1,"epoch":2}
{"event":"epoch","first_group":1,"last_group":1,"epoch":2,"loss":1,"validation":[]}
)";
  const ReportData data = read_text("log.jsonl", log);
  std::vector<std::pair<int, double>> losses;
  for (const LoggedEpoch& epoch : data.trainings.at(0).epochs) {
    losses.emplace_back(epoch.epoch, epoch.loss.value_or(0));
  }
  EXPECT_THAT(losses, ElementsAre(Pair(1, 3), Pair(2, 1)));
}

TEST(ReportData, HasTheRequestsAndTargetsOfARun) {
  const ReportData data = read_text("stream.jsonl", run_log());
  ASSERT_EQ(data.runs.size(), 1U);
  const RunLog& log = data.runs[0];
  EXPECT_EQ(log.name, "stream");
  ASSERT_EQ(log.requests.size(), 4U);
  EXPECT_EQ(log.requests[1].latency_us, 350.5);
  EXPECT_TRUE(log.requests[1].missed);
  EXPECT_EQ(log.requests[2].width, 1);
  EXPECT_EQ(log.requests[2].energy_uj, 1.25);
  EXPECT_EQ(log.requests[3].energy_uj, std::nullopt);
  EXPECT_FALSE(log.requests[3].feasible);
  ASSERT_EQ(log.targets.size(), 2U);
  EXPECT_EQ(log.targets[0].text, "max_latency_us 300, latency_percentile 99");
  EXPECT_EQ(log.targets[0].max_latency_us, 300);
  EXPECT_EQ(log.targets[1].time_s, 0.75);
  EXPECT_EQ(log.targets[1].max_latency_us, std::nullopt);
  EXPECT_EQ(log.targets[1].max_energy_uj, 2);
  EXPECT_EQ(log.end_s, 1.5);
  EXPECT_EQ(log.accuracy, 0.75);
}

TEST(ReportData, KeepsTheRunsApartThatOneLogHolds) {
  const ReportData data = read_text("stream.jsonl", run_log() + run_log());
  ASSERT_EQ(data.runs.size(), 2U);
  EXPECT_EQ(data.runs[1].requests.size(), 4U);
}

TEST(ReportData, LeavesOutALastLineThatIsNotWhole) {
  const std::filesystem::path folder = fresh_folder();
  const std::string half = R"({"event":"request","time_s":2,"wid)";
  const RunLog run = read(write_text(folder / "a.jsonl", run_log() + half)).runs.at(0);
  EXPECT_EQ(run.requests.size(), 4U);
  EXPECT_TRUE(run.cut_off);
  const ReportData training = read(write_text(folder / "b.jsonl", training_log() + R"({"event")"));
  EXPECT_EQ(training.trainings.at(0).epochs.size(), 4U);
  EXPECT_TRUE(training.trainings[0].cut_off);
}

TEST(ReportData, NamesTheLineOfALogThatIsDamaged) {
  const std::filesystem::path folder = fresh_folder();
  const auto refused = [&](const std::string& text, std::initializer_list<std::string> parts) {
    const auto path = write_text(folder / "a.jsonl", text);
    expect_error(ErrorCode::kCorruptData, parts, [&] { (void)read(path); });
  };
  refused(with(run_log(), R"({"event":"targets")", R"({"event":"tar)"), {"a.jsonl:4", "no JSON"});
  refused(run_log() + "{]\n", {"a.jsonl:8", "no JSON"});
  refused(with(run_log(), R"("latency_us":45.5)", R"("latency_us":"fast")"),
          {"a.jsonl:2", "'latency_us'", "a number"});
  refused(without(run_log(), R"("latency_us":45.5,)"), {"a.jsonl:2", "'latency_us' is missing"});
  refused(with(run_log(), R"("width":1)", R"("width":0.5)"), {"a.jsonl:5", "'width'"});
  refused(with(run_log(), R"("width":1)", R"("width":1e300)"), {"a.jsonl:5", "'width'"});
  refused(with(run_log(), R"("latency_us":45.5)", R"("latency_us":1e999)"), {"a.jsonl:2"});
  refused(with(training_log(), R"("accuracy":0.85)", R"("accuracy":85)"),
          {"a.jsonl:6", "'validation' 1", "'accuracy'", "from 0 to 1"});
}

TEST(ReportData, NamesWhatIsWrongWithAProfile) {
  const std::filesystem::path folder = fresh_folder();
  const auto refused = [&](ErrorCode code, const std::string& text,
                           std::initializer_list<std::string> parts) {
    const auto path = write_text(folder / "a.json", text);
    expect_error(code, parts, [&] { (void)read(path); });
  };
  auto json = profile_json();
  json["format_version"] = 2;
  refused(ErrorCode::kUnsupported, json.dump(), {"a.json", "version 2", "newer"});
  json = profile_json();
  json["points"] = nlohmann::ordered_json::array();
  refused(ErrorCode::kCorruptData, json.dump(), {"a.json", "'points'"});
  json = profile_json();
  json["points"][2]["threads"] = "two";
  refused(ErrorCode::kCorruptData, json.dump(), {"a.json", "'points' 3", "'threads'"});
  json = profile_json();
  json["points"][1] = 7;
  refused(ErrorCode::kCorruptData, json.dump(), {"a.json", "'points' 2", "no JSON object"});
  refused(ErrorCode::kCorruptData, with(profile_json().dump(1), "\"width\"", "width"),
          {"a.json:", "no JSON from here on"});
}

TEST(ReportData, RefusesFilesOfOtherKindsByName) {
  const std::filesystem::path folder = fresh_folder();
  const auto refused = [&](const std::string& name, const std::string& text,
                           const std::string& part) {
    const auto path = write_text(folder / name, text);
    expect_error(ErrorCode::kInvalidArgument, {name, part}, [&] { (void)read(path); });
  };
  refused("empty.jsonl", "", "is empty");
  refused("blank.json", " \n\n", "is empty");
  refused("run.toml", "name = \"tiny\"\n", "neither a profile");
  refused("image.png", "\x89PNG\r\n\x1a\n....", "neither a profile");
  refused("other.json", "{\"benchmarks\": []}", "neither a profile");
  refused("other.jsonl", "{\"event\":\"boot\"}\n{\"event\":\"halt\"}\n", "\"boot\"");
  std::filesystem::create_directories(folder / "nothing");
  expect_error(ErrorCode::kInvalidArgument, {"nothing", "log.jsonl"},
               [&] { (void)read(folder / "nothing"); });
  expect_error(ErrorCode::kNotFound, {"missing.json"},
               [&] { (void)read(folder / "missing.json"); });
  write_text(folder / "half.safetensors", "abc");
  expect_error(ErrorCode::kCorruptData, {"half.safetensors"},
               [&] { (void)read(folder / "half.safetensors"); });
}

TEST(ReportData, TakesOfAFolderWhatARunLeavesThere) {
  const std::filesystem::path folder = fresh_folder() / "mnist-lenet";
  write_text(folder / "log.jsonl", training_log());
  write_text(folder / "profile.json", profile_json().dump());
  write_text(folder / "notes.txt", "not of ours");
  std::filesystem::copy_file(
      std::filesystem::path(BELLOWS_SOURCE_DIR) / "tests/golden/tiny.safetensors",
      folder / "model.safetensors");
  const ReportData data = read(folder);
  ASSERT_EQ(data.trainings.size(), 1U);
  EXPECT_EQ(data.trainings[0].name, "mnist-lenet");
  EXPECT_EQ(data.profiles.size(), 1U);
  ASSERT_EQ(data.models.size(), 1U);
  EXPECT_EQ(data.models[0].name, "mnist-lenet");
  ASSERT_EQ(data.models[0].widths.size(), 2U);
  EXPECT_EQ(data.models[0].widths[1].validation_accuracy, 0.875);
  EXPECT_EQ(data.models[0].group_sha256.at(0).substr(0, 8), "71afb910");
}

}  // namespace
}  // namespace bellows::cli
