// The log of a search: JSON lines, only ever appended to. What a search knows is what its log says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "training/search/candidate.h"

namespace bellows {

/// What a search was begun with; the log's first line.
struct SearchHeader {
  std::string name = {};
  std::string method = {};
  std::string config = {};  ///< all of it, as JSON
  std::string data_set = {};
  std::int64_t training_images = 0;
  std::int64_t validation_images = 0;
  std::string measured_on = {};  ///< processor and instruction set, or what else was measured by
  std::string energy_source = {};
  double reference_error = 1;
  double reference_latency_us = 0;
  double reference_energy_uj = 0;
  std::string date = {};  ///< UTC
  std::string command = {};
  std::string bellows = {};  ///< version

  void visit_fields(FieldVisitor& visitor);
};

/// One candidate as far as its log tells.
struct LoggedCandidate {
  int number = 0;  ///< from 0, in the order of proposals
  SearchPoint point = {};
  std::string text = {};  ///< of its network, for people
  std::optional<CandidateResult> result = {};
};

struct LoggedRung {
  int candidate = 0;
  RungReport report = {};
  bool stopped = false;
};

// The fields of one line each; ranks send each other the same.
void visit_candidate(FieldVisitor& visitor, LoggedCandidate& candidate);  ///< without its result
void visit_rung(FieldVisitor& visitor, LoggedRung& rung);
void visit_result(FieldVisitor& visitor, int& candidate, CandidateResult& result);

/// A table of the fields that `visit` visits, behind a first one that tells what they are.
template <class Visit>
ConfigValue::Table tagged_fields(const char* key, const char* tag, const Visit& visit) {
  FieldWriter writer;
  writer.add(key, ConfigValue(std::string(tag)));
  visit(writer);
  return std::get<ConfigValue::Table>(writer.value().data());
}

/// Everything a log holds.
struct SearchRecord {
  SearchHeader header = {};
  std::vector<LoggedCandidate> candidates = {};  ///< by number, without gaps
  std::vector<int> ended = {};                   ///< numbers, in the order of their ends
  std::vector<LoggedRung> rungs = {};            ///< in their order
  double seconds = 0;  ///< that the search has taken, all its calls together, as far as known
  bool finished = false;
  bool cut_off = false;  ///< the last line is not whole: whoever wrote it was stopped

  /// Numbers of those that have begun and not ended.
  [[nodiscard]] std::vector<int> pending() const;
};

/// Reads a log. Lines of kinds that it does not know are passed over, and so is the last one when
/// it is not whole. Throws Error naming file and line: kNotFound, kIoError, kCorruptData,
/// kUnsupported (a newer format).
[[nodiscard]] SearchRecord read_search_log(const std::filesystem::path& path);

/// Writes one. Every line is on the disk when its function returns: a crash loses nothing that was
/// told. One thread at a time.
class SearchLog {
 public:
  /// Appends to `path`, or makes it. A line that is not whole is cut off first. Throws
  /// Error(kIoError), here and below.
  explicit SearchLog(const std::filesystem::path& path);
  ~SearchLog();
  SearchLog(const SearchLog&) = delete;
  SearchLog& operator=(const SearchLog&) = delete;

  void begin(const SearchHeader& header);
  void proposed(const LoggedCandidate& candidate);
  void rung(const LoggedRung& rung);
  /// `search_seconds`: of the search so far, all its calls together; here and below.
  void ended(int candidate, const CandidateResult& result, double search_seconds);
  void paused(double search_seconds);
  void finished(double search_seconds);

 private:
  void line(ConfigValue::Table members);
  [[noreturn]] void fail_to_write() const;  // by errno

  std::string name_;
  int descriptor_ = -1;
};

/// Candidates that have ended, in that order, as a proposer takes them: of each width the error, as
/// far as it was trained, and the latency and energy, all as logarithms to base 10.
[[nodiscard]] std::vector<Evaluation> evaluations_of(const SearchRecord& record);

/// The logarithms of an error (half a wrong image where none was wrong), a latency and an energy.
[[nodiscard]] Objectives objectives_of(double error, double latency_us, double energy_uj,
                                       std::int64_t validation_images);
[[nodiscard]] Objectives reference_of(const SearchHeader& header);

/// One width of one candidate, trained to the end.
struct FrontMember {
  int candidate = 0;
  WidthResult result = {};
};

/// Of all widths that were trained to the end those that none beats in error, latency and energy,
/// by rising latency.
[[nodiscard]] std::vector<FrontMember> front_of(const SearchRecord& record);

}  // namespace bellows
