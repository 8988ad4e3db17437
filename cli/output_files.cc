#include "cli/output_files.h"

#include <bellows/error.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace bellows::cli {
namespace {

bool same(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto name = [](const std::filesystem::path& of) {
    return std::filesystem::absolute(of).lexically_normal();
  };
  std::error_code ignored;
  return name(a) == name(b) || std::filesystem::equivalent(a, b, ignored);
}

[[noreturn]] void refuse(const OutputFile& output, const std::string& problem) {
  throw UsageError("--" + output.option + ": '" + output.path.string() + "' " + problem +
                   "; choose another file");
}

}  // namespace

void check_outputs(const Arguments& arguments, const std::vector<OutputFile>& outputs,
                   std::vector<std::filesystem::path> inputs) {
  if (const auto key = arguments.text("require-signature")) inputs.emplace_back(*key);
  check_outputs(outputs, inputs);
}

void check_outputs(const std::vector<OutputFile>& outputs,
                   const std::vector<std::filesystem::path>& inputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const OutputFile& output = outputs[i];
    for (const std::filesystem::path& input : inputs) {
      if (same(output.path, input)) refuse(output, "is a file that is read");
    }
    for (std::size_t other = 0; other < i; ++other) {
      if (same(output.path, outputs[other].path)) {
        refuse(output, "is what --" + outputs[other].option + " writes");
      }
    }
    const std::filesystem::path folder = std::filesystem::absolute(output.path).parent_path();
    if (::access(folder.c_str(), W_OK | X_OK) != 0) {
      throw Error(ErrorCode::kIoError, output.path.string() +
                                           ": cannot be written to its folder: " +
                                           std::generic_category().message(errno));
    }
  }
}

}  // namespace bellows::cli
