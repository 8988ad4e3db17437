#include "engine/sysfs.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sysfs_trees.h"

namespace bellows {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ErrorCode code_of_reading(const Sysfs& sysfs, const std::string& file) {
  try {
    static_cast<void>(sysfs.number(file));
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(file));
    return error.code();
  }
  ADD_FAILURE() << file << " was read";
  return ErrorCode::kInvalidArgument;
}

TEST(Sysfs, ReadsOneLineWithoutItsEnd) {
  const SysfsTree tree;
  tree.write("name", "package-0");
  tree.write("energy_uj", -12);
  const Sysfs sysfs(tree.root());
  EXPECT_EQ(sysfs.text("name"), "package-0");
  EXPECT_EQ(sysfs.number("energy_uj"), -12);
}

TEST(Sysfs, TellsMissingClosedAndDamagedFilesApart) {
  const SysfsTree tree;
  tree.write("empty", "");
  tree.write("words", "12 apples");
  tree.write("huge", "99999999999999999999");
  tree.write("closed", 1);
  std::filesystem::create_directories(tree.root() / "folder");
  const ClosedSysfs sysfs(tree.root(), "closed");
  EXPECT_EQ(code_of_reading(sysfs, "none"), ErrorCode::kNotFound);
  EXPECT_EQ(code_of_reading(sysfs, "closed"), ErrorCode::kIoError);
  EXPECT_EQ(code_of_reading(sysfs, "folder"), ErrorCode::kIoError);
  EXPECT_EQ(code_of_reading(sysfs, "empty"), ErrorCode::kCorruptData);
  EXPECT_EQ(code_of_reading(sysfs, "words"), ErrorCode::kCorruptData);
  EXPECT_EQ(code_of_reading(sysfs, "huge"), ErrorCode::kCorruptData);
  EXPECT_FALSE(sysfs.text("none").has_value());
  EXPECT_FALSE(sysfs.text("closed").has_value());
}

TEST(Sysfs, ListsNamesInTheOrderOfTheirNumbers) {
  const SysfsTree tree;
  for (const char* name : {"hwmon10", "hwmon2", "hwmon1", "other"}) {
    tree.write(std::string("class/hwmon/") + name + "/name", "x");
  }
  const Sysfs sysfs(tree.root());
  EXPECT_THAT(sysfs.list("class/hwmon"), ElementsAre("hwmon1", "hwmon2", "hwmon10", "other"));
  EXPECT_THAT(sysfs.list("class/powercap"), IsEmpty());
}

}  // namespace
}  // namespace bellows
