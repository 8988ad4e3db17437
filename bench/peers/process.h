// What only a fresh process shows: the memory of holding a network, the time to a first answer.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace bellows::peers {

/// Bytes of this process that are in physical memory.
[[nodiscard]] std::size_t resident_bytes();

/// Runs `arguments` (a program and what it is told) and returns what it prints, without the line
/// break at the end. Throws Error(kIoError) when it cannot be run or fails.
[[nodiscard]] std::string output_of(const std::vector<std::string>& arguments);

/// Seconds from starting `arguments` until its first byte of output has come; waits for its end.
/// Throws as `output_of`.
[[nodiscard]] double seconds_to_first_output(const std::vector<std::string>& arguments);

}  // namespace bellows::peers
