// What a call that must be refused says.
#pragma once

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace bellows {

/// The message, one line, of the Error with this code that `act` throws.
inline std::string refusal(ErrorCode code, const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

/// The same of an Error(kInvalidArgument).
inline std::string refusal(const std::function<void()>& act) {
  return refusal(ErrorCode::kInvalidArgument, act);
}

}  // namespace bellows
