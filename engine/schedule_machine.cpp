#include "engine/schedule_machine.hpp"

#include <continuo/archive.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace continuo::engine {

namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_seconds;

/// Beside the indices of what the same transition publishes.
constexpr std::uint32_t timer_index = 1u << 30;

sys_seconds whole(time_point at) {
  return std::chrono::floor<seconds>(at);
}

std::string text_of(time_point at) {
  return fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(whole(at))));
}

void replace_all(std::string& in, std::string_view what, std::string_view with) {
  for (auto at = in.find(what); at != std::string::npos; at = in.find(what, at + with.size())) {
    in.replace(at, what.size(), with);
  }
}

/// A clock that was so far ahead was wrong.
bool is_far_ahead(time_point at, const moment& now) {
  return between(now.wall, at) > days{1};
}

} // namespace

std::span<const char* const> schedule_edges() {
  static constexpr std::array edges{"defined", "redefined", "armed",  "fire",    "left_out", "failed",
                                    "trigger", "pause",     "resume", "refused", "retire"};
  return edges;
}

std::string body_for(std::string body, std::string_view name, time_point due) {
  replace_all(body, "{name}", name);
  replace_all(body, "{due}", text_of(due));
  return body;
}

std::vector<time_point> next_due(const schedule_state& of, const schedule_environment& environment,
                                 std::size_t count) {
  std::vector<time_point> found;
  const auto rule = recurrence::read(of.when);
  const auto zone = environment.zones.find(of.zone);
  if (!rule || zone == environment.zones.end()) {
    return found;
  }
  for (auto at = whole(of.dealt_with); found.size() < count; found.emplace_back(at)) {
    at = rule->next(at, zone->second);
  }
  return found;
}

schedule_machine::schedule_machine(const schedule_environment& environment, instance_id self,
                                   std::optional<record> stored)
    : environment_(&environment) {
  record_.self = std::move(self);
  record_.kind = record_kind::schedule;
  if (stored) {
    record_ = std::move(*stored);
    exists_ = true;
    state_ = decode<schedule_state>(record_.state).value_or(schedule_state{});
    // What another program understood as a rule is defined anew, or retired, before its time comes.
    rule_ = recurrence::read(state_.when).value_or(recurrence{});
  }
}

const time_zone& schedule_machine::zone() const {
  const auto found = environment_->zones.find(state_.zone);
  return found == environment_->zones.end() ? environment_->zones.begin()->second : found->second;
}

// -- as the node starts ---------------------------------------------------------------------------

transition schedule_machine::define(const schedule& wanted, const moment& now, std::uint64_t revision) {
  transition out;
  const auto before = exists_ ? std::optional{state_} : std::nullopt;
  const auto begins_anew = !before || before->when != wanted.when || before->zone != wanted.zone;
  state_.when = wanted.when;
  state_.zone = wanted.zone;
  state_.event = wanted.event;
  state_.body = wanted.body;
  state_.catch_up = wanted.catch_up;
  state_.overlap = wanted.overlap;
  rule_ = recurrence::read(state_.when).value_or(recurrence{}); // the start has read it
  if (begins_anew) {
    const time_point from = whole(now.wall);
    state_.dealt_with =
        before && !is_far_ahead(before->dealt_with, now) ? std::max(before->dealt_with, from) : from;
    state_.missed_up_to = {};
    state_.counted_up_to = {};
  }
  if (!before) {
    record_.started_at = now.wall;
    write(out, "defined", now, revision);
  } else if (!(*before == state_)) {
    write(out, "redefined", now, revision);
  } else if (record_.status == instance_status::running &&
             (record_.timers.empty() ||
              record_.timers.front().due != next_due(state_, *environment_, 1).front())) {
    write(out, "armed", now, revision); // the time zone has other rules since
  } else {
    out.edge = "armed";
    out.armed = record_.timers;
  }
  return out;
}

transition schedule_machine::retire() {
  transition out;
  out.edge = "retire";
  out.write = write_kind::erase;
  for (const auto& set : record_.timers) {
    out.disarmed.push_back(set.id);
  }
  record_.timers.clear();
  exists_ = false;
  return out;
}

