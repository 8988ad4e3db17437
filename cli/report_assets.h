// The texts that a report's page is put together from, compiled in from the files beside this one
// and from Chart.js.
#pragma once

#include <string_view>

namespace bellows::cli {

extern const std::string_view kReportHtml;    ///< with a `{{name}}` where each part belongs
extern const std::string_view kReportStyle;   ///< CSS
extern const std::string_view kReportScript;  ///< JavaScript; runs behind kChartLibrary
extern const std::string_view kChartLibrary;  ///< Chart.js, as it is distributed

}  // namespace bellows::cli
