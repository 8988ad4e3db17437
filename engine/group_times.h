// How long each group of a model takes, as far as runs have shown: what an answer by a deadline
// rests on. Has no clock. (Where groups do not run one by one, as in a one-shot session, whole
// widths stand for them.)
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace bellows {

/// Expects of a group its quickest run, times how much slower than that all groups have been
/// lately: other work on the machine slows all of them, and the first group runs every time, so
/// that the expectation of one that was left out does not grow old. One disturbance among the last
/// 16 runs of a group is overlooked, the second counts. A group that is not begun because it seems
/// to take too long is given another chance after it was passed over 16 times: nothing else would
/// ever show that the disturbance is over. Allocates nothing after it is made. Not thread safe.
class GroupTimes {
 public:
  /// `macs`: the multiply-accumulates of each group.
  explicit GroupTimes(const std::vector<double>& macs);

  /// Group `group` (from 1) has just taken so long, which is more than 0.
  void measured(int group, double seconds);

  /// Group `group` was not begun for lack of time.
  void passed_over(int group);

  /// Seconds. Of a group that has not run yet: twice what its multiply-accumulates would take in
  /// the slowest group that has; 0 while none has.
  [[nodiscard]] double expected(int group) const;

 private:
  struct Group {
    double macs = 0;
    double quickest = 0;  // 0: it has not run yet
    int passed_over = 0;  // since its last run
  };

  [[nodiscard]] double guessed(const Group& group) const;

  [[nodiscard]] double slowdown() const;

  std::vector<Group> groups_;
  std::array<double, 16> recent_{};  // time of a run by the quickest of its group; 0: none yet
  std::size_t next_ = 0;
  int refused_ = 0;  // groups passed over since any has run
};

}  // namespace bellows
