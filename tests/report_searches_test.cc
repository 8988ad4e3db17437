// The sections of reports that are about searches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/report_data.h"
#include "cli/report_page.h"
#include "tests/data_fixtures.h"
#include "tests/refusal.h"
#include "tests/search_fixtures.h"
#include "training/search/search_log.h"

namespace bellows::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SearchHeader header(const std::string& device, const std::string& method) {
  SearchHeader header = search_header();
  header.measured_on = device;
  header.method = method;
  return header;
}

// Two candidates; on the first device both are on the front, on the second the one that is less
// wrong is also quicker.
std::filesystem::path write_log(const std::filesystem::path& folder, const std::string& device,
                                double second_latency, const std::string& method = "bayesian") {
  std::filesystem::create_directories(folder);
  std::filesystem::path path = folder / "search.jsonl";
  SearchLog log(path);
  log.begin(header(device, method));
  const auto ended = [&](int number, double error, double latency) {
    log.proposed({.number = number,
                  .point = {static_cast<double>(number)},
                  .text = "network <" + std::to_string(number) + ">"});
    log.ended(number,
              {.ending = "evaluated",
               .widths = {{.width = 1,
                           .error = error,
                           .latency_us = latency,
                           .energy_uj = latency,
                           .parameters = 100,
                           .macs = 200}},
               .epochs = 2,
               .epochs_planned = 2},
              1.0);
  };
  ended(0, 0.5, 10);
  ended(1, 0.25, second_latency);
  log.proposed({.number = 2, .point = {2}, .text = "third"});
  log.ended(2, {.ending = "stopped", .problem = "behind", .epochs = 1, .epochs_planned = 4}, 2.0);
  log.finished(60);
  return path;
}

std::string page_of(const std::vector<std::filesystem::path>& paths) {
  return report_page(read_report_data(paths), "Report", "now");
}

TEST(ReportSearches, ShowThreeProjectionsWithTheFrontLabelledAndATable) {
  const std::filesystem::path folder = fresh_folder();
  write_log(folder / "one", "here", 20);
  const std::string page = page_of({folder / "one"});
  for (const char* title : {"Error against latency", "Error against energy",
                            "Energy against latency", "How searches went"}) {
    EXPECT_THAT(page, HasSubstr(title));
  }
  EXPECT_THAT(page, HasSubstr("\"candidate 1, width 1\",\"1/1\""));
  EXPECT_THAT(page, HasSubstr("network &lt;1&gt;"));
  EXPECT_THAT(page, HasSubstr("2 evaluated, 1 stopped"));
  EXPECT_THAT(page, HasSubstr("spared 37.50 % of the epochs"));
  EXPECT_THAT(page, Not(HasSubstr("Fronts of two devices")));
}

TEST(ReportSearches, OfTwoDevicesTellWhatIsOnOneFrontAlone) {
  const std::filesystem::path folder = fresh_folder();
  write_log(folder / "one", "here", 20);
  write_log(folder / "other", "there", 5);
  const std::string page = page_of({folder / "one", folder / "other"});
  EXPECT_THAT(page, HasSubstr("Fronts of two devices"));
  // On the first both, one of which is on the other's front too.
  EXPECT_THAT(page, HasSubstr("<th scope=\"row\">here</th><td>there</td><td>2</td><td>1</td>"
                              "<td>0/1</td>"));
  EXPECT_THAT(page, HasSubstr("<th scope=\"row\">there</th><td>here</td><td>1</td><td>1</td>"
                              "<td>none</td>"));
}

TEST(ReportSearches, ADamagedLogIsRefusedByLine) {
  const std::filesystem::path folder = fresh_folder();
  const auto path = write_log(folder / "one", "here", 20);
  Bytes bytes = read_file(path);
  const Bytes more = bytes_of("{\"event\":\"ended\",\"candidate\":9,\"ending\":\"evaluated\"}\n");
  bytes.insert(bytes.end(), more.begin(), more.end());
  write_file(path, bytes);
  EXPECT_THAT(
      refusal(ErrorCode::kCorruptData, [&] { static_cast<void>(read_report_data({path})); }),
      HasSubstr("search.jsonl:9"));
}

}  // namespace
}  // namespace bellows::cli
