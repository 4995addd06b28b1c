#include "actors/instance.hpp"

#include "actors/views.hpp"
#include "engine/planted.hpp"
#include "engine/trace.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace continuo::actors {

template <class Machine>
instance_actor<Machine>::instance_actor(caf::actor_config& config, std::shared_ptr<core> shared,
                                        const environment* definition, instance_start start)
    : caf::event_based_actor(config), core_(std::move(shared)), definition_(definition),
      start_(std::move(start)) {
  fail_node_on_trouble(this, core_);
  if constexpr (!is_saga) {
    counts_ = &core_->service_counts.find(start_.self.type)->second;
  }
  core_->instance_begins();
}

template <class Machine>
caf::behavior instance_actor<Machine>::make_behavior() {
  if (!load()) {
    return {};
  }
  return {
      // CAF tries one after the other: the frequent ones come first.
      [this](messages::envelope& message) { on_envelope(message); },
      [this](const messages::receipt& receipt) { on_receipt(receipt); },
      [this](report_end) { on_report_end(); },
      [this](const messages::call_for& call) { on_call(call); },
      [this](operate& request) { on_operate(request); },
      [this](const move_command& request) { on_move(request); },
      [this](show& request) { on_show(request); },
      [this](const expire& request) { on_expire(request); },
      [this](const trim& request) { on_trim(request); },
      [this](wake) {
        ++handled_;
        send(start_.shard, woken{});
        leave_if_asked();
      },
      [this](try_again) { on_try_again(); },
      [this](tick) { on_tick(); },
      [this](please_leave) { on_please_leave(); },
  };
}

template <class Machine>
void instance_actor<Machine>::on_exit() {
  start_.shard = nullptr;
  machine_.reset();
  core_->instance_ends();
}

template <class Machine>
bool instance_actor<Machine>::load() {
  auto read = read_record(*core_, start_.self);
  if (!read) {
    return false;
  }
  auto& stored = *read;
  // Nobody has had it in memory since the node started: others may not know yet what it owes them.
  const auto recovers = stored && core_->is_of_earlier_life(*stored);
  if (stored) {
    if (planted("inbox_forgotten_at_restart")) {
      stored->inbox.clear();
    }
    told_ = stored->status;
  }
  machine_ = std::make_unique<Machine>(*definition_, start_.self, std::move(stored));
  orphaned_ = is_orphaned();
  counted_ = machine_->in_flight();
  if (recovers && !planted("woken_without_recovering")) {
    const auto revision = core_->next_revision();
    auto decided = machine_->recover(revision);
    // What goes to another node than before goes with the write that says so: by it the link there finds it.
    auto sent_on = std::exchange(decided.released, {});
    carry_out(std::move(decided), 0);
    if (!sent_on.empty()) {
      auto written = machine_->flush(core_->time->now(), revision);
      written.released = std::move(sent_on);
      carry_out(std::move(written), revision);
    }
  }
  return true;
}

// -- handlers ------------------------------------------------------------------------

template <class Machine>
void instance_actor<Machine>::on_envelope(messages::envelope& message) {
  ++handled_;
  if constexpr (!is_saga) {
    if (!waiting_.empty() || machine_->is_full()) {
      if (waiting_.size() >= waiting_max) {
        std::vector<journal::release> extra;
        give_credit_back(*core_, message, extra);
        // A copy of what waits here already is not put off: it would seem to come back when that is handled.
        const auto waits =
            std::any_of(waiting_.begin(), waiting_.end(), [&](const messages::envelope& other) {
              return other.id == message.id && other.kind == message.kind;
            });
        carry_out(waits ? engine::transition{} : machine_->put_off(message), 0, std::move(extra));
        return;
      }
      machine_->queues(message);
      waiting_.push_back(std::move(message));
      want_tick();
      return;
    }
  }
  handle(message);
}

