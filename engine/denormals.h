// Numbers too small for a normal exponent, below 1.2e-38: processors take up to a hundred times as
// long for them, which a model made for it could use to be slow.
#pragma once

#include <omp.h>

#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace bellows {

/// Makes the calling thread, and the OpenMP threads that it computes with, read and write denormal
/// numbers as zeros until destroyed; then everything is as before. Does nothing on processors other
/// than x86 and 64-bit Arm.
class DenormalsAreZero {
 public:
  /// `threads`: that compute, the calling one included.
  explicit DenormalsAreZero(int threads) : threads_(threads), before_(state()) {
    on_all([this] { set(before_ | kZero); });
  }
  ~DenormalsAreZero() {
    on_all([this] { set(before_); });
  }
  DenormalsAreZero(const DenormalsAreZero&) = delete;
  DenormalsAreZero& operator=(const DenormalsAreZero&) = delete;

 private:
#if defined(__SSE2__)
  using State = std::uint32_t;
  static constexpr State kZero = 0x8040;  // results (FTZ) and operands (DAZ)
  static State state() { return _mm_getcsr(); }
  static void set(State state) { _mm_setcsr(state); }
#elif defined(__aarch64__)
  using State = std::uint64_t;
  static constexpr State kZero = State{1} << 24;  // both
  static State state() {
    State state = 0;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    return state;
  }
  static void set(State state) { __asm__ volatile("msr fpcr, %0" : : "r"(state)); }
#else
  using State = std::uint32_t;
  static constexpr State kZero = 0;
  static State state() { return 0; }
  static void set(State /*state*/) {}
#endif

  template <class Act>
  void on_all(const Act& act) const {
    if (threads_ == 1) {
      act();
      return;
    }
#pragma omp parallel num_threads(threads_)
    act();
  }

  int threads_;
  State before_;
};

}  // namespace bellows
