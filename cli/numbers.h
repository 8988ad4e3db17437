// Numbers as people read them, with their units.
#pragma once

#include <cstdint>
#include <string>

namespace bellows::cli {

/// "1,234,567"
std::string count_text(std::int64_t count);
/// 0.9831 becomes "98.31 %".
std::string percent_text(double share);
/// Three or four significant digits with a decimal prefix: "2.29 M", "96.1 k", "812".
std::string scaled_text(std::int64_t count);
/// "1.72 MB"; 1 kB = 1000 bytes.
std::string bytes_text(std::int64_t bytes);
/// With `digits` behind the point.
std::string fixed_text(double value, int digits);
/// "0:07", "12:34", "1:02:03".
std::string duration_text(double seconds);
/// This moment: "2026-11-21T13:00:00Z".
std::string utc_text();
/// "1.3e-06"
std::string scientific_text(double value);

}  // namespace bellows::cli
