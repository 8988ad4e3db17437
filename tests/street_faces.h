// The type faces of this machine, where it has enough of them.
#pragma once

#include <bellows/error.h>

#include <memory>

#include "training/data/street_fonts.h"

namespace bellows {

inline constexpr const char* kNoStreetFaces =
    "too few type faces here; third_party/install.sh --fonts installs some";

/// Read once; null where there are too few.
inline const StreetFonts* street_faces() {
  static const auto kFonts = []() -> std::unique_ptr<const StreetFonts> {
    try {
      return std::make_unique<const StreetFonts>("/usr/share/fonts");
    } catch (const Error&) {
      return nullptr;
    }
  }();
  return kFonts.get();
}

}  // namespace bellows