// -- its time ---------------------------------------------------------------------------------------

schedule_machine::look schedule_machine::due(const moment& now, std::chrono::nanoseconds in_service,
                                             std::optional<bool> is_over, std::uint64_t revision) {
  look out;
  out.decided.edge = "armed";
  if (!exists_ || record_.status != instance_status::running) {
    return out;
  }
  const auto present = whole(now.wall);
  auto next = rule_.next(whole(state_.dealt_with), zone());
  if (next > present) { // the wall clock was set back
    out.decided.armed = record_.timers;
    return out;
  }
  // What is due up to then was missed. The clock may have been ahead when that was written down.
  const auto missed = std::min(present, std::max({whole(state_.missed_up_to), present - late_max,
                                                  std::chrono::ceil<seconds>(now.wall - in_service) - 1s}));
  auto state = state_;
  std::string left_out;
  const auto leave_out = [&](sys_seconds from, sys_seconds to) {
    left_out = from == to ? fmt::format("what was due at {} was missed and left out", text_of(from))
                          : fmt::format("what was due from {} to {} was missed and left out", text_of(from),
                                        text_of(to));
  };
  if (next <= missed && state.catch_up == schedule_catch_up::skip) {
    const auto newest = rule_.newest(whole(state.dealt_with), missed, 1, zone()).due.back();
    leave_out(next, newest);
    state.dealt_with = newest;
    next = rule_.next(newest, zone());
  } else if (next <= missed && state.catch_up == schedule_catch_up::once) {
    const auto newest = rule_.newest(whole(state.dealt_with), missed, 2, zone()).due;
    if (newest.size() == 2) {
      leave_out(next, newest.front());
    }
    next = newest.back();
  } else if (next <= missed && next > whole(state.counted_up_to)) {
    const auto newest = rule_.newest(whole(state.dealt_with), missed, caught_up_max + 1, zone()).due;
    if (newest.size() > caught_up_max) {
      leave_out(next, newest.front());
    }
    state.counted_up_to = newest.back();
    next = newest[newest.size() > caught_up_max ? 1 : 0];
  }
  const auto fires = next <= present;
  if (fires && state.overlap == schedule_overlap::skip && !state.reached.empty() && !is_over) {
    out.asks = true;
    return out;
  }
  state_ = std::move(state);
  if (!left_out.empty()) {
    note(std::move(left_out), now);
  }
  if (!fires) {
    write(out.decided, "left_out", now, revision);
  } else if (state_.overlap == schedule_overlap::skip && !state_.reached.empty() && !*is_over) {
    state_.dealt_with = next;
    ++state_.overlapped;
    note(fmt::format("what was due at {} was left out, since what was due at {} goes on", text_of(next),
                     text_of(state_.last_due)),
         now);
    write(out.decided, "left_out", now, revision);
  } else {
    state_.dealt_with = next;
    fire(out, next, false, now, revision);
  }
  return out;
}

schedule_machine::look schedule_machine::trigger(const moment& now, std::uint64_t revision) {
  look out;
  if (!exists_) {
    out.decided.edge = "refused";
    out.decided.verdict = fail(errc::not_found, fmt::format("there is no schedule {}", record_.self.key));
    return out;
  }
  fire(out, whole(now.wall), true, now, revision);
  return out;
}

/// The event, and where it goes.
result<acceptance::wish> schedule_machine::event_for(time_point due, bool by_hand,
                                                     std::uint64_t revision) const {
  const auto* type = environment_->types->find(state_.event);
  if (type == nullptr) {
    return fail(errc::unknown_type, fmt::format("the event {} is unknown here", state_.event));
  }
  auto payload = type->from_json(body_for(state_.body, record_.self.key, due));
  if (!payload) {
    return tl::unexpected(payload.error());
  }
  auto where = environment_->routes->event(state_.event, *payload, {std::string{publish_type}, *payload});
  if (!where || where->empty()) {
    return where ? fail(errc::unknown_type, fmt::format("nothing hears {}", state_.event))
                 : tl::unexpected(where.error());
  }
  acceptance::wish wish;
  wish.type = state_.event;
  wish.payload = std::move(*payload);
  wish.where = std::move(*where);
  if (!by_hand) {
    wish.idempotency_key = fmt::format("{}/{}", record_.self.key, text_of(due));
  }
  // One that no record could hold is found here, before the schedule's own says that it has fired.
  const acceptance_environment environment{environment_->routes, environment_->store};
  acceptance tried{environment, {std::string{publish_type}, {}}, std::nullopt};
  if (auto taken = tried.accept(acceptance::wish{wish}, {}, revision); !taken.verdict) {
    return tl::unexpected(taken.verdict.error());
  }
  return wish;
}

