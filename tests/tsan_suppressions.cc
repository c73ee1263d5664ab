// What ThreadSanitizer cannot judge: libraries it has not instrumented.

extern "C" const char* __tsan_default_suppressions();

/// Read by the sanitizer's runtime. RocksDB guards its static tables with inline atomics, which are
/// not seen when the library is not built for the sanitizer. (`called_from_lib` would also lose its
/// mutexes, and see more races than there are.)
extern "C" const char* __tsan_default_suppressions() { return "race:librocksdb.so\n"; }
