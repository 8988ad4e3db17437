// Folders, files and packed files for the tests of training/data.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <bellows/error.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bellows {

using Bytes = std::vector<std::uint8_t>;

/// An empty folder of the running test's own.
inline std::filesystem::path fresh_folder() {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) /
                                 (std::string(info->test_suite_name()) + "." + info->name());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

/// Writes a file, making its folder when needed; returns its path.
inline std::filesystem::path write_file(const std::filesystem::path& file, const Bytes& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.close();
  EXPECT_TRUE(out.good()) << file;
  return file;
}

inline Bytes read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in.good()) << file;
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

inline Bytes bytes_of(const std::string& text) { return Bytes(text.begin(), text.end()); }

/// Bytes that do not compress away: a multiplicative generator's upper bits.
inline Bytes noise(std::size_t count, std::uint32_t seed = 1) {
  Bytes bytes(count);
  for (auto& byte : bytes)
    byte = static_cast<std::uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

enum class Packing { kNone, kGzip, kXz };

inline void add_packing(archive* writer, Packing packing) {
  if (packing == Packing::kGzip) archive_write_add_filter_gzip(writer);
  if (packing == Packing::kXz) archive_write_add_filter_xz(writer);
}

/// Writes `bytes` packed, under exactly the name given.
inline std::filesystem::path write_packed(const std::filesystem::path& file, const Bytes& bytes,
                                          Packing packing) {
  std::filesystem::create_directories(file.parent_path());
  archive* writer = archive_write_new();
  archive_write_set_format_raw(writer);
  add_packing(writer, packing);
  EXPECT_EQ(archive_write_open_filename(writer, file.c_str()), ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_pathname(entry, "data");
  EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
  EXPECT_EQ(archive_write_data(writer, bytes.data(), bytes.size()),
            static_cast<la_ssize_t>(bytes.size()));
  archive_entry_free(entry);
  EXPECT_EQ(archive_write_free(writer), ARCHIVE_OK);
  return file;
}

inline std::filesystem::path write_tar(const std::filesystem::path& file,
                                       const std::vector<std::pair<std::string, Bytes>>& members,
                                       Packing packing) {
  std::filesystem::create_directories(file.parent_path());
  archive* writer = archive_write_new();
  archive_write_set_format_ustar(writer);
  add_packing(writer, packing);
  EXPECT_EQ(archive_write_open_filename(writer, file.c_str()), ARCHIVE_OK);
  for (const auto& [name, bytes] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
    EXPECT_EQ(archive_write_data(writer, bytes.data(), bytes.size()),
              static_cast<la_ssize_t>(bytes.size()));
    archive_entry_free(entry);
  }
  EXPECT_EQ(archive_write_free(writer), ARCHIVE_OK);
  return file;
}

/// Writes a tar with one member `name` of `size` zeros, of which it has the first 512 only: sparse.
inline std::filesystem::path write_sparse_tar(const std::filesystem::path& file,
                                              const std::string& name, std::size_t size) {
  archive* writer = archive_write_new();
  archive_write_set_format_pax(writer);
  EXPECT_EQ(archive_write_open_filename(writer, file.c_str()), ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, name.c_str());
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_size(entry, static_cast<la_int64_t>(size));
  archive_entry_sparse_add_entry(entry, 0, 512);
  EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
  // All of it is given; the writer leaves the hole out.
  const Bytes zeros(size);
  EXPECT_EQ(archive_write_data(writer, zeros.data(), size), static_cast<la_ssize_t>(size));
  archive_entry_free(entry);
  EXPECT_EQ(archive_write_free(writer), ARCHIVE_OK);
  return file;
}

/// Expects `call` to throw an Error of this code whose message is one line with all `parts` in it.
template <typename Call>
void expect_error(ErrorCode code, std::initializer_list<std::string> parts, Call call) {
  try {
    call();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << '"' << part << "\" not in: " << message;
    }
    return;
  }
  ADD_FAILURE() << "no error was thrown";
}

/// The folder of real data sets, if there is one; else the test is to be skipped.
inline std::optional<std::filesystem::path> real_data() {
  const char* folder = std::getenv("BELLOWS_DATA");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return std::filesystem::path(folder);
}

}  // namespace bellows

/// First line of a test on real data: `const auto root = ...; if (!root)
/// BELLOWS_SKIP_WITHOUT_DATA`.
#define BELLOWS_SKIP_WITHOUT_DATA() \
  GTEST_SKIP() << "set BELLOWS_DATA to a folder with mnist/, cifar-10/ and so on to run this test"