void schedule_machine::fire(look& out, time_point due, bool by_hand, const moment& now,
                            std::uint64_t revision) {
  auto event = event_for(due, by_hand, revision);
  if (!event) {
    ++state_.failed;
    out.trouble =
        fmt::format("what was due at {} could not be published: {}", text_of(due), event.error().message);
    note(bounded_reason(out.trouble), now);
    out.decided.verdict = tl::unexpected(event.error());
    write(out.decided, "failed", now, revision);
    return;
  }
  ++state_.fired;
  state_.last_due = due;
  state_.last_at = now.wall;
  state_.last_message = {environment_->store, revision, 0};
  state_.reached.clear();
  if (state_.overlap == schedule_overlap::skip) {
    state_.reached.push_back({std::string{publish_type}, to_string(state_.last_message)});
    for (const auto& one : event->where) {
      if (!one.to.key.empty()) {
        state_.reached.push_back(one.to);
      }
    }
  }
  out.publish = std::move(*event);
  write(out.decided, by_hand ? "trigger" : "fire", now, revision);
}

// -- people ---------------------------------------------------------------------------------------------

transition schedule_machine::pause(const std::string& who, const moment& now, std::uint64_t revision) {
  transition out;
  if (!exists_ || record_.status == instance_status::paused) {
    out.edge = "refused";
    out.verdict = exists_ ? fail(errc::conflict, "it is paused already")
                          : fail(errc::not_found, fmt::format("there is no schedule {}", record_.self.key));
    return out;
  }
  record_.status = instance_status::paused;
  record_.reason = who;
  write(out, "pause", now, revision);
  return out;
}

transition schedule_machine::resume(const moment& now, std::uint64_t revision) {
  transition out;
  if (!exists_ || record_.status != instance_status::paused) {
    out.edge = "refused";
    out.verdict = exists_ ? fail(errc::conflict, "it is not paused")
                          : fail(errc::not_found, fmt::format("there is no schedule {}", record_.self.key));
    return out;
  }
  record_.status = instance_status::running;
  record_.reason.clear();
  state_.missed_up_to = whole(now.wall);
  if (is_far_ahead(state_.dealt_with, now)) { // a clock was wrong, and somebody wants it to go on
    state_.dealt_with = whole(now.wall);
    state_.counted_up_to = {};
  }
  write(out, "resume", now, revision);
  return out;
}

// -- writing ------------------------------------------------------------------------------------------------

void schedule_machine::note(std::string what, const moment& now) {
  state_.note = std::move(what);
  state_.noted_at = now.wall;
}

void schedule_machine::arm(transition& out, std::uint64_t revision) {
  for (const auto& set : record_.timers) {
    out.disarmed.push_back(set.id);
  }
  record_.timers.clear();
  if (record_.status != instance_status::running) {
    return;
  }
  timer set;
  set.name = "due";
  set.id = {environment_->store, revision, timer_index};
  set.due = rule_.next(whole(state_.dealt_with), zone());
  out.armed.push_back(set);
  record_.timers.push_back(std::move(set));
}

void schedule_machine::write(transition& out, const char* edge, const moment& now, std::uint64_t revision) {
  out.edge = edge;
  out.write = write_kind::put;
  out.created = !exists_;
  exists_ = true;
  arm(out, revision);
  record_.revision = revision;
  record_.updated_at = now.wall;
  record_.state = encode(state_);
}

} // namespace continuo::engine
