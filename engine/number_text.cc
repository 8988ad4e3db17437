#include "engine/number_text.h"

#include <array>
#include <charconv>
#include <string_view>

namespace bellows {

std::string number_text(double value) {
  std::array<char, 400> buffer{};  // the largest has 309 digits
  char* const begin = buffer.data();
  char* const end =
      std::to_chars(begin, begin + buffer.size(), value, std::chars_format::fixed, 6).ptr;
  std::string_view text(begin, static_cast<std::size_t>(end - begin));
  if (text.find('.') != std::string_view::npos) {
    text = text.substr(0, text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.remove_suffix(1);
  }
  return std::string(text);
}

}  // namespace bellows
