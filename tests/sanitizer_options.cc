// Linked into the programs that the tests of a sanitized build run.

// The sanitizer asks for this by name. Its heap must refuse what cannot be had, as others do,
// rather than end the program: that a clear error follows is what tests look at.
// NOLINTBEGIN(readability-identifier-naming)
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

// ONNX Runtime, which comes as a binary, loses a few bytes of its own when it is loaded on some
// machines.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libonnxruntime.so\n"; }

// g++'s OpenMP is not built for the thread sanitizer, which therefore does not see that its threads
// wait for each other at the ends of a region. What threads of other kinds do remains in sight.
// Open MPI's connections take their locks in one order when they come and in another when they go.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:libgomp.so\n"
         "deadlock:mca_btl_tcp.so\n";
}
// NOLINTEND(readability-identifier-naming)
