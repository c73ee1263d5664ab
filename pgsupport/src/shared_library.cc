#include "shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace pagevault::pgsupport {

SharedLibrary::SharedLibrary(const char* file, const char* package)
    : package_(package), handle_(dlopen(file, RTLD_NOW | RTLD_LOCAL)), status_(ok()) {
  if (handle_ == nullptr) status_ = missing();
}

SharedLibrary::Function SharedLibrary::find(const char* name) {
  void* const address = handle_ == nullptr ? nullptr : dlsym(handle_, name);
  if (address == nullptr && status_) status_ = missing();
  return Function(address);
}

Status SharedLibrary::missing() const {
  const char* const reason = dlerror();  // glibc has one for each thread.
  return Error(ErrorCode::Unsupported,
               fmt::format("{}; Debian has it in the package {}",
                           reason == nullptr ? "a library is missing" : reason, package_));
}

}  // namespace pagevault::pgsupport
