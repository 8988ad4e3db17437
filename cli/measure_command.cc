#include "cli/measure_command.h"

#include <bellows/error.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <thread>

#include "cli/arguments.h"
#include "engine/json_document.h"
#include "engine/json_value.h"
#include "engine/profile_data.h"

namespace bellows::cli {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;

struct ShortWidth {
  double latency_us = 0;
  double energy_uj = 0;
  std::int64_t memory_bytes = 0;

  void visit_fields(FieldVisitor& visitor) {
    visitor.field("latency_us", latency_us, {.required = true, .minimum = 1e-9, .maximum = 1e15});
    visitor.field("energy_uj", energy_uj, {.required = true, .minimum = 1e-9, .maximum = 1e18});
    visitor.field("memory_bytes", memory_bytes, {.minimum = 0});
  }
};

struct ShortForm {
  std::vector<ShortWidth> widths;

  void visit_fields(FieldVisitor& visitor) {
    visitor.tables(
        "widths", {.required = true},
        [this](const ConfigValue& table) {
          FieldReader reader(table, "widths");
          widths.emplace_back().visit_fields(reader);
          reader.finish();
        },
        [] { return ConfigValue::Array{}; });
  }
};

std::string output_of(const std::string& command, const std::filesystem::path& model) {
  const std::string line = command + " " + shell_line({model.string()});
  const auto close = [](std::FILE* file) { ::pclose(file); };
  std::unique_ptr<std::FILE, decltype(close)> pipe(::popen(line.c_str(), "re"), close);
  if (!pipe) {
    throw Error(ErrorCode::kIoError,
                "cannot run '" + command + "': " + std::generic_category().message(errno));
  }
  std::string printed;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    printed.append(buffer.data(), count);
    if (printed.size() > kMostBytes) {
      throw Error(ErrorCode::kCorruptData, "'" + command + "' prints more than 16 MiB");
    }
  }
  const int status = ::pclose(pipe.release());
  if (status == 0) return printed;
  throw Error(ErrorCode::kIoError,
              "'" + command + "' has failed, with " +
                  (WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                                     : "signal " + std::to_string(WTERMSIG(status))));
}

}  // namespace

std::vector<WidthCost> read_measured(const std::string& printed, const std::string& source) {
  ConfigValue value;
  try {
    value = read_json(printed, source);
  } catch (const Error& error) {
    throw Error(ErrorCode::kCorruptData, std::string(error.what()) + "; it printed " +
                                             in_quotes(std::string_view{printed}.substr(0, 60)));
  }
  std::vector<WidthCost> costs;
  if (value.find("format") != nullptr) {
    const auto profile = internal::document_data<internal::ProfileData>(value);
    for (const internal::ProfilePoint& point : profile.points) {
      if (point.threads != profile.points.front().threads) continue;
      if (point.width != static_cast<int>(costs.size()) + 1) {
        throw Error(ErrorCode::kCorruptData, source + ": widths are not in order");
      }
      if (!point.energy_uj) {
        throw Error(ErrorCode::kCorruptData,
                    source + ": the profile has no energies; measure with a meter or --device");
      }
      costs.push_back(
          {.latency_us = point.latency_us.p50,
           .energy_uj = *point.energy_uj,
           .memory_bytes = point.memory_weights + point.memory_activations + point.memory_scratch});
    }
  } else {
    for (const ShortWidth& width : internal::document_data<ShortForm>(value).widths) {
      costs.push_back({.latency_us = width.latency_us,
                       .energy_uj = width.energy_uj,
                       .memory_bytes = width.memory_bytes});
    }
  }
  if (costs.empty()) throw Error(ErrorCode::kCorruptData, source + ": no width was measured");
  return costs;
}

std::vector<WidthCost> measured_by_command(const std::string& command,
                                           const std::filesystem::path& model, int tries,
                                           std::chrono::milliseconds pause) {
  const std::string source = "'" + command + "'";
  for (int left = tries - 1;; --left) {
    try {
      return read_measured(output_of(command, model), source);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIoError || left <= 0) throw;
    }
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace bellows::cli
