// JSON text as a ConfigValue, so that the field lists read files of either kind. The way back is
// ConfigValue::to_json.
#pragma once

#include <string>
#include <string_view>

#include "layers/config_value.h"

namespace bellows {

/// Deepest nesting and largest number of values (scalars, arrays and tables together) accepted, so
/// that hostile text can neither exhaust the stack nor fill the memory.
inline constexpr std::size_t kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxJsonValues = std::size_t{1} << 20;

/// Reads one JSON value; white space may surround it. `source` names the text in messages and
/// becomes the `where()` of every value. Throws Error(kCorruptData) "<source>: byte N: ..." (N
/// counted from 0) for text that is not JSON, and "<source>: ..." for what is JSON and not
/// accepted: null, a key twice in one table, an integer beyond 64 bits, more than the limits above.
[[nodiscard]] ConfigValue read_json(std::string_view text, const std::string& source);

/// `text` in double quotes for a message: what is not printable ASCII becomes "?", long text is
/// cut.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace bellows
