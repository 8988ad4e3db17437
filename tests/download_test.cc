#include "training/data/download.h"

#include <iterator>

#include "engine/sha256.h"
#include "tests/data_fixtures.h"
#include "tests/web_server.h"

namespace bellows {
namespace {

CatalogueFile described(const std::string& name, const Bytes& bytes) {
  return {name, bytes.size(), sha256_hex(bytes)};
}

// A folder that was made for nothing is taken away again.
std::size_t entries(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder)) return 0;
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

class Download : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("no_proxy", "127.0.0.1", 1);
    folder_ = fresh_folder() / "sets" / "new";
  }
  // Expects a failure that leaves nothing in the folder but `left` entries.
  void expect_failure(ErrorCode code, std::initializer_list<std::string> parts,
                      const std::vector<CatalogueFile>& files, const std::string& url,
                      std::size_t left = 0) {
    expect_error(code, parts, [&] { (void)download_files(files, url, folder_); });
    EXPECT_EQ(entries(folder_), left);
  }
  std::filesystem::path folder_;
  const Bytes one_ = noise(300000, 1);
  const Bytes two_ = noise(10, 2);
};

TEST_F(Download, FetchesFilesAndKeepsThoseThatAreRight) {
  WebServer server({{"one", one_}, {"two", two_}});
  const std::vector<CatalogueFile> files{described("one", one_), described("two", two_)};
  EXPECT_EQ(download_files(files, server.url(), folder_), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(read_file(folder_ / "one"), one_);
  EXPECT_EQ(read_file(folder_ / "two"), two_);
  EXPECT_EQ(entries(folder_), 2U) << "no temporary file stays";
  EXPECT_TRUE(download_files(files, server.url(), folder_).empty());
  write_file(folder_ / "two", noise(10, 3));
  EXPECT_EQ(download_files(files, server.url(), folder_), std::vector<std::string>{"two"});
  EXPECT_EQ(read_file(folder_ / "two"), two_);
}

TEST_F(Download, RefusesAWrongChecksumAndKeepsTheOldFile) {
  WebServer server({{"one", noise(300000, 9)}});
  const CatalogueFile file = described("one", one_);
  expect_failure(ErrorCode::kCorruptData, {server.url() + "one", "SHA-256", file.sha256}, {file},
                 server.url());
  write_file(folder_ / "one", two_);
  expect_failure(ErrorCode::kCorruptData, {"SHA-256"}, {file}, server.url(), 1);
  EXPECT_EQ(read_file(folder_ / "one"), two_);
}

TEST_F(Download, RefusesFilesOfAnotherSize) {
  WebServer server({{"one", one_}, {"two", two_}});
  CatalogueFile file = described("one", one_);
  file.bytes -= 1;
  expect_failure(ErrorCode::kCorruptData, {"one", "more than the published 299999 bytes"}, {file},
                 server.url());
  file = described("two", two_);
  file.bytes = 11;
  expect_failure(ErrorCode::kCorruptData, {"two", "has 10 bytes, published are 11"}, {file},
                 server.url());
}

TEST_F(Download, NoticesAConnectionThatBreaks) {
  WebServer server({{"one", one_}});
  server.cut_off_by(5);
  expect_failure(ErrorCode::kIoError, {server.url() + "one"}, {described("one", one_)},
                 server.url());
}

TEST_F(Download, TellsTheServersRefusal) {
  WebServer server({{"one", one_}});
  expect_failure(ErrorCode::kIoError, {server.url() + "other", "404"}, {described("other", two_)},
                 server.url());
}

TEST_F(Download, TellsThatNobodyAnswers) {
  std::string url;
  {
    WebServer server({});
    url = server.url();  // a port that was free a moment ago
  }
  expect_failure(ErrorCode::kIoError, {url + "one"}, {described("one", one_)}, url);
}

TEST_F(Download, SpeaksHttpOnly) {
  const auto source = write_file(fresh_folder() / "one", one_);
  expect_error(ErrorCode::kIoError, {"file://"}, [&] {
    (void)download_files({described("one", one_)}, "file://" + source.parent_path().string(),
                         folder_);
  });
}

TEST_F(Download, TellsProgressAndStopsWhenAsked) {
  WebServer server({{"one", one_}});
  DownloadOptions options;
  options.base_url = server.url();
  std::uint64_t last = 0;
  options.progress = [&](const std::string& file, std::uint64_t received, std::uint64_t total) {
    EXPECT_EQ(file, "one");
    EXPECT_EQ(total, 300000U);
    EXPECT_GE(received, last);
    last = received;
    return true;
  };
  (void)download_files({described("one", one_)}, "http://unused.invalid/", folder_, options);
  EXPECT_EQ(last, 300000U);
  std::filesystem::remove(folder_ / "one");
  options.progress = [](const std::string&, std::uint64_t, std::uint64_t) { return false; };
  expect_error(ErrorCode::kIoError, {"stopped"},
               [&] { (void)download_files({described("one", one_)}, "", folder_, options); });
  EXPECT_EQ(entries(folder_), 0U);
}

TEST_F(Download, TakesAMirrorForADataSetOfTheCatalogue) {
  WebServer server({{"train-images-idx3-ubyte.gz", two_}});
  DownloadOptions options;
  options.base_url = server.url();
  expect_error(ErrorCode::kCorruptData, {server.url() + "train-images-idx3-ubyte.gz"},
               [&] { (void)download_dataset(DatasetFormat::kMnist, folder_, options); });
}

TEST_F(Download, NamesAFolderThatCannotBeMade) {
  const auto file = write_file(fresh_folder() / "file", {});
  expect_error(ErrorCode::kIoError, {(file / "sub").string()},
               [&] { (void)download_files({}, "http://unused.invalid/", file / "sub"); });
}

}  // namespace
}  // namespace bellows
