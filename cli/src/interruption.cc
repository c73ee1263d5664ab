#include "interruption.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

#include "exit_code.h"

namespace pagevault::cli {
namespace {

// Written by the main thread, read by the handler on whichever thread it runs.
std::atomic<CancelToken*> g_token{nullptr};
std::atomic<int> g_signals{0};
static_assert(std::atomic<CancelToken*>::is_always_lock_free);

extern "C" void on_interrupt(int /*signal*/) {
  CancelToken* token = g_token.load();
  if (g_signals.fetch_add(1) > 0 || token == nullptr) {
    _exit(static_cast<int>(ExitCode::Interrupted));
  }
  token->cancel();
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction before {};
  sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN && handler == on_interrupt) return;
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // Not SA_RESTART: a blocked read of a pipe or terminal must come back.
  sigaction(signal, &action, nullptr);
}

}  // namespace

void install_signal_handlers() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) handle(signal, on_interrupt);
  for (const int signal : {SIGPIPE, SIGXFSZ}) handle(signal, SIG_IGN);
}

CancelOnSignal::CancelOnSignal(CancelToken& token) : before_(g_token.exchange(&token)) {}

CancelOnSignal::~CancelOnSignal() { g_token.store(before_); }

}  // namespace pagevault::cli
