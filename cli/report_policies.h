// The section of a report that is about policies.
#pragma once

#include "cli/page_writer.h"
#include "cli/report_data.h"

namespace bellows::cli {

/// Charts of accuracy against cost for every kind of policy, of where images stop, of how far
/// probabilities can be believed and of how searches went, and a table of what is saved.
void add_policies(const ReportedPolicies& policies, Page& page);

}  // namespace bellows::cli