/// Makes a call of the machine that may run the application's handler: with a note in the node's marker, and
/// counted for a keyed service.
template <class Machine>
template <class Call>
engine::transition instance_actor<Machine>::run_handler(const messages::envelope& cause, Call call) {
  const marker::note running{core_->suspects.get(), start_.self, cause.id};
  const running_handlers::entry shown{*core_->handlers, start_.self, cause.type};
  handling_since_ = core_->time->now().wall;
  if constexpr (is_saga) {
    return call();
  } else {
    const auto begun = std::chrono::steady_clock::now();
    auto decided = call();
    counts_->count(decided.settled);
    if (decided.settled != engine::settlement::none || decided.try_again) {
      counts_->count_handler(std::chrono::steady_clock::now() - begun);
    }
    return decided;
  }
}

template <class Machine>
void instance_actor<Machine>::handle(const messages::envelope& message) {
  const auto revision = core_->next_revision();
  auto decided =
      run_handler(message, [&] { return machine_->receive(message, core_->time->now(), revision); });
  if (std::string_view{decided.edge} == "unknown_here") {
    core_->count_unknown(start_.self.type, message, decided.verdict.error());
  }
  std::vector<journal::release> extra;
  give_credit_back(*core_, message, extra);
  carry_out(std::move(decided), revision, std::move(extra));
}

template <class Machine>
void instance_actor<Machine>::handle_waiting() {
  if constexpr (!is_saga) {
    while (!waiting_.empty() && !machine_->is_full()) {
      const auto message = std::move(waiting_.front());
      waiting_.pop_front();
      handle(message);
    }
    if (waiting_.empty() && !machine_->is_full()) {
      carry_out(machine_->call_put_off(false), 0);
    }
  }
}

template <class Machine>
void instance_actor<Machine>::on_receipt(const messages::receipt& receipt) {
  ++handled_;
  std::vector<journal::release> extra;
  forget_waiting(receipt, extra);
  auto decided = machine_->receive(receipt);
  handle_waiting();
  carry_out(std::move(decided), 0, std::move(extra));
}

/// What the sender forgets was handled: a copy of it that waits came before the word, and must not outlive
/// what shows it to be a duplicate.
template <class Machine>
void instance_actor<Machine>::forget_waiting(const messages::receipt& receipt,
                                             std::vector<journal::release>& extra) {
  if (!receipt.forget) {
    return;
  }
  std::erase_if(waiting_, [&](const messages::envelope& message) {
    const auto is_over = message.kind == messages::message_kind::command && message.from == receipt.from &&
                         message.id <= receipt.forget;
    if (is_over) {
      give_credit_back(*core_, message, extra);
    }
    return is_over;
  });
}

template <class Machine>
void instance_actor<Machine>::on_call(const messages::call_for& call) {
  ++handled_;
  carry_out(machine_->called(call), 0);
}

template <class Machine>
void instance_actor<Machine>::on_operate(operate& request) {
  ++handled_;
  if constexpr (is_saga) {
    const auto revision = core_->next_revision();
    auto decided = [&] { // it may run the saga's handler of its end
      const running_handlers::entry shown{*core_->handlers, start_.self, {}};
      return machine_->operate(request.what, request.who, request.note, core_->time->now(), revision);
    }();
    const auto verdict = decided.verdict;
    std::vector<journal::release> extra;
    extra.push_back({core_->intake, caf::make_message(call{[answer = std::move(request.answer), verdict] {
                       answer(verdict);
                     }})});
    carry_out(std::move(decided), revision, std::move(extra));
  } else {
    release_answer([answer = std::move(request.answer)] {
      answer(fail(errc::conflict, "an operator's verbs apply to sagas, not to keyed services"));
    });
  }
}

template <class Machine>
void instance_actor<Machine>::on_move(const move_command& request) {
  ++handled_;
  std::vector<journal::release> extra;
  extra.push_back({request.link, caf::make_message(moved{request.of, request.id})});
  engine::transition decided;
  std::uint64_t revision = 0;
  if constexpr (is_saga) { // keyed services send no commands
    revision = core_->next_revision();
    decided = machine_->move(request.id, request.from, request.handed_out, core_->time->now(), revision);
  }
  carry_out(std::move(decided), revision, std::move(extra));
}

