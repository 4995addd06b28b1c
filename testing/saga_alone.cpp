#include "actors/views.hpp"
#include "engine/saga_machine.hpp"

#include <continuo/testing_saga.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

namespace continuo::testing {

namespace {

constexpr std::uint64_t store_here = 1;
constexpr std::uint64_t store_outside = 2;

/// More than any saga sets for one moment on purpose.
constexpr std::size_t timers_at_once_max = 10'000;

/// A service that handles every command that the saga may send, so that they have somewhere to go.
detail::service_type service_for(const detail::saga_type& saga) {
  detail::service_type made;
  made.name = "outside";
  const auto add = [&](const message_type* command) {
    if (command != nullptr) {
      auto& handler = made.commands[command->name];
      handler.command = command;
      handler.run = [](std::string_view, command_context&) -> result<detail::handled> {
        return detail::handled{};
      };
    }
  };
  for (const auto& [name, call] : saga.calls) {
    add(call.command);
    add(call.undo_command);
  }
  for (const auto* type : saga.messages) {
    if (saga.tells.contains(type->name)) {
      add(type);
    }
  }
  return made;
}

} // namespace

struct saga_bench::bench {
  bench(detail::saga_type definition, std::string key) : type(std::move(definition)) {
    if (!type.mistakes.empty()) {
      throw std::logic_error{type.mistakes.front()};
    }
    const auto added = routes.add(type);
    const auto outside = added ? routes.add(service_for(type)) : added;
    if (!outside) {
      throw std::logic_error{outside.error().message};
    }
    result_types = type.messages;
    for (const auto* plain : {&message_type_of<std::string>(), &message_type_of<bool>(),
                              &message_type_of<std::int64_t>(), &message_type_of<double>()}) {
      result_types.push_back(plain);
    }
    environment.type = &type;
    environment.routes = &routes;
    environment.store = store_here;
    environment.handler_attempts = 1;
    environment.runs_twice = true;
    environment.sees = [this](const detail::intents& asked) { find_receivers(asked); };
    environment.read_entries =
        [this](const std::string& prefix) -> continuo::result<std::vector<std::string>> {
      std::vector<std::string> values;
      for (auto at = entries.lower_bound(prefix); at != entries.end() && at->first.starts_with(prefix);
           ++at) {
        values.push_back(at->second);
      }
      return values;
    };
    now = {time_point{std::chrono::hours{24 * 365 * 56}}, {}, 1};
    begin(std::move(key));
  }

  void begin(std::string key) {
    machine = std::make_unique<engine::saga_machine>(environment, instance_id{type.name, std::move(key)},
                                                     std::nullopt);
  }

  /// Makes a handler's events go somewhere, so that they are seen: an event without a subscriber is not sent
  /// at all. What a workflow calls nobody has declared: it goes somewhere as well.
  void find_receivers(const detail::intents& asked) {
    for (const auto& message : asked.messages) {
      const auto is_event = message.what == detail::intents::message::kind::event;
      if (is_event && !routes.knows_event(message.body.type)) {
        detail::service_type listener;
        listener.name = "outside." + message.body.type;
        listener.events[message.body.type];
        add(listener);
      }
      if (type.frame && !is_event) {
        handle(message.body.type);
        handle(message.undo.type);
      }
    }
    for (const auto& word : asked.at_end) {
      handle(word.command.type);
    }
  }

  void handle(const std::string& command) {
    if (!command.empty() && !routes.knows_command(command)) {
      detail::service_type service;
      service.name = "outside." + command;
      service.commands[command];
      add(service);
    }
  }

  void add(const detail::service_type& service) {
    if (const auto added = routes.add(service); !added) {
      throw std::logic_error{added.error().message};
    }
  }

  engine::envelope message(engine::message_kind kind, std::string name, std::string payload) {
    engine::envelope made;
    made.id = {store_outside, ++outside_revision, 0};
    made.kind = kind;
    made.to = machine->current().self;
    made.type = std::move(name);
    made.payload = std::move(payload);
    return made;
  }

