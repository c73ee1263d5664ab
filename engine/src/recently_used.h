// Values that cost something to make, the last used of them kept.

#pragma once

#include <cstdint>
#include <list>
#include <utility>

namespace pagevault::engine {

/// For a few dozen values: finding one compares keys in a row. Not thread-safe.
template <class Key, class Value>
class RecentlyUsed {
 public:
  /// `weight_max`: of all values together, in whatever add() counts.
  explicit RecentlyUsed(std::uint64_t weight_max) : weight_max_(weight_max) {}

  /// Null when it is not kept. Valid until the next add().
  const Value* find(const Key& key) {
    for (auto at = kept_.begin(); at != kept_.end(); ++at) {
      if (!(at->key == key)) continue;
      kept_.splice(kept_.begin(), kept_, at);
      return &kept_.front().value;
    }
    return nullptr;
  }
  /// Keeps it, even when it is heavier than all may be. Valid until the next add().
  const Value* add(Key key, Value value, std::uint64_t weight) {
    kept_.push_front({std::move(key), std::move(value), weight});
    weight_ += weight;
    while (weight_ > weight_max_ && kept_.size() > 1) {
      weight_ -= kept_.back().weight;
      kept_.pop_back();
    }
    return &kept_.front().value;
  }

 private:
  struct Item {
    Key key;
    Value value;
    std::uint64_t weight;
  };
  std::uint64_t weight_max_;
  std::uint64_t weight_ = 0;
  std::list<Item> kept_;  // Last used first.
};

}  // namespace pagevault::engine
