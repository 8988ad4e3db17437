// Processes that train one network together, over MPI. Every rank runs the same calls in the same
// order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bellows {

/// One process alone, or all that `mpirun` started. Not thread safe.
class Ranks {
 public:
  /// One process alone, whoever started it.
  Ranks() = default;
  /// All that a launcher of MPI (mpirun) has started together; without one this process alone. The
  /// first call starts MPI, the end of the program ends it. Throws Error(kUnsupported) where
  /// several were started and this program was built without MPI.
  [[nodiscard]] static Ranks world();
  /// Whether this program was built with MPI.
  [[nodiscard]] static bool supported();

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] bool first() const { return rank_ == 0; }
  [[nodiscard]] bool alone() const { return size_ == 1; }

  // Each throws Error(kIoError) when another rank can no longer be reached.

  /// Every element becomes the sum of that of all ranks, the same bits everywhere.
  void sum(std::span<float> values) const;
  void sum(std::span<double> values) const;
  /// Everywhere what rank 0 has.
  void share(std::span<float> values) const;
  void share(int& value) const;
  void share(std::string& text) const;

  /// A text from one rank to another.
  struct Message {
    int from = 0;
    std::string text = {};
  };
  /// Hands a text over. Small ones (4 kB) wait for nobody.
  void send(int to, const std::string& text) const;
  /// The oldest text that has come, or nothing: it does not wait.
  [[nodiscard]] std::optional<Message> receive() const;

  /// What `sum` has taken so far, in this process.
  struct Summing {
    std::uint64_t bytes = 0;  ///< given by this rank
    double seconds = 0;       ///< with the waiting for other ranks
  };
  [[nodiscard]] static Summing summing();

  /// This rank has failed: the end of this program ends all others with `exit_code`, which would
  /// wait for it for ever. Alone it does nothing.
  void abandon(int exit_code) const;

  /// Some ranks are gone: the end of this program waits for no others, as MPI else does, for ever.
  void wait_for_nobody() const;

 private:
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace bellows
