#include "training/data/catalogue.h"

#include <numeric>

#include "tests/data_fixtures.h"
#include "training/data/idx.h"

namespace bellows {
namespace {

const Finding& about(const std::vector<Finding>& findings, const std::string& subject) {
  for (const Finding& finding : findings) {
    if (finding.subject == subject) return finding;
  }
  static const Finding kNone;
  ADD_FAILURE() << "no finding about " << subject;
  return kNone;
}

TEST(Catalogue, KnowsTheFourPublicSetsAndTheirSizes) {
  const auto total = [](const std::vector<std::size_t>& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
  };
  EXPECT_EQ(total(catalogue_entry(DatasetFormat::kMnist).train_counts), 60000U);
  EXPECT_EQ(total(catalogue_entry(DatasetFormat::kMnist).test_counts), 10000U);
  EXPECT_EQ(total(catalogue_entry(DatasetFormat::kFashionMnist).train_counts), 60000U);
  EXPECT_EQ(total(catalogue_entry(DatasetFormat::kCifar10).train_counts), 50000U);
  EXPECT_EQ(total(catalogue_entry(DatasetFormat::kCifar10).test_counts), 10000U);
  EXPECT_EQ(total(catalogue_entry(DatasetFormat::kSvhn).train_counts), 73257U);
  EXPECT_EQ(total(catalogue_entry(DatasetFormat::kSvhn).test_counts), 26032U);
}

TEST(Catalogue, IsWellFormed) {
  EXPECT_EQ(catalogue().size(), 4U);
  for (const CatalogueEntry& entry : catalogue()) {
    EXPECT_TRUE(entry.base_url.ends_with('/')) << entry.title;
    EXPECT_EQ(entry.class_names.size(), 10U) << entry.title;
    EXPECT_FALSE(entry.citation.empty() || entry.licence.empty()) << entry.title;
    for (const CatalogueFile& file : entry.files) {
      EXPECT_GT(file.bytes, 0U) << file.name;
      EXPECT_EQ(file.sha256.find_first_not_of("0123456789abcdef"), std::string::npos) << file.name;
      EXPECT_EQ(file.sha256.size(), 64U) << file.name;
    }
    for (const CatalogueMember& member : entry.members) EXPECT_EQ(member.sha256.size(), 64U);
  }
}

TEST(Catalogue, HasNoEntryForFoldersAndDrawnDigits) {
  for (const DatasetFormat format : {DatasetFormat::kFolder, DatasetFormat::kDigits}) {
    expect_error(ErrorCode::kInvalidArgument, {std::string(format_name(format))},
                 [&] { (void)catalogue_entry(format); });
  }
}

TEST(VerifyDataset, TellsWhatDiffersIsMissingOrUnreadable) {
  const auto folder = fresh_folder();
  write_idx_images(folder / "train-images-idx3-ubyte", 2, 2, 2, Bytes(8));
  write_idx_labels(folder / "train-labels-idx1-ubyte", std::vector<std::int32_t>{3, 3});
  Bytes packed = read_file(write_packed(folder / "x", noise(500), Packing::kGzip));
  packed.pop_back();
  write_file(folder / "t10k-images-idx3-ubyte.gz", packed);
  const std::vector<Finding> findings = verify_dataset(DatasetFormat::kMnist, folder);
  using Kind = Finding::Kind;
  EXPECT_EQ(findings.size(), 6U);
  EXPECT_EQ(about(findings, "train-images-idx3-ubyte").kind, Kind::kDiffers);
  EXPECT_EQ(about(findings, "t10k-images-idx3-ubyte").kind, Kind::kUnreadable);
  EXPECT_EQ(about(findings, "t10k-labels-idx1-ubyte").kind, Kind::kMissing);
  const Finding& counts = about(findings, "train images");
  EXPECT_EQ(counts.kind, Kind::kDiffers);
  EXPECT_NE(counts.text.find("0 0 0 2 0"), std::string::npos) << counts.text;
  EXPECT_NE(counts.text.find("5923"), std::string::npos) << counts.text;
  EXPECT_EQ(about(findings, "test images").kind, Kind::kMissing);
}

TEST(VerifyDataset, LooksIntoTars) {
  const auto tar =
      write_tar(fresh_folder() / "cifar-10-binary.tar.gz",
                {{"cifar-10-batches-bin/test_batch.bin", Bytes(3073)}}, Packing::kGzip);
  for (const auto& path : {tar, tar.parent_path()}) {
    const std::vector<Finding> findings = verify_dataset(DatasetFormat::kCifar10, path);
    EXPECT_EQ(about(findings, "test_batch.bin").kind, Finding::Kind::kDiffers);
    EXPECT_EQ(about(findings, "data_batch_3.bin").kind, Finding::Kind::kMissing);
    EXPECT_EQ(about(findings, "test images").kind, Finding::Kind::kDiffers);
    EXPECT_EQ(about(findings, "train images").kind, Finding::Kind::kMissing);
  }
}

TEST(VerifyDataset, NamesAPathThatIsNotThere) {
  const auto path = fresh_folder() / "nowhere";
  expect_error(ErrorCode::kNotFound, {path.string()},
               [&] { (void)verify_dataset(DatasetFormat::kMnist, path); });
}

TEST(VerifyDataset, FindsTheRealMnistAsPublished) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  for (const Finding& finding : verify_dataset(DatasetFormat::kMnist, *root / "mnist")) {
    EXPECT_EQ(finding.kind, Finding::Kind::kAsPublished) << finding.text;
  }
}

TEST(VerifyDataset, TellsThatOnlyAPartOfSvhnIsThere) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  if (std::filesystem::exists(*root / "svhn" / "train_32x32.mat")) {
    GTEST_SKIP() << "the whole training file is there; this test is about its part";
  }
  const std::vector<Finding> findings = verify_dataset(DatasetFormat::kSvhn, *root / "svhn");
  EXPECT_EQ(about(findings, "train_32x32.mat").kind, Finding::Kind::kMissing);
  EXPECT_EQ(about(findings, "train images").kind, Finding::Kind::kDiffers);
  EXPECT_EQ(about(findings, "test images").kind, Finding::Kind::kMissing);
}

TEST(VerifyDataset, FindsACifarTestBatchByItsContent) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  const auto folder = fresh_folder();
  const std::string name = "test_batch.bin.xz";
  std::filesystem::create_symlink(*root / "cifar-10" / "cifar-10-batches-bin" / name,
                                  folder / name);
  const std::vector<Finding> findings = verify_dataset(DatasetFormat::kCifar10, folder);
  // Whether the batch is the original one to the byte depends on the copy; its counts do not.
  EXPECT_NE(about(findings, "test_batch.bin").kind, Finding::Kind::kMissing);
  EXPECT_EQ(about(findings, "test images").kind, Finding::Kind::kAsPublished);
  EXPECT_EQ(about(findings, "data_batch_1.bin").kind, Finding::Kind::kMissing);
}

}  // namespace
}  // namespace bellows
