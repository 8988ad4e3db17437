#include "engine/input_file.h"

#include <sys/stat.h>

#include <array>

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

class InputFileTest : public ::testing::Test {
 protected:
  std::filesystem::path folder_ = fresh_folder();
  std::filesystem::path path_ = write_file(folder_ / "file", bytes_of("0123456789"));
};

TEST_F(InputFileTest, ReadsAnyPartByItsPosition) {
  const InputFile file(path_);
  EXPECT_EQ(file.name(), path_.string());
  EXPECT_EQ(file.size(), 10U);
  for (const std::uint64_t offset : {6U, 0U, 3U}) {
    std::array<std::uint8_t, 4> part{};
    file.read(offset, part);
    EXPECT_EQ(std::string(part.begin(), part.end()), std::string("0123456789").substr(offset, 4));
  }
}

TEST_F(InputFileTest, StaysWithTheContentThatItOpened) {
  const InputFile file(path_);
  std::filesystem::rename(write_file(folder_ / "other", bytes_of("other")), path_);
  std::array<std::uint8_t, 10> all{};
  file.read(0, all);
  EXPECT_EQ(std::string(all.begin(), all.end()), "0123456789");
}

TEST_F(InputFileTest, SaysWhenTheFileEndsTooEarly) {
  const InputFile file(path_);
  std::filesystem::resize_file(path_, 5);
  std::array<std::uint8_t, 10> all{};
  expect_error(ErrorCode::kCorruptData, {path_, "became shorter"}, [&] { file.read(0, all); });
}

TEST_F(InputFileTest, RefusesWhatIsNoFileByName) {
  expect_error(ErrorCode::kNotFound, {"missing", "No such file"},
               [&] { InputFile(folder_ / "missing"); });
  expect_error(ErrorCode::kNotFound, {"below", "Not a directory"},
               [&] { InputFile(path_ / "below"); });
  expect_error(ErrorCode::kNotFound, {"an empty name"}, [] { InputFile(""); });
  expect_error(ErrorCode::kIoError, {folder_, "not a regular file"}, [&] { InputFile{folder_}; });
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  expect_error(ErrorCode::kIoError, {"pipe", "not a regular file"},
               [&] { InputFile(folder_ / "pipe"); });
}

}  // namespace
}  // namespace bellows
