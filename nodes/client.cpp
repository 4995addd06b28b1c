#include <continuo/client.hpp>

#include "actors/views.hpp"
#include "engine/dead_letter.hpp"
#include "messages/application.hpp"
#include "nodes/kept_promise.hpp"
#include "nodes/runtime.hpp"

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace continuo {

namespace {

using detail::node_runtime;

/// Calls `ask` with the open node and a function that fulfils the future; a closed node answers at once.
template <class T, class Ask>
std::future<result<T>> ask_node(const std::shared_ptr<node_runtime>& runtime, Ask ask) {
  auto promise = std::make_shared<detail::kept_promise<T>>();
  auto future = promise->future();
  if (const auto core = runtime->open_core()) {
    ask(*core, [promise](result<T> answer) { promise->keep(std::move(answer)); });
  } else {
    promise->keep(tl::unexpected(runtime->why_closed()));
  }
  return future;
}

/// A client's callback as the node may call it: once, with an answer or, if that is dropped, without one.
/// What it throws is in the log, and what it captured is gone before anything else goes on: it may be the
/// last that holds the node.
template <class T>
class kept_call {
public:
  kept_call(const std::shared_ptr<node_runtime>& runtime, const char* of,
            std::function<void(result<T>)> function)
      : node_(runtime), of_(of), function_(std::move(function)) {}
  kept_call(const kept_call&) = delete;
  kept_call& operator=(const kept_call&) = delete;

  ~kept_call() {
    if (function_) {
      call(tl::unexpected(detail::ended_before_answer()));
    }
  }

  /// @pre called once
  void call(result<T> answer) {
    const auto called = call_application(
        errc::handler_failed,
        [&] {
          const auto function = std::exchange(function_, nullptr);
          function(std::move(answer));
        },
        "the callback of client::", of_, " threw: ");
    const auto node = called ? nullptr : node_.lock();
    if (node) {
      node->log(log_level::error, called.error().message);
    }
  }

private:
  std::weak_ptr<node_runtime> node_;
  const char* of_;
  std::function<void(result<T>)> function_;
};

/// Never empty: a client that wants no answer gets none.
template <class T>
std::function<void(result<T>)> callback(const std::shared_ptr<node_runtime>& runtime, const char* of,
                                        std::function<void(result<T>)> function) {
  if (!function) {
    return [](const result<T>&) {};
  }
  return [kept = std::make_shared<kept_call<T>>(runtime, of, std::move(function))](result<T> answer) {
    kept->call(std::move(answer));
  };
}

/// The bytes of what a client sends; the type's `serialize` may be the application's.
result<std::string> bytes_of(const message_type& type, const void* message) {
  return call_application(
      errc::malformed, [&] { return type.encode(message); }, type.name, ": ");
}

/// Why nothing can be said here of an instance: it lives on another node. Nothing if it lives here.
std::optional<error> elsewhere(const actors::core& core, const instance_id& instance) {
  const auto peer = core.peer_of(instance);
  return peer.empty() ? std::nullopt
                      : std::optional{error{errc::unavailable, to_string(instance) + " lives on the node " +
                                                                   std::string{peer} + ": ask there"}};
}

std::future<result<void>> operate_on(const std::shared_ptr<node_runtime>& runtime, instance_id instance,
                                     engine::verb what, std::string who, std::string note) {
  return ask_node<void>(runtime, [&](actors::core& core, std::function<void(result<void>)> answer) {
    if (!core.saga_environments.contains(instance.type)) {
      answer(fail(errc::unknown_type, "there is no saga " + instance.type));
      return;
    }
    if (auto away = elsewhere(core, instance)) {
      answer(tl::unexpected(std::move(*away)));
      return;
    }
    const auto& shard = core.shard_of(instance);
    caf::anon_send(shard, actors::operate{std::move(instance), what, std::move(who), std::move(note),
                                          std::move(answer)});
  });
}

/// The promise of `client::send`, whose type is known to `keep` alone; always kept, as `kept_promise`.
class reply_promise {
public:
  reply_promise(const message_type& reply, std::shared_ptr<void> promise, detail::keep_function keep)
      : reply_(reply), promise_(std::move(promise)), keep_(keep) {}
  reply_promise(const reply_promise&) = delete;
  reply_promise& operator=(const reply_promise&) = delete;

  ~reply_promise() {
    if (promise_) {
      fail_with(detail::ended_before_answer());
    }
  }

  /// @pre called once
  void keep(const result<command_result>& answer) {
    if (!answer) {
      fail_with(answer.error());
    } else if (answer->failed) {
      fail_with(answer->why_not());
    } else if (auto value = reply_.decode(answer->payload); !value) {
      fail_with(std::move(value.error()));
    } else if (auto kept = call_application(
                   errc::handler_failed, [&] { keep_(promise_.get(), value->get(), nullptr); }, reply_.name,
                   " cannot be moved: ");
               !kept) {
      fail_with(std::move(kept.error()));
    }
    promise_.reset();
  }

private:
  void fail_with(error reason) { keep_(promise_.get(), nullptr, &reason); }

  const message_type& reply_;
  std::shared_ptr<void> promise_; // null once it is kept
  detail::keep_function keep_;
};

} // namespace

// -- what is answered ---------------------------------------------------------------------

error detail::not_of_type(std::string_view found, std::string_view asked) {
  return {errc::malformed,
          fmt::format("the result is a {}, not a {}", found.empty() ? "nothing" : found, asked)};
}

std::string saga_result::text() const {
  return as<std::string>().value_or(std::string{});
}

error command_result::why_not() const {
  return {errc::conflict, fmt::format("{}: {}", to_string(failed.value_or(failure_kind::unknown)), reason)};
}

publication::publication(std::shared_ptr<detail::node_runtime> runtime,
                         std::shared_future<result<accepted>> taken)
    : runtime_(std::move(runtime)), taken_(std::move(taken)) {}
publication::publication(const publication&) = default;
publication::publication(publication&&) noexcept = default;
publication& publication::operator=(const publication&) = default;
publication& publication::operator=(publication&&) noexcept = default;
publication::~publication() = default;

const result<accepted>& publication::get() const {
  return taken_.get();
}

client::client(std::shared_ptr<detail::node_runtime> runtime) : runtime_(std::move(runtime)) {}
client::client(const client&) = default;
client::client(client&&) noexcept = default;
client& client::operator=(const client&) = default;
client& client::operator=(client&&) noexcept = default;
client::~client() = default;

// -- messages -----------------------------------------------------------------------------

void client::publish(std::string type, std::string payload, publish_options options,
                     std::function<void(result<accepted>)> answer) const {
  answer = callback(runtime_, "publish", std::move(answer));
  if (const auto core = runtime_->open_core()) {
    caf::anon_send(core->intake,
                   actors::publish{std::move(type), std::move(payload), options, std::move(answer)});
  } else {
    answer(tl::unexpected(runtime_->why_closed()));
  }
}

void client::send(std::string type, std::string payload, std::function<void(result<accepted>)> taken,
                  std::function<void(result<command_result>)> answer) const {
  taken = callback(runtime_, "send", std::move(taken));
  if (answer) { // else nothing is kept for it
    answer = callback(runtime_, "send", std::move(answer));
  }
  if (const auto core = runtime_->open_core()) {
    caf::anon_send(core->intake, actors::send_command{std::move(type), std::move(payload), std::move(taken),
                                                      std::move(answer)});
    return;
  }
  taken(tl::unexpected(runtime_->why_closed()));
  if (answer) {
    answer(tl::unexpected(runtime_->why_closed()));
  }
}

publication client::publish_body(const message_type& type, const void* event, publish_options options) const {
  auto promise = std::make_shared<detail::kept_promise<accepted>>();
  auto taken = promise->future().share();
  if (auto bytes = bytes_of(type, event)) {
    publish(type.name, std::move(*bytes), options,
            [promise](result<accepted> answer) { promise->keep(std::move(answer)); });
  } else {
    promise->keep(tl::unexpected(std::move(bytes.error())));
  }
  return {runtime_, std::move(taken)};
}

void client::send_body(const message_type& type, const void* command, const message_type& reply,
                       std::shared_ptr<void> promise, detail::keep_function keep) const {
  const auto kept = std::make_shared<reply_promise>(reply, std::move(promise), keep);
  if (auto bytes = bytes_of(type, command)) {
    send(type.name, std::move(*bytes), {},
         [kept](const result<command_result>& answer) { kept->keep(answer); });
  } else {
    kept->keep(tl::unexpected(std::move(bytes.error())));
  }
}

// -- instances --------------------------------------------------------------------------------

void client::result_of(instance_id instance, std::optional<detail::any_duration> timeout,
                       std::function<void(result<saga_result>)> answer) const {
  answer = callback(runtime_, "result_of", std::move(answer));
  if (const auto core = runtime_->open_core()) {
    if (auto away = elsewhere(*core, instance)) {
      answer(tl::unexpected(std::move(*away)));
      return;
    }
    const auto& shard = core->shard_of(instance);
    caf::anon_send(shard, actors::await_end{std::move(instance), std::move(answer), timeout});
  } else {
    answer(tl::unexpected(runtime_->why_closed()));
  }
}

std::future<result<saga_result>> client::result_of(instance_id instance,
                                                   std::optional<detail::any_duration> timeout) const {
  auto promise = std::make_shared<detail::kept_promise<saga_result>>();
  auto future = promise->future();
  result_of(std::move(instance), timeout,
            [promise](result<saga_result> end) { promise->keep(std::move(end)); });
  return future;
}

std::future<result<saga_result>> client::result_of_key(std::string_view saga, std::string key,
                                                       std::optional<detail::any_duration> timeout) const {
  return result_of({std::string{saga}, std::move(key)}, timeout);
}

std::future<result<saga_result>> publication::result_of(std::string_view saga,
                                                        std::optional<detail::any_duration> timeout) const {
  auto promise = std::make_shared<detail::kept_promise<saga_result>>();
  auto future = promise->future();
  const auto& taken = taken_.get();
  if (!taken) {
    promise->keep(tl::unexpected(taken.error()));
    return future;
  }
  const auto started = std::find_if(taken->instances.begin(), taken->instances.end(),
                                    [&](const instance_id& id) { return id.type == saga; });
  if (started == taken->instances.end()) {
    promise->keep(fail(errc::not_found, "the event starts no instance of " + std::string{saga}));
    return future;
  }
  return client{runtime_}.result_of(*started, timeout);
}

std::future<result<instance_view>> client::show(instance_id instance) const {
  return ask_node<instance_view>(runtime_, [&](actors::core& core,
                                               std::function<void(result<instance_view>)> answer) {
    if (auto away = elsewhere(core, instance)) {
      answer(tl::unexpected(std::move(*away)));
      return;
    }
    if (!core.saga_environments.contains(instance.type) && !core.keyed_environments.contains(instance.type)) {
      answer(fail(errc::unknown_type, "there is no saga or keyed service " + instance.type));
      return;
    }
    const auto& shard = core.shard_of(instance);
    caf::anon_send(shard, actors::show{std::move(instance), std::move(answer)});
  });
}

result<std::vector<instance_view>> client::list(std::string_view type, std::optional<instance_status> status,
                                                std::size_t limit, std::string_view after) const {
  const auto core = runtime_->open_core();
  if (!core) {
    return tl::unexpected(runtime_->why_closed());
  }
  std::vector<instance_view> page;
  std::optional<error> wrong;
  const auto scanned =
      core->store->scan(engine::record_prefix(type), [&](std::string_view, std::string_view bytes) {
        const auto stored = decode<engine::record>(bytes);
        if (!stored) {
          wrong = stored.error();
          return false;
        }
        if (stored->self.key > after && (!status || stored->status == *status)) {
          page.push_back(actors::view_of(*stored, *core));
        }
        return page.size() < limit;
      });
  if (!scanned || wrong) {
    return tl::unexpected(wrong ? *wrong : scanned.error());
  }
  return page;
}

result<std::vector<history_view>> client::history(const instance_id& instance) const {
  const auto core = runtime_->open_core();
  if (!core) {
    return tl::unexpected(runtime_->why_closed());
  }
  const auto bytes = core->store->get(engine::record_key(instance));
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  if (!*bytes) {
    return actors::not_found(instance);
  }
  std::vector<history_view> entries;
  std::optional<error> wrong;
  const auto scanned =
      core->store->scan(engine::history_prefix(instance), [&](std::string_view, std::string_view found) {
        const auto entry = decode<engine::history_entry>(found);
        if (!entry) {
          wrong = entry.error();
          return false;
        }
        entries.push_back(actors::view_of(*entry, *core));
        return true;
      });
  if (!scanned || wrong) {
    return tl::unexpected(wrong ? *wrong : scanned.error());
  }
  return entries;
}

// -- an operator's verbs ---------------------------------------------------------------------------

std::future<result<void>> client::cancel(instance_id instance, std::string who, std::string note) const {
  return operate_on(runtime_, std::move(instance), engine::verb::cancel, std::move(who), std::move(note));
}

std::future<result<void>> client::pause(instance_id instance, std::string who, std::string note) const {
  return operate_on(runtime_, std::move(instance), engine::verb::pause, std::move(who), std::move(note));
}

std::future<result<void>> client::resume(instance_id instance, std::string who, std::string note) const {
  return operate_on(runtime_, std::move(instance), engine::verb::resume, std::move(who), std::move(note));
}

std::future<result<void>> client::retry(instance_id instance, std::string who, std::string note) const {
  return operate_on(runtime_, std::move(instance), engine::verb::retry, std::move(who), std::move(note));
}

std::future<result<void>> client::skip(instance_id instance, std::string who, std::string note) const {
  return operate_on(runtime_, std::move(instance), engine::verb::skip, std::move(who), std::move(note));
}

// -- dead letters ------------------------------------------------------------------------------------

result<std::vector<dead_letter_view>> client::dead_letters() const {
  const auto core = runtime_->open_core();
  if (!core) {
    return tl::unexpected(runtime_->why_closed());
  }
  std::vector<dead_letter_view> letters;
  const auto scanned = core->store->scan(
      engine::record_prefix(engine::dead_letter_type), [&](std::string_view, std::string_view bytes) {
        if (const auto stored = decode<engine::record>(bytes); stored && stored->failed) {
          letters.push_back(actors::letter_view_of(*stored, *core));
        }
        return true;
      });
  if (!scanned) {
    return tl::unexpected(scanned.error());
  }
  return letters;
}

std::future<result<void>> client::redrive(std::string id, std::optional<std::string> corrected) const {
  return ask_node<void>(runtime_, [&](actors::core& core, std::function<void(result<void>)> answer) {
    const instance_id letter{std::string{engine::dead_letter_type}, std::move(id)};
    caf::anon_send(core.home_of(letter), actors::redrive{letter, std::move(corrected), std::move(answer)});
  });
}

std::future<result<void>> client::discard(std::string id) const {
  return ask_node<void>(runtime_, [&](actors::core& core, std::function<void(result<void>)> answer) {
    const instance_id letter{std::string{engine::dead_letter_type}, std::move(id)};
    caf::anon_send(core.home_of(letter), actors::discard_letter{letter, std::move(answer)});
  });
}

namespace {

std::future<result<void>> operate_parked(const std::shared_ptr<node_runtime>& runtime,
                                         const std::string& service, message_id id, bool discard) {
  return ask_node<void>(runtime, [&](actors::core& core, std::function<void(result<void>)> answer) {
    const auto found =
        core.service_actors.find(engine::placement::address_on(service, core.routes.where().here()));
    if (found == core.service_actors.end()) {
      answer(fail(errc::unknown_type, "there is no stateless service " + service));
      return;
    }
    caf::anon_send(found->second, actors::operate_command{id, discard, std::move(answer)});
  });
}

} // namespace

std::future<result<void>> client::retry_command(std::string service, message_id id) const {
  return operate_parked(runtime_, service, id, false);
}

std::future<result<void>> client::discard_command(std::string service, message_id id) const {
  return operate_parked(runtime_, service, id, true);
}

} // namespace continuo
