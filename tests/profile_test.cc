#include <bellows/bellows.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "engine/model_state.h"
#include "engine/profile_data.h"
#include "tests/data_fixtures.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using internal::ProfileData;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const char* const kTiny = BELLOWS_SOURCE_DIR "/tests/golden/tiny.safetensors";

class ProfileTest : public ::testing::Test {
 protected:
  std::filesystem::path folder_ = fresh_folder();
  std::string path_ = folder_ / "profile.json";
  Model model_ = Model::load(kTiny);

  [[nodiscard]] ProfileData data() const {
    ProfileData data{.model_file = "tiny.safetensors",
                     .model_name = "tiny",
                     .group_sha256 = internal::state_of(model_)->group_sha256,
                     .device = this_device(),
                     .energy_source = "modelled: operations (some)",
                     .idle_power_w = 0.5,
                     .data_name = "digits",
                     .validation_images = 100,
                     .date = "2026-01-01T00:00:00Z",
                     .command = "bellows profile",
                     .bellows = version(),
                     .warm_up_runs = 16,
                     .outlier_rule = "none",
                     .rate = 12.5};
    for (int width = model_.groups(); width >= 1; --width) {
      for (const int threads : {1, 2}) {
        data.points.push_back({.width = width,
                               .threads = threads,
                               .validation_accuracy = 0.5 + 0.1 * width,
                               .latency_us = {.p50 = 10.0 * width / threads,
                                              .p95 = 11.0 * width,
                                              .p99 = 12.5 * width,
                                              .mean = 10.5 * width,
                                              .runs = 100},
                               .energy_uj = 3.0 * width,
                               .macs = std::int64_t{1} << 40});
      }
    }
    return data;
  }

  // What is said of the file after `from` in it was replaced by `to`.
  std::string refusal_after(const std::string& from, const std::string& to,
                            ErrorCode code = ErrorCode::kCorruptData) {
    internal::write_profile(path_, data());
    const Bytes bytes = read_file(path_);
    std::string text(bytes.begin(), bytes.end());
    const std::size_t place = text.find(from);
    EXPECT_NE(place, std::string::npos) << from << " in " << text;
    write_file(path_, bytes_of(text.replace(place, from.size(), to)));
    std::string message = refusal(code, [&] { Profile::load(path_); });
    EXPECT_THAT(message, StartsWith(path_));
    return message;
  }
};

// Made by `bellows profile tests/golden/tiny.safetensors --estimate --device small-accelerator`.
TEST_F(ProfileTest, ReadsAFileOfTheFirstVersion) {
  const Profile profile = Profile::load(BELLOWS_SOURCE_DIR "/tests/golden/tiny_profile.json");
  EXPECT_EQ(profile.device().processor, "estimate: small-accelerator");
  EXPECT_EQ(profile.energy_source(), "modelled: operations (small-accelerator)");
  const auto points = profile.points(model_);
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[1].width, 2);
  EXPECT_EQ(points[1].accuracy, 0.875);
  EXPECT_EQ(points[1].latency_p99_us, 0.00040625000000000004);
  EXPECT_EQ(points[1].energy_uj, 0.0005605599999999999);
}

TEST_F(ProfileTest, IsReadAsItWasWritten) {
  internal::write_profile(path_, data());
  ProfileData expected = data();
  expected.source = path_;
  EXPECT_EQ(internal::read_profile(path_), expected);
}

TEST_F(ProfileTest, GivesThePointsOfANumberOfThreadsNarrowestFirst) {
  internal::write_profile(path_, data());
  const Profile profile = Profile::load(path_);
  profile.check_device();
  EXPECT_EQ(profile.energy_source(), "modelled: operations (some)");
  const auto points = profile.points(model_, 2);
  ASSERT_EQ(points.size(), static_cast<std::size_t>(model_.groups()));
  for (int width = 1; width <= model_.groups(); ++width) {
    const OperatingPoint& point = points[static_cast<std::size_t>(width - 1)];
    EXPECT_EQ(point.width, width);
    EXPECT_EQ(point.threads, 2);
    EXPECT_DOUBLE_EQ(point.accuracy, 0.5 + 0.1 * width);
    EXPECT_DOUBLE_EQ(point.latency_p50_us, 5.0 * width);
    EXPECT_DOUBLE_EQ(point.latency_p99_us, 12.5 * width);
    EXPECT_DOUBLE_EQ(point.energy_uj, 3.0 * width);
  }
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, [&] { (void)profile.points(model_, 3); }),
              AllOf(HasSubstr(path_), HasSubstr("no points for 3 threads")));
}

