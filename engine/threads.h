// Threads to compute with. OpenMP's number of them belongs to the calling thread; this borrows it.
#pragma once

#include <omp.h>

namespace bellows {

/// Cores that this process may use.
inline int available_cores() { return omp_get_num_procs(); }

/// Sets the number of OpenMP threads that the calling thread uses, until destroyed.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(omp_get_max_threads()) {
    if (threads != before_) omp_set_num_threads(threads);
  }
  ~ThreadCount() {
    if (omp_get_max_threads() != before_) omp_set_num_threads(before_);
  }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

}  // namespace bellows
