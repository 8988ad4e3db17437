#include "training/search/search_log.h"

#include <bellows/error.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <limits>
#include <system_error>
#include <utility>

#include "engine/input_file.h"
#include "engine/json_value.h"

namespace bellows {
namespace {

constexpr int kFormatVersion = 1;
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kSearchSeconds = "search_seconds";
constexpr int kMostCandidates = 1000000;

std::string event_of(const ConfigValue& line) {
  const ConfigValue* event = line.find("event");
  const auto* name = event == nullptr ? nullptr : std::get_if<std::string>(&event->data());
  return name == nullptr ? "" : *name;
}

// Reads the fields of a line that `visit` names; what else stands there is passed over.
template <class Visit>
void read_fields(const ConfigValue& line, const Visit& visit) {
  FieldReader reader(line, "");
  visit(reader);
}

// Adds one line to what is known.
class Reader {
 public:
  explicit Reader(SearchRecord& record) : record_(record) {}

  void line(const ConfigValue& line) {
    const std::string event = event_of(line);
    if (record_.header.name.empty() && event != "search") {
      throw Error(ErrorCode::kCorruptData,
                  line.where() + ": the log of a search begins with its head");
    }
    if (event == "search") {
      int version = 0;
      read_fields(line, [&](FieldVisitor& visitor) {
        visitor.field("format_version", version, {.required = true, .minimum = 1});
      });
      if (version > kFormatVersion) {
        throw Error(ErrorCode::kUnsupported,
                    line.where() + ": the log of a search of format version " +
                        std::to_string(version) + ", this program reads version " +
                        std::to_string(kFormatVersion) + "; use a newer one");
      }
      read_fields(line, [&](FieldVisitor& visitor) { record_.header.visit_fields(visitor); });
    } else if (event == "proposed") {
      LoggedCandidate candidate;
      read_fields(line, [&](FieldVisitor& visitor) { visit_candidate(visitor, candidate); });
      if (candidate.number != static_cast<int>(record_.candidates.size())) {
        fail(line, "candidate " + std::to_string(candidate.number) + " follows candidate " +
                       std::to_string(record_.candidates.size() - 1));
      }
      record_.candidates.push_back(std::move(candidate));
    } else if (event == "rung") {
      LoggedRung rung;
      read_fields(line, [&](FieldVisitor& visitor) { visit_rung(visitor, rung); });
      candidate(line, rung.candidate);
      record_.rungs.push_back(rung);
    } else if (event == "ended") {
      int number = 0;
      CandidateResult result;
      read_fields(line, [&](FieldVisitor& visitor) {
        visit_result(visitor, number, result);
        visitor.field(kSearchSeconds, record_.seconds, {.minimum = 0});
      });
      LoggedCandidate& whose = candidate(line, number);
      if (whose.result) fail(line, "candidate " + std::to_string(number) + " has ended before");
      whose.result = std::move(result);
      record_.ended.push_back(number);
    } else if (event == "paused" || event == "finished") {
      read_fields(line, [&](FieldVisitor& visitor) {
        visitor.field("seconds", record_.seconds, {.minimum = 0});
      });
      record_.finished = event == "finished";
    }
  }

 private:
  [[noreturn]] static void fail(const ConfigValue& line, const std::string& problem) {
    throw Error(ErrorCode::kCorruptData, line.where() + ": " + problem);
  }

  LoggedCandidate& candidate(const ConfigValue& line, int number) {
    if (number < 0 || number >= static_cast<int>(record_.candidates.size())) {
      fail(line, "candidate " + std::to_string(number) + " was never proposed");
    }
    return record_.candidates[static_cast<std::size_t>(number)];
  }

