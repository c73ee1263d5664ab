#include "pagevault/sqlitesupport/transaction_process.h"

#include <mutex>
#include <utility>

#include "helper_process.h"

namespace pagevault::sqlitesupport {

// One request and its answer at a time.
class SharedHelper {
 public:
  explicit SharedHelper(std::unique_ptr<HelperProcess> process) : process_(std::move(process)) {}

  Result<HelperReply> ask(const HelperRequest& request) {
    const std::lock_guard lock(mutex_);
    return process_->ask(request);
  }
  void dismiss() {
    const std::lock_guard lock(mutex_);
    process_->dismiss();
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<HelperProcess> process_;  // Guarded by mutex_.
};

namespace {

Error unexpected_answer() { return {ErrorCode::Io, "the sqlite helper answers something else"}; }

class RemoteTransaction final : public ReadTransaction {
 public:
  RemoteTransaction(std::shared_ptr<SharedHelper> helper, std::uint32_t number,
                    const DatabaseState& state)
      : helper_(std::move(helper)), number_(number), state_(state) {}
  ~RemoteTransaction() override { end_now().ignore("destructor; what matters calls end()"); }

  const DatabaseState& state() const override { return state_; }

  Result<bool> is_current() override {
    if (helper_ == nullptr) return false;
    PV_TRY_ASSIGN(const HelperReply reply,
                  helper_->ask({.kind = RequestKind::IsCurrent, .transaction = number_}));
    if (reply.kind != ReplyKind::Yes && reply.kind != ReplyKind::No) return unexpected_answer();
    return reply.kind == ReplyKind::Yes;
  }

  Status end() override { return end_now(); }

 private:
  Status end_now() {
    const auto helper = std::exchange(helper_, nullptr);
    if (helper == nullptr) return ok();
    PV_TRY_ASSIGN(const HelperReply reply,
                  helper->ask({.kind = RequestKind::End, .transaction = number_}));
    return reply.kind == ReplyKind::Done ? ok() : unexpected_answer();
  }

  // Shared by the source and its transactions, whichever lives longest. Null after the end.
  std::shared_ptr<SharedHelper> helper_;
  const std::uint32_t number_;
  const DatabaseState state_;
};

class TransactionProcess final : public TransactionSource {
 public:
  TransactionProcess(std::shared_ptr<SharedHelper> helper, std::string version)
      : helper_(std::move(helper)), version_(std::move(version)) {}

  Result<std::unique_ptr<ReadTransaction>> begin(const std::string& path) override {
    PV_TRY_ASSIGN(const HelperReply reply,
                  helper_->ask({.kind = RequestKind::Begin, .path = path}));
    if (reply.kind != ReplyKind::Begun) return unexpected_answer();
    return std::unique_ptr<ReadTransaction>(
        std::make_unique<RemoteTransaction>(helper_, reply.transaction, reply.state));
  }

  std::string sqlite_version() override { return version_; }

  void finish() override {
    // A transaction has a share; what it still has to ask needs the helper.
    if (helper_.use_count() == 1) helper_->dismiss();
  }

 private:
  std::shared_ptr<SharedHelper> helper_;  // Shared with the transactions.
  const std::string version_;
};

}  // namespace

Result<StartingProcess> StartingProcess::start(const HelperProgram& program) {
  PV_TRY_ASSIGN(auto process, HelperProcess::start(program));
  return StartingProcess(std::make_shared<SharedHelper>(std::move(process)));
}

Result<std::unique_ptr<TransactionSource>> StartingProcess::take() {
  auto helper = std::exchange(helper_, nullptr);
  PV_TRY_ASSIGN(const HelperReply reply, helper->ask({.kind = RequestKind::Version}));
  if (reply.kind != ReplyKind::Text) return unexpected_answer();
  return std::unique_ptr<TransactionSource>(
      std::make_unique<TransactionProcess>(std::move(helper), reply.text));
}

Result<std::unique_ptr<TransactionSource>> start_transaction_process(const HelperProgram& program) {
  PV_TRY_ASSIGN(StartingProcess starting, StartingProcess::start(program));
  return starting.take();
}

}  // namespace pagevault::sqlitesupport
