// What ThreadSanitizer cannot judge: libraries it has not instrumented.

extern "C" const char* __tsan_default_suppressions();

/// Read by the sanitizer's runtime. RocksDB guards its static tables with inline atomics, unseen
/// when the library is not built for the sanitizer; its callers, our code, stay watched.
extern "C" const char* __tsan_default_suppressions() { return "called_from_lib:librocksdb\n"; }
