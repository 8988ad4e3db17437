// Writing a report, for the verbs that make one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/report_data.h"

namespace bellows::cli {

/// Where a report goes, and what it is made of.
struct ReportRequest {
  std::vector<std::filesystem::path> paths;
  std::string out;                          ///< the page
  std::optional<std::string> picture = {};  ///< its first charts, as PNG
  std::string title = "Bellows report";
  /// Of a file of policies, a picture of images by where the policy stops them; shown with it.
  std::optional<std::string> examples = {};
  std::string examples_of = {};
};

/// Throws as check_outputs, and UsageError where `picture` is no PNG. `out_option`: what the option
/// of the page is called; `inputs`: what else is read.
void check_report(const ReportRequest& request, const std::string& out_option,
                  const std::vector<std::filesystem::path>& inputs = {});

struct WrittenReport {
  ReportData data;
  std::size_t bytes = 0;  ///< of the page
};

/// REQUIRES: `request` was checked. The page is there before the picture is drawn. Throws Error as
/// reading, writing and the browser do.
WrittenReport write_report(const ReportRequest& request, const Arguments& arguments);

}  // namespace bellows::cli
