// Files into memory: plain, gzip or xz, alone or as members of a tar. What a file is, is told by
// its content, not by its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bellows {

/// What one unpacked file may have at most unless the caller knows better: 1 GiB.
inline constexpr std::size_t kDefaultMaxBytes = std::size_t{1} << 30;

/// The unpacked content of a plain, .gz or .xz file.
/// Memory grows with what is really there, never with what a header announces.
/// Throws Error naming the file: kNotFound, kIoError, kCorruptData (damaged or cut-off compression,
/// checksum of the compression, more than `max_bytes`).
[[nodiscard]] std::vector<std::uint8_t> read_unpacked(const std::filesystem::path& file,
                                                      std::size_t max_bytes = kDefaultMaxBytes);

/// The same for a file that begins with `header_bytes` which tell how long it is: `length_of` is
/// given them, or what there is where the file is shorter, and nothing beyond what it returns is
/// unpacked. What it throws leaves as it is.
[[nodiscard]] std::vector<std::uint8_t> read_unpacked(
    const std::filesystem::path& file, std::size_t header_bytes,
    const std::function<std::uint64_t(std::span<const std::uint8_t> header)>& length_of);

struct ArchiveMember {
  std::string name;  ///< as in the archive, folders included
  std::vector<std::uint8_t> bytes;
};

/// The regular files of a tar, tar.gz or tar.xz for whose name `wanted` says yes, in archive order.
/// `max_bytes` bounds each member; at most 4 GiB are unpacked in all, wanted or not.
/// Nothing is ever written to disk. Throws as `read_unpacked`; kCorruptData also for a file that is
/// no tar, for two members of one name, and for a sparse member, which tells of more bytes than the
/// tar has.
[[nodiscard]] std::vector<ArchiveMember> read_tar_members(
    const std::filesystem::path& file, const std::function<bool(std::string_view name)>& wanted,
    std::size_t max_bytes = kDefaultMaxBytes);

/// Throws Error where there is no file or folder `path` (kNotFound), or where that cannot be told
/// because a folder may not be looked into (kIoError).
void require_exists(const std::filesystem::path& path);

/// `folder/stem`, or with .gz or .xz behind it, whichever exists first in this order; empty path
/// when none does. Throws Error(kIoError) where that cannot be told.
[[nodiscard]] std::filesystem::path find_packed(const std::filesystem::path& folder,
                                                std::string_view stem);

}  // namespace bellows
