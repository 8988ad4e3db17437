#include "training/data/cifar10.h"

#include "tests/data_fixtures.h"
#include "training/data/archive_reader.h"

namespace bellows {
namespace {

constexpr std::size_t kRecord = 3073;

// A batch file of `count` records labelled first, first + 1, ... modulo 10.
Bytes batch(int count, int first) {
  Bytes bytes = noise(static_cast<std::size_t>(count) * kRecord, static_cast<std::uint32_t>(first));
  for (int i = 0; i < count; ++i) {
    bytes[static_cast<std::size_t>(i) * kRecord] = static_cast<std::uint8_t>((first + i) % 10);
  }
  return bytes;
}

std::vector<std::pair<std::string, Bytes>> all_batches() {
  std::vector<std::pair<std::string, Bytes>> files;
  for (int n = 1; n <= 5; ++n)
    files.emplace_back("data_batch_" + std::to_string(n) + ".bin", batch(2, n));
  files.emplace_back("test_batch.bin", batch(3, 6));
  return files;
}

void expect_the_batches(const std::filesystem::path& path) {
  const Dataset train = load_cifar10(path, Split::kTrain);
  EXPECT_EQ(train.shape(), kCifar10Shape);
  EXPECT_EQ(std::vector<std::int32_t>(train.labels().begin(), train.labels().end()),
            (std::vector<std::int32_t>{1, 2, 2, 3, 3, 4, 4, 5, 5, 6}));
  const Bytes third = batch(2, 3);
  EXPECT_TRUE(std::equal(third.begin() + 1, third.begin() + kRecord, train.image(4).begin()));
  const Dataset test = load_cifar10(path, Split::kTest);
  EXPECT_EQ(test.size(), 3U);
  EXPECT_EQ(test.class_names()[0], "airplane");
  EXPECT_NE(test.provenance().find("test_batch.bin"), std::string::npos);
}

TEST(Cifar10Reader, ReadsAFolderOfBatches) {
  const auto folder = fresh_folder();
  for (const auto& [name, bytes] : all_batches()) write_file(folder / name, bytes);
  expect_the_batches(folder);
}

TEST(Cifar10Reader, ReadsPackedBatchesInTheUsualSubFolder) {
  const auto folder = fresh_folder();
  Packing packing = Packing::kGzip;
  for (const auto& [name, bytes] : all_batches()) {
    write_packed(
        folder / "cifar-10-batches-bin" / (name + (packing == Packing::kGzip ? ".gz" : ".xz")),
        bytes, packing);
    packing = packing == Packing::kGzip ? Packing::kXz : Packing::kGzip;
  }
  expect_the_batches(folder);
}

TEST(Cifar10Reader, ReadsTarsPackedOrNot) {
  const auto folder = fresh_folder();
  std::vector<std::pair<std::string, Bytes>> members;
  for (auto& [name, bytes] : all_batches())
    members.emplace_back("cifar-10-batches-bin/" + name, bytes);
  expect_the_batches(write_tar(folder / "plain.tar", members, Packing::kNone));
  expect_the_batches(write_tar(folder / "packed.tar.xz", members, Packing::kXz));
  write_tar(folder / "cifar-10-binary.tar.gz", members, Packing::kGzip);
  EXPECT_TRUE(looks_like_cifar10(folder));
  EXPECT_TRUE(looks_like_cifar10(folder / "plain.tar"));
  expect_the_batches(folder);
}

TEST(Cifar10Reader, TakesClassNamesFromTheFileBesideTheBatches) {
  const auto folder = fresh_folder();
  write_file(folder / "test_batch.bin", batch(1, 0));
  write_file(folder / "batches.meta.txt", bytes_of("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n"));
  EXPECT_EQ(load_cifar10(folder, Split::kTest).class_names()[9], "j");
  write_file(folder / "batches.meta.txt", Bytes(5000, 'a'));
  expect_error(ErrorCode::kCorruptData, {"batches.meta.txt", "5000 bytes"},
               [&] { (void)load_cifar10(folder, Split::kTest); });
  write_file(folder / "batches.meta.txt", bytes_of("a\nb\n"));
  expect_error(ErrorCode::kCorruptData, {"batches.meta.txt", "2 class names"},
               [&] { (void)load_cifar10(folder, Split::kTest); });
}

TEST(Cifar10Reader, NamesAMissingBatch) {
  const auto folder = fresh_folder();
  expect_error(ErrorCode::kNotFound, {(folder / "data_batch_1.bin").string()},
               [&] { (void)load_cifar10(folder, Split::kTrain); });
  write_file(folder / "data_batch_1.bin", batch(1, 0));
  expect_error(ErrorCode::kNotFound, {(folder / "data_batch_2.bin").string()},
               [&] { (void)load_cifar10(folder, Split::kTrain); });
  expect_error(ErrorCode::kNotFound, {"nowhere"},
               [&] { (void)load_cifar10(folder / "nowhere", Split::kTrain); });
}

TEST(Cifar10Reader, RefusesATarWithoutBatches) {
  const auto file = write_tar(fresh_folder() / "x.tar.gz", {{"readme", noise(10)}}, Packing::kGzip);
  expect_error(ErrorCode::kNotFound, {file.string(), "test_batch.bin"},
               [&] { (void)load_cifar10(file, Split::kTest); });
  EXPECT_FALSE(looks_like_cifar10(file));
}

TEST(Cifar10Reader, RefusesATarWithABatchInTwoFolders) {
  const auto file = write_tar(
      fresh_folder() / "x.tar",
      {{"a/test_batch.bin", batch(2, 0)}, {"b/test_batch.bin", batch(2, 0)}}, Packing::kNone);
  expect_error(ErrorCode::kCorruptData, {file.string(), "'test_batch.bin' in two folders"},
               [&] { (void)load_cifar10(file, Split::kTest); });
}

TEST(Cifar10Reader, RefusesBrokenRecordsAndEmptyFiles) {
  const auto folder = fresh_folder();
  const auto file = folder / "test_batch.bin";
  Bytes bytes = batch(2, 0);
  bytes.pop_back();
  for (const Bytes& content : {bytes, Bytes{}}) {
    write_file(file, content);
    expect_error(ErrorCode::kCorruptData, {file.string(), "no whole number of records"},
                 [&] { (void)load_cifar10(folder, Split::kTest); });
  }
}

TEST(Cifar10Reader, RefusesALabelOutOfRange) {
  const auto folder = fresh_folder();
  Bytes bytes = batch(3, 0);
  bytes[2 * kRecord] = 10;
  write_file(folder / "test_batch.bin", bytes);
  expect_error(ErrorCode::kCorruptData, {"test_batch.bin", "label 10 of record 2"},
               [&] { (void)load_cifar10(folder, Split::kTest); });
}

TEST(Cifar10Reader, ReadsBatchesOfDifferentSizesOfOnesOwn) {
  const auto folder = fresh_folder();
  for (int n = 1; n <= 5; ++n) {
    write_file(folder / ("data_batch_" + std::to_string(n) + ".bin"), batch(n, n));
  }
  EXPECT_EQ(load_cifar10(folder, Split::kTrain).size(), 15U);
}

// The first `count` records of a batch as published, packed or not.
Bytes published_beginning(const std::filesystem::path& folder, const std::string& name,
                          std::size_t count) {
  Bytes bytes(count * kRecord);
  archive* reader = archive_read_new();
  archive_read_support_filter_all(reader);
  archive_read_support_format_raw(reader);
  archive_entry* entry = nullptr;
  EXPECT_EQ(archive_read_open_filename(reader, find_packed(folder, name).c_str(), 1U << 16),
            ARCHIVE_OK);
  EXPECT_EQ(archive_read_next_header(reader, &entry), ARCHIVE_OK);
  EXPECT_EQ(archive_read_data(reader, bytes.data(), bytes.size()),
            static_cast<la_ssize_t>(bytes.size()));
  archive_read_free(reader);
  return bytes;
}

TEST(RealCifar10, IsRefusedWhenABatchWasCutBetweenRecords) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  const auto published = *root / "cifar-10" / "cifar-10-batches-bin";
  const auto folder = fresh_folder();
  const auto whole = write_file(folder / "data_batch_1.bin", Bytes(10000 * kRecord));
  for (int n = 2; n <= 5; ++n) {
    write_file(folder / ("data_batch_" + std::to_string(n) + ".bin"), batch(4, n));
  }
  EXPECT_EQ(load_cifar10(folder, Split::kTrain).size(), 10000U + 4 * 4) << "images of one's own";

  for (const auto& [name, split] :
       {std::pair("data_batch_4.bin", Split::kTrain), std::pair("test_batch.bin", Split::kTest)}) {
    const auto cut = write_file(folder / name, published_beginning(published, name, 9));
    expect_error(ErrorCode::kCorruptData, {cut.string(), "only 9 of", "cut off"},
                 [&, part = split] { (void)load_cifar10(folder, part); });
  }

  // Where no batch is whole, the few records of each were chosen.
  write_file(whole, batch(4, 1));
  EXPECT_EQ(load_cifar10(folder, Split::kTrain).size(), 4U * 4 + 9);
  EXPECT_EQ(load_cifar10(folder, Split::kTest).size(), 9U);
}

TEST(RealCifar10, HasThePublishedTestImages) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  const Dataset test = load_cifar10(*root / "cifar-10", Split::kTest);
  EXPECT_EQ(test.count_per_class(), std::vector<std::size_t>(10, 1000));
  EXPECT_EQ(test.class_names()[static_cast<std::size_t>(test.label(0))], "cat");
  EXPECT_EQ(test.class_names()[static_cast<std::size_t>(test.label(1))], "ship");
}

}  // namespace
}  // namespace bellows
