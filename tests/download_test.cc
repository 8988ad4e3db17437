#include "training/data/download.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iterator>
#include <map>
#include <stdexcept>
#include <thread>

#include "engine/sha256.h"
#include "tests/data_fixtures.h"

namespace bellows {
namespace {

// A web server on this machine, for one test: answers GET for the files it was given, one
// connection after the other.
class Server {
 public:
  explicit Server(std::map<std::string, Bytes> files)
      : files_(std::move(files)), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(socket_, 8) != 0 ||
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no local port to be had");
    }
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }
  // Announces so many bytes more than it sends.
  void cut_off_by(std::size_t bytes) { missing_ = bytes; }

 private:
  static void send_all(int connection, const char* data, std::size_t size) {
    while (size > 0) {
      const ssize_t sent = ::send(connection, data, size, MSG_NOSIGNAL);
      if (sent <= 0) return;
      data += sent;
      size -= static_cast<std::size_t>(sent);
    }
  }

  void serve() {
    for (;;) {
      const int connection = ::accept(socket_, nullptr, nullptr);
      if (connection < 0) return;
      std::string request;
      char piece[1024];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = ::recv(connection, piece, sizeof piece, 0);
        if (got <= 0) break;
        request.append(piece, static_cast<std::size_t>(got));
      }
      const std::string name = request.substr(5, request.find(' ', 5) - 5);  // behind "GET /"
      const auto file = files_.find(name);
      if (file == files_.end()) {
        const std::string answer = "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        send_all(connection, answer.data(), answer.size());
      } else {
        std::string head = "HTTP/1.0 200 OK\r\nContent-Length: ";
        head += std::to_string(file->second.size() + missing_);
        head += "\r\n\r\n";
        send_all(connection, head.data(), head.size());
        send_all(connection, reinterpret_cast<const char*>(file->second.data()),
                 file->second.size());
      }
      ::close(connection);
    }
  }

  std::map<std::string, Bytes> files_;
  int socket_;
  std::string url_;
  std::size_t missing_ = 0;
  std::thread thread_;
};

CatalogueFile described(const std::string& name, const Bytes& bytes) {
  return {name, bytes.size(), sha256_hex(bytes)};
}

std::size_t entries(const std::filesystem::path& folder) {
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
  Server server({{"one", one_}, {"two", two_}});
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
  Server server({{"one", noise(300000, 9)}});
  const CatalogueFile file = described("one", one_);
  expect_failure(ErrorCode::kCorruptData, {server.url() + "one", "SHA-256", file.sha256}, {file},
                 server.url());
  write_file(folder_ / "one", two_);
  expect_failure(ErrorCode::kCorruptData, {"SHA-256"}, {file}, server.url(), 1);
  EXPECT_EQ(read_file(folder_ / "one"), two_);
}

TEST_F(Download, RefusesFilesOfAnotherSize) {
  Server server({{"one", one_}, {"two", two_}});
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
  Server server({{"one", one_}});
  server.cut_off_by(5);
  expect_failure(ErrorCode::kIoError, {server.url() + "one"}, {described("one", one_)},
                 server.url());
}

TEST_F(Download, TellsTheServersRefusal) {
  Server server({{"one", one_}});
  expect_failure(ErrorCode::kIoError, {server.url() + "other", "404"}, {described("other", two_)},
                 server.url());
}

TEST_F(Download, TellsThatNobodyAnswers) {
  std::string url;
  {
    Server server({});
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
  Server server({{"one", one_}});
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
  Server server({{"train-images-idx3-ubyte.gz", two_}});
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
