#pragma once

#include <continuo/archive.hpp>
#include <continuo/context.hpp>
#include <continuo/ids.hpp>
#include <continuo/message_type.hpp>
#include <continuo/outcome.hpp>
#include <continuo/result.hpp>
#include <continuo/status.hpp>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace continuo {

namespace detail {
class node_runtime;

/// A promise that is always kept: if the node ends without an answer, its holder is told so.
template <class T>
class kept_promise {
public:
  kept_promise() = default;
  kept_promise(const kept_promise&) = delete;
  kept_promise& operator=(const kept_promise&) = delete;

  ~kept_promise() {
    if (!kept_) {
      promise_.set_value(fail(errc::unavailable,
                              "the node ended before it could answer: what was asked for may have "
                              "happened or not; ask again after its next start"));
    }
  }

  std::future<result<T>> future() { return promise_.get_future(); }

  /// @pre called once
  void keep(result<T> value) {
    kept_ = true;
    promise_.set_value(std::move(value));
  }

private:
  std::promise<result<T>> promise_;
  bool kept_ = false;
};
} // namespace detail

/// What the node says once an event or a command is durable.
struct accepted {
  message_id id;
  std::vector<instance_id> instances; ///< the saga instances that the event may start
};

struct publish_options {
  /// Where the node has no room for another start: false answers `errc::overloaded` at once, true waits for
  /// room.
  bool wait_for_room = false;
};

/// How a saga instance ended.
struct saga_result {
  instance_id instance;
  instance_status status = instance_status::completed; ///< `completed` or `compensated`
  std::string reason;                                  ///< why it was compensated
  std::string result_type;                             ///< empty where it completed without a result
  std::string payload;                                 ///< the result's bytes

  /// The result as the type that was given to `complete`; `errc::malformed` where it is another or there is
  /// none.
  template <class T>
  result<T> as() const {
    if (result_type != message_name<T>()) {
      return fail(errc::malformed, "the result is a " + (result_type.empty() ? "nothing" : result_type) +
                                       ", not a " + std::string{message_name<T>()});
    }
    return decode<T>(payload);
  }

  /// The result if it is text, else empty.
  std::string text() const { return as<std::string>().value_or(std::string{}); }
};

/// How a command that a client sent ended.
struct command_result {
  message_id id;
  std::optional<failure_kind> failed; ///< nothing: it succeeded
  std::string reason;
  std::string reply_type;
  std::string payload; ///< the reply's bytes

  template <class Reply>
  result<Reply> as() const {
    if (failed) {
      return fail(errc::conflict, std::string{to_string(*failed)} + ": " + reason);
    }
    return decode<Reply>(payload);
  }
};

/// One thing that can wake an instance.
struct cause {
  std::string kind;   ///< `reply`, `timer`, `event`, `delivery` or `operator`
  std::string what;   ///< the command, the timer's name, the event, the message, or the reason
  std::string where;  ///< the service or instance
  message_id id{};    ///< of a reply: the command's
  instance_id to{};   ///< of a reply: where the command went; a stateless service's key is empty
  time_point since{}; ///< sent at; of a timer: when it is due
  std::uint32_t attempts = 0;
  std::string last_error{};

  friend bool operator==(const cause&, const cause&) = default;
};

/// What an instance is, from durable state.
struct instance_view {
  instance_id instance;
  instance_status status = instance_status::running;
  std::uint64_t revision = 0;
  std::uint32_t definition_version = 0;
  std::string state; ///< JSON
  std::vector<cause> waiting_for;
  std::string reason;
  std::string result; ///< JSON; empty where there is none
  time_point started_at{};
  time_point updated_at{};
};

/// One entry of an instance's history.
struct history_view {
  time_point at{};
  std::uint64_t revision = 0;
  std::string what;
  instance_status status = instance_status::running;
  std::string message; ///< type of the message handled
  message_id id;
  instance_id from;
  std::string payload;           ///< JSON, where the type is known
  std::vector<std::string> sent; ///< types of the messages sent
  std::string note;
};

/// A message that failed for good.
struct dead_letter_view {
  std::string id;
  std::string type;
  instance_id from;
  instance_id to;
  std::string reason;
  std::uint32_t attempts = 0;
  time_point since{};
  std::string payload; ///< JSON, where the type is known
  bool may_redrive = true;
};

/// A published event on its way.
class publication {
public:
  publication(std::shared_ptr<detail::node_runtime> runtime, std::shared_future<result<accepted>> taken)
      : runtime_(std::move(runtime)), taken_(std::move(taken)) {}

  /// Blocks until the event is durable, or refused.
  const result<accepted>& get() const { return taken_.get(); }

  const std::shared_future<result<accepted>>& taken() const { return taken_; }

  /// The end of the instance of `Saga` that the event starts. Blocks until the event is durable. With a
  /// timeout the future gets `errc::timed_out` then; the instance goes on.
  template <class Saga>
  std::future<result<saga_result>>
  result_of(std::optional<std::chrono::milliseconds> timeout = std::nullopt) const {
    return result_of(message_name<Saga>(), timeout);
  }

