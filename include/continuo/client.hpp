#pragma once

#include <continuo/archive.hpp>
#include <continuo/context.hpp>
#include <continuo/fields.hpp>
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

/// Gives a promise of the type that `client::send` knows its value (which may be moved from) or its error.
using keep_function = void (*)(void* promise, void* value, error* failed);

error not_of_type(std::string_view found, std::string_view asked);
} // namespace detail

/// What the node says once an event or a command is durable.
struct accepted {
  message_id id;
  std::vector<instance_id> instances; ///< the saga instances that the event may start

  CONTINUO_FIELDS(accepted, id, instances)
};

struct publish_options {
  /// Where the node has no room for another start: false answers `errc::overloaded` at once, true waits for
  /// room. With an idempotency key the node that keeps the key is meant, and if that is another one the wait
  /// ends after 3 s with `errc::unavailable`: ask again with the same key.
  bool wait_for_room = false;

  /// The sender's own name for this event: 1 to 256 visible characters of ASCII, else `errc::malformed`. The
  /// same key again has the same answer and publishes nothing, from any node of the cluster, over HTTP
  /// (`Idempotency-Key`) as well; with another event it is `errc::conflict`. A key is kept as long as the
  /// instance that the event started, and at least 24 h. One node keeps it: where that is down, the answer is
  /// `errc::unavailable`, and the same call may be made again. Empty: none, and any node accepts by itself.
  std::string idempotency_key{};
};

struct send_options {
  /// As for an event. The reply is asked for where the key is kept, and may be asked for again by the same
  /// call, at least for 24 h.
  std::string idempotency_key{};
};

/// How a saga instance ended.
struct saga_result {
  instance_id instance;
  instance_status status = instance_status::completed; ///< `completed` or `compensated`
  std::string reason;                                  ///< why it was compensated
  std::string result_type;                             ///< empty where it completed without a result
  std::string payload;                                 ///< the result's bytes

  CONTINUO_FIELDS(saga_result, instance, status, reason, result_type, payload)

  /// The result as the type that was given to `complete`; `errc::malformed` where it is another or there is
  /// none.
  template <class T>
  result<T> as() const {
    if (result_type != message_name<T>()) {
      return tl::unexpected(detail::not_of_type(result_type, message_name<T>()));
    }
    return decode<T>(payload);
  }

  /// The result if it is text, else empty.
  std::string text() const;
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
      return tl::unexpected(why_not());
    }
    return decode<Reply>(payload);
  }

  /// The error of a command that failed: `errc::conflict`, with the reason.
  error why_not() const;
};

/// One thing that can wake an instance.
struct cause {
  std::string kind;   ///< `reply`, `timer`, `event`, `delivery` or `operator`
  std::string what;   ///< the command, the timer's name, the event (or update), the message, or the reason
  std::string where;  ///< the service or instance
  message_id id{};    ///< of a reply: the command's
  instance_id to{};   ///< of a reply: where the command went; a stateless service's key is empty
  time_point since{}; ///< sent at; of a timer: when it is due (`time_point::max()`: never)
  std::uint32_t attempts = 0;
  std::string last_error{};
  std::string step{}; ///< of a workflow's reply: the name of its step
  /// Of a reply of a service that an operator has paused: `paused by ann: the bank is closed`, as the node of
  /// the instance knows it.
  std::string held{};

  CONTINUO_FIELDS(cause, kind, what, where, id, to, since, attempts, last_error, step, held)

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
  std::optional<instance_id> parent{}; ///< whose command started it
  std::vector<instance_id> children{}; ///< that its own commands started, and that have not answered yet

  CONTINUO_FIELDS(instance_view, instance, status, revision, definition_version, state, waiting_for, reason,
                  result, started_at, updated_at, parent, children)
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

  std::string answers;     ///< of a reply or failure: the type of the command that it answers
  message_id answers_id{}; ///< and its id, which names the revision that sent it

  CONTINUO_FIELDS(history_view, at, revision, what, status, message, id, from, payload, sent, note, answers,
                  answers_id)
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

  CONTINUO_FIELDS(dead_letter_view, id, type, from, to, reason, attempts, since, payload, may_redrive)
};

