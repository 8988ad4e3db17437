// Processes of one machine that train and measure: while one of them measures times, the others
// wait, or it would measure them, too.
#pragma once

#include <filesystem>

namespace bellows {

/// Two locks on a file that all processes of the machine know. Each process holds the file open
/// once; what a process holds ends with it, however that ends. One thread at a time.
class MachineTurn {
 public:
  /// Of this user on this machine, or of whoever names the same file. Throws Error(kIoError) when
  /// it cannot be made.
  explicit MachineTurn(const std::filesystem::path& file = default_file());
  ~MachineTurn();
  MachineTurn(const MachineTurn&) = delete;
  MachineTurn& operator=(const MachineTurn&) = delete;

  [[nodiscard]] static std::filesystem::path default_file();

  /// This process works, together with others that do; called between pieces of work, it lets those
  /// go first that wait to measure.
  void work();
  /// This process measures: returns when every other has come to the end of its piece of work, and
  /// holds them until the next `work` or `rest`.
  void measure();
  /// Neither.
  void rest();

 private:
  int door_ = -1;  // who wants to measure shuts it, so that nobody begins another piece
  int room_ = -1;  // who works shares it, who measures has it alone
};

}  // namespace bellows
