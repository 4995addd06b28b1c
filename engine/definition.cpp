#include "engine/flow_entry.hpp"
#include "messages/application.hpp"
#include "messages/printable.hpp"

#include <continuo/definition.hpp>

#include <continuo/context.hpp>
#include <continuo/service.hpp>
#include <continuo/workflow.hpp>

#include <fmt/format.h>

#include <cstring>
#include <optional>

namespace continuo {

namespace detail {

saga_type::saga_type() = default;
saga_type::saga_type(const saga_type&) = default;
saga_type::saga_type(saga_type&&) noexcept = default;
saga_type& saga_type::operator=(const saga_type&) = default;
saga_type& saga_type::operator=(saga_type&&) noexcept = default;
saga_type::~saga_type() = default;

service_type::service_type() = default;
service_type::service_type(const service_type&) = default;
service_type::service_type(service_type&&) noexcept = default;
service_type& service_type::operator=(const service_type&) = default;
service_type& service_type::operator=(service_type&&) noexcept = default;
service_type::~service_type() = default;

keyed_service_type::keyed_service_type() = default;
keyed_service_type::keyed_service_type(const keyed_service_type&) = default;
keyed_service_type::keyed_service_type(keyed_service_type&&) noexcept = default;
keyed_service_type& keyed_service_type::operator=(const keyed_service_type&) = default;
keyed_service_type& keyed_service_type::operator=(keyed_service_type&&) noexcept = default;
keyed_service_type::~keyed_service_type() = default;

// -- functions of the application ----------------------------------------------------

kept_function::kept_function(const kept_function& other) {
  if (other.operations_.copy != nullptr) {
    keep(other.operations_.copy(other.function_), other.operations_);
  } else {
    keep_bytes(other.function_, other.size_);
  }
}

kept_function::kept_function(kept_function&& other) noexcept
    : function_(std::exchange(other.function_, nullptr)), size_(std::exchange(other.size_, 0)),
      operations_(std::exchange(other.operations_, {})) {}

kept_function& kept_function::operator=(kept_function other) noexcept {
  std::swap(function_, other.function_);
  std::swap(size_, other.size_);
  std::swap(operations_, other.operations_);
  return *this;
}

kept_function::~kept_function() {
  if (operations_.destroy != nullptr) {
    operations_.destroy(function_);
  } else {
    ::operator delete(function_);
  }
}

void kept_function::keep_bytes(const void* function, std::size_t size) {
  function_ = ::operator new(size);
  size_ = size;
  std::memcpy(function_, function, size);
}

void kept_function::keep(void* function, operations with) {
  function_ = function;
  operations_ = with;
}

namespace {

/// Reads a message, gives it to `use`, and gives back what that gives.
template <class Use>
auto with_body(const body_type& type, std::string_view payload, Use use) -> decltype(use(nullptr)) {
  struct called {
    Use& use;
    std::optional<decltype(use(nullptr))> gave;
  } call{use, std::nullopt};
  auto read = type.read(
      payload,
      [](void* body, void* context) {
        auto& call = *static_cast<called*>(context);
        call.gave.emplace(call.use(body));
      },
      &call);
  if (!read) {
    return tl::unexpected(std::move(read.error()));
  }
  return std::move(*call.gave);
}

/// The function that reads the key is the application's, and runs on bytes from outside: one of which it
/// makes nothing is malformed, whatever it throws.
key_reader make_key_reader(body_type type, kept_function correlation, key_function read) {
  return [type, correlation = std::move(correlation), read](std::string_view payload) {
    const auto key_of = [&](const void* body) -> result<std::string> {
      auto key = read(correlation.get(), body);
      if (key.empty()) {
        return fail(errc::malformed, type.type.name + ": its correlation key is empty");
      }
      if (key.size() > key_bytes_max) {
        return fail(errc::malformed, fmt::format("{}: its correlation key has {} bytes, and may have {}",
                                                 type.type.name, key.size(), key_bytes_max));
      }
      if (!is_printable(key)) {
        return fail(errc::malformed, fmt::format("{}: its correlation key \"{}\" holds control characters, "
                                                 "marks of direction, or bytes that are no UTF-8",
                                                 type.type.name, printable(key)));
      }
      return key;
    };
    return call_application(
        errc::malformed, [&] { return with_body(type, payload, key_of); }, type.type.name,
        ": its correlation key cannot be read: ");
  };
}

void add_handler(saga_type& saga, body_type message, saga_function handler) {
  saga.messages.push_back(&message.type);
  saga.handlers[message.type.name] = [message, handler](void* state, std::string_view payload,
                                                        saga_context& context) {
    return with_body(message, payload, [&](const void* body) -> result<void> {
      handler(state, body, context);
      return {};
    });
  };
}

subscription& subscribe(saga_type& saga, event_declaration&& declared) {
  auto& entry = saga.subscriptions[declared.event.type.name];
  entry.event = &declared.event.type;
  entry.key = make_key_reader(declared.event, std::move(declared.correlation), declared.key);
  add_handler(saga, declared.event, declared.handler);
  return entry;
}

/// The entry of a command, which may not be there twice.
template <class Service>
auto& entry_of(Service& service, const message_type& command, const message_type& reply) {
  auto& entry = service.commands[command.name];
  if (entry.command != nullptr) {
    service.mistakes.push_back(service.name + " handles " + entry.command->name + " twice");
  }
  entry.command = &command;
  entry.reply = &reply;
  return entry;
}

} // namespace

std::string key_of_number(std::int64_t number) {
  return std::to_string(number);
}

std::string key_of_number(std::uint64_t number) {
  return std::to_string(number);
}

handled to_handled(const message_type& type, const void* reply, const std::string& reason) {
  return reply == nullptr ? handled{true, reason} : handled{false, type.encode(reply)};
}

// -- sagas -------------------------------------------------------------------------------

void declare_start(saga_type& saga, event_declaration event) {
  const auto& name = event.event.type.name;
  auto& entry = subscribe(saga, std::move(event));
  if (entry.starts) {
    saga.mistakes.push_back(saga.name + " declares starts_on<" + name + "> twice");
  }
  entry.starts = true;
}

void declare_event(saga_type& saga, event_declaration event, unknown_instance policy) {
  const auto& name = event.event.type.name;
  auto& entry = subscribe(saga, std::move(event));
  if (entry.handles) {
    saga.mistakes.push_back(saga.name + " declares on<" + name + "> twice");
  }
  entry.handles = true;
  entry.unknown = policy;
}

namespace {

saga_command& declare_command(saga_type& saga, command_declaration&& declared, std::string_view word) {
  const auto& command = declared.command.type;
  auto& entry = saga.commands[command.name];
  if (entry.command != nullptr) {
    saga.mistakes.push_back(
        fmt::format("{} declares {}<{}>, and that command before", saga.name, word, command.name));
  }
  entry.command = &command;
  entry.reply = &declared.reply;
  entry.key = make_key_reader(declared.command, std::move(declared.correlation), declared.key);
  saga.messages.push_back(&command);
  saga.messages.push_back(&declared.reply);
  return entry;
}

} // namespace

void declare_starting_command(saga_type& saga, command_declaration command, saga_function handler,
                              second_starter second) {
  add_handler(saga, command.command, handler);
  auto& entry = declare_command(saga, std::move(command), "starts_on_command");
  entry.starts = true;
  entry.second = second;
}

void declare_update(saga_type& saga, command_declaration command, saga_update_function handler) {
  const auto body = command.command;
  auto& entry = declare_command(saga, std::move(command), "answers");
  if (handler != nullptr) {
    entry.update = [body, handler](void* state, std::string_view payload, saga_context& context) {
      return with_body(body, payload, [&](const void* command) -> result<handled> {
        return handler(state, command, context);
      });
    };
  }
}

call& declare_call(saga_type& saga, body_type command, body_type reply, saga_function on_reply,
                   saga_failure_function on_failure) {
  auto [position, fresh] = saga.calls.try_emplace(command.type.name);
  if (!fresh) {
    saga.mistakes.push_back(saga.name + " declares calls<" + command.type.name + "> twice");
  }
  auto& entry = position->second;
  entry.command = &command.type;
  entry.reply = &reply.type;
  if (on_failure != nullptr) {
    entry.on_failure = [command, on_failure](void* state, const failed_command& failed,
                                             saga_context& context) {
      return with_body(command, failed.command, [&](void* body) -> result<void> {
        on_failure(state, failed.kind, failed.reason, body, context);
        return {};
      });
    };
  }
  saga.messages.push_back(&command.type);
  add_handler(saga, reply, on_reply);
  return entry;
}

void declare_undo(saga_type& saga, call& of, body_type sent, body_type answer, const message_type& undo,
                  const message_type& undo_reply, bool undoes_unknown, kept_function function,
                  undo_function how) {
  of.undoes_unknown = undoes_unknown;
  of.undo_command = &undo;
  of.undo = [sent, answer, &undo, function = std::move(function), how](std::string_view command,
                                                                       const std::string_view* reply) {
    return with_body(sent, command, [&](const void* body) -> result<typed_bytes> {
      if (reply == nullptr) {
        return typed_bytes{undo.name, how(function.get(), body, nullptr)};
      }
      return with_body(answer, *reply, [&](const void* known) -> result<typed_bytes> {
        return typed_bytes{undo.name, how(function.get(), body, known)};
      });
    });
  };
  saga.messages.push_back(&undo);
  saga.messages.push_back(&undo_reply);
}

// -- workflows ---------------------------------------------------------------------------

saga_type describe_workflow(std::string name, body_type input, kept_function function, frame_function begin,
                            const message_type* result) {
  saga_type made;
  made.name = std::move(name);
  made.state = &message_type_of<engine::flow_life>();
  made.messages.push_back(&input.type);
  if (result != nullptr && !result->fields.empty()) {
    made.messages.push_back(result);
  }
  made.frame = [input, function = std::move(function), begin](std::string_view payload, flow& words) {
    return with_body(input, payload, [&](void* body) -> continuo::result<void*> {
      return begin(function.get(), body, words);
    });
  };
  return made;
}

void declare_version(saga_type& workflow, std::uint32_t version) {
  workflow.version = version;
}

namespace {

/// No handler takes it: the function does.
void no_handler(void*, const void*, saga_context&) {}

} // namespace

void declare_start(saga_type& workflow, body_type event, kept_function correlation, key_function key) {
  declare_start(workflow, {event, std::move(correlation), key, no_handler});
}

void declare_starting_command(saga_type& workflow, command_declaration command, second_starter second) {
  declare_starting_command(workflow, std::move(command), no_handler, second);
}

void declare_event(saga_type& workflow, body_type event, kept_function correlation, key_function key,
                   unknown_instance policy) {
  declare_event(workflow, {event, std::move(correlation), key, no_handler}, policy);
}

call& declare_call(saga_type& workflow, body_type command, body_type reply) {
  const auto known = workflow.calls.find(command.type.name);
  return known != workflow.calls.end() ? known->second
                                       : declare_call(workflow, command, reply, no_handler, nullptr);
}

void declare_nothing_to_undo(call& of) {
  of.nothing_to_undo = true;
}

void declare_tell(saga_type& saga, const message_type& command) {
  if (!saga.tells.insert(command.name).second) {
    saga.mistakes.push_back(saga.name + " declares tells<" + command.name + "> twice");
  }
  saga.messages.push_back(&command);
}

void declare_timer(saga_type& saga, body_type message, saga_function handler) {
  saga.timers.insert(message.type.name);
  add_handler(saga, message, handler);
}

saga_type describe_saga(const message_type& state, std::shared_ptr<void> (*create)(),
                        void (*define)(saga_type&),
                        void (*on_end)(void* state, const saga_ended& end, saga_context&)) {
  saga_type saga;
  saga.on_end = on_end;
  saga.name = state.name;
  saga.state = &state;
  saga.version = state.version;
  saga.create = create;
  define(saga);
  bool startable = false;
  for (const auto& [name, subscription] : saga.subscriptions) {
    startable = startable || subscription.starts;
  }
  for (const auto& [name, command] : saga.commands) {
    startable = startable || command.starts;
  }
  if (!startable) {
    saga.mistakes.push_back(saga.name + " declares no event with starts_on, and no command with "
                                        "starts_on_command, so it could never run");
  }
  return saga;
}

// -- services ---------------------------------------------------------------------------

std::function<result<handled>(std::string_view payload, command_context&)>
command_runner(body_type command, kept_function function, command_function how) {
  return [command, function = std::move(function), how](std::string_view payload, command_context& context) {
    return with_body(command, payload,
                     [&](const void* body) -> result<handled> { return how(function.get(), body, context); });
  };
}

void add_command(service_type& service, body_type command, const message_type& reply, kept_function function,
                 command_function how) {
  entry_of(service, command.type, reply).run = command_runner(command, std::move(function), how);
}

void add_command(service_type& service, const message_type& command, const message_type& reply,
                 std::string url) {
  entry_of(service, command, reply).url = std::move(url);
}

command_handler& add_command(service_type& service, const message_type& command, const message_type& reply,
                             mounted_request ask) {
  auto& entry = entry_of(service, command, reply);
  entry.mounted = std::move(ask);
  return entry;
}

void add_event(service_type& service, body_type event, kept_function function, event_function how) {
  auto& entry = service.events[event.type.name];
  if (entry.event != nullptr) {
    service.mistakes.push_back(service.name + " handles " + entry.event->name + " twice");
  }
  entry.event = &event.type;
  entry.run = [event, function = std::move(function), how](std::string_view payload,
                                                           command_context& context) {
    return with_body(event, payload, [&](const void* body) -> result<void> {
      how(function.get(), body, context);
      return {};
    });
  };
}

void add_turn_key(service_type& service, body_type command, kept_function key, key_function read) {
  auto& readers = service.turns[command.type.name];
  if (readers.key) {
    service.mistakes.push_back(service.name + " has two keys for " + command.type.name);
  }
  readers.key = [command, key = std::move(key), read](std::string_view payload) {
    const auto key_of = [&](const void* body) -> result<std::string> { return read(key.get(), body); };
    return call_application(
        errc::malformed, [&] { return with_body(command, payload, key_of); }, command.type.name,
        ": its key cannot be read: ");
  };
}

void add_priority(service_type& service, body_type command, kept_function function, priority_function how) {
  auto& readers = service.turns[command.type.name];
  if (readers.priority) {
    service.mistakes.push_back(service.name + " has two priorities for " + command.type.name);
  }
  readers.priority = [command, function = std::move(function), how](std::string_view payload) {
    const auto of = [&](const void* body) -> result<priority> {
      const auto said = how(function.get(), body);
      return said == priority::high || said == priority::low ? said : priority::normal;
    };
    return call_application(
        errc::malformed, [&] { return with_body(command, payload, of); }, command.type.name,
        ": its priority cannot be read: ");
  };
}

void describe_keyed_service(keyed_service_type& service, std::string name, const message_type& state,
                            std::shared_ptr<void> (*create)()) {
  service.name = std::move(name);
  service.state = &state;
  service.create = create;
}

void add_command(keyed_service_type& service, body_type command, const message_type& reply, kept_function key,
                 key_function read_key, kept_function function, keyed_function how) {
  auto& entry = entry_of(service, command.type, reply);
  entry.key = make_key_reader(command, std::move(key), read_key);
  entry.run = [command, function = std::move(function), how](void* state, std::string_view payload,
                                                             keyed_context& context) {
    return with_body(command, payload, [&](const void* body) -> result<handled> {
      return how(function.get(), state, body, context);
    });
  };
}

} // namespace detail

service::service(std::string name) {
  type_.name = std::move(name);
}

service& service::concurrency(std::uint32_t limit) {
  type_.concurrency = limit;
  if (limit == 0) {
    type_.mistakes.push_back(type_.name + " has a concurrency of 0, so nothing could run");
  }
  return *this;
}

service& service::rate(rate_limit limit) {
  type_.rate = limit;
  return *this;
}

service& service::breaker(breaker_policy policy) {
  type_.breaker = policy;
  return *this;
}

} // namespace continuo