template <class Machine>
void instance_actor<Machine>::on_show(show& request) {
  ++handled_;
  auto view = machine_->exists() ? result<instance_view>{view_of(machine_->current(), *core_)}
                                 : result<instance_view>{not_found(start_.self)};
  if (view && machine_->retrying()) {
    const auto& put_off = machine_->retried();
    view->waiting_for.push_back(
        {"delivery", put_off.type, to_string(put_off.from), put_off.id, {}, core_->time->now().wall});
  }
  // Speaks of durable state: the answer waits until everything that it shows is written.
  release_answer([answer = std::move(request.answer), view = std::move(view)] { answer(view); });
  leave_if_asked();
}

template <class Machine>
void instance_actor<Machine>::on_report_end() {
  ++handled_;
  if (machine_->exists() && is_terminal(machine_->current().status)) {
    std::vector<journal::release> extra;
    extra.push_back({start_.shard, caf::make_message(ended{start_.self, end_of()})});
    carry_out({}, 0, std::move(extra));
  }
}

template <class Machine>
void instance_actor<Machine>::on_expire(const expire& request) {
  ++handled_;
  leaving_ = true;
  keep_house(machine_->expire(request.before), core_->next_revision(), request.asks);
}

template <class Machine>
void instance_actor<Machine>::on_trim(const trim& request) {
  ++handled_;
  leaving_ = true;
  if constexpr (is_saga) {
    keep_house({}, 0, request.asks);
  } else {
    const auto revision = core_->next_revision();
    keep_house(machine_->trim(request.up_to, request.since, revision), revision, request.asks);
  }
}

template <class Machine>
void instance_actor<Machine>::on_try_again() {
  if (!machine_->retrying()) {
    return; // taken back by an operator meanwhile
  }
  const auto revision = core_->next_revision();
  const auto message = machine_->retried();
  auto decided = run_handler(message, [&] { return machine_->try_again(core_->time->now(), revision); });
  if (std::string_view{decided.edge} == "unknown_here") {
    core_->count_unknown(start_.self.type, message, decided.verdict.error());
  }
  if constexpr (!is_saga) {
    counts_->retries.fetch_add(1, std::memory_order_relaxed);
  }
  carry_out(std::move(decided), revision);
}

template <class Machine>
void instance_actor<Machine>::on_tick() {
  tick_armed_ = false;
  if constexpr (!is_saga) {
    if (!waiting_.empty()) {
      machine_->widen();
      handle_waiting();
    }
    if (waiting_.empty() && machine_->puts_off()) {
      carry_out(machine_->call_put_off(true), 0);
    }
  }
  const auto revision = core_->next_revision();
  carry_out(machine_->flush(core_->time->now(), revision), revision);
}

template <class Machine>
void instance_actor<Machine>::on_please_leave() {
  leaving_ = true;
  if (machine_->dirty()) {
    on_tick();
  } else {
    leave_if_asked();
  }
}

// -- parts ---------------------------------------------------------------------------------

