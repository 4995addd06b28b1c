#include "engine/flow_text.hpp"

#include "messages/printable.hpp"

#include <continuo/detail/times.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace continuo::detail {

using engine::step_kind;

std::string shown(std::string_view name) {
  return fmt::format("\"{}\"", printable(name));
}

std::string shown(const engine::begun_step& step) {
  switch (step.kind) {
  case step_kind::call:
    return "a call of " + step.type;
  case step_kind::cast:
    return "a cast of " + step.type;
  case step_kind::timer:
    return "a timer";
  case step_kind::expect:
    break;
  }
  return "a wait for " + step.type;
}

std::string shown(std::chrono::nanoseconds time) {
  return time % std::chrono::minutes{1} == std::chrono::nanoseconds{0}
             ? fmt::format("{} min", saturated<std::chrono::minutes>(time).count())
             : fmt::format("{} ms", saturated<std::chrono::milliseconds>(time).count());
}

std::string difference(const std::vector<engine::begun_step>& first,
                       const std::vector<engine::begun_step>& second) {
  const auto [one, other] = std::mismatch(first.begin(), first.end(), second.begin(), second.end());
  const auto said = [](auto at, auto end) {
    return at == end ? std::string{"nothing"} : fmt::format("{}, {}", shown(at->name), shown(*at));
  };
  return one == first.end() && other == second.end()
             ? std::string{}
             : fmt::format("first it began {}, then {}", said(one, first.end()), said(other, second.end()));
}

namespace {

bool operator==(const typed_bytes& a, const typed_bytes& b) {
  return a.type == b.type && a.payload == b.payload;
}

std::string shown_message(const intents::message& one) {
  return one.step.empty() ? one.body.type : fmt::format("{}, {}", shown(one.step), one.body.type);
}

} // namespace

std::string difference(const intents& first, const intents& second) {
  const auto same_message = [](const intents::message& a, const intents::message& b) {
    return a.what == b.what && a.body == b.body && a.step == b.step && a.undo == b.undo;
  };
  const auto [one, other] = std::mismatch(first.messages.begin(), first.messages.end(),
                                          second.messages.begin(), second.messages.end(), same_message);
  if (one != first.messages.end() || other != second.messages.end()) {
    const auto said = [](auto at, auto end) {
      return at == end ? std::string{"nothing"} : shown_message(*at);
    };
    const auto before = said(one, first.messages.end());
    const auto now = said(other, second.messages.end());
    return before != now              ? fmt::format("first it sent {}, then {}", before, now)
           : one->body == other->body ? fmt::format("what undoes {} has another content", before)
                                      : fmt::format("{} has another content", before);
  }
  const auto same_timer = [](const intents::timer_change& a, const intents::timer_change& b) {
    return a.name == b.name && a.cancel == b.cancel && a.delay == b.delay;
  };
  const auto same_wait = [](const intents::expectation& a, const intents::expectation& b) {
    return a.event == b.event;
  };
  if (!std::equal(first.timers.begin(), first.timers.end(), second.timers.begin(), second.timers.end(),
                  same_timer)) {
    std::string changed;
    for (const auto* timers : {&first.timers, &second.timers}) {
      changed += changed.empty() ? "first" : ", then";
      for (const auto& one : *timers) {
        changed += fmt::format(" {} {}", one.cancel ? "without" : "with", shown(one.name));
        changed += one.cancel ? "" : " after " + shown(one.delay);
      }
      changed += timers->empty() ? " none" : "";
    }
    return "it sets other timers: " + changed;
  }
  if (!std::equal(first.expectations.begin(), first.expectations.end(), second.expectations.begin(),
                  second.expectations.end(), same_wait)) {
    return "it waits for other events";
  }
  if (first.given_up != second.given_up) {
    return "it gives up other steps";
  }
  if (first.answer.has_value() != second.answer.has_value() ||
      (first.answer && (first.answer->declined != second.answer->declined ||
                        first.answer->payload != second.answer->payload))) {
    return "it answers the update otherwise";
  }
  const auto same_word = [](const intents::last_word& a, const intents::last_word& b) {
    return a.name == b.name && a.when == b.when && a.command == b.command;
  };
  if (!std::equal(first.at_end.begin(), first.at_end.end(), second.at_end.begin(), second.at_end.end(),
                  same_word)) {
    return "it sends other commands with its end";
  }
  if (first.says != second.says || first.settles != second.settles) {
    return "it says, or settles, something else";
  }
  if (first.roll_back != second.roll_back) {
    return fmt::format("first it rolled back for {}, then for {}", first.roll_back.value_or("nothing"),
                       second.roll_back.value_or("nothing"));
  }
  const auto ends_alike = first.completion.has_value() == second.completion.has_value() &&
                          (!first.completion || *first.completion == *second.completion);
  return ends_alike ? "" : "it ends otherwise";
}

} // namespace continuo::detail