  SearchRecord& record_;
};

}  // namespace

void visit_candidate(FieldVisitor& visitor, LoggedCandidate& candidate) {
  visitor.field("candidate", candidate.number,
                {.required = true, .minimum = 0, .maximum = kMostCandidates});
  visitor.field("point", candidate.point, {.required = true, .minimum = 0, .maximum = 1e6});
  visitor.field("text", candidate.text, {});
}

void visit_rung(FieldVisitor& visitor, LoggedRung& rung) {
  visitor.field("candidate", rung.candidate, {.required = true, .minimum = 0});
  visitor.field("width", rung.report.width, {.required = true, .minimum = 1});
  visitor.field("share", rung.report.share, {.required = true, .minimum = 0, .maximum = 1});
  visitor.field("error", rung.report.error, {.required = true, .minimum = 0, .maximum = 1});
  visitor.field("latency_us", rung.report.latency_us, {.required = true, .minimum = 0});
  visitor.field("energy_uj", rung.report.energy_uj, {.required = true, .minimum = 0});
  visitor.field("stopped", rung.stopped, {});
}

void visit_result(FieldVisitor& visitor, int& candidate, CandidateResult& result) {
  visitor.field("candidate", candidate, {.required = true, .minimum = 0});
  visitor.field(
      "ending", result.ending,
      {.required = true, .choices = {"evaluated", "stopped", "refused", "failed", "interrupted"}});
  visitor.field("problem", result.problem, {});
  visitor.field("seconds", result.seconds, {.minimum = 0});
  visitor.field("measuring_seconds", result.measuring_seconds, {.minimum = 0});
  visitor.field("epochs", result.epochs, {.minimum = 0});
  visitor.field("epochs_planned", result.epochs_planned, {.minimum = 0});
  visitor.tables(
      "widths", {},
      [&](const ConfigValue& table) {
        WidthResult width;
        FieldReader reader(table, "widths");
        width.visit_fields(reader);
        result.widths.push_back(width);
      },
      [&] {
        ConfigValue::Array array;
        for (WidthResult& width : result.widths) {
          FieldWriter writer;
          width.visit_fields(writer);
          array.push_back(writer.value());
        }
        return array;
      });
}

void SearchHeader::visit_fields(FieldVisitor& visitor) {
  visitor.field("name", name, {.required = true});
  visitor.field("method", method, {});
  visitor.field("config", config, {});
  visitor.field("data_set", data_set, {});
  visitor.field("training_images", training_images, {.minimum = 0});
  visitor.field("validation_images", validation_images, {.required = true, .minimum = 1});
  visitor.field("measured_on", measured_on, {});
  visitor.field("energy_source", energy_source, {});
  visitor.field("reference_error", reference_error, {.required = true, .minimum = 0});
  visitor.field("reference_latency_us", reference_latency_us, {.required = true, .minimum = 0});
  visitor.field("reference_energy_uj", reference_energy_uj, {.required = true, .minimum = 0});
  visitor.field("date", date, {});
  visitor.field("command", command, {});
  visitor.field("bellows", bellows, {});
}

std::vector<int> SearchRecord::pending() const {
  std::vector<int> numbers;
  for (const LoggedCandidate& candidate : candidates) {
    if (!candidate.result) numbers.push_back(candidate.number);
  }
  return numbers;
}

SearchRecord read_search_log(const std::filesystem::path& path) {
  const InputFile file(path);
  std::string text(file.size(), '\0');
  file.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  SearchRecord record;
  Reader reader(record);
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) {
      record.cut_off = true;
      break;
    }
    ++number;
    try {
      reader.line(read_json(std::string_view{text}.substr(begin, end - begin),
                            path.string() + ":" + std::to_string(number)));
    } catch (const Error& error) {
      // A wrong value in a file makes a corrupt file, not a wrong argument.
      if (error.code() != ErrorCode::kInvalidArgument) throw;
      throw Error(ErrorCode::kCorruptData, error.what());
    }
    begin = end + 1;
  }
  if (record.header.name.empty()) {
    throw Error(ErrorCode::kCorruptData,
                path.string() +
                    ": the log of a search without its head, so nothing was done yet; "
                    "begin anew with --overwrite");
  }
  return record;
}

SearchLog::SearchLog(const std::filesystem::path& path) : name_(path.string()) {
  // What is not whole was never told to anybody.
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    const InputFile file(path);
    std::string text(file.size(), '\0');
    file.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    const std::size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
    if (whole != text.size()) std::filesystem::resize_file(path, whole, error);
  }
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0 || error) {
    throw Error(ErrorCode::kIoError,
                "cannot write the log '" + name_ +
                    "': " + (error ? error.message() : std::generic_category().message(errno)));
  }
}

SearchLog::~SearchLog() { ::close(descriptor_); }

