#include "starting_helper.h"

namespace pagevault::cli {

StartingHelper::StartingHelper(Env& env) : starter_(env.make_executor(1, 1)) {
  starter_->submit([this] { started_.emplace(sqlitesupport::start_transaction_process()); });
}

StartingHelper::Started StartingHelper::take() {
  starter_->wait_idle();
  return std::move(*started_);
}

}  // namespace pagevault::cli
