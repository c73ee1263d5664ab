// Lends objects that are costly to make (compression contexts, buffers) to whichever thread needs
// one. As many exist as were ever in use at once.

#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace pagevault {

/// Thread-safe. Outlives its loans.
template <class T>
class ObjectPool {
 public:
  /// Gives the object back when it goes.
  class Loan {
   public:
    Loan(ObjectPool& pool, std::unique_ptr<T> object) : pool_(&pool), object_(std::move(object)) {}
    Loan(Loan&&) noexcept = default;
    Loan& operator=(Loan&&) = delete;
    ~Loan() {
      if (object_) pool_->give_back(std::move(object_));
    }
    T& operator*() const { return *object_; }
    T* operator->() const { return object_.get(); }

   private:
    ObjectPool* pool_;
    std::unique_ptr<T> object_;
  };

  /// A free object, or one that `make` (returning unique_ptr<T>) makes.
  template <class Make>
  Loan borrow(Make make) {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        auto object = std::move(free_.back());
        free_.pop_back();
        return Loan(*this, std::move(object));
      }
    }
    return Loan(*this, make());
  }

 private:
  void give_back(std::unique_ptr<T> object) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(object));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> free_;  // Guarded by mutex_.
};

}  // namespace pagevault
