#include "testing/fakes.hpp"

#include <fmt/format.h>

#include <set>

namespace continuo::testing {

std::chrono::nanoseconds fake_base::state::begins(const messages::envelope& message, bool& hangs) {
  auto next = otherwise;
  if (!script.empty()) {
    next = std::move(script.front());
    script.pop_front();
  }
  hangs = next.hangs;
  const std::chrono::nanoseconds after{continuo::detail::saturated_sum(takes.count(), next.after.count())};
  begun[message.id] = std::move(next);
  return after;
}

result<continuo::detail::handled> fake_base::state::run(const std::string& node, std::string_view payload,
                                                        command_context& context) {
  calls.push_back({node, std::string{payload}, context.idempotency_key(), context.attempt()});
  auto now = otherwise;
  if (const auto found = begun.find(context.cause()); found != begun.end()) {
    now = std::move(found->second);
    begun.erase(found);
  }
  if (!now.act) {
    return fail(errc::handler_failed, "the fake of " + command + " was not told what to answer");
  }
  return now.act(payload, context);
}

fake_base::fake_base(std::string command, std::string service) : state_(std::make_shared<state>()) {
  state_->command = std::move(command);
  state_->service = std::move(service);
}

const std::string& fake_base::command() const {
  return state_->command;
}

const std::string& fake_base::service() const {
  return state_->service;
}

const std::vector<fake_base::call>& fake_base::calls() const {
  return state_->calls;
}

std::size_t fake_base::effects() const {
  std::set<std::string> keys;
  for (const auto& one : state_->calls) {
    keys.insert(one.key);
  }
  return keys.size();
}

const fake_base& fake_base::was_called(std::size_t times) const {
  if (effects() != times) {
    throw failure{fmt::format("{} was called for {} command(s) ({} calls), not for {}", state_->command,
                              effects(), state_->calls.size(), times)};
  }
  return *this;
}

fake_base::step fake_base::reply_with(std::string payload) {
  return {[payload = std::move(payload)](std::string_view, command_context&) {
    return continuo::detail::handled{false, payload};
  }};
}

fake_base::step fake_base::decline_with(std::string reason) {
  return {[reason = std::move(reason)](std::string_view, command_context&) {
    return continuo::detail::handled{true, reason};
  }};
}

fake_base::step fake_base::throw_with(std::string what) {
  return {[what = std::move(what)](std::string_view, command_context&) -> continuo::detail::handled {
    throw std::runtime_error{what};
  }};
}

void fake_base::always(step what) {
  state_->otherwise = std::move(what);
}

void fake_base::once(step what) {
  state_->script.push_back(std::move(what));
}

void fake_base::delay(std::chrono::nanoseconds time) {
  state_->takes = time;
}

} // namespace continuo::testing
