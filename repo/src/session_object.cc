#include "pagevault/repo/session_object.h"

#include "pagevault/repo/fields.h"

namespace pagevault::repo {

namespace {

// Tags: docs/format.md, 3 "Session".
enum Tag : std::uint16_t {
  kSession = 0x8001,
  kHeartbeat = 0x8002,
  kTime = 0x8003,
  kHost = 0x0004,
  kProcess = 0x0005,
};
constexpr std::uint16_t kKnown[] = {kSession, kHeartbeat, kTime};

}  // namespace

Bytes encode_session(const SessionRecord& record) {
  FieldWriter out;
  out.add_text(kHost, record.host);
  out.add_u32(kProcess, record.process_id);
  out.add(kSession, record.session.view());
  out.add_u64(kHeartbeat, record.heartbeat);
  out.add_i64(kTime, record.time_ns);
  return out.take();
}

Result<SessionRecord> decode_session(ByteView body) {
  PV_TRY_ASSIGN(const FieldReader fields, FieldReader::parse(body, "session"));
  PV_TRY(fields.require_known(kKnown));
  SessionRecord record;
  PV_TRY_ASSIGN(record.session.bytes, fields.array<SessionId::kBytes>(kSession));
  PV_TRY_ASSIGN(record.heartbeat, fields.u64(kHeartbeat));
  PV_TRY_ASSIGN(record.time_ns, fields.i64(kTime));
  if (fields.has(kHost)) {
    PV_TRY_ASSIGN(record.host, fields.text(kHost));
  }
  if (fields.has(kProcess)) {
    PV_TRY_ASSIGN(record.process_id, fields.u32(kProcess));
  }
  return record;
}

}  // namespace pagevault::repo
