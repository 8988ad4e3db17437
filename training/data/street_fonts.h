// The shapes of digits in the type faces that a machine has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bellows {

/// A grey mask of coverage, 0..1, row by row from the top.
struct Mask {
  int side = 0;
  std::vector<float> values;  ///< [side, side]
};

/// Where a point of a glyph goes in a mask, whose y grows downwards.
struct MaskPoint {
  float x = 0;
  float y = 0;
};

/// Ten digits of every face. Immutable, thread safe.
class StreetFonts {
 public:
  /// Every outline font below `folder` that has all ten digits, one for each family and style, in
  /// the order of their names. Throws Error(kNotFound) where there are fewer than kFewest, saying
  /// how to get some.
  explicit StreetFonts(const std::filesystem::path& folder);
  ~StreetFonts();
  StreetFonts(const StreetFonts&) = delete;
  StreetFonts& operator=(const StreetFonts&) = delete;

  static constexpr std::size_t kFewest = 20;

  [[nodiscard]] std::size_t size() const;
  /// "DejaVu Sans Bold", in order.
  [[nodiscard]] const std::vector<std::string>& names() const;

  /// Of a digit, the height of the face's 0 being 1; the pen moves by `advance`, ink is in
  /// left..right, bottom..top over the base line.
  struct Extent {
    float advance = 0;
    float left = 0;
    float right = 0;
    float bottom = 0;
    float top = 0;
  };
  [[nodiscard]] const Extent& extent(std::size_t face, int digit) const;

  /// Adds a digit to `mask` (coverage is added up to 1), each point of its outline being put where
  /// `place` says; control points of curves too. Coordinates given to `place`: as in Extent, y
  /// upwards.
  void draw(std::size_t face, int digit, const std::function<MaskPoint(MaskPoint)>& place,
            Mask& mask) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bellows
