// Numbers for people, alike in every locale; std::to_string follows the C library's.
#pragma once

#include <string>

namespace bellows {

/// As short as tells it to six places behind the point: "0.9", "0.98765", "100", "inf".
[[nodiscard]] std::string number_text(double value);

}  // namespace bellows
