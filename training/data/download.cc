#include "training/data/download.h"

#include <bellows/error.h>
#include <curl/curl.h>

#include <exception>
#include <fstream>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include "engine/atomic_file.h"
#include "engine/sha256.h"

namespace bellows {
namespace {

// libcurl wants to be initialised once, before any thread uses it; the process's end cleans up.
void initialise_curl() {
  static const CURLcode kResult = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kResult != CURLE_OK) {
    throw Error(ErrorCode::kUnsupported,
                std::string("libcurl cannot start: ") + curl_easy_strerror(kResult));
  }
}

// In pieces: the files may be larger than the memory to spare.
std::string sha256_of_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::vector<std::uint8_t> piece(1U << 16);
  Sha256 hash;
  while (in) {
    in.read(reinterpret_cast<char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
    hash.update(std::span(piece).first(static_cast<std::size_t>(in.gcount())));
  }
  if (!in.eof()) {
    throw Error(
        ErrorCode::kIoError,
        file.string() + ": cannot be read; make it readable, or remove it to fetch it anew");
  }
  return hash.hex();
}

struct CloseCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

// One transfer. No exception may pass through libcurl's C frames, so the callbacks keep it.
struct Transfer {
  AtomicFile* target = nullptr;
  Sha256* hash = nullptr;
  const CatalogueFile* file = nullptr;
  const DownloadOptions* options = nullptr;
  std::uint64_t received = 0;
  bool too_long = false;
  bool stopped = false;
  std::exception_ptr failure;

  static std::size_t on_data(char* bytes_in, std::size_t size, std::size_t count,
                             void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::size_t bytes = size * count;
    if (transfer.received + bytes > transfer.file->bytes) {
      transfer.too_long = true;
      return 0;
    }
    try {
      const std::span<const std::uint8_t> piece(reinterpret_cast<const std::uint8_t*>(bytes_in),
                                                bytes);
      transfer.target->write(piece);
      transfer.hash->update(piece);
    } catch (...) {
      transfer.failure = std::current_exception();
      return 0;
    }
    transfer.received += bytes;
    return bytes;
  }

  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    try {
      if (transfer.options->progress &&
          !transfer.options->progress(transfer.file->name, transfer.received,
                                      transfer.file->bytes)) {
        transfer.stopped = true;
        return 1;
      }
    } catch (...) {
      transfer.failure = std::current_exception();
      return 1;
    }
    return 0;
  }
};

void fetch(const std::string& url, const CatalogueFile& file, const std::filesystem::path& target,
           const DownloadOptions& options) {
  const std::unique_ptr<CURL, CloseCurl> curl(curl_easy_init());
  if (curl == nullptr) throw Error(ErrorCode::kUnsupported, "libcurl cannot make a transfer");
  AtomicFile output(target);
  Sha256 hash;
  Transfer transfer{&output, &hash, &file, &options, 0, false, false, nullptr};
  CURL* handle = curl.get();
  const auto seconds = static_cast<long>(options.timeout_seconds);
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(handle, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, seconds);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, seconds);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &Transfer::on_data);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  const CURLcode result = curl_easy_perform(handle);

  if (transfer.failure) std::rethrow_exception(transfer.failure);
  if (transfer.stopped) throw Error(ErrorCode::kIoError, url + ": download was stopped");
  const std::string wanted = std::to_string(file.bytes) + " bytes";
  if (transfer.too_long) {
    throw Error(ErrorCode::kCorruptData, url + ": sends more than the published " + wanted);
  }
  if (result == CURLE_HTTP_RETURNED_ERROR) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    throw Error(ErrorCode::kIoError, url + ": the server answers " + std::to_string(status));
  }
  if (result != CURLE_OK) {
    throw Error(ErrorCode::kIoError, url + ": " + curl_easy_strerror(result));
  }
  if (transfer.received != file.bytes) {
    throw Error(ErrorCode::kCorruptData, url + ": has " + std::to_string(transfer.received) +
                                             " bytes, published are " + wanted);
  }
  if (const std::string found = hash.hex(); found != file.sha256) {
    throw Error(ErrorCode::kCorruptData,
                url + ": SHA-256 is " + found + ", published is " + file.sha256);
  }
  output.commit();
}

// Makes a folder and those above it; takes away again what nothing was put into.
class NewFolders {
 public:
  explicit NewFolders(const std::filesystem::path& folder) {
    std::error_code error;
    for (std::filesystem::path path = folder;
         !path.empty() && !std::filesystem::exists(path, error); path = path.parent_path()) {
      made_.push_back(path);
    }
    std::filesystem::create_directories(folder, error);
    if (error) {
      throw Error(ErrorCode::kIoError, folder.string() + ": cannot be made: " + error.message());
    }
  }
  ~NewFolders() {
    std::error_code ignored;  // those that are not empty stay
    for (const auto& folder : made_) std::filesystem::remove(folder, ignored);
  }
  NewFolders(const NewFolders&) = delete;
  NewFolders& operator=(const NewFolders&) = delete;

 private:
  std::vector<std::filesystem::path> made_;  // innermost first
};

}  // namespace

std::vector<std::string> download_files(const std::vector<CatalogueFile>& files,
                                        const std::string& base_url,
                                        const std::filesystem::path& folder,
                                        const DownloadOptions& options) {
  if (options.timeout_seconds < 1) {
    throw Error(ErrorCode::kInvalidArgument, "download timeout of " +
                                                 std::to_string(options.timeout_seconds) +
                                                 " seconds; it must be at least 1");
  }
  initialise_curl();
  const NewFolders made(folder);
  std::error_code error;
  std::string base = options.base_url.empty() ? base_url : options.base_url;
  if (!base.ends_with('/')) base += '/';
  std::vector<std::string> fetched;
  for (const CatalogueFile& file : files) {
    const std::filesystem::path target = folder / file.name;
    if (std::filesystem::is_regular_file(target, error) && sha256_of_file(target) == file.sha256) {
      continue;
    }
    fetch(base + file.name, file, target, options);
    fetched.push_back(file.name);
  }
  return fetched;
}

std::vector<std::string> download_dataset(DatasetFormat format, const std::filesystem::path& folder,
                                          const DownloadOptions& options) {
  const CatalogueEntry& entry = catalogue_entry(format);
  return download_files(entry.files, entry.base_url, folder, options);
}

}  // namespace bellows
