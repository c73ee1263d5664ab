#include "json_text.h"

#include "escape.h"

namespace pagevault::cli {

std::string json_text(const Json& document) {
  constexpr bool kAsciiOnly = true;
  return document.dump(-1, ' ', kAsciiOnly, Json::error_handler_t::replace);
}

void put_name(Json& object, std::string_view key, std::string_view name) {
  object[std::string(key)] = name;
  if (!is_valid_utf8(name)) object[std::string(key) + "_hex"] = to_hex(as_bytes(name));
}

void JsonArray::add(const Json& element) {
  if (begun_) console_.line((held_.starts_with('[') ? "" : " ") + held_ + ",");
  held_ = (begun_ ? "" : "[") + json_text(element);
  begun_ = true;
}

void JsonArray::end() {
  if (!begun_) return console_.line("[]");
  console_.line((held_.starts_with('[') ? "" : " ") + held_ + "]");
}

}  // namespace pagevault::cli