/// A published event on its way.
class publication {
public:
  publication(std::shared_ptr<detail::node_runtime> runtime, std::shared_future<result<accepted>> taken);
  publication(const publication&);
  publication(publication&&) noexcept;
  publication& operator=(const publication&);
  publication& operator=(publication&&) noexcept;
  ~publication();

  /// Blocks until the event is durable, or refused.
  const result<accepted>& get() const&;
  result<accepted> get() && { return static_cast<const publication&>(*this).get(); }

  const std::shared_future<result<accepted>>& taken() const { return taken_; }

  /// The end of the instance of `Saga` that the event starts. Blocks until the event is durable. With a
  /// timeout, of any unit, the future gets `errc::timed_out` then; the instance goes on. `max()` is never.
  template <class Saga>
  std::future<result<saga_result>>
  result_of(std::optional<detail::any_duration> timeout = std::nullopt) const {
    return result_of(message_name<Saga>(), timeout);
  }

  std::future<result<saga_result>> result_of(std::string_view saga,
                                             std::optional<detail::any_duration> timeout) const;

private:
  std::shared_ptr<detail::node_runtime> runtime_;
  std::shared_future<result<accepted>> taken_;
};

/// The way from the application into a node, and through it into its cluster: every member speaks of the
/// instances, commands and dead letters of all nodes, from whichever node it is called on. What another node
/// has to say is `errc::unavailable` with that node's name where it is down, is lost meanwhile, or does not
/// answer within 3 s: the same call may be made again, but a verb may have been carried out. At most 1,000
/// questions to one node are open at a time, of which 800 may wait for an end or a reply; more are
/// `errc::unavailable` as well. An answer has at most 100,000 entries; more are `errc::overloaded`.
///
/// Cheap to copy; usable from any thread, also while the node stops (it then answers `errc::unavailable`). No
/// member blocks; futures do. Do not wait for a future in a handler of the same node.
class client {
public:
  explicit client(std::shared_ptr<detail::node_runtime> runtime);
  client(const client&);
  client(client&&) noexcept;
  client& operator=(const client&);
  client& operator=(client&&) noexcept;
  ~client();

  // -- messages ----------------------------------------------------------------------
  /// Publishes an event. Durable once the publication's `get()` has a value: from then on it is never lost.
  template <class Event>
  publication publish(const Event& event, publish_options options = {}) const {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    return publish_body(message_type_of<Event>(), &event, std::move(options));
  }

  /// The same with bytes and a callback. Each callback of a client is called once, also where the node ends
  /// before it could answer (`errc::unavailable`): on a thread of the node, or within the call where the node
  /// takes none. It must not block.
  void publish(std::string type, std::string payload, publish_options options,
               std::function<void(result<accepted>)> answer) const;