template <class Machine>
void instance_actor<Machine>::carry_out(engine::transition&& decided, std::uint64_t revision,
                                        std::vector<journal::release> extra) {
  if (decided.ended) {
    extra.push_back({start_.shard, caf::make_message(ended{start_.self, end_of()})});
  }
  if (decided.write == engine::write_kind::put && told_ != machine_->current().status &&
      machine_->current().status == instance_status::stuck) { // once: it writes again when a receipt comes
    core_->log(log_level::warn,
               fmt::format("{} is stuck: {}", to_string(start_.self), machine_->current().reason));
  }
  // Once: an instance that is one already writes again when a receipt comes.
  if (const auto orphaned = is_orphaned(); orphaned != orphaned_) {
    orphaned_ = orphaned;
    if (orphaned) {
      core_->count_orphan();
    }
  }
  if (decided.write == engine::write_kind::put && machine_->exists() && told_ != machine_->current().status) {
    told_ = machine_->current().status;
    if (core_->events.is_watched()) {
      core_->note_when_durable({node_event::kind::instance, 0, {}, start_.self, *told_, {}, {}}, extra);
    }
  }
  if (core_->spans && !decided.trace.empty() && decided.write == engine::write_kind::put) {
    core_->tell_when_durable({decided.trace,
                              engine::span_of_transition(core_->store_id, revision),
                              false,
                              fmt::format("{} {}", start_.self.type, decided.edge),
                              handling_since_,
                              core_->time->now().wall,
                              machine_->current().status == instance_status::stuck,
                              {{"continuo.instance", to_string(start_.self)},
                               {"continuo.revision", std::to_string(revision)},
                               {"continuo.status", std::string{to_string(machine_->current().status)}}}},
                             extra);
  }
  const auto again = decided.try_again;
  if (again && !decided.verdict) {
    core_->tell_failed_attempt(is_saga ? core_->saga_failures_told : counts_->failures_told, start_.self,
                               machine_->retried(), machine_->attempts(), decided.verdict.error(), again);
  }
  // Counted before its receipt leaves, so that it never seems as if less were in flight than is.
  const auto counts = machine_->in_flight();
  core_->count_in_flight(this, std::exchange(counted_, counts), counts);
  act(
      this, *core_, decided, start_.self, [this] { return machine_->encoded(); }, revision, std::move(extra));
  if (again) {
    delayed_send(this, *again, try_again{});
  }
  auto has_more = machine_->dirty() || !waiting_.empty();
  if constexpr (!is_saga) {
    has_more = has_more || machine_->puts_off();
  }
  if (has_more) {
    want_tick();
  }
  leave_if_asked();
}

/// Carries out what a sweep asked for, and tells it when that is durable.
template <class Machine>
void instance_actor<Machine>::keep_house(engine::transition&& decided, std::uint64_t revision,
                                         const caf::actor& asks) {
  std::vector<journal::release> extra;
  if (asks) {
    extra.push_back({asks, caf::make_message(looked_after{})});
  }
  const auto writes = decided.write != engine::write_kind::none;
  carry_out(writes ? std::move(decided) : engine::transition{}, revision, std::move(extra));
}

template <class Machine>
void instance_actor<Machine>::want_tick() {
  if (!tick_armed_) {
    tick_armed_ = true;
    send(start_.shard, wants_tick{start_.self});
  }
}

template <class Machine>
void instance_actor<Machine>::release_answer(std::function<void()> answer) {
  std::vector<journal::release> extra;
  extra.push_back({core_->intake, caf::make_message(call{std::move(answer)})});
  engine::transition nothing;
  act(this, *core_, nothing, start_.self, {}, 0, std::move(extra));
}

template <class Machine>
void instance_actor<Machine>::leave_if_asked() {
  const auto over = machine_->exists() && is_terminal(machine_->current().status);
  if (!(leaving_ || over) || !waiting_.empty() || !machine_->may_passivate()) {
    return;
  }
  leaving_ = false;
  // A barrier: the shard hears of it when everything this instance wrote is durable.
  std::vector<journal::release> extra;
  extra.push_back({start_.shard, caf::make_message(may_leave{start_.self, start_.stay, handled_})});
  engine::transition nothing;
  act(this, *core_, nothing, start_.self, {}, 0, std::move(extra));
}

template <class Machine>
bool instance_actor<Machine>::is_orphaned() const {
  return is_saga && machine_->exists() && machine_->current().status == instance_status::stuck &&
         machine_->current().reason.starts_with("nothing can wake it");
}

template <class Machine>
saga_result instance_actor<Machine>::end_of() const {
  const auto& record = machine_->current();
  return {start_.self, record.status,
          record.status == instance_status::compensated ? record.reason : std::string{}, record.result_type,
          record.result};
}

template class instance_actor<engine::saga_machine>;
template class instance_actor<engine::keyed_machine>;

} // namespace continuo::actors
