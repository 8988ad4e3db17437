// Keeps an average power by what each inference may take: a token bucket.
#pragma once

namespace bellows {

/// A store that fills with time and pays for inferences. What the next inference may take follows
/// from how full it is: a half-full store allows what the power gives from one request to the next,
/// a full one anything that it holds, an empty one nothing. Where no operating point takes just
/// what is given, the level so wanders between the marks at which the next dearer and the next
/// cheaper one are chosen, and the two are mixed in the right shares, whatever the requests' rate
/// and however wrong the expected energies are.
///
/// Energy spent over any time is at most what the power gives in it and the store's size, as long
/// as nothing is bought that `tokens_j` does not pay.
class EnergyBudget {
 public:
  /// `seconds` have passed at a power of `power_w`, with a store of `size_j` (above 0).
  void refill(double power_w, double size_j, double seconds);

  void spend(double size_j, double joules);

  /// What is in the store.
  [[nodiscard]] double tokens_j(double size_j) const { return level_ * size_j; }

  /// What an inference may take on average from now on, with requests `interval_s` apart; 0: not
  /// known yet. Infinite for a full store.
  [[nodiscard]] double allowed_j(double power_w, double size_j, double interval_s) const;

 private:
  double level_ = 0.5;  // share of the store's size
};

}  // namespace bellows