void SearchLog::line(ConfigValue::Table members) {
  const std::string text = ConfigValue(std::move(members)).to_json() + "\n";
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(descriptor_, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_to_write();
    done += static_cast<std::size_t>(count);
  }
  if (::fdatasync(descriptor_) != 0 && errno != EINVAL) fail_to_write();
}

void SearchLog::fail_to_write() const {
  throw Error(ErrorCode::kIoError, "cannot write the log '" + name_ +
                                       "': " + std::generic_category().message(errno) +
                                       "; mend the disk or free some space, then --resume");
}

void SearchLog::begin(const SearchHeader& header) {
  SearchHeader copy = header;
  line(tagged_fields("event", "search", [&](FieldVisitor& visitor) {
    int version = kFormatVersion;
    visitor.field("format_version", version, {});
    copy.visit_fields(visitor);
  }));
}

void SearchLog::proposed(const LoggedCandidate& candidate) {
  LoggedCandidate copy = candidate;
  line(tagged_fields("event", "proposed",
                     [&](FieldVisitor& visitor) { visit_candidate(visitor, copy); }));
}

void SearchLog::rung(const LoggedRung& rung) {
  LoggedRung copy = rung;
  line(tagged_fields("event", "rung", [&](FieldVisitor& visitor) { visit_rung(visitor, copy); }));
}

void SearchLog::ended(int candidate, const CandidateResult& result, double search_seconds) {
  CandidateResult copy = result;
  line(tagged_fields("event", "ended", [&](FieldVisitor& visitor) {
    visit_result(visitor, candidate, copy);
    visitor.field(kSearchSeconds, search_seconds, {.minimum = 0});
  }));
}

void SearchLog::paused(double search_seconds) {
  line({{"event", ConfigValue(std::string("paused"))}, {"seconds", ConfigValue(search_seconds)}});
}

void SearchLog::finished(double search_seconds) {
  line({{"event", ConfigValue(std::string("finished"))}, {"seconds", ConfigValue(search_seconds)}});
}

Objectives objectives_of(double error, double latency_us, double energy_uj,
                         std::int64_t validation_images) {
  const double least = 0.5 / static_cast<double>(std::max<std::int64_t>(validation_images, 1));
  constexpr double kSmallest = 1e-12;
  return {std::log10(std::max(error, least)), std::log10(std::max(latency_us, kSmallest)),
          std::log10(std::max(energy_uj, kSmallest))};
}

Objectives reference_of(const SearchHeader& header) {
  return objectives_of(header.reference_error, header.reference_latency_us,
                       header.reference_energy_uj, header.validation_images);
}

std::vector<Evaluation> evaluations_of(const SearchRecord& record) {
  std::vector<Evaluation> evaluations;
  for (const int number : record.ended) {
    const LoggedCandidate& candidate = record.candidates[static_cast<std::size_t>(number)];
    Evaluation evaluation{.point = candidate.point};
    for (const WidthResult& width : candidate.result->widths) {
      const Objectives all = objectives_of(width.error.value_or(1), width.latency_us,
                                           width.energy_uj, record.header.validation_images);
      if (width.error && width.share >= 1) {
        evaluation.measurements.push_back({.setting = width.width, .objectives = all});
        continue;
      }
      // Costs are known in any case, and the error of a part of the training tells something, too.
      evaluation.measurements.push_back(
          {.setting = width.width, .objectives = {kUnknown, all[1], all[2]}});
      if (width.error) {
        evaluation.measurements.push_back({.setting = width.width,
                                           .share = width.share,
                                           .objectives = {all[0], kUnknown, kUnknown}});
      }
    }
    evaluations.push_back(std::move(evaluation));
  }
  return evaluations;
}

std::vector<FrontMember> front_of(const SearchRecord& record) {
  std::vector<FrontMember> members;
  std::vector<Objectives> objectives;
  for (const int number : record.ended) {
    for (const WidthResult& width :
         record.candidates[static_cast<std::size_t>(number)].result->widths) {
      if (!width.error || width.share < 1) continue;
      members.push_back({.candidate = number, .result = width});
      objectives.push_back({width.latency_us, *width.error, width.energy_uj});
    }
  }
  std::vector<FrontMember> front;
  for (const std::size_t i : pareto_indices(objectives)) front.push_back(members[i]);
  return front;
}

}  // namespace bellows
