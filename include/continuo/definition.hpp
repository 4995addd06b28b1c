#pragma once

#include <continuo/ids.hpp>
#include <continuo/message_type.hpp>
#include <continuo/outcome.hpp>
#include <continuo/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// What the runtime knows of sagas and services: the typed definitions of `saga.hpp` and `service.hpp` with
/// their types erased. Applications do not use these; they are public because the templates that fill them
/// are.
namespace continuo {

class saga_context;
class flow;
struct saga_ended;
class command_context;
class keyed_context;

/// What becomes of an event whose saga instance neither lives nor is started by it. There is no default: say
/// which.
enum class unknown_instance : std::uint8_t {
  discard,     ///< noted in the log and dropped
  dead_letter, ///< kept as a dead letter for a person to look at
};

/// What becomes of a command that starts an instance whose key has one already that lives, or has completed.
/// There is no default: say which. (One that ended compensated makes room: it starts a new life of the key.)
enum class second_starter : std::uint8_t {
  declined, ///< it fails, with a reason
  joins,    ///< it is answered as the first one: when the instance ends, or with the result that it has
};

/// What becomes of a command whose attempts are exhausted.
enum class exhausted : std::uint8_t {
  fail, ///< it becomes a dead letter and the requester gets `failure_kind::unknown`
  park, ///< its request stays open until a person retries or discards it
};

/// When and how often a failed attempt of a command is repeated. The delay before attempt n + 1 is
/// `min(cap, first * factor^(n-1))`, less a random part of at most `jitter` of it.
struct retry_policy {
  std::uint32_t attempts = 5;                ///< in all, the first included; at least 1
  std::chrono::milliseconds first{100};      ///< delay after the first failure; at most 366 days
  double factor = 2;                         ///< at least 1
  std::chrono::milliseconds cap{60'000};     ///< no delay is longer; at most 366 days
  double jitter = 0.1;                       ///< from 0 to 1
  std::chrono::milliseconds timeout{30'000}; ///< an attempt that takes longer has failed; it is not
                                             ///< interrupted. `max()`: it may take however long
};

/// How many handlers of a stateless service may start on one node: between any two moments at most `burst`
/// and `starts` for each `per` of the time between them. Every attempt is a start. A node begins with nothing
/// saved up, so this is true across its restarts too; each node of the service counts for itself.
struct rate_limit {
  std::uint32_t starts = 1;            ///< at least 1
  std::chrono::milliseconds per{1000}; ///< from 1 ms to a day
  std::uint32_t burst = 1; ///< saved up while less is to do; at least 1, and saved up within 366 days
};

/// When a stateless service stops calling what fails, on one node: after so many attempts in a row that
/// failed or took too long, of whatever commands. Then no handler starts for `wait`, and after it one alone,
/// which decides: a reply, or a refusal, closes the breaker, a failure opens it for as long again. Those that
/// wait meanwhile use up no attempt. A restart of the node begins with a closed one.
struct breaker_policy {
  std::uint32_t failures = 5;             ///< at least 1
  std::chrono::milliseconds wait{30'000}; ///< from 1 ms to 366 days
};

/// How urgent a command is among those that wait for the same stateless service on one node. Of each 13 that
/// start while some of all three wait, 9 are `high`, 3 `normal` and 1 `low`: none is left out for ever.
enum class priority : std::uint8_t { high, normal, low };

namespace detail {

/// Reads the correlation key from a message's bytes.
using key_reader = std::function<result<std::string>(std::string_view payload)>;

/// A message as bytes under its registered name.
struct typed_bytes {
  std::string type;
  std::string payload;
};

/// The end of a command as its service decided it.
struct handled {
  bool declined = false;
  std::string payload; ///< the reply's bytes, or the reason
};

// -- sagas ---------------------------------------------------------------------

/// What a saga's handler is told of a failed command.
struct failed_command {
  failure_kind kind = failure_kind::unknown;
  std::string_view reason;
  std::string_view command; ///< the command's bytes
};

/// A command that a saga declared with `calls`.
struct call {
  const message_type* command = nullptr;
  const message_type* reply = nullptr;
  /// Makes the undo command from the command sent and, where it is known, its reply. Empty: no undo declared.
  std::function<result<typed_bytes>(std::string_view sent, const std::string_view* reply)> undo;
  const message_type* undo_command = nullptr;
  bool undoes_unknown = false;  ///< `undo` accepts an absent reply
  bool nothing_to_undo = false; ///< declared so: a step of unknown outcome needs no undo
  /// The saga's own handler of a failure; empty: it rolls back.
  std::function<result<void>(void* state, const failed_command&, saga_context&)> on_failure;
};

/// An event that a saga declared with `starts_on` or `on`.
struct subscription {
  const message_type* event = nullptr;
  key_reader key;
  bool starts = false;  ///< starts an instance where there is none
  bool handles = false; ///< handled by a live instance (`on`)
  unknown_instance unknown = unknown_instance::discard;
};

/// A command that a saga handles: it starts an instance and is answered when that ends, or is an update of a
/// live one and answered at once.
struct saga_command {
  const message_type* command = nullptr;
  const message_type* reply = nullptr;
  key_reader key;
  bool starts = false;
  second_starter second = second_starter::declined;
  /// Of an update: the saga's own handler. Empty where it starts, and where a workflow's function accepts it.
  std::function<result<handled>(void* state, std::string_view payload, saga_context&)> update;
};

/// A saga's definition. Built once, then only read, from any thread.
struct saga_type {
  std::string name;
  std::uint32_t version = 0; ///< class version of the state
  const message_type* state = nullptr;
  std::function<std::shared_ptr<void>()> create;
  std::map<std::string, call, std::less<>> calls;                 ///< by command
  std::set<std::string, std::less<>> tells;                       ///< commands of which it takes no reply
  std::map<std::string, subscription, std::less<>> subscriptions; ///< by event
  std::map<std::string, saga_command, std::less<>> commands;      ///< that it handles
  std::set<std::string, std::less<>> timers;                      ///< messages that timers carry
  /// By message type: events, replies and timers. Decodes, then calls the saga's `on`.
  std::map<std::string, std::function<result<void>(void* state, std::string_view payload, saga_context&)>,
           std::less<>>
      handlers;
  /// The saga's own handler of its end; null: it has none.
  void (*on_end)(void* state, const saga_ended& end, saga_context&) = nullptr;
  /// Of a workflow: makes the frame of its function for the event that started the instance, and gives the
  /// address of the coroutine. Empty: it is a class of handlers.
  std::function<result<void*>(std::string_view input, flow&)> frame;
  std::vector<const message_type*> messages; ///< every type that the definition names
  std::vector<std::string> mistakes;         ///< reported at start

  saga_type();
  saga_type(const saga_type&);
  saga_type(saga_type&&) noexcept;
  saga_type& operator=(const saga_type&);
  saga_type& operator=(saga_type&&) noexcept;
  ~saga_type();
};

// -- services ------------------------------------------------------------------

/// How a mounted actor is asked; `asker` is the service actor (a `caf::event_based_actor*`). See
/// `continuo/caf.hpp`.
using mounted_request =
    std::function<void(void* asker, const std::string& payload, std::chrono::milliseconds timeout,
                       std::function<void(result<handled>)> answer)>;

struct command_handler {
  const message_type* command = nullptr;
  const message_type* reply = nullptr;
  std::function<result<handled>(std::string_view payload, command_context&)> run; ///< empty where mounted
  mounted_request mounted;                                                        ///< empty where run
  std::string url; ///< of the HTTP endpoint that answers it, and the node makes `run` of; else empty
  const void* mounted_system = nullptr; ///< the actor system that the mounted actor lives in
};

struct event_handler {
  const message_type* event = nullptr;
  std::function<result<void>(std::string_view payload, command_context&)> run;
};

/// What decides when the handler of a command may start, read from the command's bytes.
struct turn_readers {
  std::function<result<std::string>(std::string_view payload)> key;             ///< empty: none
  std::function<result<continuo::priority>(std::string_view payload)> priority; ///< empty: `normal`
};

/// A stateless service's definition. Built once, then only read, from any thread.
struct service_type {
  std::string name;
  std::map<std::string, command_handler, std::less<>> commands;
  std::map<std::string, event_handler, std::less<>> events;
  std::uint32_t concurrency = 8;
  std::optional<rate_limit> rate;                         ///< empty: none
  std::optional<breaker_policy> breaker;                  ///< empty: none
  std::map<std::string, turn_readers, std::less<>> turns; ///< by command; those without are not there
  retry_policy retry;
  exhausted when_exhausted = exhausted::fail;
  bool pure = false;       ///< no outside effects: runs at memory speed, before its cause is durable
  bool idempotent = false; ///< its effects are deduplicated by the idempotency key
  std::vector<std::string> mistakes;

  service_type();
  service_type(const service_type&);
  service_type(service_type&&) noexcept;
  service_type& operator=(const service_type&);
  service_type& operator=(service_type&&) noexcept;
  ~service_type();
};

struct keyed_handler {
  const message_type* command = nullptr;
  const message_type* reply = nullptr;
  key_reader key;
  std::function<result<handled>(void* state, std::string_view payload, keyed_context&)> run;
};

/// A keyed service's definition. Built once, then only read, from any thread.
struct keyed_service_type {
  std::string name;
  const message_type* state = nullptr;
  std::function<std::shared_ptr<void>()> create;
  std::map<std::string, keyed_handler, std::less<>> commands;
  retry_policy retry;
  std::vector<std::string> mistakes;

  keyed_service_type();
  keyed_service_type(const keyed_service_type&);
  keyed_service_type(keyed_service_type&&) noexcept;
  keyed_service_type& operator=(const keyed_service_type&);
  keyed_service_type& operator=(keyed_service_type&&) noexcept;
  ~keyed_service_type();
};

// -- what the templates leave to the library ---------------------------------------
//
// A template of saga.hpp or service.hpp knows the C++ types of a message and of what handles it, and makes a
// small function of them in which they are pointers. What is done with it is the same for all types, and
// compiled once, in the library, instead of in each file of an application.

/// A function of the application with its type erased. A copy is a copy of the function.
class kept_function {
public:
  template <class Function>
  explicit kept_function(Function function) {
    if constexpr (std::is_trivially_copyable_v<Function> && alignof(Function) <= alignof(std::max_align_t)) {
      keep_bytes(&function, sizeof function);
    } else {
      keep(new Function(std::move(function)), {copy<Function>, destroy<Function>});
    }
  }

  kept_function(const kept_function& other);
  kept_function(kept_function&& other) noexcept;
  kept_function& operator=(kept_function other) noexcept;
  ~kept_function();

  /// The function, which others may call at the same time.
  void* get() const { return function_; }

private:
  struct operations {
    void* (*copy)(const void* function) = nullptr; ///< null: its bytes are all there is to copy
    void (*destroy)(void* function) = nullptr;
  };

  template <class Function>
  static void* copy(const void* function) {
    return new Function(*static_cast<const Function*>(function));
  }
  template <class Function>
  static void destroy(void* function) {
    delete static_cast<Function*>(function);
  }

  void keep_bytes(const void* function, std::size_t size);
  void keep(void* function, operations with);

  void* function_ = nullptr;
  std::size_t size_ = 0; ///< where it is kept as bytes
  operations operations_;
};

/// Reads a message and, where that succeeds, gives it to `use` with `context`. The message may be moved from.
using read_function = result<void> (*)(std::string_view payload, void (*use)(void* body, void* context),
                                       void* context);

/// A message that handlers are given: its description, and how it is read without an allocation of its own.
struct body_type {
  const message_type& type;
  read_function read;
};

template <class T>
body_type body_type_of() {
  return {message_type_of<T>(),
          [](std::string_view payload, void (*use)(void* body, void* context), void* context) {
            if constexpr (message<T>) {
              // T() and not T: a member that older bytes do not have is zero even without an initialiser.
              auto body = T();
              auto read = decode_into(body, payload);
              if (read) {
                use(&body, context);
              }
              return read;
            } else {
              return result<void>{}; // the compiler has said so
            }
          }};
}

/// Calls the handler of `body` that the saga behind `state` has.
using saga_function = void (*)(void* state, const void* body, saga_context&);
/// Calls the handler of an update.
using saga_update_function = handled (*)(void* state, const void* body, saga_context&);
/// The same for a failure. The command may be moved from.
using saga_failure_function = void (*)(void* state, failure_kind, std::string_view reason, void* command,
                                       saga_context&);
/// Makes an undo command's bytes from the command sent and, where it is known, its reply.
using undo_function = std::string (*)(void* function, const void* sent, const void* reply);
/// Reads the key of `body`.
using key_function = std::string (*)(void* function, const void* body);
/// Says how urgent `body` is.
using priority_function = priority (*)(void* function, const void* body);
using command_function = handled (*)(void* function, const void* body, command_context&);
using event_function = void (*)(void* function, const void* body, command_context&);
using keyed_function = handled (*)(void* function, void* state, const void* body, keyed_context&);

/// A correlation key of a number.
std::string key_of_number(std::int64_t number);
std::string key_of_number(std::uint64_t number);

/// The end of a command with this reply, or declined for `reason` where `reply` is null.
handled to_handled(const message_type& type, const void* reply, const std::string& reason);

template <class Reply>
handled to_handled(const outcome<Reply>& value) {
  return to_handled(message_type_of<Reply>(), value.is_declined() ? nullptr : &value.reply(), value.reason());
}

/// What `starts_on` and `on` of a saga declare.
struct event_declaration {
  body_type event;
  kept_function correlation;
  key_function key;
  saga_function handler;
};

void declare_start(saga_type& saga, event_declaration event);
void declare_event(saga_type& saga, event_declaration event, unknown_instance policy);

/// What `starts_on_command` and `answers` declare.
struct command_declaration {
  body_type command;
  const message_type& reply;
  kept_function correlation;
  key_function key;
};

/// `handler` is called as for an event.
void declare_starting_command(saga_type& saga, command_declaration command, saga_function handler,
                              second_starter second);
/// `handler` is null where a workflow's function accepts it.
void declare_update(saga_type& saga, command_declaration command, saga_update_function handler);

/// `on_failure` is null where the saga has no such handler.
call& declare_call(saga_type& saga, body_type command, body_type reply, saga_function on_reply,
                   saga_failure_function on_failure);
/// `sent` and `answer` are the command and its reply.
void declare_undo(saga_type& saga, call& of, body_type sent, body_type answer, const message_type& undo,
                  const message_type& undo_reply, bool undoes_unknown, kept_function function,
                  undo_function how);
void declare_nothing_to_undo(call& of);
void declare_tell(saga_type& saga, const message_type& command);
void declare_timer(saga_type& saga, body_type message, saga_function handler);

/// A saga's definition, filled by `define`.
saga_type describe_saga(const message_type& state, std::shared_ptr<void> (*create)(),
                        void (*define)(saga_type&),
                        void (*on_end)(void* state, const saga_ended& end, saga_context&));

/// Reads a command and calls the handler of it.
std::function<result<handled>(std::string_view payload, command_context&)>
command_runner(body_type command, kept_function function, command_function how);

void add_command(service_type& service, body_type command, const message_type& reply, kept_function function,
                 command_function how);
void add_command(service_type& service, const message_type& command, const message_type& reply,
                 std::string url);
command_handler& add_command(service_type& service, const message_type& command, const message_type& reply,
                             mounted_request ask);
void add_event(service_type& service, body_type event, kept_function function, event_function how);

void add_turn_key(service_type& service, body_type command, kept_function key, key_function read);
void add_priority(service_type& service, body_type command, kept_function function, priority_function how);

void describe_keyed_service(keyed_service_type& service, std::string name, const message_type& state,
                            std::shared_ptr<void> (*create)());
void add_command(keyed_service_type& service, body_type command, const message_type& reply, kept_function key,
                 key_function read_key, kept_function function, keyed_function how);

template <class T>
std::shared_ptr<void> make_state() {
  return std::make_shared<T>();
}

} // namespace detail
} // namespace continuo
