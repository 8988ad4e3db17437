// How what is observed compares with a profile, for all operating points from readings of a few.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace bellows {

/// Expects of a point its profile times a factor that all points have in common (other work on the
/// machine or a lower clock slows them all) times one of its own (a profile that is wrong for it).
///
/// The common factor is the median of the last 7 readings: 4 of a new speed are followed, 3
/// outliers are not. What changes while one point runs is common. What changes within 7 readings
/// after another point came on may be either: half of it, as a ratio, is taken to be that point's
/// own, unless the profile's own scatter explains it. Own factors fade away slowly, so that a point
/// that has not run for long is given another chance. Allocates nothing after it is made. Not
/// thread safe.
class ObservedScale {
 public:
  static constexpr std::size_t kReadings = 7;

  explicit ObservedScale(std::size_t points);

  /// A reading of `point` was `ratio` (above 0) times what the profile says. The profile's slow
  /// readings are `scatter` times its typical ones. `run` is the caller's, see Middle.
  void observe(std::size_t point, double ratio, double scatter = 1, std::size_t run = 0);

  [[nodiscard]] double of(std::size_t point) const { return common_ * own_[point]; }
  /// The factor that is the point's own.
  [[nodiscard]] double own(std::size_t point) const { return own_[point]; }

  /// A reading in the middle of those that the common factor is the median of.
  struct Middle {
    std::size_t point = 0;
    std::size_t run = 0;  ///< as it was given with the reading
    double excess = 1;    ///< the reading by what was typical around it
  };
  [[nodiscard]] Middle middle() const;

 private:
  struct Entry {
    std::size_t point = 0;
    std::size_t run = 0;
    double ratio = 1;  // without the point's own factor
  };

  void attribute(double scatter);

  std::vector<double> own_;
  std::array<Entry, kReadings> entries_{};  // a ring
  std::size_t next_ = 0;
  double common_ = 1;
  std::size_t point_ = 0;             // that ran last
  double common_before_ = 1;          // when it came on
  std::size_t readings_ = kReadings;  // of it since, no more than kReadings
};

/// How much longer than its profile the slow runs are: a factor on the ratio of a percentile to the
/// median, the same for all points. It is the percentile itself over the last 1024 readings. Four
/// fifths of the readings that may exceed a percentile are let exceed it: the rest is for what
/// nobody foresees. The profile counts as 256 readings, which the first real ones replace. A few
/// hiccups change nothing, whatever their size; what makes too many readings slow is forgotten 1024
/// readings later. Allocates nothing. Not thread safe.
class ObservedTail {
 public:
  /// `percentile`: 50, 95 or 99. For 50 the factor stays 1: the median is known.
  explicit ObservedTail(int percentile);

  /// A reading was `excess` times the median that it is compared with; the profile's percentile is
  /// `ratio` times its median.
  void observe(double excess, double ratio);

  /// The percentile by the median, where the profile says `ratio`; at least 1.
  [[nodiscard]] double of(double ratio) const;
  /// Whether it may be larger still than it can tell.
  [[nodiscard]] bool beyond() const;

 private:
  static constexpr std::size_t kReadings = 1024;
  static constexpr std::size_t kOfProfile = 256;
  static constexpr std::size_t kSteps = 160;

  static std::size_t step_of(double factor);

  double allowed_;  // share of readings above the percentile; 0: not watched
  // Readings are kept in steps of 2 %: a ring of them, and how many there are of each.
  std::array<unsigned char, kReadings> steps_;
  std::array<unsigned short, kSteps> counts_{};
  std::size_t readings_ = kOfProfile;
  std::size_t next_ = 0;
  double factor_ = 1;
};

}  // namespace bellows
