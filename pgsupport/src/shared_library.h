// A library that is loaded when it is first needed instead of at every start of the program: libpq
// and libarchive bring thirty others, which cost more than all else that a start does
// (docs/adr/0001-dependencies.md).

#pragma once

#include <bit>

#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

/// Stays loaded until the process ends. Thread-safe once constructed.
class SharedLibrary {
 public:
  /// `file` by its soname; `package` is Debian's, for the message.
  SharedLibrary(const char* file, const char* package);

  /// A function of the library; becomes a pointer of whatever type it is assigned to, null when it
  /// is not there, of which status() tells then.
  class Function {
   public:
    template <typename Signature>
    operator Signature*() const {  // NOLINT(google-explicit-constructor): what it is for.
      return std::bit_cast<Signature*>(address_);  // POSIX: dlsym gives functions so.
    }

   private:
    friend class SharedLibrary;
    explicit Function(void* address) : address_(address) {}
    void* address_;
  };
  Function find(const char* name);

  /// Errors: Unsupported (the library, or a function asked for, is not there). Nothing of it may be
  /// called then.
  const Status& status() const { return status_; }

 private:
  Status missing() const;

  const char* package_;
  void* handle_;
  Status status_;
};

}  // namespace pagevault::pgsupport
