#include "training/data/archive_reader.h"

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

bool any_name(std::string_view) { return true; }

TEST(ArchiveReader, ReadsPlainGzipAndXzAlike) {
  const auto folder = fresh_folder();
  const Bytes content = noise(300000);
  for (const Packing packing : {Packing::kNone, Packing::kGzip, Packing::kXz}) {
    EXPECT_EQ(read_unpacked(write_packed(folder / "any-name", content, packing)), content);
  }
}

TEST(ArchiveReader, ReadsAnEmptyFileAsNoBytes) {
  EXPECT_TRUE(read_unpacked(write_file(fresh_folder() / "empty", {})).empty());
}

TEST(ArchiveReader, NamesAMissingFile) {
  const auto file = fresh_folder() / "absent.gz";
  expect_error(ErrorCode::kNotFound, {file.string()}, [&] { (void)read_unpacked(file); });
}

TEST(ArchiveReader, RefusesAFolder) {
  const auto folder = fresh_folder();
  expect_error(ErrorCode::kIoError, {folder.string(), "folder"},
               [&] { (void)read_unpacked(folder); });
}

TEST(ArchiveReader, RefusesEveryCutOffPackedFile) {
  const auto folder = fresh_folder();
  for (const Packing packing : {Packing::kGzip, Packing::kXz}) {
    const Bytes whole = read_file(write_packed(folder / "whole", noise(20000), packing));
    for (const std::size_t missing :
         {std::size_t{1}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 20}) {
      const Bytes part(whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(missing));
      const auto file = write_file(folder / "cut", part);
      expect_error(ErrorCode::kCorruptData, {file.string(), "data is cut off"},
                   [&] { (void)read_unpacked(file); });
    }
  }
}

TEST(ArchiveReader, NoticesAnyChangedByteInThePackedContent) {
  const auto folder = fresh_folder();
  for (const Packing packing : {Packing::kGzip, Packing::kXz}) {
    const Bytes whole = read_file(write_packed(folder / "whole", noise(2000), packing));
    for (std::size_t at = 32; at < whole.size(); at += 131) {
      Bytes changed = whole;
      changed[at] ^= 0x10;
      const auto file = write_file(folder / "changed", changed);
      expect_error(ErrorCode::kCorruptData, {file.string()}, [&] { (void)read_unpacked(file); });
    }
  }
}

TEST(ArchiveReader, RefusesXzGarbage) {
  Bytes bytes{0xfd, '7', 'z', 'X', 'Z', 0x00};
  const Bytes rubbish = noise(1000);
  bytes.insert(bytes.end(), rubbish.begin(), rubbish.end());
  const auto file = write_file(fresh_folder() / "garbage.xz", bytes);
  expect_error(ErrorCode::kCorruptData, {file.string()}, [&] { (void)read_unpacked(file); });
}

TEST(ArchiveReader, StopsAtTheStatedSize) {
  const auto folder = fresh_folder();
  const Bytes zeros(10 << 20);
  for (const Packing packing : {Packing::kNone, Packing::kGzip, Packing::kXz}) {
    const auto file = write_packed(folder / "bomb", zeros, packing);
    expect_error(ErrorCode::kCorruptData, {file.string(), "more than the 1000 bytes"},
                 [&] { (void)read_unpacked(file, 1000); });
    EXPECT_EQ(read_unpacked(file, zeros.size()).size(), zeros.size());
  }
}

TEST(ArchiveReader, ReadsTheWantedMembersOfATar) {
  const auto folder = fresh_folder();
  const Bytes first = noise(1000, 1);
  const Bytes second = noise(70000, 2);
  for (const Packing packing : {Packing::kNone, Packing::kGzip, Packing::kXz}) {
    const auto file = write_tar(
        folder / "set", {{"a/one", first}, {"a/other", noise(500)}, {"two", second}}, packing);
    const auto members =
        read_tar_members(file, [](std::string_view name) { return name != "a/other"; });
    ASSERT_EQ(members.size(), 2U);
    EXPECT_EQ(members[0].name, "a/one");
    EXPECT_EQ(members[0].bytes, first);
    EXPECT_EQ(members[1].name, "two");
    EXPECT_EQ(members[1].bytes, second);
  }
}

TEST(ArchiveReader, RefusesACutOffTar) {
  const auto folder = fresh_folder();
  for (const Packing packing : {Packing::kNone, Packing::kGzip, Packing::kXz}) {
    Bytes bytes = read_file(write_tar(folder / "whole", {{"one", noise(100000)}}, packing));
    bytes.resize(50000);
    const auto file = write_file(folder / "cut", bytes);
    expect_error(ErrorCode::kCorruptData, {file.string()},
                 [&] { (void)read_tar_members(file, any_name); });
  }
}

