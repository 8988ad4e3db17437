#include "training/checkpoint.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <limits>

#include "tests/data_fixtures.h"
#include "training/data/random.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;
using Path = std::filesystem::path;

Checkpoint example() {
  Checkpoint checkpoint;
  CheckpointState& state = checkpoint.state;
  state.config = R"({"name":"a \"run\"","rate":0.1})";
  state.data = "digits, 40 images, 0123";
  state.base = "ab";
  state.threads = 2;
  state.first_group = 2;
  state.last_group = 3;
  state.epoch = 4;
  state.batch = 5;
  state.updates = 6;
  state.seconds = 0.1 + 0.2;
  state.epoch_loss = -1.0 / 3;
  state.epoch_correct = 17;
  state.validation = {0.25, 1.0 / 7};
  state.mean = {static_cast<double>(0.1307F)};
  state.stddev = {1e-300};
  checkpoint.arrays = {{"weights.group.2", {1.5F, -0.0F, std::numeric_limits<float>::denorm_min()}},
                       {"empty", {}},
                       {"optimiser.group.2.conv1.weight/momentum", {0.1F}}};
  return checkpoint;
}

std::string state_text(const CheckpointState& state) {
  FieldWriter writer;
  const_cast<CheckpointState&>(state).visit_fields(writer);
  return writer.value().to_json();
}

class CheckpointTest : public ::testing::Test {
 protected:
  Path folder_ = fresh_folder();
  Path path_ = folder_ / "checkpoint";

  Bytes saved() {
    save_checkpoint(path_, example());
    return read_file(path_);
  }
  void expect_corrupt(const Bytes& bytes) {
    // Some file systems flush a file that is written anew under its name; a new file is faster.
    std::filesystem::remove(path_);
    write_file(path_, bytes);
    expect_error(ErrorCode::kCorruptData, {path_},
                 [&] { static_cast<void>(load_checkpoint(path_)); });
  }
};

// A file with this header, of as many bytes as `length` claims, and this data.
Bytes file_of(const std::string& header, const Bytes& data = {}, std::uint64_t length = 0) {
  if (length == 0) length = header.size();
  Bytes bytes(sizeof length);
  std::memcpy(bytes.data(), &length, sizeof length);
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

TEST_F(CheckpointTest, GivesBackWhatWasSaved) {
  const Checkpoint before = example();
  save_checkpoint(path_, before);
  const Checkpoint after = load_checkpoint(path_);
  EXPECT_EQ(state_text(after.state), state_text(before.state));
  EXPECT_EQ(after.state.seconds, before.state.seconds);
  EXPECT_EQ(after.state.mean, before.state.mean);
  ASSERT_EQ(after.arrays.size(), before.arrays.size());
  for (std::size_t i = 0; i < after.arrays.size(); ++i) {
    const std::vector<float>& values = before.arrays[i].values;
    EXPECT_EQ(after.arrays[i].name, before.arrays[i].name);
    ASSERT_EQ(after.arrays[i].values.size(), values.size());
    for (std::size_t j = 0; j < values.size(); ++j) {
      EXPECT_EQ(std::signbit(after.arrays[i].values[j]), std::signbit(values[j]));
      EXPECT_EQ(after.arrays[i].values[j], values[j]);
    }
  }
  save_checkpoint(folder_ / "again", after);
  EXPECT_EQ(read_file(folder_ / "again"), read_file(path_));
}

TEST_F(CheckpointTest, FindsArraysByNameAndSize) {
  const Checkpoint checkpoint = example();
  EXPECT_EQ(checkpoint.array("weights.group.2", 3)[0], 1.5F);
  for (const auto& [name, size] : {std::pair{"weights.group.2", 4U}, std::pair{"other", 3U}}) {
    expect_error(ErrorCode::kCorruptData, {name, std::to_string(size)},
                 [&, n = name, s = size] { static_cast<void>(checkpoint.array(n, s)); });
  }
}

TEST_F(CheckpointTest, IsASafetensorsFile) {
  const Bytes bytes = saved();
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const std::string header(bytes.begin() + 8, bytes.begin() + 8 + static_cast<long>(length));
  EXPECT_EQ(length % 8, 0U);
  EXPECT_THAT(header, HasSubstr(R"("weights.group.2":{"dtype":"F32","shape":[3],)"
                                R"("data_offsets":[0,12]})"));
  EXPECT_EQ(bytes.size(), 8 + length + 4 * sizeof(float));
}

TEST_F(CheckpointTest, RefusesAFileCutAtAnyLengthByName) {
  const Bytes whole = saved();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    expect_corrupt(Bytes(whole.begin(), whole.begin() + static_cast<long>(length)));
    if (HasFailure()) FAIL() << "cut to " << length << " bytes";
  }
  Bytes longer = whole;
  longer.push_back(0);
  expect_corrupt(longer);
}