  std::future<result<saga_result>> result_of(std::string_view saga,
                                             std::optional<std::chrono::milliseconds> timeout) const;

private:
  std::shared_ptr<detail::node_runtime> runtime_;
  std::shared_future<result<accepted>> taken_;
};

/// The way from the application into a node. Cheap to copy; usable from any thread, also while the node stops
/// (it then answers `errc::unavailable`). No member blocks; futures do. Do not wait for a future in a handler
/// of the same node.
class client {
public:
  explicit client(std::shared_ptr<detail::node_runtime> runtime) : runtime_(std::move(runtime)) {}

  // -- messages ----------------------------------------------------------------------
  /// Publishes an event. Durable once the publication's `get()` has a value: from then on it is never lost.
  template <message Event>
  publication publish(const Event& event, publish_options options = {}) const {
    auto promise = std::make_shared<detail::kept_promise<accepted>>();
    auto taken = promise->future().share();
    publish(std::string{message_name<Event>()}, encode(event), options,
            [promise](result<accepted> answer) { promise->keep(std::move(answer)); });
    return {runtime_, std::move(taken)};
  }

  /// The same with bytes and a callback, which runs on a thread of the node and must not block.
  void publish(std::string type, std::string payload, publish_options options,
               std::function<void(result<accepted>)> answer) const;

  /// Sends a command to the service that handles it, and gives its reply: `errc::conflict` with the reason
  /// where it was declined or its outcome is unknown.
  template <message Command>
  std::future<result<typename Command::reply>> send(const Command& command) const {
    auto promise = std::make_shared<detail::kept_promise<typename Command::reply>>();
    auto future = promise->future();
    send(std::string{message_name<Command>()}, encode(command), {}, [promise](result<command_result> answer) {
      promise->keep(
          answer.and_then([](const command_result& end) { return end.as<typename Command::reply>(); }));
    });
    return future;
  }

  /// The same with bytes and callbacks: `taken` once the command is durable, `answer` once its outcome is.
  void send(std::string type, std::string payload, std::function<void(result<accepted>)> taken,
            std::function<void(result<command_result>)> answer) const;

  // -- instances ---------------------------------------------------------------------
  template <class Saga>
  std::future<result<saga_result>>
  result_of(std::string key, std::optional<std::chrono::milliseconds> timeout = std::nullopt) const {
    return result_of({std::string{message_name<Saga>()}, std::move(key)}, timeout);
  }

  /// The end of an instance, which may be long ago or not have begun.
  std::future<result<saga_result>>
  result_of(instance_id instance, std::optional<std::chrono::milliseconds> timeout = std::nullopt) const;

  /// The same with a callback, which runs on a thread of the node and must not block.
  void result_of(instance_id instance, std::optional<std::chrono::milliseconds> timeout,
                 std::function<void(result<saga_result>)> answer) const;

  /// What an instance is and waits for; `errc::not_found`.
  std::future<result<instance_view>> show(instance_id instance) const;

  /// The instances of a saga or keyed service in key order, after `after`, at most `limit`. Reads the store:
  /// only what is durable.
  result<std::vector<instance_view>> list(std::string_view type,
                                          std::optional<instance_status> status = std::nullopt,
                                          std::size_t limit = 100, std::string_view after = {}) const;

  /// The history of an instance, oldest first. Reads the store.
  result<std::vector<history_view>> history(const instance_id& instance) const;

  // -- an operator's verbs: durable once the future has a value -----------------------------
  std::future<result<void>> cancel(instance_id instance, std::string who = {}, std::string note = {}) const;
  std::future<result<void>> pause(instance_id instance, std::string who = {}, std::string note = {}) const;
  std::future<result<void>> resume(instance_id instance, std::string who = {}, std::string note = {}) const;
  std::future<result<void>> retry(instance_id instance, std::string who = {}, std::string note = {}) const;
  /// Counts a refused compensation as done by hand; the note is required.
  std::future<result<void>> skip(instance_id instance, std::string who, std::string note) const;

  // -- dead letters -----------------------------------------------------------------------
  /// Reads the store.
  result<std::vector<dead_letter_view>> dead_letters() const;

  /// Sends a dead letter again, once, with a corrected payload if given (bytes of the same type). A command
  /// whose requester was told of the failure is refused with `errc::conflict`.
  std::future<result<void>> redrive(std::string id,
                                    std::optional<std::string> corrected = std::nullopt) const;
  std::future<result<void>> discard(std::string id) const;

  /// Commands parked after their attempts were exhausted (`exhausted::park`): tried again, or given up, in
  /// which case the requester gets `failure_kind::unknown`.
  std::future<result<void>> retry_command(std::string service, message_id id) const;
  std::future<result<void>> discard_command(std::string service, message_id id) const;

private:
  std::shared_ptr<detail::node_runtime> runtime_;
};

} // namespace continuo
