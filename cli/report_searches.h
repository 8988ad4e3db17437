// The sections of a report that are about searches for architectures.
#pragma once

#include "cli/page_writer.h"
#include "cli/report_data.h"

namespace bellows::cli {

/// For each search the three projections of its results with the members of the front labelled, and
/// a table of these; for all together the hypervolume over the evaluations, and, of those that
/// measured the same networks on several devices, how far their fronts agree.
void add_searches(const std::vector<ReportedSearch>& searches,
                  const std::vector<std::string>& labels, Page& page);

}  // namespace bellows::cli
