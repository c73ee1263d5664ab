// The functions of libpq that we call, loaded when the first connection is opened.

#pragma once

#include <libpq-fe.h>

#include "shared_library.h"

namespace pagevault::pgsupport {

/// Each is as libpq's manual has it, under the name behind "PQ".
struct LibPq {
  SharedLibrary library{"libpq.so.5", "libpq5"};

  decltype(&PQbackendPID) backend_pid = library.find("PQbackendPID");
  decltype(&PQclear) clear = library.find("PQclear");
  decltype(&PQconnectPoll) connect_poll = library.find("PQconnectPoll");
  decltype(&PQconnectStartParams) connect_start_params = library.find("PQconnectStartParams");
  decltype(&PQconnectionNeedsPassword) connection_needs_password =
      library.find("PQconnectionNeedsPassword");
  decltype(&PQconninfoFree) conninfo_free = library.find("PQconninfoFree");
  decltype(&PQconninfoParse) conninfo_parse = library.find("PQconninfoParse");
  decltype(&PQconsumeInput) consume_input = library.find("PQconsumeInput");
  decltype(&PQerrorMessage) error_message = library.find("PQerrorMessage");
  decltype(&PQfinish) finish = library.find("PQfinish");
  decltype(&PQflush) flush = library.find("PQflush");
  decltype(&PQfreemem) free_memory = library.find("PQfreemem");
  decltype(&PQgetCopyData) get_copy_data = library.find("PQgetCopyData");
  decltype(&PQgetResult) get_result = library.find("PQgetResult");
  decltype(&PQgetisnull) get_is_null = library.find("PQgetisnull");
  decltype(&PQgetlength) get_length = library.find("PQgetlength");
  decltype(&PQgetvalue) get_value = library.find("PQgetvalue");
  decltype(&PQhost) host = library.find("PQhost");
  decltype(&PQisBusy) is_busy = library.find("PQisBusy");
  decltype(&PQnfields) field_count = library.find("PQnfields");
  decltype(&PQntuples) row_count = library.find("PQntuples");
  decltype(&PQport) port = library.find("PQport");
  decltype(&PQputCopyData) put_copy_data = library.find("PQputCopyData");
  decltype(&PQputCopyEnd) put_copy_end = library.find("PQputCopyEnd");
  decltype(&PQresStatus) status_name = library.find("PQresStatus");
  decltype(&PQresultErrorField) result_error_field = library.find("PQresultErrorField");
  decltype(&PQresultErrorMessage) result_error_message = library.find("PQresultErrorMessage");
  decltype(&PQresultStatus) result_status = library.find("PQresultStatus");
  decltype(&PQsendQuery) send_query = library.find("PQsendQuery");
  decltype(&PQsendQueryParams) send_query_params = library.find("PQsendQueryParams");
  decltype(&PQserverVersion) server_version = library.find("PQserverVersion");
  decltype(&PQsetNoticeReceiver) set_notice_receiver = library.find("PQsetNoticeReceiver");
  decltype(&PQsetSingleRowMode) set_single_row_mode = library.find("PQsetSingleRowMode");
  decltype(&PQsetnonblocking) set_nonblocking = library.find("PQsetnonblocking");
  decltype(&PQsocket) socket = library.find("PQsocket");
  decltype(&PQstatus) status = library.find("PQstatus");
  decltype(&PQtransactionStatus) transaction_status = library.find("PQtransactionStatus");
  decltype(&PQuser) user = library.find("PQuser");
};

/// Loads it. Nothing is called before `library.status()` was looked at: PgConnection::open does.
inline const LibPq& pq() {
  static const LibPq kLoaded;
  return kLoaded;
}

}  // namespace pagevault::pgsupport
