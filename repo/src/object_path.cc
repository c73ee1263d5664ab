#include "pagevault/repo/store.h"

namespace pagevault::repo {

std::string object_path(const ObjectName& name) {
  switch (name.type) {
    case ObjectType::Config:
      return "config";
    case ObjectType::KeySlot:
      return "keys/" + name.hex;
    case ObjectType::Pack:
      return "packs/" + name.hex.substr(0, 2) + "/" + name.hex;
    case ObjectType::Index:
      return "index/" + name.hex;
    case ObjectType::Snapshot:
      return "snapshots/" + name.hex;
    case ObjectType::Session:
      return "sessions/" + name.hex;
    case ObjectType::Gc:
      return "gc/" + name.hex;
  }
  PV_CHECK(false);
}

Status Store::put(const ObjectName& name, ByteView content) {
  PV_TRY_ASSIGN(const auto writer, create(name));
  PV_TRY(writer->append(content));
  return writer->publish();
}

}  // namespace pagevault::repo
