// A server to download from in tests.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "tests/data_fixtures.h"

namespace bellows {

/// A web server on this machine, for one test: answers GET for the files it was given, one
/// connection after the other.
class WebServer {
 public:
  explicit WebServer(std::map<std::string, Bytes> files)
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
  ~WebServer() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }
  /// Announces so many bytes more than it sends.
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

}  // namespace bellows
