// The file that a helper was given by its starter, for SQLite to open: kInheritedFilePath.

#pragma once

#include "pagevault/base/result.h"

namespace pagevault::sqlitesupport {

/// Name of a VFS, registered at the first call, for reading it without locks; it opens nothing else
/// but what SQLite's own without locks opens. Changes how SQLite opens this one path in the whole
/// process. Errors: Unsupported.
Result<const char*> inherited_file_vfs();

}  // namespace pagevault::sqlitesupport
