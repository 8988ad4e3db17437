#include "cli/numbers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace bellows::cli {
namespace {

std::string format(const char* pattern, int digits, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, digits, value);
  return text.data();
}

}  // namespace

std::string count_text(std::int64_t count) {
  std::string digits = std::to_string(count);
  const std::size_t first = count < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string fixed_text(double value, int digits) { return format("%.*f", digits, value); }

std::string percent_text(double share) { return fixed_text(100 * share, 2) + " %"; }

std::string scaled_text(std::int64_t count) {
  auto value = static_cast<double>(count);
  if (std::abs(value) < 1000) return std::to_string(count);
  constexpr std::array kPrefixes = {"k", "M", "G", "T", "P", "E"};
  std::size_t prefix = 0;
  value /= 1000;
  // 999.95 would be written as 1000.0.
  while (std::abs(value) >= 999.95 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  const int digits = std::abs(value) < 9.995 ? 2 : 1;
  return fixed_text(value, digits) + " " + kPrefixes[prefix];
}

std::string bytes_text(std::int64_t bytes) {
  const std::string text = scaled_text(bytes);
  return text.find(' ') == std::string::npos ? text + " B" : text + "B";
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  const auto whole = static_cast<std::int64_t>(std::lround(std::clamp(seconds, 0.0, 3.6e9)));
  const auto two = [](std::int64_t value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
  };
  const std::int64_t hours = whole / 3600;
  const std::int64_t minutes = whole / 60 % 60;
  return (hours > 0 ? std::to_string(hours) + ":" + two(minutes) : std::to_string(minutes)) + ":" +
         two(whole % 60);
}

std::string utc_text() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

std::string scientific_text(double value) { return format("%.*e", 1, value); }

}  // namespace bellows::cli
