// libsodium and xxHash speak unsigned char: the two conversions, in one place.

#pragma once

#include "pagevault/base/bytes.h"

namespace pagevault::repo {

inline const unsigned char* sodium_in(ByteView bytes) {
  return static_cast<const unsigned char*>(static_cast<const void*>(bytes.data()));
}

inline unsigned char* sodium_out(MutableBytes bytes) {
  return static_cast<unsigned char*>(static_cast<void*>(bytes.data()));
}

}  // namespace pagevault::repo
