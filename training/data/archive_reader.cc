#include "training/data/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <bellows/error.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace bellows {
namespace {

constexpr const char* kRemedy = "; fetch the file again";
constexpr std::uint64_t kMaxTarBytes = std::uint64_t{4} << 30;

[[noreturn]] void corrupt(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorCode::kCorruptData, file.string() + ": " + what);
}

// What lies at `path`, perhaps nothing. Throws where that cannot be told.
std::filesystem::file_status status_of(const std::filesystem::path& path) {
  std::error_code problem;
  const std::filesystem::file_status status = std::filesystem::status(path, problem);
  if (std::filesystem::status_known(status)) return status;
  throw Error(ErrorCode::kIoError, path.string() + ": " + problem.message());
}

// Feeds libarchive. gzip is unpacked here, by zlib, because libarchive does not compare the
// checksum at the end of a gzip stream; what is not gzip passes through as it is.
class Source {
 public:
  explicit Source(const std::filesystem::path& file) : file_(file) {
    require_exists(file);
    if (std::filesystem::is_directory(status_of(file))) {
      throw Error(ErrorCode::kIoError, file.string() + ": is a folder, a file is needed");
    }
    // A pipe would keep us waiting for its other end.
    if (!std::filesystem::is_regular_file(status_of(file))) {
      throw Error(ErrorCode::kIoError, file.string() + ": is not a regular file");
    }
    gz_ = gzopen(file.c_str(), "rb");
    if (gz_ == nullptr) {
      throw Error(ErrorCode::kIoError,
                  file.string() + ": cannot be opened: " + std::generic_category().message(errno));
    }
    gzbuffer(gz_, 1U << 17);
  }
  ~Source() { gzclose_r(gz_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  // Bytes put into buffer_; 0 at the end. Sets problem_ and returns -1 on failure.
  la_ssize_t fill() {
    const int got = gzread(gz_, buffer_.data(), static_cast<unsigned>(buffer_.size()));
    int code = Z_OK;
    const char* text = gzerror(gz_, &code);
    if (code == Z_ERRNO) {
      problem_ = std::generic_category().message(errno);
      io_ = true;
    } else if (code == Z_BUF_ERROR) {
      problem_ = "gzip data is cut off";
    } else if (code != Z_OK && code != Z_STREAM_END) {
      problem_ = std::string("gzip data is damaged (") + text + ")";
    }
    return problem_.empty() ? got : -1;
  }

  static la_ssize_t read(archive* reader, void* self, const void** data) {
    auto* source = static_cast<Source*>(self);
    *data = source->buffer_.data();
    const la_ssize_t got = source->fill();
    if (got < 0) archive_set_error(reader, EIO, "%s", source->problem_.c_str());
    return got;
  }

  // Reads what libarchive left, so that the checksum at the end is compared.
  void finish() {
    std::uint64_t left = 0;
    la_ssize_t got = 0;
    while ((got = fill()) > 0) {
      left += static_cast<std::uint64_t>(got);
      if (left > kMaxTarBytes) corrupt(file_, "unpacks to more than 4 GiB");
    }
    if (got < 0) fail();
  }

  [[noreturn]] void fail() const {
    throw Error(io_ ? ErrorCode::kIoError : ErrorCode::kCorruptData,
                file_.string() + ": " + problem_ + (io_ ? "" : kRemedy));
  }
  [[nodiscard]] bool failed() const { return !problem_.empty(); }

 private:
  std::filesystem::path file_;
  gzFile gz_ = nullptr;
  std::array<char, 1U << 16> buffer_{};
  std::string problem_;
  bool io_ = false;
};

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using ArchivePointer = std::unique_ptr<archive, FreeArchive>;

class Reader {
 public:
  Reader(const std::filesystem::path& file, bool tar)
      : file_(file), tar_(tar), source_(file), archive_(archive_read_new()) {
    if (archive_ == nullptr) throw std::bad_alloc();
    archive_read_support_filter_xz(archive_.get());
    if (tar) {
      archive_read_support_format_tar(archive_.get());
    } else {
      archive_read_support_format_raw(archive_.get());
      archive_read_support_format_empty(archive_.get());
    }
    if (archive_read_open(archive_.get(), &source_, nullptr, &Source::read, nullptr) !=
        ARCHIVE_OK) {
      fail();
    }
  }

  // The next member, or null at the end of the archive.
  archive_entry* next() {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(archive_.get(), &entry);
    if (result == ARCHIVE_EOF) return nullptr;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) fail();
    return entry;
  }

  // Appends what follows of a member to `bytes`, until they are `wanted` or it ends.
  void append(std::vector<std::uint8_t>& bytes, std::size_t wanted) {
    while (bytes.size() < wanted) {
      if (piece_.empty() && !next_piece(bytes.size())) return;
      const std::size_t count = std::min(piece_.size(), wanted - bytes.size());
      bytes.insert(bytes.end(), piece_.begin(),
                   piece_.begin() + static_cast<std::ptrdiff_t>(count));
      piece_ = piece_.subspan(count);
    }
  }

  std::vector<std::uint8_t> content(std::size_t max_bytes) {
    std::vector<std::uint8_t> bytes;
    append(bytes, max_bytes);
    require_end(bytes.size(), "the " + std::to_string(max_bytes) + " bytes that are allowed here");
    return bytes;
  }

  // Fails, saying what `most` are, unless the member ends here.
  void require_end(std::size_t at, const std::string& most) {
    if (!piece_.empty() || next_piece(at)) corrupt(file_, "unpacks to more than " + most);
  }

  void finish() { source_.finish(); }

 private:
  [[noreturn]] void fail() const {
    if (source_.failed()) source_.fail();
    const char* text = archive_error_string(archive_.get());
    if (text == nullptr) corrupt(file_, std::string("damaged archive") + kRemedy);
    // What libarchive says of xz data without an end.
    if (std::strstr(text, "No progress is possible") != nullptr) {
      corrupt(file_, std::string("xz data is cut off") + kRemedy);
    }
    corrupt(file_, std::string(text) + kRemedy);
  }

  // Whether the member goes on, with a piece that is the reader's own. `at`: where it begins. What
  // libarchive leaves out between two pieces of a tar's member, or tells of behind the last, is not
  // in the tar.
  bool next_piece(std::size_t at) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    do {
      const int result = archive_read_data_block(archive_.get(), &data, &size, &offset);
      if (result != ARCHIVE_OK && result != ARCHIVE_WARN && result != ARCHIVE_EOF) fail();
      if (tar_ && static_cast<std::uint64_t>(offset) != at) {
        corrupt(file_,
                "has a sparse member, whose zeros are not in it; make the tar without --sparse");
      }
      if (result == ARCHIVE_EOF) return false;
    } while (size == 0);
    piece_ = {static_cast<const std::uint8_t*>(data), size};
    return true;
  }

