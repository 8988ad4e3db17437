// Fetching public data sets, with their checksums.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "training/data/catalogue.h"

namespace bellows {

struct DownloadOptions {
  /// Replaces the catalogue's base address (a mirror); empty keeps it.
  std::string base_url;
  /// Seconds to wait for a connection, and for a stalled transfer to move again.
  int timeout_seconds = 30;
  /// Told now and then from the calling thread; return false to stop (Error(kIoError)).
  std::function<bool(const std::string& file, std::uint64_t received, std::uint64_t total)>
      progress;
};

/// Fetches `files` from `base_url` into `folder`, which is made when missing. A file that is there
/// with the right checksum is kept as it is. Each file arrives under a temporary name and gets its
/// own only after size and SHA-256 were found right, so the folder never holds a wrong or half
/// file, and a file that was there before survives every failure. Returns the names fetched. Throws
/// Error: kIoError (no connection, HTTP status, disk), kCorruptData (checksum or size), each with
/// the address.
std::vector<std::string> download_files(const std::vector<CatalogueFile>& files,
                                        const std::string& base_url,
                                        const std::filesystem::path& folder,
                                        const DownloadOptions& options = {});

/// The same for a data set of the catalogue.
std::vector<std::string> download_dataset(DatasetFormat format, const std::filesystem::path& folder,
                                          const DownloadOptions& options = {});

}  // namespace bellows
