// The functions of libarchive that we call, loaded when the first archive is opened.

#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "shared_library.h"

namespace pagevault::pgsupport {

/// Each is as archive_read(3) has it, under the name behind "archive_".
struct LibArchive {
  SharedLibrary library{"libarchive.so.13", "libarchive13"};

  decltype(&archive_read_new) read_new = library.find("archive_read_new");
  decltype(&archive_read_free) read_free = library.find("archive_read_free");
  decltype(&archive_read_support_format_raw) read_support_format_raw =
      library.find("archive_read_support_format_raw");
  decltype(&archive_read_append_filter) read_append_filter =
      library.find("archive_read_append_filter");
  decltype(&archive_read_open2) read_open2 = library.find("archive_read_open2");
  decltype(&archive_read_next_header) read_next_header = library.find("archive_read_next_header");
  decltype(&archive_read_data_block) read_data_block = library.find("archive_read_data_block");
  decltype(&archive_set_error) set_error = library.find("archive_set_error");
  decltype(&archive_error_string) error_string = library.find("archive_error_string");
  decltype(&archive_errno) error_number = library.find("archive_errno");
};

/// Loads it. Nothing is called before `library.status()` was looked at: PlainStream::open does.
inline const LibArchive& libarchive() {
  static const LibArchive kLoaded;
  return kLoaded;
}

}  // namespace pagevault::pgsupport