  saga_step take(const engine::transition& decided) {
    saga_step step;
    step.what = decided.edge;
    if (decided.life_over) {
      const auto prefix = engine::entry_prefix(*decided.life_over);
      std::erase_if(entries, [&](const auto& entry) { return entry.first.starts_with(prefix); });
    }
    for (const auto& entry : decided.entries) {
      entries[entry.key] = entry.value;
    }
    dead_letters += decided.dead_letters.size();
    auto all = decided.sent;
    all.insert(all.end(), decided.released.begin(), decided.released.end());
    std::sort(all.begin(), all.end(),
              [](const engine::envelope& a, const engine::envelope& b) { return a.id < b.id; });
    for (const auto& one : all) {
      if (one.kind == engine::message_kind::command || one.kind == engine::message_kind::event) {
        step.sent.push_back({one.type, one.payload, one.kind == engine::message_kind::event});
      } else if (one.kind == engine::message_kind::withdrawal) {
        ++step.withdrawals;
      } else if (one.kind == engine::message_kind::reply) {
        step.answers.push_back({one.type, one.payload, {}});
      } else if (one.kind == engine::message_kind::failure) {
        step.answers.push_back({{}, {}, decode<messages::failure_body>(one.payload).value().reason});
      }
    }
    for (const auto& timer : decided.armed) {
      step.timers.push_back(timer.name);
    }
    return step;
  }

  /// A message from outside, which may start the instance of this key.
  saga_step deliver(engine::message_kind kind, std::string key, std::string name, std::string payload) {
    if (const auto& self = machine->current().self; self.key.empty()) {
      begin(std::move(key));
    } else if (key != self.key) {
      throw std::logic_error{
          fmt::format("this {} goes to {}/{}, not to {}", name, self.type, key, to_string(self))};
    }
    auto made = message(kind, std::move(name), std::move(payload));
    made.from = {"outside", kind == engine::message_kind::event ? "publisher" : "sender"};
    return receive(made);
  }

  saga_step receive(const engine::envelope& one) { return take(machine->receive(one, now, ++revision)); }

  template <class Matches>
  const engine::request& open_request(const std::string& what, Matches matches) const {
    const auto& open = machine->current().requests;
    const auto found = std::find_if(open.begin(), open.end(), matches);
    if (found == open.end()) {
      std::string open_ones;
      for (const auto& sent : open) {
        open_ones += (open_ones.empty() ? "" : ", ") + (sent.step.empty() ? sent.type : sent.step);
      }
      throw std::logic_error{
          fmt::format("the saga has no open {}; open are: {}", what, open_ones.empty() ? "none" : open_ones)};
    }
    return *found;
  }

  const engine::request& open_request(std::string_view command) const {
    return open_request(std::string{command},
                        [&](const engine::request& sent) { return sent.type == command; });
  }

  /// A workflow's step, not what undoes it.
  const engine::request& open_step(std::string_view name) const {
    return open_request(fmt::format("step \"{}\"", name),
                        [&](const engine::request& sent) { return sent.step == name && !sent.compensation; });
  }

  saga_step answer(const engine::request& sent, std::string reply_type, std::string payload) {
    auto made = message(engine::message_kind::reply, std::move(reply_type), std::move(payload));
    made.from = {sent.to.type, to_string(sent.id)};
    made.in_reply_to = sent.id;
    return receive(made);
  }

  saga_step fail(const engine::request& sent, failure_kind kind, std::string reason) {
    auto made = message(engine::message_kind::failure, {},
                        encode(messages::failure_body{static_cast<std::uint8_t>(kind), std::move(reason)}));
    made.from = {sent.to.type, to_string(sent.id)};
    made.in_reply_to = sent.id;
    return receive(made);
  }

  /// Until the timer is due; zero where it is, `max()` where it never is.
  std::chrono::nanoseconds time_to(const engine::timer& one) const {
    if (one.due == time_point::max()) {
      return std::chrono::nanoseconds::max();
    }
    const auto left =
        one.boot == now.boot ? engine::between(now.up, one.due_up) : engine::between(now.wall, one.due);
    return std::max(left, std::chrono::nanoseconds{0});
  }

