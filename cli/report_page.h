// A report as one page of HTML that needs nothing else: no network, no other file.
#pragma once

#include <string>
#include <string_view>

#include "cli/report_data.h"

namespace bellows::cli {

/// The page of `data`: what each width reaches and costs, how it was trained, how it was served,
/// and where the figures come from. Whatever came from files is shown as text, never taken for HTML
/// or script. `title` and `generated` (when and by what, in words) head the page. With `#picture`
/// behind its address, the page shows its first charts alone, filling the window.
[[nodiscard]] std::string report_page(const ReportData& data, const std::string& title,
                                      const std::string& generated);

}  // namespace bellows::cli
