#include "engine/flow_run.hpp"

#include <fmt/format.h>

// What workflow.hpp leaves to the library: each word is one of the run.
namespace continuo {

step_failed::step_failed(std::string step, failure_kind kind, std::string reason)
    : step_(std::move(step)), kind_(kind), reason_(std::move(reason)),
      what_(fmt::format("{} failed: {}", step_, reason_)) {}

namespace detail {

step_number begin_call(flow_run& run, std::string name, const message_type& command, const void* body,
                       const message_type& reply) {
  return run.begin_call(std::move(name), command, body, reply);
}

step_number begin_timer(flow_run& run, std::string name, std::chrono::nanoseconds delay) {
  return run.begin_timer(std::move(name), delay);
}

step_number begin_expect(flow_run& run, std::string name, const message_type& event,
                         std::optional<std::chrono::nanoseconds> limit) {
  return run.begin_expect(std::move(name), event, limit);
}

step_number make_outcome(flow_run& run, step_number of) {
  return run.outcome_of(of);
}

step_number make_all(flow_run& run, std::vector<step_number> members) {
  return run.group(flow_run::kind::all, std::move(members));
}

step_number make_first(flow_run& run, std::vector<step_number> members) {
  return run.group(flow_run::kind::first, std::move(members));
}

void cast(flow_run& run, std::string name, const message_type& command, const void* body) {
  run.cast(std::move(name), command, body);
}

void publish(flow_run& run, const message_type& event, const void* body) {
  run.publish(event, body);
}

void set_undo(flow_run& run, step_number call, const message_type& undo, const void* body) {
  run.set_undo(call, undo, body);
}

void set_limit(flow_run& run, step_number call, std::chrono::nanoseconds limit) {
  run.set_limit(call, limit);
}

void withdraw(flow_run& run, step_number step) {
  run.withdraw(step);
}

step_number begin_until(flow_run& run, std::function<bool()> holds) {
  return run.begin_until(std::move(holds));
}

std::uint64_t begin_accepting(flow_run& run, body_type command, std::function<handled(const void*)> update) {
  return run.begin_accepting(command, std::move(update));
}

void stop_accepting(flow_run& run, std::uint64_t number) noexcept {
  run.stop_accepting(number);
}

void set_at_end(flow_run& run, std::string name, const message_type& command, const void* body, ending when) {
  run.set_at_end(std::move(name), command, body, when);
}

bool has_ended(flow_run& run, step_number what) {
  return run.is_ready(what);
}

void wait_for(flow_run& run, std::coroutine_handle<> waits) {
  run.wait(waits);
}

void give_outcome(flow_run& run, step_number what) {
  run.give_outcome(what);
}

const void* value_of(flow_run& run, step_number step) {
  return run.value_of(step);
}

const step_failed* failure_of(flow_run& run, step_number step) {
  return run.failure_of(step);
}

const step_failed& given_failure_of(flow_run& run, step_number step) {
  return run.given_failure_of(step);
}

bool has_won(flow_run& run, step_number first, step_number member) {
  return run.has_won(first, member);
}

void frame_begins(flow_run& run) {
  run.frame_begins();
}

void function_returned(flow_run& run, const message_type* type, const void* value) {
  run.returned(type, value);
}

void function_threw(flow_run& run) noexcept {
  run.threw(std::current_exception());
}

} // namespace detail

void flow::roll_back(std::string reason) {
  run_->roll_back(std::move(reason));
}

void flow::settle() {
  run_->settle();
}

const instance_id* flow::parent() const {
  return run_->of_.parent;
}

bool flow::since(std::uint32_t version, const std::string& name) {
  return run_->since(version, name);
}

void flow::says(std::string where) {
  run_->says(std::move(where));
}

const instance_id& flow::self() const {
  return *run_->of_.self;
}

time_point flow::now() const {
  return (*run_->entries_)[run_->place_].at;
}

std::uint64_t flow::random() {
  return detail::next_random(run_->random_);
}

instance_logger flow::log() const {
  return {run_->is_newest() ? run_->of_.sink : nullptr, *run_->of_.self};
}

} // namespace continuo