  std::filesystem::path file_;
  bool tar_;
  Source source_;
  ArchivePointer archive_;
  std::span<const std::uint8_t> piece_;  // what is left of the last one
};

}  // namespace

std::vector<std::uint8_t> read_unpacked(const std::filesystem::path& file, std::size_t max_bytes) {
  Reader reader(file, /*tar=*/false);
  if (reader.next() == nullptr) return {};
  std::vector<std::uint8_t> bytes = reader.content(max_bytes);
  reader.finish();
  return bytes;
}

std::vector<std::uint8_t> read_unpacked(
    const std::filesystem::path& file, std::size_t header_bytes,
    const std::function<std::uint64_t(std::span<const std::uint8_t> header)>& length_of) {
  Reader reader(file, /*tar=*/false);
  std::vector<std::uint8_t> bytes;
  const bool empty = reader.next() == nullptr;
  if (!empty) reader.append(bytes, header_bytes);
  const std::uint64_t length = length_of(bytes);
  if (empty) return bytes;
  if (length > kDefaultMaxBytes) {
    corrupt(file, "announces " + std::to_string(length) + " bytes; there may be at most " +
                      std::to_string(kDefaultMaxBytes));
  }
  reader.append(bytes, static_cast<std::size_t>(length));
  reader.require_end(bytes.size(), "the " + std::to_string(length) + " bytes that it announces");
  reader.finish();
  return bytes;
}

std::vector<ArchiveMember> read_tar_members(
    const std::filesystem::path& file, const std::function<bool(std::string_view name)>& wanted,
    std::size_t max_bytes) {
  Reader reader(file, /*tar=*/true);
  std::vector<ArchiveMember> members;
  std::uint64_t total = 0;
  while (archive_entry* entry = reader.next()) {
    const la_int64_t size = archive_entry_size(entry);
    total += size > 0 ? static_cast<std::uint64_t>(size) : 0;
    if (total > kMaxTarBytes) corrupt(file, "unpacks to more than 4 GiB");
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr || archive_entry_filetype(entry) != AE_IFREG || !wanted(name)) continue;
    std::string member_name = name;
    if (std::ranges::find(members, member_name, &ArchiveMember::name) != members.end()) {
      corrupt(file, "has two members '" + member_name + "'");
    }
    members.push_back({std::move(member_name), reader.content(max_bytes)});
  }
  reader.finish();
  return members;
}

std::filesystem::path find_packed(const std::filesystem::path& folder, std::string_view stem) {
  for (const char* ending : {"", ".gz", ".xz"}) {
    std::filesystem::path candidate = folder / (std::string(stem) + ending);
    if (std::filesystem::is_regular_file(status_of(candidate))) return candidate;
  }
  return {};
}

void require_exists(const std::filesystem::path& path) {
  if (std::filesystem::exists(status_of(path))) return;
  const std::string name = path.empty() ? "an empty name" : path.string();
  throw Error(ErrorCode::kNotFound, name + ": no such file or folder");
}

}  // namespace bellows