  /// Sends a command to the service that handles it, and gives its reply, however long the service is down:
  /// `errc::conflict` with the reason where it was declined or its outcome is unknown. With an idempotency
  /// key a command that was sent before is not sent again: its reply is the first one's.
  template <class Command>
  std::future<result<typename detail::reply_type<Command>::type>> send(const Command& command,
                                                                       send_options options = {}) const {
    using reply = typename detail::reply_type<Command>::type;
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    static_assert(!std::is_void_v<reply>,
                  "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    auto promise = std::make_shared<std::promise<result<reply>>>();
    auto future = promise->get_future();
    send_body(
        message_type_of<Command>(), &command, message_type_of<reply>(), std::move(promise),
        [](void* kept, void* value, error* failed) {
          auto& answer = *static_cast<std::promise<result<reply>>*>(kept);
          if (failed != nullptr) {
            answer.set_value(tl::unexpected(std::move(*failed)));
          } else {
            answer.set_value(std::move(*static_cast<reply*>(value)));
          }
        },
        std::move(options));
    return future;
  }

  /// The same with bytes and callbacks: `taken` once the command is durable, `answer` once its outcome is.
  void send(std::string type, std::string payload, std::function<void(result<accepted>)> taken,
            std::function<void(result<command_result>)> answer, send_options options = {}) const;

  // -- instances ---------------------------------------------------------------------
  template <class Saga>
  std::future<result<saga_result>>
  result_of(std::string key, std::optional<detail::any_duration> timeout = std::nullopt) const {
    return result_of_key(message_name<Saga>(), std::move(key), timeout);
  }

  /// The end of an instance, which may be long ago or not have begun; while it is stuck there is none. Where
  /// it lives on another node and that one is lost before the end, `errc::unavailable`: ask again.
  std::future<result<saga_result>>
  result_of(instance_id instance, std::optional<detail::any_duration> timeout = std::nullopt) const;

  /// The same with a callback, as above.
  void result_of(instance_id instance, std::optional<detail::any_duration> timeout,
                 std::function<void(result<saga_result>)> answer) const;

  /// What an instance is and waits for; `errc::not_found`.
  std::future<result<instance_view>> show(instance_id instance) const;

  /// The instances of a saga or keyed service, or the commands in execution of a stateless service, in key
  /// order, after `after`, at most `limit`. Only what is durable. All nodes that may have any are asked, a
  /// thousand entries at a time: `errc::unavailable` where one of them cannot say what it has.
  std::future<result<std::vector<instance_view>>> list(std::string_view type,
                                                       std::optional<instance_status> status = std::nullopt,
                                                       std::size_t limit = 100,
                                                       std::string_view after = {}) const;

  /// The history of an instance, oldest first. Only what is durable.
  std::future<result<std::vector<history_view>>> history(instance_id instance) const;

  // -- an operator's verbs: durable once the future has a value. `who` (256 bytes at most) and `note` (4,096)
  // stand in the history; longer ones are `errc::malformed` -----------------------------------
  std::future<result<void>> cancel(instance_id instance, std::string who = {}, std::string note = {}) const;
  std::future<result<void>> pause(instance_id instance, std::string who = {}, std::string note = {}) const;
  std::future<result<void>> resume(instance_id instance, std::string who = {}, std::string note = {}) const;
  std::future<result<void>> retry(instance_id instance, std::string who = {}, std::string note = {}) const;
  /// Counts a refused compensation as done by hand; the note is required.
  std::future<result<void>> skip(instance_id instance, std::string who, std::string note) const;

  // -- services -----------------------------------------------------------------------------
  /// Stops a stateless service on all its nodes: no handler of it starts any more, first attempts or others,
  /// until it is resumed. Handlers that run go on, and commands and events wait as they do where none is
  /// free; what waits for them says who paused it and why (`who`, at most 256 bytes, and `note`, 4,096).
  /// Durable on every node that can be reached once the future has a value, and so across restarts; a node
  /// that cannot be reached goes on until it is connected to one that knows of it. Pausing what is paused
  /// replaces who and why. `errc::unknown_type`, or `errc::conflict` for a keyed service.
  std::future<result<void>> pause_service(std::string service, std::string who = {},
                                          std::string note = {}) const;
  /// Lets it go on, in the same way.
  std::future<result<void>> resume_service(std::string service, std::string who = {},
                                           std::string note = {}) const;

  // -- dead letters -----------------------------------------------------------------------
  /// Those of all nodes, by their ids. Only what is durable; `errc::unavailable` where a node cannot say what
  /// it has.
  std::future<result<std::vector<dead_letter_view>>> dead_letters() const;

  /// Sends a dead letter again, once, with a corrected payload if given (bytes of the same type). A command
  /// whose requester was told of the failure is refused with `errc::conflict`. `errc::not_found` where no
  /// node has it; `errc::unavailable` where none that can be reached has it and one cannot be reached.
  std::future<result<void>> redrive(std::string id,
                                    std::optional<std::string> corrected = std::nullopt) const;
  std::future<result<void>> discard(std::string id) const;

  /// Commands parked after their attempts were exhausted (`exhausted::park`): tried again, or given up, in
  /// which case the requester gets `failure_kind::unknown`. They are found as dead letters are.
  std::future<result<void>> retry_command(std::string service, message_id id) const;
  std::future<result<void>> discard_command(std::string service, message_id id) const;

private:
  publication publish_body(const message_type& type, const void* event, publish_options options) const;
  void send_body(const message_type& type, const void* command, const message_type& reply,
                 std::shared_ptr<void> promise, detail::keep_function keep, send_options options) const;
  std::future<result<saga_result>> result_of_key(std::string_view saga, std::string key,
                                                 std::optional<detail::any_duration> timeout) const;

  std::shared_ptr<detail::node_runtime> runtime_;
};

} // namespace continuo
