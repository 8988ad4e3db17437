// JSON files of ours that say what they are: profiles and policies. One way to read them and to
// write them; what they hold is listed by their fields.
#pragma once

#include <bellows/error.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "layers/fields.h"

namespace bellows::internal {

/// What a file is, in its keys "format" and "format_version" and in messages.
struct DocumentKind {
  const char* format;  ///< "bellows profile"
  int version;         ///< the one that is read
  const char* name;    ///< "profile"
  const char* maker;   ///< the command that makes one
};

/// Of any kind.
inline constexpr std::uint64_t kMaxDocumentBytes = std::uint64_t{64} << 20;

[[noreturn]] void throw_corrupt(const std::string& file, const std::string& problem);

/// Reads a file of at most kMaxDocumentBytes and checks what it is, before anything else of it is
/// believed. Throws Error naming the file: kNotFound, kIoError, kCorruptData, kUnsupported (a newer
/// format).
[[nodiscard]] ConfigValue read_document(const std::filesystem::path& path,
                                        const DocumentKind& kind);

/// `data` from a document; unknown keys are refused. Throws Error(kCorruptData): a wrong value in a
/// file makes a corrupt file, not a wrong argument.
template <class Data>
[[nodiscard]] Data document_data(const ConfigValue& document) {
  Data data;
  try {
    FieldReader reader(document, "");
    data.visit_fields(reader);
    reader.finish();
  } catch (const Error& error) {
    throw Error(ErrorCode::kCorruptData, error.what());
  }
  return data;
}

/// The first fields of every document.
void visit_kind(FieldVisitor& visitor, const DocumentKind& kind);

/// Replaces an older file at once by JSON text. Throws Error(kIoError).
void write_document_text(const std::filesystem::path& path, const std::string& json);

/// The same by data. Visiting takes them mutable because readers assign.
template <class Data>
void write_document(const std::filesystem::path& path, Data data) {
  FieldWriter writer;
  data.visit_fields(writer);
  write_document_text(path, writer.value().to_json());
}

}  // namespace bellows::internal
