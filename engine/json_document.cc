#include "engine/json_document.h"

#include <string>

#include "engine/atomic_file.h"
#include "engine/input_file.h"
#include "engine/json_value.h"

namespace bellows::internal {

void throw_corrupt(const std::string& file, const std::string& problem) {
  throw Error(ErrorCode::kCorruptData, file + ": " + problem);
}

ConfigValue read_document(const std::filesystem::path& path, const DocumentKind& kind) {
  const InputFile file(path);
  const std::string& name = file.name();
  if (file.size() > kMaxDocumentBytes) {
    throw_corrupt(name, std::string("is too large to be a ") + kind.name);
  }
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  ConfigValue value = read_json(text, name);
  const ConfigValue* format = value.find("format");
  const auto* found = format == nullptr ? nullptr : std::get_if<std::string>(&format->data());
  if (found == nullptr || *found != kind.format) {
    throw_corrupt(name, std::string("is no ") + kind.name + ": it has no \"format\": \"" +
                            kind.format + "\"; make one with '" + kind.maker + "'");
  }
  const ConfigValue* version = value.find("format_version");
  const auto* number = version == nullptr ? nullptr : std::get_if<std::int64_t>(&version->data());
  if (number == nullptr) throw_corrupt(name, "has no number \"format_version\"");
  if (*number != kind.version) {
    throw Error(ErrorCode::kUnsupported, name + ": format version " + std::to_string(*number) +
                                             " is unknown, this program reads version " +
                                             std::to_string(kind.version) +
                                             "; use the version of Bellows that wrote the file");
  }
  return value;
}

void visit_kind(FieldVisitor& visitor, const DocumentKind& kind) {
  std::string format = kind.format;
  int version = kind.version;
  visitor.field("format", format, {.required = true});
  visitor.field("format_version", version, {.required = true});
}

void write_document_text(const std::filesystem::path& path, const std::string& json) {
  write_file_atomically(path, json + "\n");
}

}  // namespace bellows::internal
