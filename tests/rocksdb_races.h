// Debian's RocksDB is not built for ThreadSanitizer: its atomics are invisible, and what they order
// looks like races. Include in one file of a test program that runs RocksDB.

#pragma once

#if defined(__SANITIZE_THREAD__)
#define PAGEVAULT_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PAGEVAULT_THREAD_SANITIZER 1
#endif
#endif

#if defined(PAGEVAULT_THREAD_SANITIZER)
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions() { return "race:librocksdb.so\n"; }
#endif
