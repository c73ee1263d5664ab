// A value or an error: how every fallible function of this project answers.
//
// Member names are a subset of std::expected, so that a later compiler makes this a one-line
// alias. Both classes are [[nodiscard]]: an error is propagated (PV_TRY), handled, or dropped on
// purpose with .ignore("why"), which can be searched for.

#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace pagevault {

/// What a caller can do about it. A code exists only if some caller branches on it.
enum class ErrorCode {
  NotFound,
  AlreadyExists,
  InvalidArgument,
  Corrupt,     ///< Bytes that break the format or their checksum.
  AuthFailed,  ///< Bytes that fail authentication: damaged, swapped or forged.
  WrongKey,    ///< The credential opens no key slot of this repository.
  Io,
  NoSpace,
  Locked,
  WrongParent,  ///< What an incremental builds on is missing, ambiguous or another.
  Unsupported,  ///< Well-formed, but from a newer format or asking for what this build lacks.
  Cancelled,
};

/// The enumerator's name, e.g. "Corrupt".
std::string_view to_string(ErrorCode code);

/// Code and message. Messages are lower case, without full stop, outermost context first:
/// `restore base/5/16384: read pack 3f2a91: footer: short read (12 of 64 bytes)`.
class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

  /// The same error with `what` (what the caller was doing) in front.
  Error with_context(std::string_view what) const&;

 private:
  ErrorCode code_;
  std::string message_;
};

template <class T>
class [[nodiscard]] Result {
  static_assert(!std::is_same_v<T, Error>);

 public:
  using value_type = T;

  // NOLINTNEXTLINE(google-explicit-constructor): returns read as values
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): returns read as errors
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return *checked(); }
  const T& value() const& { return *const_cast<Result*>(this)->checked(); }
  T&& value() && { return std::move(*checked()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const { return std::get<1>(state_); }

  /// Adds what the caller was doing, if this is an error.
  Result context(std::string_view what) && {
    if (has_value()) return std::move(*this);
    return error().with_context(what);
  }
  /// Drops value or error; `reason` says why that is right.
  void ignore([[maybe_unused]] std::string_view reason) const {}

 private:
  T* checked() {
    if (has_value()) return &std::get<0>(state_);
    std::fprintf(stderr, "pagevault: bug: value() of an error: %s\n", error().message().c_str());
    std::abort();
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): returns read as errors
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  const Error& error() const { return std::get<1>(state_); }

  Result context(std::string_view what) && {
    if (has_value()) return {};
    return error().with_context(what);
  }
  void ignore([[maybe_unused]] std::string_view reason) const {}

 private:
  std::variant<std::monostate, Error> state_;
};

using Status = Result<void>;

/// Success, for the end of functions that return Status.
inline Status ok() { return {}; }

}  // namespace pagevault

#define PV_CONCAT_INNER(a, b) a##b
#define PV_CONCAT(a, b) PV_CONCAT_INNER(a, b)

/// Returns the error of `expr` (a Result or Status) from the enclosing function.
#define PV_TRY(expr)                                  \
  do {                                                \
    auto&& pv_try_result = (expr);                    \
    if (!pv_try_result) return pv_try_result.error(); \
  } while (false)

// NOLINTBEGIN(bugprone-macro-parentheses): `tmp` is a name and `decl` a declaration
#define PV_TRY_ASSIGN_IMPL(tmp, decl, expr) \
  auto tmp = (expr);                        \
  if (!tmp) return tmp.error();             \
  decl = std::move(tmp).value()
// NOLINTEND(bugprone-macro-parentheses)

/// `PV_TRY_ASSIGN(auto pack, open(...))`: declares or assigns the value, or returns the error.
#define PV_TRY_ASSIGN(decl, expr) PV_TRY_ASSIGN_IMPL(PV_CONCAT(pv_try_, __LINE__), decl, expr)

/// Aborts in every build type. For bugs of ours, never for bytes from disk, network or user.
#define PV_CHECK(condition)                                                                \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "pagevault: bug: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)
