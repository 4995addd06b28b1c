#pragma once

#include <continuo/detail/language.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace continuo {

/// A business failure: the service looked at the command and will not do it. Nothing happened.
struct declined {
  std::string reason;
};

/// What a handler returns to refuse a command: `return continuo::decline("card refused");`
[[nodiscard]] inline declined decline(std::string reason) {
  return declined{std::move(reason)};
}

/// What a command's handler returns: its reply, or a business failure. Technical trouble is thrown instead
/// and retried by the service's retry policy.
template <class Reply>
class outcome {
public:
  using reply_type = Reply;

  outcome(Reply reply) : reply_(std::move(reply)) {}
  outcome(declined reason) : reason_(std::move(reason.reason)) {}

  // -- queries ----------------------------------------------------------------
  bool is_declined() const { return !reply_; }

  /// @pre `!is_declined()`
  const Reply& reply() const { return *reply_; }

  /// Empty unless it is declined.
  const std::string& reason() const { return reason_; }

private:
  std::optional<Reply> reply_;
  std::string reason_;
};

/// What is known of a command that failed.
enum class failure_kind : std::uint8_t {
  declined,  ///< the service refused: it did not happen
  withdrawn, ///< taken back before the service began: it did not happen
  unknown,   ///< the attempts are exhausted: it may have happened
  given_up,  ///< a workflow gave the step up: as if it had not happened
};

/// The name as it stands in logs and JSON.
constexpr const char* to_string(failure_kind kind) {
  switch (kind) {
  case failure_kind::declined:
    return "declined";
  case failure_kind::withdrawn:
    return "withdrawn";
  case failure_kind::given_up:
    return "given_up";
  case failure_kind::unknown:
    break;
  }
  return "unknown";
}

/// The failure of a command, as a saga's handler `void on(const continuo::failure<make_payment>&,
/// saga_context&)` gets it. A saga without that handler rolls back with the reason.
template <class Command>
struct failure {
  failure_kind kind = failure_kind::unknown;
  std::string reason;
  Command command; ///< as it was sent
};

} // namespace continuo