  saga_step operate(engine::verb what, const std::string& note) {
    const auto decided = machine->operate(what, "test", note, now, ++revision);
    if (!decided.verdict) {
      throw std::logic_error{decided.verdict.error().message};
    }
    auto step = take(decided);
    if (machine->retrying()) { // the message that it was stuck over is handled again
      auto again = take(machine->try_again(now, ++revision));
      again.sent.insert(again.sent.begin(), step.sent.begin(), step.sent.end());
      return again;
    }
    return step;
  }

  detail::saga_type type;
  std::vector<const message_type*> result_types;
  engine::routing_table routes;
  engine::saga_environment environment;
  std::unique_ptr<engine::saga_machine> machine;
  engine::moment now;
  std::uint64_t revision = 0;
  std::uint64_t outside_revision = 0;
  std::map<std::string, std::string> entries; // of a workflow
  std::size_t dead_letters = 0;
};

void saga_step::check_only(std::string_view type, std::size_t count) const {
  if (count == 1) {
    return;
  }
  std::string others;
  for (const auto& one : sent) {
    others += (others.empty() ? "" : ", ") + one.type;
  }
  throw std::logic_error{fmt::format("{} {} were sent by `{}`, not one; all that was sent: {}", count, type,
                                     what, others.empty() ? "nothing" : others)};
}

const saga_step::sent_answer& saga_step::only_answer(std::string_view type) const {
  if (answers.size() != 1) {
    throw std::logic_error{fmt::format("{} commands were answered by `{}`, not one", answers.size(), what)};
  }
  const auto& given = answers.front();
  if (given.type != type) {
    throw std::logic_error{given.type.empty() ? fmt::format("it was declined: {}", given.declined)
                                              : fmt::format("it was answered with {}", given.type)};
  }
  return given;
}

saga_bench::saga_bench(detail::saga_type type, std::string key)
    : bench_(std::make_unique<bench>(std::move(type), std::move(key))) {}

saga_bench::~saga_bench() = default;

// -- queries -----------------------------------------------------------------------------------

instance_status saga_bench::status() const {
  return bench_->machine->current().status;
}

const std::string& saga_bench::reason() const {
  return bench_->machine->current().reason;
}

saga_result saga_bench::result() const {
  const auto& record = bench_->machine->current();
  if (!is_terminal(record.status)) {
    throw std::logic_error{
        fmt::format("{} is {}: it has no result", to_string(record.self), to_string(record.status))};
  }
  return {record.self, record.status, record.reason, record.result_type, record.result};
}

std::string saga_bench::result_text() const {
  const auto& record = bench_->machine->current();
  if (record.result_type.empty()) {
    return {};
  }
  for (const auto* known : bench_->result_types) {
    if (known->name == record.result_type) {
      return known->to_json(record.result).value_or(std::string{});
    }
  }
  return {};
}

std::vector<cause> saga_bench::waiting_for() const {
  return actors::causes_of(bench_->machine->current(), bench_->routes);
}

time_point saga_bench::now() const {
  return bench_->now.wall;
}

bool saga_bench::exists() const {
  return bench_->machine->exists();
}

std::string saga_bench::state() const {
  return bench_->machine->current().state;
}

// -- messages -----------------------------------------------------------------------------------

namespace {

/// The key in a message that the saga handles.
template <class Handled>
std::string key_in(const Handled& handled, std::string_view kind, const std::string& type,
                   const std::string& payload, const std::string& saga) {
  const auto found = handled.find(type);
  if (found == handled.end()) {
    throw std::logic_error{fmt::format("{} declares no {} {}", saga, kind, type)};
  }
  auto key = found->second.key(payload);
  if (!key) {
    throw std::logic_error{key.error().message};
  }
  return std::move(*key);
}

} // namespace

saga_step saga_bench::event(std::string type, std::string payload) {
  auto key = key_in(bench_->type.subscriptions, "event", type, payload, bench_->type.name);
  return bench_->deliver(engine::message_kind::event, std::move(key), std::move(type), std::move(payload));
}

saga_step saga_bench::command(std::string type, std::string payload) {
  auto key = key_in(bench_->type.commands, "command", type, payload, bench_->type.name);
  return bench_->deliver(engine::message_kind::command, std::move(key), std::move(type), std::move(payload));
}

saga_step saga_bench::command_withdrawn() {
  const auto& waiting = bench_->machine->current().starters;
  if (waiting.empty()) {
    throw std::logic_error{"no command waits for its end"};
  }
  auto made = bench_->message(engine::message_kind::withdrawal, {}, {});
  made.id = {};
  made.from = waiting.front().from;
  made.in_reply_to = waiting.front().id;
  return bench_->receive(made);
}

saga_step saga_bench::reply(std::string_view command, std::string reply_type, std::string payload) {
  return bench_->answer(bench_->open_request(command), std::move(reply_type), std::move(payload));
}

saga_step saga_bench::step_reply(std::string_view step, std::string reply_type, std::string payload) {
  return bench_->answer(bench_->open_step(step), std::move(reply_type), std::move(payload));
}

saga_step saga_bench::step_failure(std::string_view step, failure_kind kind, std::string reason) {
  return bench_->fail(bench_->open_step(step), kind, std::move(reason));
}

void saga_bench::leave_memory() {
  auto stored = bench_->machine->current();
  bench_->machine = std::make_unique<engine::saga_machine>(bench_->environment, stored.self, stored);
}

void saga_bench::deploy(detail::saga_type type) {
  if (type.name != bench_->type.name) {
    throw std::logic_error{
        fmt::format("{} takes the place of {}: the name of a workflow is stored, and must stay", type.name,
                    bench_->type.name)};
  }
  leave_memory();
  bench_->type = std::move(type);
}

std::size_t saga_bench::dead_letters() const {
  return bench_->dead_letters;
}

saga_step saga_bench::failure(std::string_view command, failure_kind kind, std::string reason) {
  return bench_->fail(bench_->open_request(command), kind, std::move(reason));
}

saga_step saga_bench::advance_time(std::chrono::nanoseconds time) {
  auto& here = *bench_;
  auto left = time;
  std::size_t at_once = 0; // timers that fired while no time passed
  saga_step all;
  while (true) {
    const auto& timers = here.machine->current().timers;
    const auto next = std::min_element(timers.begin(), timers.end(), [&](const auto& a, const auto& b) {
      return here.time_to(a) < here.time_to(b);
    });
    const auto is_due = next != timers.end() && next->due != time_point::max() && here.time_to(*next) <= left;
    const auto passes = is_due ? here.time_to(*next) : left;
    here.now.wall = engine::later(here.now.wall, passes);
    here.now.up = engine::later(here.now.up, passes);
    left -= passes;
    if (!is_due) {
      return all;
    }
    at_once = passes == std::chrono::nanoseconds{0} ? at_once + 1 : 0;
    if (at_once > timers_at_once_max) {
      throw std::logic_error{fmt::format("more than {} timers fall due and no time passes: {} sets \"{}\" "
                                         "again and again for the same moment",
                                         timers_at_once_max, to_string(here.machine->current().self),
                                         next->name)};
    }
    auto made = here.message(engine::message_kind::timer, next->type, {});
    made.id = next->id;
    made.from = here.machine->current().self;
    const auto step = here.receive(made);
    all.what = step.what;
    all.withdrawals += step.withdrawals;
    all.sent.insert(all.sent.end(), step.sent.begin(), step.sent.end());
    all.timers.insert(all.timers.end(), step.timers.begin(), step.timers.end());
    all.answers.insert(all.answers.end(), step.answers.begin(), step.answers.end());
  }
}

void saga_bench::jump_wall_clock(std::chrono::nanoseconds by) {
  bench_->now.wall = engine::later(bench_->now.wall, by);
}

// -- people ---------------------------------------------------------------------------------------

saga_step saga_bench::cancel() {
  return bench_->operate(engine::verb::cancel, {});
}

saga_step saga_bench::retry() {
  return bench_->operate(engine::verb::retry, {});
}

saga_step saga_bench::skip() {
  return bench_->operate(engine::verb::skip, "done by hand");
}

} // namespace continuo::testing