TEST_F(ProfileTest, ServesTheFirstGroupsOfItsModelToo) {
  const Model narrow = Model::load(kTiny, {.groups = 1});
  const auto points = internal::make_profile(data()).points(narrow);
  ASSERT_EQ(points.size(), 1U);
  EXPECT_EQ(points.front().width, 1);
}

TEST_F(ProfileTest, OfAnotherModelIsRefused) {
  ProfileData other = data();
  other.group_sha256.back() = std::string(64, '0');
  EXPECT_THAT(
      refusal(ErrorCode::kInvalidArgument,
              [&] { (void)internal::make_profile(other).points(model_); }),
      AllOf(HasSubstr("another model"), HasSubstr("group " + std::to_string(model_.groups()))));
  ProfileData before = data();
  before.group_sha256.pop_back();
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument,
                      [&] { (void)internal::make_profile(before).points(model_); }),
              HasSubstr("make a new one"));
}

TEST_F(ProfileTest, OfAnotherDeviceIsRefusedNamingWhatDiffers) {
  const auto difference = [this](const std::function<void(Device&)>& change) {
    ProfileData other = data();
    change(other.device);
    return refusal(ErrorCode::kInvalidArgument,
                   [&] { internal::make_profile(other).check_device(); });
  };
  EXPECT_THAT(difference([](Device& device) { device.processor = "abacus"; }),
              AllOf(HasSubstr("its processor was \"abacus\""), HasSubstr("bellows profile")));
  EXPECT_THAT(difference([](Device& device) { device.isa = "fingers"; }), HasSubstr("fingers"));
  EXPECT_THAT(difference([](Device& device) { device.cores = 77; }), HasSubstr("\"77\""));
  EXPECT_THAT(difference([](Device& device) { device.onednn = "0.1"; }), HasSubstr("oneDNN"));
  // However long it is, an error stays a line that can be read.
  EXPECT_LT(difference([](Device& device) { device.processor = std::string(100'000, 'x'); }).size(),
            500);
}

TEST_F(ProfileTest, WithoutAnAccuracyGivesNoPoints) {
  ProfileData unknown = data();
  unknown.points.front().validation_accuracy.reset();
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument,
                      [&] { (void)internal::make_profile(unknown).points(model_); }),
              HasSubstr("does not know the accuracy of width"));
}

TEST_F(ProfileTest, RefusesWhatIsNoProfileByName) {
  write_file(path_, bytes_of("{\"points\": []}"));
  EXPECT_THAT(refusal(ErrorCode::kCorruptData, [&] { Profile::load(path_); }),
              AllOf(StartsWith(path_), HasSubstr("is no profile")));
  write_file(path_, bytes_of("not JSON"));
  EXPECT_THAT(refusal(ErrorCode::kCorruptData, [&] { Profile::load(path_); }), StartsWith(path_));
  EXPECT_THAT(refusal(ErrorCode::kNotFound, [&] { Profile::load(path_ + "x"); }),
              HasSubstr(path_ + "x"));
}

TEST_F(ProfileTest, RefusesValuesThatCannotBe) {
  EXPECT_THAT(
      refusal_after("\"format_version\":1", "\"format_version\":2", ErrorCode::kUnsupported),
      HasSubstr("format version 2"));
  EXPECT_THAT(refusal_after("\"width\":1", "\"width\":99"), HasSubstr("widths 1 to"));
  EXPECT_THAT(refusal_after("\"threads\":2", "\"threads\":1"), HasSubstr("stands twice"));
  EXPECT_THAT(refusal_after("\"p99\":", "\"p99\":0,\"p98\":"), HasSubstr("p9"));
  EXPECT_THAT(refusal_after("\"macs\":", "\"macs\":-"), HasSubstr("macs"));
  EXPECT_THAT(refusal_after("\"validation_accuracy\":", "\"validation_accuracy\":1"),
              HasSubstr("validation_accuracy"));
  EXPECT_THAT(refusal_after("\"points\":[", "\"point\":["), HasSubstr("points"));
}

TEST(ProcessorName, ComesFromTheSystem) {
  const std::filesystem::path root = fresh_folder();
  EXPECT_EQ(internal::processor_name(root), "unknown processor");
  std::filesystem::create_directories(root / "proc/device-tree");
  write_file(root / "proc/device-tree/model", bytes_of(std::string("A Board 4\0", 10)));
  write_file(root / "proc/cpuinfo", bytes_of("processor\t: 0\nCPU part\t: 0xd08\n"));
  EXPECT_EQ(internal::processor_name(root), "A Board 4");
  write_file(root / "proc/cpuinfo", bytes_of("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"));
  EXPECT_EQ(internal::processor_name(root), "Some CPU @ 2 GHz");
}

}  // namespace
}  // namespace bellows
