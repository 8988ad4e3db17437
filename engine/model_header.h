// What stands before the tensors of a model file and of a growth file: text and what it means.
// docs/model_format.md has every byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/atomic_file.h"
#include "engine/input_file.h"
#include "engine/model_info.h"
#include "engine/network.h"
#include "engine/signature.h"

namespace bellows {

/// One group of a file.
struct GroupFacts {
  std::string sha256;      ///< of its bytes in file order, as the file claims; checked when loaded
  std::int64_t bytes = 0;  ///< of its tensors
};

/// The header of a model file.
struct ModelHeader {
  std::string text;  ///< as it stands in the file
  Network network;
  ModelInfo info;
  std::vector<GroupFacts> groups;
  std::optional<Signature> signature = {};  ///< valid where there is one; by whomever

  /// Everything before the first tensor.
  [[nodiscard]] std::int64_t bytes() const;
  /// The whole file.
  [[nodiscard]] std::int64_t file_bytes() const;
};

/// The header of a growth file, whose tensors are those of groups base_groups + 1 and up.
struct GrowthHeader {
  std::string text;     ///< as it stands in the file
  ModelHeader model;    ///< of the wider model
  int base_groups = 0;  ///< 1 and up, fewer than the model has

  /// Everything before the first tensor.
  [[nodiscard]] std::int64_t bytes() const;
  /// The whole file.
  [[nodiscard]] std::int64_t file_bytes() const;
};

/// The header of a model with these groups; `hashes` has the SHA-256 of each. Throws
/// Error(kInvalidArgument) naming `file` when `read_model_header` would refuse it.
[[nodiscard]] ModelHeader make_model_header(const Network& network,
                                            const std::vector<std::string>& hashes,
                                            const ModelInfo& info, const std::string& file);
/// The same model's header with a signature, in place of one that it may have had. REQUIRES: the
/// key is one.
[[nodiscard]] ModelHeader signed_header(const ModelHeader& header, std::int64_t generation,
                                        const std::string& secret_key, const std::string& file);
/// The header of a growth file that adds the groups of `model` beyond the first `base_groups`.
/// Throws Error(kInvalidArgument) naming `file` when `read_growth_header` would refuse it (too
/// long). REQUIRES: base_groups is 1 and up, fewer than the model has.
[[nodiscard]] GrowthHeader make_growth_header(const ModelHeader& model, int base_groups,
                                              const std::string& file);
/// Begins `file` with a header: its length and its text.
void put_header(AtomicFile& file, std::string_view text);

/// Reads and checks the header, and whether the file is as long as it says. Throws Error naming the
/// file and what in it is wrong: kIoError, kCorruptData, kUnsupported (a newer format),
/// kInvalidArgument (a growth file where a model is wanted, or a model where a growth file is);
/// kOutOfMemory, before its values are read, where its text and they take more than `max_bytes`,
/// unless that is 0.
[[nodiscard]] ModelHeader read_model_header(const InputFile& file, std::size_t max_bytes = 0);
[[nodiscard]] GrowthHeader read_growth_header(const InputFile& file);

/// A signed model is only followed by one that the same key has signed, of its generation or later:
/// throws Error(kUntrusted), naming `name`, where a signed model lies at `target` that a model with
/// this signature would not follow, and what reading `target` throws where anything else lies there
/// than a model, signed or not.
void check_replaced(const std::filesystem::path& target, const std::optional<Signature>& signature,
                    const std::string& name);

/// Throws Error(kCorruptData) naming `file` unless `found` is the hash that the file claims.
void check_group(const std::string& file, int group, const GroupFacts& claimed,
                 const std::string& found);

/// For messages: "1 group", "3 groups".
[[nodiscard]] std::string groups_text(int groups);

}  // namespace bellows
