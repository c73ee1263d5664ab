#include "helper_message.h"

#include <bit>

#include "pagevault/base/codec.h"

namespace pagevault::sqlitesupport {
namespace {

void put_text(Encoder& out, std::string_view text) { out.str(text.substr(0, kMessageTextMax)); }

Result<std::string> take_text(Decoder& in) {
  PV_TRY_ASSIGN(const ByteView bytes, in.str(kMessageTextMax));
  return std::string(as_text(bytes));
}

void put_pair(Encoder& out, const std::array<std::uint32_t, 2>& pair) {
  out.u32(pair[0]);
  out.u32(pair[1]);
}

Result<std::array<std::uint32_t, 2>> take_pair(Decoder& in) {
  PV_TRY_ASSIGN(const std::uint32_t first, in.u32());
  PV_TRY_ASSIGN(const std::uint32_t second, in.u32());
  return std::array<std::uint32_t, 2>{first, second};
}

Result<bool> take_flag(Decoder& in) {
  PV_TRY_ASSIGN(const std::uint8_t flag, in.u8());
  if (flag > 1) return in.corrupt("flag");
  return flag == 1;
}

void put_state(Encoder& out, const DatabaseState& state) {
  out.u8(static_cast<std::uint8_t>(state.journal));
  for (const std::uint32_t value :
       {state.page_size, state.page_count, state.change_counter, state.schema_cookie,
        state.user_version, state.application_id}) {
    out.u32(value);
  }
  out.u8(state.wal ? 1 : 0);
  if (state.wal) {
    put_pair(out, state.wal->salt);
    out.u32(state.wal->frames);
    put_pair(out, state.wal->checksum);
  }
  out.u8(state.wal_is_in_file ? 1 : 0);
}

Result<WalPosition> take_position(Decoder& in) {
  WalPosition position;
  PV_TRY_ASSIGN(position.salt, take_pair(in));
  PV_TRY_ASSIGN(position.frames, in.u32());
  PV_TRY_ASSIGN(position.checksum, take_pair(in));
  return position;
}

Result<DatabaseState> take_state(Decoder& in) {
  DatabaseState state;
  PV_TRY_ASSIGN(const std::uint8_t journal, in.u8());
  if (journal != 1 && journal != 2) return in.corrupt("journal mode");
  state.journal = static_cast<JournalMode>(journal);
  for (std::uint32_t* const value :
       {&state.page_size, &state.page_count, &state.change_counter, &state.schema_cookie,
        &state.user_version, &state.application_id}) {
    PV_TRY_ASSIGN(*value, in.u32());
  }
  if (state.page_size < 512 || state.page_size > 65536 || !std::has_single_bit(state.page_size)) {
    return in.corrupt("page size");
  }
  PV_TRY_ASSIGN(const bool has_position, take_flag(in));
  if (has_position && state.journal != JournalMode::Wal) return in.corrupt("position without log");
  if (has_position) {
    PV_TRY_ASSIGN(state.wal, take_position(in));
  }
  PV_TRY_ASSIGN(state.wal_is_in_file, take_flag(in));
  return state;
}

Status take_fields(Decoder& in, HelperReply& reply) {
  switch (reply.kind) {
    case ReplyKind::Failed: {
      PV_TRY_ASSIGN(const std::uint8_t code, in.u8());
      if (code > static_cast<std::uint8_t>(ErrorCode::Cancelled)) return in.corrupt("error code");
      reply.code = static_cast<ErrorCode>(code);
      PV_TRY_ASSIGN(reply.text, take_text(in));
      return ok();
    }
    case ReplyKind::Text: {
      PV_TRY_ASSIGN(reply.text, take_text(in));
      return ok();
    }
    case ReplyKind::Begun: {
      PV_TRY_ASSIGN(reply.transaction, in.u32());
      PV_TRY_ASSIGN(reply.state, take_state(in));
      return ok();
    }
    case ReplyKind::Done:
    case ReplyKind::Yes:
    case ReplyKind::No:
      return ok();
  }
  return in.corrupt("kind");
}

}  // namespace

Bytes encode_request(const HelperRequest& request) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(request.kind));
  out.u32(request.transaction);
  put_text(out, request.path);
  return out.take();
}

Result<HelperRequest> decode_request(ByteView bytes) {
  Decoder in(bytes, "request to the sqlite helper");
  PV_TRY_ASSIGN(const std::uint8_t kind, in.u8());
  if (kind < 1 || kind > static_cast<std::uint8_t>(RequestKind::Dump)) return in.corrupt("kind");
  HelperRequest request{.kind = static_cast<RequestKind>(kind)};
  PV_TRY_ASSIGN(request.transaction, in.u32());
  PV_TRY_ASSIGN(request.path, take_text(in));
  PV_TRY(in.finish());
  return request;
}

Bytes encode_reply(const HelperReply& reply) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(reply.kind));
  if (reply.kind == ReplyKind::Failed) out.u8(static_cast<std::uint8_t>(reply.code));
  if (reply.kind == ReplyKind::Failed || reply.kind == ReplyKind::Text) put_text(out, reply.text);
  if (reply.kind == ReplyKind::Begun) {
    out.u32(reply.transaction);
    put_state(out, reply.state);
  }
  return out.take();
}

Result<HelperReply> decode_reply(ByteView bytes) {
  Decoder in(bytes, "answer of the sqlite helper");
  PV_TRY_ASSIGN(const std::uint8_t kind, in.u8());
  HelperReply reply{.kind = static_cast<ReplyKind>(kind)};
  PV_TRY(take_fields(in, reply));
  PV_TRY(in.finish());
  return reply;
}

}  // namespace pagevault::sqlitesupport
