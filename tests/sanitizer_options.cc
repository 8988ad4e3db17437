// Linked into the tests of a sanitized build. The sanitizers ask for these by name.

// Its heap must refuse what cannot be had, as others do,
// rather than end the program: that a clear error follows is what tests look at.
// NOLINTBEGIN(readability-identifier-naming)
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

// The thread sanitizer sees synchronisation only in code that it was compiled into or that it
// intercepts. Neither the OpenMP runtime nor oneDNN is such code: their threads meet at barriers
// made of plain atomics and futexes, so that what one thread hands to another (the arguments of a
// parallel region, in memory that libgomp allocates; scratch that oneDNN clears by memset) looks
// unprotected. What they do to our memory in parallel is within one call of one session.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libgomp.so\n"
         "called_from_lib:libdnnl.so\n";
}
// NOLINTEND(readability-identifier-naming)
