#include <continuo/client.hpp>

#include "engine/dead_letter.hpp"
#include "engine/record.hpp"
#include "messages/application.hpp"
#include "nodes/http/desk.hpp"
#include "nodes/kept_promise.hpp"
#include "nodes/runtime.hpp"

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <type_traits>

namespace continuo {

namespace {

using detail::node_runtime;

/// The longest that one question waits for an end or an outcome; then it is asked again.
constexpr std::chrono::milliseconds wait_most{60'000};
constexpr std::size_t page_most = 1'000;

/// Of one answer, whose caller has no way to take it page by page.
constexpr std::size_t entries_max = 100'000;

/// A future, and what fulfils it: with an answer, or, if that is dropped, without one.
template <class T>
std::pair<std::future<result<T>>, std::function<void(result<T>)>> future_answer() {
  auto promise = std::make_shared<detail::kept_promise<T>>();
  auto future = promise->future();
  return {std::move(future), [promise](result<T> answer) { promise->keep(std::move(answer)); }};
}

// -- for the cluster ------------------------------------------------------------------------
// What this node does not answer from memory goes the way of a call over HTTP, without a socket: the same
// code finds the node that has the answer, within the same bounds.

/// A call of docs/http.md below `/api/v1`.
http::request call_of(std::string method, std::vector<std::string> path) {
  http::request asked;
  asked.method = std::move(method);
  asked.segments = {"api", "v1"};
  std::move(path.begin(), path.end(), std::back_inserter(asked.segments));
  asked.path = fmt::format("/{}", fmt::join(asked.segments, "/"));
  return asked;
}

http::request call_of_instance(std::string method, const instance_id& instance, std::string about = {}) {
  std::vector<std::string> path{"instances", instance.type, instance.key};
  if (!about.empty()) {
    path.push_back(std::move(about));
  }
  return call_of(std::move(method), std::move(path));
}

template <class T>
void ask(const node_runtime& runtime, http::request asked, std::function<void(result<T>)> answer) {
  runtime.ask(std::move(asked), [answer = std::move(answer)](const http::response& said) {
    if constexpr (std::is_void_v<T>) {
      answer(said.status < 300 ? result<void>{} : tl::unexpected(http::error_of(said)));
    } else {
      answer(http::read_bytes<T>(said));
    }
  });
}

template <class T>
std::future<result<T>> ask(const node_runtime& runtime, http::request asked) {
  auto [future, answer] = future_answer<T>();
  ask<T>(runtime, std::move(asked), std::move(answer));
  return std::move(future);
}

engine::boot_time now_of(const node_runtime& runtime) {
  const auto core = runtime.open_core();
  return core ? core->time->now().up : engine::boot_time{};
}

/// Asks for what may take for ever: again whenever the answer is that it has not come, for as long as is
/// `left`. A node that says so before the time is over would be asked for ever, at once.
template <class T>
void ask_until_there(const std::shared_ptr<const node_runtime>& runtime, http::request asked,
                     std::chrono::milliseconds left, std::function<void(result<T>)> answer) {
  const auto wait = std::clamp(left, std::chrono::milliseconds{0}, wait_most);
  asked.query["wait"] = fmt::format("{}ms", wait.count());
  auto copy = asked;
  ask<T>(*runtime, std::move(copy),
         [weak = std::weak_ptr{runtime}, asked = std::move(asked), left, wait, begun = now_of(*runtime),
          answer = std::move(answer)](result<T> said) {
           const auto over = said || said.error().code != errc::timed_out || left <= wait;
           const auto node = over ? nullptr : weak.lock();
           if (over) {
             answer(std::move(said));
           } else if (node && engine::between(begun, now_of(*node)) < wait / 2) {
             answer(fail(errc::unavailable,
                         "another node did not wait as long as it was asked to: it may run "
                         "another version"));
           } else if (node) {
             ask_until_there<T>(node, asked, left == std::chrono::milliseconds::max() ? left : left - wait,
                                answer);
           } else {
             answer(tl::unexpected(detail::ended_before_answer()));
           }
         });
}

/// Whether a cursor stands behind another one: cursors are numbers in a history, else keys.
template <class Page>
bool leads_on(const std::string& from, const std::string& to) {
  return std::is_same_v<Page, http::history_page> ? std::pair{from.size(), from} < std::pair{to.size(), to}
                                                  : from < to;
}

/// Asks for one page after the other until there is none, or `take` says that it has enough.
template <class Page>
void ask_pages(const std::shared_ptr<const node_runtime>& runtime, http::request asked,
               std::function<bool(Page&&)> take, std::function<void(result<void>)> answer) {
  auto copy = asked;
  ask<Page>(
      *runtime, std::move(copy),
      [weak = std::weak_ptr{runtime}, asked = std::move(asked), take = std::move(take),
       answer = std::move(answer)](result<Page> page) mutable {
        if (!page) {
          answer(tl::unexpected(std::move(page.error())));
          return;
        }
        const auto is_last = page->next.empty();
        if (!is_last && !leads_on<Page>(asked.query["cursor"], page->next)) { // it might go on for ever
          answer(fail(errc::unavailable, "a page of another node leads back: it may run another version"));
          return;
        }
        asked.query["cursor"] = page->next;
        const auto goes_on = take(std::move(*page)) && !is_last;
        const auto node = goes_on ? weak.lock() : nullptr;
        if (node) {
          ask_pages<Page>(node, asked, take, answer);
        } else {
          answer(goes_on ? result<void>{tl::unexpected(detail::ended_before_answer())} : result<void>{});
        }
      });
}

/// The views on all pages, as one: at most `limit`; more than `entries_max` are an error.
template <class Page, class View, class In>
void ask_all(const std::shared_ptr<const node_runtime>& runtime, http::request asked, std::size_t limit,
             In view_in, std::function<void(result<std::vector<View>>)> answer) {
  asked.query["limit"] = std::to_string(std::clamp<std::size_t>(limit, 1, page_most));
  const auto all = std::make_shared<std::vector<View>>();
  ask_pages<Page>(
      runtime, std::move(asked),
      [all, limit, view_in](Page&& page) {
        for (auto& one : page.entries) {
          if (all->size() < limit) {
            all->push_back(std::move(view_in(one)));
          }
        }
        return all->size() < std::min(limit, entries_max + 1);
      },
      [all, answer = std::move(answer)](const result<void>& whole) {
        answer(!whole ? tl::unexpected(whole.error())
               : all->size() > entries_max
                   ? fail(errc::overloaded, fmt::format("there are more than {}: ask for "
                                                        "them page by page, over HTTP",
                                                        entries_max))
                   : result<std::vector<View>>{std::move(*all)});
      });
}

/// What an entry of a page shows.
constexpr auto view_in = [](auto& entry) -> auto& {
  return entry.view;
};

/// How long in whole milliseconds, and never less.
std::chrono::milliseconds whole_ms(const std::optional<detail::any_duration>& time) {
  return time ? std::chrono::ceil<std::chrono::milliseconds>(std::chrono::nanoseconds{*time})
              : std::chrono::milliseconds::max();
}

/// A client's callback as the node may call it: once, with an answer or, if that is dropped, without one.
/// What it throws is in the log, and what it captured is gone before anything else goes on: it may be the
/// last that holds the node.
template <class T>
class kept_call {
public:
  kept_call(const std::shared_ptr<node_runtime>& runtime, const char* of,
            std::function<void(result<T>)> function)
      : node_(runtime), handlers_(runtime->handlers()), of_{{}, of}, function_(std::move(function)) {}
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
          const actors::running_handlers::entry shown{*handlers_, of_, {}};
          function(std::move(answer));
        },
        "the callback of client::", of_.key, " threw: ");
    const auto node = called ? nullptr : node_.lock();
    if (node) {
      node->log(log_level::error, called.error().message);
    }
  }

private:
  std::weak_ptr<node_runtime> node_;
  std::shared_ptr<actors::running_handlers> handlers_;
  instance_id of_; // by which it is shown while it runs
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

std::future<result<void>> operate_on(const node_runtime& runtime, const instance_id& instance,
                                     const char* verb, std::string who, std::string note) {
  auto asked = call_of_instance("POST", instance, verb);
  asked.body = encode(http::verb_body{std::move(who), std::move(note)});
  return ask<void>(runtime, std::move(asked));
}

std::future<result<void>> operate_service(const node_runtime& runtime, std::string service, const char* verb,
                                          std::string who, std::string note) {
  auto asked = call_of("POST", {"services", std::move(service), verb});
  asked.body = encode(http::verb_body{std::move(who), std::move(note)});
  return ask<void>(runtime, std::move(asked));
}

std::future<result<void>> operate_letter(const node_runtime& runtime, bool discard, std::string id,
                                         http::letter_body what) {
  auto asked = discard ? call_of("DELETE", {"dead-letters", std::move(id)})
                       : call_of("POST", {"dead-letters", std::move(id), "redrive"});
  asked.body = encode(what);
  return ask<void>(runtime, std::move(asked));
}

/// The service that handles a command; empty where none does.
std::string service_of(const std::string& command, const actors::core& core) {
  const auto among = [&](const auto& services) -> std::string {
    for (const auto& [name, service] : services) {
      if (service.commands.contains(command)) {
        return name;
      }
    }
    return {};
  };
  const auto stateless = among(core.services);
  const auto service = stateless.empty() ? among(core.keyed_services) : stateless;
  return service.empty() ? among(core.sagas) : service;
}

/// The outcome of a command that some node of the cluster has taken.
void await_outcome(const std::shared_ptr<const node_runtime>& runtime, const message_id& id,
                   std::function<void(result<command_result>)> answer) {
  ask_until_there<http::command_end>(
      runtime, call_of("GET", {"commands", to_string(id)}), std::chrono::milliseconds::max(),
      [answer = std::move(answer)](result<http::command_end> end) {
        answer(std::move(end).map([](http::command_end&& one) {
          // A kind that this program does not know may have happened.
          const auto known = one.failed && *one.failed <= static_cast<std::uint8_t>(failure_kind::unknown);
          const auto failed = !one.failed ? std::nullopt
                                          : std::optional{known ? static_cast<failure_kind>(*one.failed)
                                                                : failure_kind::unknown};
          return command_result{one.id, failed, std::move(one.reason), std::move(one.reply_type),
                                std::move(one.payload)};
        }));
      });
}

void send_with_key(const std::shared_ptr<const node_runtime>& runtime, const std::string& service,
                   std::string type, const http::event_body& body, std::string key,
                   std::function<void(result<accepted>)> taken,
                   std::function<void(result<command_result>)> answer) {
  auto asked = call_of("POST", {"send", service, std::move(type)});
  asked.headers["idempotency-key"] = std::move(key);
  asked.body = encode(body);
  ask<accepted>(*runtime, std::move(asked),
                [weak = std::weak_ptr{runtime}, taken = std::move(taken),
                 answer = std::move(answer)](const result<accepted>& said) {
                  taken(said);
                  const auto node = said && answer ? weak.lock() : nullptr;
                  if (node) {
                    await_outcome(node, said->id, answer);
                  } else if (answer) {
                    answer(tl::unexpected(said ? detail::ended_before_answer() : said.error()));
                  }
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

const result<accepted>& publication::get() const& {
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
  if (!options.idempotency_key.empty()) {
    auto asked = call_of("POST", {"publish", std::move(type)});
    asked.headers["idempotency-key"] = std::move(options.idempotency_key);
    asked.body = encode(http::event_body{std::move(payload), options.wait_for_room});
    ask<accepted>(*runtime_, std::move(asked), std::move(answer));
  } else if (const auto core = runtime_->open_core()) {
    caf::anon_send(core->intake,
                   actors::publish{std::move(type), std::move(payload), options, std::move(answer)});
  } else {
    answer(tl::unexpected(runtime_->why_closed()));
  }
}

void client::send(std::string type, std::string payload, std::function<void(result<accepted>)> taken,
                  std::function<void(result<command_result>)> answer, send_options options) const {
  taken = callback(runtime_, "send", std::move(taken));
  if (answer) { // else nothing is kept for it
    answer = callback(runtime_, "send", std::move(answer));
  }
  if (auto core = runtime_->open_core()) {
    const auto service = options.idempotency_key.empty() ? std::string{} : service_of(type, *core);
    if (!service.empty()) { // else the intake says that nothing handles it
      core.reset();
      send_with_key(runtime_, service, std::move(type), {std::move(payload), false},
                    std::move(options.idempotency_key), std::move(taken), std::move(answer));
      return;
    }
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
    publish(type.name, std::move(*bytes), std::move(options),
            [promise](result<accepted> answer) { promise->keep(std::move(answer)); });
  } else {
    promise->keep(tl::unexpected(std::move(bytes.error())));
  }
  return {runtime_, std::move(taken)};
}

void client::send_body(const message_type& type, const void* command, const message_type& reply,
                       std::shared_ptr<void> promise, detail::keep_function keep,
                       send_options options) const {
  const auto kept = std::make_shared<reply_promise>(reply, std::move(promise), keep);
  if (auto bytes = bytes_of(type, command)) {
    send(
        type.name, std::move(*bytes), {},
        [kept](const result<command_result>& answer) { kept->keep(answer); }, std::move(options));
  } else {
    kept->keep(tl::unexpected(std::move(bytes.error())));
  }
}

// -- instances --------------------------------------------------------------------------------

void client::result_of(instance_id instance, std::optional<detail::any_duration> timeout,
                       std::function<void(result<saga_result>)> answer) const {
  answer = callback(runtime_, "result_of", std::move(answer));
  auto core = runtime_->open_core();
  if (!core) {
    answer(tl::unexpected(runtime_->why_closed()));
  } else if (core->peer_of(instance).empty()) {
    const auto& shard = core->shard_of(instance);
    caf::anon_send(shard, actors::await_end{std::move(instance), std::move(answer), timeout});
  } else {
    core.reset();
    ask_until_there<saga_result>(runtime_, call_of_instance("GET", instance, "result"), whole_ms(timeout),
                                 std::move(answer));
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
  auto [future, answer] = future_answer<instance_view>();
  auto core = runtime_->open_core();
  const auto is_away = core && !core->peer_of(instance).empty();
  if (!core) {
    answer(tl::unexpected(runtime_->why_closed()));
  } else if (!core->sagas.contains(instance.type) && !core->keyed_services.contains(instance.type)) {
    answer(fail(errc::unknown_type, "there is no saga or keyed service " + instance.type));
  } else if (is_away) {
    core.reset();
    ask<instance_view>(*runtime_, call_of_instance("GET", instance), std::move(answer));
  } else {
    const auto& shard = core->shard_of(instance);
    caf::anon_send(shard, actors::show{std::move(instance), std::move(answer)});
  }
  return std::move(future);
}

std::future<result<std::vector<instance_view>>> client::list(std::string_view type,
                                                             std::optional<instance_status> status,
                                                             std::size_t limit,
                                                             std::string_view after) const {
  auto [future, answer] = future_answer<std::vector<instance_view>>();
  auto core = runtime_->open_core();
  if (!core) {
    answer(tl::unexpected(runtime_->why_closed()));
    return std::move(future);
  }
  const auto is_keyed = core->keyed_services.contains(type);
  const auto is_command = core->services.contains(engine::placement::service_of(type));
  core.reset();
  auto asked = call_of("GET", {"instances"});
  asked.query["type"] = type;
  asked.query["kind"] = is_command ? "command" : is_keyed ? "service" : "saga";
  if (status) {
    asked.query["status"] = to_string(*status);
  }
  if (!is_command) {
    if (!after.empty()) {
      asked.query["cursor"] = http::cursor_of(engine::record_key({std::string{type}, std::string{after}}));
    }
    ask_all<http::instance_page, instance_view>(runtime_, std::move(asked), limit, view_in,
                                                std::move(answer));
    return std::move(future);
  }
  // A service has commands on each of its nodes, and pages have them node by node: what is kept are the first
  // ones so far.
  const auto all = std::make_shared<std::vector<instance_view>>();
  const auto keep_first = [all, limit = std::min(limit, entries_max)] {
    std::sort(all->begin(), all->end(),
              [](const auto& a, const auto& b) { return a.instance.key < b.instance.key; });
    all->resize(std::min(all->size(), limit));
  };
  asked.query["limit"] = std::to_string(page_most);
  ask_pages<http::instance_page>(
      runtime_, std::move(asked),
      [all, keep_first, after = std::string{after},
       most = 2 * std::min(limit, entries_max) + page_most](http::instance_page&& page) {
        for (auto& one : page.entries) {
          if (one.view.instance.key > after) {
            all->push_back(std::move(one.view));
          }
        }
        if (all->size() > most) {
          keep_first();
        }
        return true;
      },
      [all, keep_first, answer = std::move(answer)](const result<void>& whole) {
        keep_first();
        answer(whole ? result<std::vector<instance_view>>{std::move(*all)} : tl::unexpected(whole.error()));
      });
  return std::move(future);
}

std::future<result<std::vector<history_view>>> client::history(instance_id instance) const {
  auto [future, answer] = future_answer<std::vector<history_view>>();
  ask_all<http::history_page, history_view>(
      runtime_, call_of_instance("GET", instance, "history"), std::numeric_limits<std::size_t>::max(),
      [](history_view& one) -> history_view& { return one; }, std::move(answer));
  return std::move(future);
}

// -- an operator's verbs ---------------------------------------------------------------------------

std::future<result<void>> client::cancel(instance_id instance, std::string who, std::string note) const {
  return operate_on(*runtime_, instance, "cancel", std::move(who), std::move(note));
}

std::future<result<void>> client::pause(instance_id instance, std::string who, std::string note) const {
  return operate_on(*runtime_, instance, "pause", std::move(who), std::move(note));
}

std::future<result<void>> client::resume(instance_id instance, std::string who, std::string note) const {
  return operate_on(*runtime_, instance, "resume", std::move(who), std::move(note));
}

std::future<result<void>> client::retry(instance_id instance, std::string who, std::string note) const {
  return operate_on(*runtime_, instance, "retry", std::move(who), std::move(note));
}

std::future<result<void>> client::skip(instance_id instance, std::string who, std::string note) const {
  return operate_on(*runtime_, instance, "skip", std::move(who), std::move(note));
}

// -- services ----------------------------------------------------------------------------------------

std::future<result<void>> client::pause_service(std::string service, std::string who,
                                                std::string note) const {
  return operate_service(*runtime_, std::move(service), "pause", std::move(who), std::move(note));
}

std::future<result<void>> client::resume_service(std::string service, std::string who,
                                                 std::string note) const {
  return operate_service(*runtime_, std::move(service), "resume", std::move(who), std::move(note));
}

// -- dead letters ------------------------------------------------------------------------------------

std::future<result<std::vector<dead_letter_view>>> client::dead_letters() const {
  auto [future, answer] = future_answer<std::vector<dead_letter_view>>();
  ask_all<http::letter_page, dead_letter_view>(runtime_, call_of("GET", {"dead-letters"}),
                                               std::numeric_limits<std::size_t>::max(), view_in,
                                               std::move(answer));
  return std::move(future);
}

std::future<result<void>> client::redrive(std::string id, std::optional<std::string> corrected) const {
  return operate_letter(*runtime_, false, std::move(id), {{}, std::move(corrected)});
}

std::future<result<void>> client::discard(std::string id) const {
  return operate_letter(*runtime_, true, std::move(id), {});
}

std::future<result<void>> client::retry_command(std::string service, message_id id) const {
  return operate_letter(*runtime_, false, to_string(id), {std::move(service), std::nullopt});
}

std::future<result<void>> client::discard_command(std::string service, message_id id) const {
  return operate_letter(*runtime_, true, to_string(id), {std::move(service), std::nullopt});
}

} // namespace continuo