TEST_F(CheckpointTest, RefusesAFileWithAnyByteChangedByName) {
  const Bytes whole = saved();
  data::KeyedRandom random(1);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Bytes changed = whole;
    changed[i] ^= static_cast<std::uint8_t>(1U << random.below(8));
    expect_corrupt(changed);
    if (HasFailure()) FAIL() << "byte " << i;
  }
}

TEST_F(CheckpointTest, RefusesForgedHeadersWithoutTakingMemoryForThem) {
  const auto top = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t length : {top, top - 7, std::uint64_t{1} << 40U, std::uint64_t{3}}) {
    expect_corrupt(file_of("{}", {}, length));
  }
  const std::string metadata =
      R"("__metadata__":{"format":"bellows-checkpoint-1","state":"{}","sha256":"00"})";
  for (const std::string& header : std::vector<std::string>{
           "", "null", "3", "[]", "{}", R"({"__metadata__":3})", R"({"__metadata__":{}})",
           R"({"__metadata__":{"format":"bellows-checkpoint-2"}})",
           R"({"__metadata__":{"format":"bellows-checkpoint-1"}})", "{" + metadata + "}",
           "{" + metadata + R"(,"a":3})", "{" + metadata + R"(,"a":{"shape":[]}})",
           "{" + metadata + R"(,"a":{"shape":[1,1]}})", "{" + metadata + R"(,"a":{"shape":["1"]}})",
           "{" + metadata + R"(,"a":{"shape":[-1]}})",
           "{" + metadata + R"(,"a":{"shape":[9223372036854775807]}})",
           "{" + metadata + R"(,"a":{"shape":[4611686018427387905]}})",
           "{" + metadata + R"(,"a":{"shape":[1]},"b":{"shape":[1]}})", std::string(100000, '[')}) {
    SCOPED_TRACE(header.substr(0, 200));
    expect_corrupt(file_of(header.empty() ? " " : header, Bytes(4)));
  }
}

TEST_F(CheckpointTest, TellsAMissingFileFromOneThatIsNone) {
  expect_error(ErrorCode::kNotFound, {path_}, [&] { static_cast<void>(load_checkpoint(path_)); });
  std::filesystem::create_directories(path_);
  expect_error(ErrorCode::kIoError, {path_}, [&] { static_cast<void>(load_checkpoint(path_)); });
  const Path below = write_file(folder_ / "file", {}) / "checkpoint";
  expect_error(ErrorCode::kNotFound, {below}, [&] { static_cast<void>(load_checkpoint(below)); });
  expect_error(ErrorCode::kIoError, {below}, [&] { save_checkpoint(below, example()); });
}

TEST_F(CheckpointTest, KeepsTheOldOneWhenTheDiskIsFull) {
  const Bytes before = saved();
  // In a process of its own, since the limit holds for everything that the process writes.
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int result = 1;
    try {
      Checkpoint larger = example();
      larger.arrays.push_back({"more", std::vector<float>(100)});
      save_checkpoint(path_, larger);
    } catch (const Error& error) {
      const bool named = std::string(error.what()).find(path_.string()) != std::string::npos;
      result = error.code() == ErrorCode::kIoError && named ? 0 : 2;
    }
    ::_exit(result);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(read_file(path_), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace bellows