TEST(ArchiveReader, ComparesTheChecksumBehindAPackedTar) {
  const auto folder = fresh_folder();
  Bytes bytes = read_file(write_tar(folder / "whole", {{"one", noise(1000)}}, Packing::kGzip));
  bytes[bytes.size() - 6] ^= 1;  // in the CRC-32
  const auto file = write_file(folder / "changed", bytes);
  expect_error(ErrorCode::kCorruptData, {file.string(), "gzip"},
               [&] { (void)read_tar_members(file, any_name); });
}

TEST(ArchiveReader, RefusesAFileThatIsNoTar) {
  const auto file = write_file(fresh_folder() / "noise.tar", noise(5000));
  expect_error(ErrorCode::kCorruptData, {file.string()},
               [&] { (void)read_tar_members(file, any_name); });
}

TEST(ArchiveReader, BoundsTheMembersOfATar) {
  const auto file = write_tar(fresh_folder() / "set", {{"one", Bytes(5000)}}, Packing::kGzip);
  expect_error(ErrorCode::kCorruptData, {file.string(), "4999"},
               [&] { (void)read_tar_members(file, any_name, 4999); });
}

TEST(ArchiveReader, RefusesMembersThatTellOfMoreThanTheTarHas) {
  const auto file = write_sparse_tar(fresh_folder() / "set.tar", "one", std::size_t{10} << 20);
  EXPECT_LT(std::filesystem::file_size(file), 20000U);
  expect_error(ErrorCode::kCorruptData, {file.string(), "sparse"},
               [&] { (void)read_tar_members(file, any_name); });
}

TEST(ArchiveReader, RefusesTwoMembersOfOneName) {
  const auto file =
      write_tar(fresh_folder() / "set", {{"one", noise(10)}, {"one", noise(20)}}, Packing::kNone);
  expect_error(ErrorCode::kCorruptData, {file.string(), "two members 'one'"},
               [&] { (void)read_tar_members(file, any_name); });
}

TEST(ArchiveReader, UnpacksNothingBeyondWhatTheHeaderAnnounces) {
  const auto folder = fresh_folder();
  Bytes zeros(10 << 20);
  zeros[0] = 100;
  for (const Packing packing : {Packing::kNone, Packing::kGzip, Packing::kXz}) {
    const auto file = write_packed(folder / "bomb", zeros, packing);
    const auto announced = [](std::span<const std::uint8_t> header) {
      EXPECT_EQ(header.size(), 4U);
      return std::uint64_t{header[0]};
    };
    expect_error(ErrorCode::kCorruptData, {file.string(), "more than the 100 bytes"},
                 [&] { (void)read_unpacked(file, 4, announced); });
    const auto whole = [&](std::span<const std::uint8_t>) { return zeros.size(); };
    EXPECT_TRUE(read_unpacked(file, 4, whole) == zeros);
    // Less is for the caller to judge.
    const auto more = [&](std::span<const std::uint8_t>) { return zeros.size() + 1; };
    EXPECT_TRUE(read_unpacked(file, 4, more) == zeros);
    expect_error(ErrorCode::kCorruptData, {file.string(), "announces 1073741825 bytes"}, [&] {
      (void)read_unpacked(file, 4,
                          [](std::span<const std::uint8_t>) { return kDefaultMaxBytes + 1; });
    });
  }
  const auto shorter = write_file(folder / "short", {1, 2});
  std::size_t seen = 0;
  EXPECT_EQ(read_unpacked(shorter, 4,
                          [&](std::span<const std::uint8_t> header) {
                            seen = header.size();
                            return std::uint64_t{2};
                          }),
            (Bytes{1, 2}));
  EXPECT_EQ(seen, 2U);
}

TEST(ArchiveReader, FindsAFileUnderItsPackedNames) {
  const auto folder = fresh_folder();
  EXPECT_TRUE(find_packed(folder, "x").empty());
  write_file(folder / "x.xz", {});
  EXPECT_EQ(find_packed(folder, "x"), folder / "x.xz");
  write_file(folder / "x.gz", {});
  EXPECT_EQ(find_packed(folder, "x"), folder / "x.gz");
  write_file(folder / "x", {});
  EXPECT_EQ(find_packed(folder, "x"), folder / "x");
}

}  // namespace
}  // namespace bellows
