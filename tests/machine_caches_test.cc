#include "engine/machine_caches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sysfs_trees.h"

namespace bellows {
namespace {

using ::testing::IsEmpty;

void write_cache(const SysfsTree& tree, int index, const std::string& level,
                 const std::string& type, const std::string& size) {
  const std::string folder = "devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
  tree.write(folder + "level", level);
  tree.write(folder + "type", type);
  tree.write(folder + "size", size);
}

TEST(MachineCaches, AreThoseForDataSmallestFirst) {
  const SysfsTree tree;
  write_cache(tree, 3, "3", "Unified", "36M");
  write_cache(tree, 0, "1", "Data", "48K");
  write_cache(tree, 1, "1", "Instruction", "32K");
  write_cache(tree, 2, "2", "Unified", "2048K");
  tree.write("devices/system/cpu/cpu0/cache/uevent", "");
  const auto caches = machine_caches(Sysfs(tree.root()));
  ASSERT_EQ(caches.size(), 3U);
  EXPECT_EQ(caches[0].name, "L1");
  EXPECT_EQ(caches[0].size_bytes, 48 * 1024);
  EXPECT_EQ(caches[1].name, "L2");
  EXPECT_EQ(caches[1].size_bytes, 2048 * 1024);
  EXPECT_EQ(caches[2].name, "L3");
  EXPECT_EQ(caches[2].size_bytes, 36 * 1024 * 1024);
}

TEST(MachineCaches, LeavesOutWhatSaysNothingSensible) {
  const SysfsTree tree;
  write_cache(tree, 0, "1", "Data", "much");
  write_cache(tree, 1, "2", "Unified", "-4K");
  write_cache(tree, 2, "3", "Unified", "4 GB");
  EXPECT_THAT(machine_caches(Sysfs(tree.root())), IsEmpty());
  EXPECT_THAT(machine_caches(Sysfs(tree.root() / "nothing")), IsEmpty());
}

TEST(MachineCaches, TheSmallestWithRoomIsTakenAndMemoryBehindThem) {
  const std::vector<Cache> caches = {{"L1", 100}, {"L2", 1000}};
  EXPECT_EQ(smallest_with_room(caches, 100), "L1");
  EXPECT_EQ(smallest_with_room(caches, 101), "L2");
  EXPECT_EQ(smallest_with_room(caches, 1001), "memory");
  EXPECT_EQ(smallest_with_room({}, 1), "memory");
}

}  // namespace
}  // namespace bellows
