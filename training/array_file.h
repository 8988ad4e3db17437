// Named arrays of numbers with a text about them, in one checked file: what checkpoints and
// prediction tables are. A safetensors file, so that other tools can read it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace bellows {

struct NamedArray {
  std::string name;
  std::vector<float> values;
  std::vector<std::size_t> shape = {};  ///< product: values.size(); empty: one dimension
};

struct ArrayFile {
  std::string state;  ///< JSON
  std::vector<NamedArray> arrays;
};

/// What a file is, for its metadata and in messages.
struct ArrayFileKind {
  const char* format;  ///< metadata "format"
  const char* name;    ///< "checkpoint"
  const char* remedy;  ///< what to do with a damaged one
};

/// Atomically: whoever reads, also after a crash, finds the old file or the new one. Throws
/// Error(kIoError).
void save_array_file(const std::filesystem::path& path, const ArrayFileKind& kind,
                     const ArrayFile& file);

/// Throws Error: kNotFound, kIoError, kCorruptData (its checksum covers everything).
[[nodiscard]] ArrayFile load_array_file(const std::filesystem::path& path,
                                        const ArrayFileKind& kind);

}  // namespace bellows
