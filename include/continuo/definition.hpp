#pragma once

#include <continuo/ids.hpp>
#include <continuo/message_type.hpp>
#include <continuo/outcome.hpp>
#include <continuo/result.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// What the runtime knows of sagas and services: the typed definitions of `saga.hpp` and `service.hpp` with
/// their types erased. Applications do not use these; they are public because the templates that fill them
/// are.
namespace continuo {

class saga_context;
class command_context;
class keyed_context;

/// What becomes of an event whose saga instance neither lives nor is started by it. There is no default: say
/// which.
enum class unknown_instance : std::uint8_t {
  discard,     ///< noted in the log and dropped
  dead_letter, ///< kept as a dead letter for a person to look at
};

/// What becomes of a command whose attempts are exhausted.
enum class exhausted : std::uint8_t {
  fail, ///< it becomes a dead letter and the requester gets `failure_kind::unknown`
  park, ///< its request stays open until a person retries or discards it
};

/// When and how often a failed attempt of a command is repeated. The delay before attempt n + 1 is
/// `min(cap, first * factor^(n-1))`, less a random part of at most `jitter` of it.
struct retry_policy {
  std::uint32_t attempts = 5;            ///< in all, the first included; at least 1
  std::chrono::milliseconds first{100};  ///< delay after the first failure
  double factor = 2;                     ///< at least 1
  std::chrono::milliseconds cap{60'000}; ///< no delay is longer
  double jitter = 0.1;                   ///< from 0 to 1
  std::chrono::milliseconds timeout{
      30'000}; ///< an attempt that takes longer has failed; it is not interrupted
};

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

/// A saga's definition. Built once, then only read, from any thread.
struct saga_type {
  std::string name;
  std::uint32_t version = 0; ///< class version of the state
  const message_type* state = nullptr;
  std::function<std::shared_ptr<void>()> create;
  std::map<std::string, call, std::less<>> calls;                 ///< by command
  std::map<std::string, subscription, std::less<>> subscriptions; ///< by event
  std::set<std::string, std::less<>> timers;                      ///< messages that timers carry
  /// By message type: events, replies and timers. Decodes, then calls the saga's `on`.
  std::map<std::string, std::function<result<void>(void* state, std::string_view payload, saga_context&)>,
           std::less<>>
      handlers;
  std::vector<const message_type*> messages; ///< every type that the definition names
  std::vector<std::string> mistakes;         ///< reported at start
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

/// A stateless service's definition. Built once, then only read, from any thread.
struct service_type {
  std::string name;
  std::map<std::string, command_handler, std::less<>> commands;
  std::map<std::string, event_handler, std::less<>> events;
  std::uint32_t concurrency = 8;
  retry_policy retry;
  exhausted when_exhausted = exhausted::fail;
  bool pure = false;       ///< no outside effects: runs at memory speed, before its cause is durable
  bool idempotent = false; ///< its effects are deduplicated by the idempotency key
  std::vector<std::string> mistakes;
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
};

} // namespace detail
} // namespace continuo
