#include "pagevault/engine/watch.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "database_stamp.h"
#include "pagevault/base/codec.h"
#include "watch_problems.h"

namespace pagevault::engine {

namespace {

constexpr std::int64_t kRetryMinNs = 1'000'000'000;

using Stamps = std::map<std::string, DatabaseStamp>;

bool may_heal(ErrorCode code) {
  switch (code) {
    case ErrorCode::WrongKey:
    case ErrorCode::Unsupported:
    case ErrorCode::InvalidArgument:
    case ErrorCode::Corrupt:
    case ErrorCode::AuthFailed:
      return false;
    default:
      return true;
  }
}

bool is_there(const Stamps& stamps, const std::string& path) {
  const auto found = stamps.find(path);
  return found != stamps.end() && found->second.file.has_value();
}

class Watch {
 public:
  Watch(Env& env, const WatchRequest& request, WatchObserver& observer, const CancelToken& cancel)
      : env_(env), request_(request), observer_(observer), cancel_(cancel), problems_(observer) {}

  Status run() {
    while (true) {
      PV_TRY(cancel_.check());
      round_began_ns_ = env_.monotonic_ns();
      PV_TRY(round());
      PV_TRY(env_.wait_until(next_round_ns(), cancel_));
    }
  }

 private:
  Status round();
  Result<Stamps> look();
  bool is_due(const Stamps& stamps);
  Status save(Stamps stamps);
  void begin_outage(const Error& error);
  void end_outage();
  void retry_later();
  std::int64_t next_round_ns();

  Env& env_;
  const WatchRequest& request_;
  WatchObserver& observer_;
  const CancelToken& cancel_;
  WatchProblems problems_;

  std::int64_t round_began_ns_ = 0;
  Stamps saved_;  // Before the last snapshot began.
  bool saved_any_ = false;
  std::optional<ErrorCode> outage_;
  unsigned failures_ = 0;                 // In a row.
  std::optional<std::int64_t> retry_ns_;  // Then again, changed or not.
};

Status Watch::round() {
  problems_.begin_round();
  auto stamps = look();
  if (!stamps) {
    begin_outage(stamps.error());
    retry_later();
    return ok();
  }
  if (!is_due(*stamps)) return ok();
  // Whoever writes in this step of the clock, unseen by the stamps, does so before the snapshot.
  std::int64_t step_ns = 0;
  for (const auto& [path, stamp] : *stamps) step_ns = std::max(step_ns, stamp.step_ns);
  PV_TRY(env_.wait_until(env_.monotonic_ns() + step_ns, cancel_));
  return save(std::move(*stamps));
}

Result<Stamps> Watch::look() {
  PV_TRY_ASSIGN(const std::vector<std::string> paths, request_.databases());
  Stamps out;
  for (const std::string& path : paths) {
    auto stamp = look_at_database(env_, path);
    if (!stamp) {
      problems_.on_source_error({path, stamp.error()});
    } else if (!stamp->file) {
      problems_.on_source_error({path, Error(ErrorCode::NotFound, path + ": is not there")});
    }
    out[path] = stamp ? std::move(*stamp) : DatabaseStamp{};
  }
  return out;
}

bool Watch::is_due(const Stamps& stamps) {
  const bool any =
      std::ranges::any_of(stamps, [](const auto& s) { return s.second.file.has_value(); });
  if (!any) {
    saved_.clear();  // What was away may be another when it is back.
    return false;
  }
  const bool retry = retry_ns_ && round_began_ns_ >= *retry_ns_;
  // In an outage only retries: a database that changes all the time would know no patience.
  return retry || (!outage_ && stamps != saved_);
}

Status Watch::save(Stamps stamps) {
  const std::int64_t begun_ns = env_.now_ns();
  const std::int64_t from_ns = env_.monotonic_ns();
  std::vector<std::string> paths;
  for (const auto& [path, stamp] : stamps) paths.push_back(path);
  const auto report = request_.backup(paths, problems_);
  if (!report) {
    PV_TRY(cancel_.check());
    if (!saved_any_ && !may_heal(report.error().code())) return report.error();
    begin_outage(report.error());
    retry_later();
    return ok();
  }
  end_outage();
  observer_.on_snapshot(
      {.report = *report, .begun_ns = begun_ns, .duration_ns = env_.monotonic_ns() - from_ns});
  saved_any_ = true;
  const bool unread = std::ranges::any_of(
      problems_.round(), [&](const auto& problem) { return is_there(stamps, problem.first); });
  problems_.end_round();
  saved_ = std::move(stamps);
  if (unread) {
    retry_later();
  } else {
    failures_ = 0;
    retry_ns_.reset();
  }
  return ok();
}

void Watch::begin_outage(const Error& error) {
  if (outage_ != error.code()) observer_.on_outage(error);
  outage_ = error.code();
}

void Watch::end_outage() {
  if (outage_) observer_.on_outage_over();
  outage_.reset();
}

// Twice as long each time, and at random between half of that and all of it: many watchers of one
// NAS shall not come back at one moment.
void Watch::retry_later() {
  constexpr unsigned kDoublingsMax = 20;
  const std::int64_t most =
      std::min(kRetryMinNs << std::min(failures_, kDoublingsMax), kWatchRetryMaxNs);
  ++failures_;
  std::array<std::byte, 8> random{};
  env_.random(random);
  const auto part = static_cast<std::int64_t>(load_le64(random) % static_cast<std::uint64_t>(most));
  retry_ns_ = env_.monotonic_ns() + most / 2 + part / 2;
}

std::int64_t Watch::next_round_ns() {
  const std::int64_t now = env_.monotonic_ns();
  if (outage_ && retry_ns_) return *retry_ns_;
  const std::int64_t passed = (now - round_began_ns_) / request_.every_ns;
  return round_began_ns_ + (passed + 1) * request_.every_ns;
}

}  // namespace

Status run_watch(Env& env, const WatchRequest& request, WatchObserver& observer,
                 const CancelToken& cancel) {
  PV_CHECK(request.every_ns >= kWatchIntervalMinNs);
  return Watch(env, request, observer, cancel).run();
}

}  // namespace pagevault::engine
