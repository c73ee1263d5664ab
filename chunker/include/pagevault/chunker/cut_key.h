// The key that decides where chunks end. Without it a provider who sees sizes could recognise known
// files by their boundaries; with it boundaries differ per repository.

#pragma once

#include "pagevault/base/secret.h"

namespace pagevault::chunker {

struct CutKeyRole;
/// K_cut of docs/format.md, section 2.
using CutKey = SecretKey<CutKeyRole>;

}  // namespace pagevault::chunker
