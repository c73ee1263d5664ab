// The simulator's IoQueue: operations take effect when they complete, in a seeded order.

#pragma once

#include <variant>
#include <vector>

#include "sim_machine.h"

namespace pagevault::sim {

class SimIoQueue final : public IoQueue {
 public:
  SimIoQueue(Machine& machine, unsigned depth) : machine_(machine), depth_(depth) {}
  ~SimIoQueue() override;

  void register_arena(MutableBytes arena) override;
  void read(File& file, std::uint64_t offset, MutableBytes out, std::uint64_t tag) override;
  void write(File& file, std::uint64_t offset, ByteView data, std::uint64_t tag) override;
  void flush() override {}
  std::vector<IoCompletion> wait() override;
  std::size_t in_flight() const override { return pending_.size(); }
  bool full() const override { return pending_.size() >= depth_; }

 private:
  struct Operation {
    File* file;
    std::uint64_t offset;
    std::variant<MutableBytes, ByteView> buffer;
    std::uint64_t tag;
  };
  void add(Operation operation);
  IoCompletion complete_one();

  Machine& machine_;
  std::size_t depth_;
  bool has_arena_ = false;
  std::vector<Operation> pending_;
};

}  // namespace pagevault::sim
