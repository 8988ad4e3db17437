#include "engine/sysfs.h"

#include <bellows/error.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

#include "engine/folder_entries.h"

namespace bellows {
namespace {

std::size_t digits_at(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
  return end - begin;
}

// As people count: numbers within the names by their values.
bool before(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    const std::size_t a_digits = digits_at(a, i);
    const std::size_t b_digits = digits_at(b, j);
    if (a_digits > 0 && b_digits > 0) {
      if (a_digits != b_digits) return a_digits < b_digits;
      const int order = a.substr(i, a_digits).compare(b.substr(j, b_digits));
      if (order != 0) return order < 0;
      i += a_digits;
      j += b_digits;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
    }
  }
  return a.size() - i < b.size() - j;
}

}  // namespace

Sysfs::Answer Sysfs::read(const std::string& file) const {
  const int descriptor = ::open(path(file).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return {.problem = errno};
  std::array<char, 256> bytes{};  // no file of interest is longer
  ssize_t count = 0;
  do {
    count = ::read(descriptor, bytes.data(), bytes.size());
  } while (count < 0 && errno == EINTR);
  const int problem = errno;
  ::close(descriptor);
  if (count < 0) return {.problem = problem};
  const std::string_view text(bytes.data(), static_cast<std::size_t>(count));
  return {.text = std::string(text.substr(0, text.find('\n')))};
}

std::optional<std::string> Sysfs::text(const std::string& file) const {
  Answer answer = read(file);
  if (answer.problem != 0) return std::nullopt;
  return std::move(answer.text);
}

long long Sysfs::number(const std::string& file) const {
  const Answer answer = read(file);
  if (answer.problem != 0) {
    const bool missing = answer.problem == ENOENT || answer.problem == ENOTDIR;
    throw Error(
        missing ? ErrorCode::kNotFound : ErrorCode::kIoError,
        path(file) + ": cannot be read: " + std::generic_category().message(answer.problem));
  }
  long long value = 0;
  const char* end = answer.text.data() + answer.text.size();
  const auto [stop, error] = std::from_chars(answer.text.data(), end, value);
  if (error != std::errc() || stop != end) {
    throw Error(ErrorCode::kCorruptData,
                path(file) + ": holds '" + answer.text + "', which is no whole number");
  }
  return value;
}

std::vector<std::string> Sysfs::list(const std::string& folder) const {
  std::vector<std::string> names;
  for_each_entry(root_ / folder, [&names](int /*folder*/, const char* entry) {
    const std::string_view name = entry;
    if (name != "." && name != "..") names.emplace_back(name);
  });
  std::ranges::sort(names, before);
  return names;
}

}  // namespace bellows
