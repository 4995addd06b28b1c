#include "engine/flow_run.hpp"

#include "engine/flow_text.hpp"
#include "engine/planted.hpp"
#include "messages/application.hpp"
#include "messages/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace continuo::detail {

using engine::entry_kind;
using engine::step_kind;

namespace {

constexpr const char* given_up_before = "an earlier version gave it up";

} // namespace

flow_run::flow_run(setting of, std::vector<engine::flow_entry>& entries) : of_(of), entries_(&entries) {}

flow_run::~flow_run() {
  dies_ = true;
  if (frame_) {
    frame_.destroy();
  }
}

// -- from outside -------------------------------------------------------------------------------

result<intents> flow_run::go_on() {
  asked_ = {};
  if (!frame_) {
    for (std::size_t number = 0; number < entries_->size(); ++number) {
      for (const auto& step : (*entries_)[number].begun) {
        begun_.try_emplace(step.name, step);
      }
      taken_.insert((*entries_)[number].taken.begin(), (*entries_)[number].taken.end());
      gave_up_.insert((*entries_)[number].given_up.begin(), (*entries_)[number].given_up.end());
    }
    const auto& input = entries_->front();
    random_ = input.seed;
    auto made =
        call_application(errc::handler_failed, [&] { return of_.type->frame(input.payload, words_); });
    if (!made) {
      return tl::unexpected(std::move(made.error()));
    }
    frame_ = std::coroutine_handle<>::from_address(*made);
    waits_ = frame_;
    resume();
  } else if (waits_ && ends(waits_for_)) {
    resume();
  }
  return outcome_of_run();
}

void flow_run::resume() {
  const application_scope inside;
  in_flight_ = std::uncaught_exceptions(); // whoever runs the node may do so while one is thrown
  std::exchange(waits_, nullptr).resume(); // what it throws, its promise keeps
  if (frame_.done() && !is_over_) {
    mistake("the function ended without co_return");
  }
}

result<intents> flow_run::outcome_of_run() {
  if (mistake_) {
    return tl::unexpected(*mistake_);
  }
  if (rolls_back_) {
    asked_.roll_back = rolls_back_;
    return std::move(asked_);
  }
  if (thrown_) {
    try {
      std::rethrow_exception(thrown_);
    } catch (const step_failed& failed) {
      asked_.roll_back = failed.what();
      return std::move(asked_);
    } catch (...) {
      const auto behind = last_awaited();
      return fail(errc::handler_failed, behind.empty()
                                            ? what_was_thrown()
                                            : fmt::format("behind {}: {}", behind, what_was_thrown()));
    }
  }
  if (is_over_) {
    const auto forgotten = std::find_if(parts_.begin(), parts_.end(), [](const part& one) {
      return one.what == kind::call && !one.looked_at && !one.withdrawn;
    });
    if (forgotten != parts_.end()) {
      return fail(
          errc::handler_failed,
          fmt::format("{} was begun and never awaited, withdrawn or cast: await it, its outcome(), or an "
                      "all that it is in",
                      shown(forgotten->name)));
    }
    asked_.completion = returned_;
    return std::move(asked_);
  }
  std::vector<std::string> events;
  collect_events(waits_for_, events);
  for (auto& event : events) {
    asked_.expectations.push_back({std::move(event), false});
  }
  return std::move(asked_);
}

std::uint32_t flow_run::kept() const {
  std::size_t count = 0;
  for (const auto& [type, numbers] : kept_) {
    count += numbers.size();
  }
  return static_cast<std::uint32_t>(count);
}

/// The step, or one of the steps, that the function waited for last; empty: for none.
std::string flow_run::last_awaited() const {
  if (waits_for_ >= parts_.size()) {
    return {};
  }
  const auto& of = parts_[waits_for_];
  return !of.name.empty() ? shown(of.name) : of.members.empty() ? "" : shown(parts_[of.members.front()].name);
}

std::vector<std::string> flow_run::unreached() const {
  std::vector<std::string> names;
  for (const auto& [name, known] : begun_) {
    if (!by_name_.contains(name)) {
      names.push_back(name);
    }
  }
  return names;
}

void flow_run::collect_events(step_number number, std::vector<std::string>& into) const {
  const auto& of = parts_[number];
  if (of.what == kind::expect && !of.ended_at) {
    into.push_back(of.value_type->name);
  }
  if (of.what == kind::until) {
    for (const auto& [type, accepted] : accepted_) {
      into.push_back(type);
    }
  }
  for (const auto member : of.members) {
    collect_events(member, into);
  }
}

// -- mistakes ----------------------------------------------------------------------------------

void flow_run::stop(error why) {
  if (!mistake_) {
    mistake_ = std::move(why);
  }
}

void flow_run::mistake(std::string what) {
  stop({errc::handler_failed, std::move(what)});
}

/// Whether a word is to be heard: not in the destructors of a frame that goes, nor in those that run while
/// the function is being left, nor behind a mistake or a rollback that somebody has swallowed.
bool flow_run::hears_words() {
  if (dies_ || std::uncaught_exceptions() > in_flight_) {
    if (of_.sink != nullptr && !std::exchange(warned_, true)) {
      of_.sink->write(log_level::warn,
                      fmt::format("{}/{}: a destructor in its workflow uses flow, which has no effect: "
                                  "destructors run whenever the instance leaves memory",
                                  of_.self->type, of_.self->key));
    }
    return false;
  }
  if (updates_) {
    mistake(
        "an update answers and changes local variables; it begins no step, and says no other word of flow");
  }
  return !mistake_ && !rolls_back_;
}

/// A step for who is not heard: it never ends.
step_number flow_run::nothing() {
  parts_.push_back({kind::timer});
  return static_cast<step_number>(parts_.size() - 1);
}

bool flow_run::is_name(const std::string& name) {
  if (name.empty() || name.size() > engine::step_name_bytes_max || !is_printable(name)) {
    mistake(
        fmt::format("the name of a step has 1 to {} bytes of UTF-8 without control characters, and not {}",
                    engine::step_name_bytes_max, shown(name)));
  } else if (by_name_.contains(name)) {
    mistake(fmt::format("{} was begun before: a name stands for one step", shown(name)));
  }
  return !mistake_;
}

void flow_run::frame_begins() {
  if (std::exchange(has_frame_, true)) {
    mistake("a function of its workflow calls another coroutine, which does not run: what several functions "
            "share is a plain function that takes continuo::flow& and gives its steps back");
  }
}

// -- steps begin ------------------------------------------------------------------------------

std::optional<bool> flow_run::begins(engine::begun_step step) {
  if (!is_name(step.name)) {
    return std::nullopt;
  }
  if (const auto known = begun_.find(step.name); known != begun_.end()) {
    const auto& before = known->second;
    if (before.kind != step.kind || before.type != step.type) {
      mistake(fmt::format("{} was {} before and is {} now: a step that means something else needs another "
                          "name",
                          shown(step.name), shown(before), shown(step)));
      return std::nullopt;
    }
    return planted("step_given_twice_by_a_second_run") && !is_newest();
  }
  if (!is_newest() && version_before() >= of_.type->version) {
    mistake(fmt::format("{} was not begun here before; a changed workflow needs a higher version",
                        shown(step.name)));
    return std::nullopt;
  }
  begun_.emplace(step.name, step);
  entries_->back().begun.push_back(std::move(step));
  return true;
}

/// The version under which the function ran last before the newest entry.
std::uint32_t flow_run::version_before() const {
  for (auto number = entries_->size() - 1; number-- > 0;) {
    if ((*entries_)[number].kind != entry_kind::settled) {
      return (*entries_)[number].version;
    }
  }
  return 0;
}

/// The function has done here what it does here. Under the version that wrote the entry it must have begun
/// what it began then; what an older one gave up is given up for this one as well.
void flow_run::leave_place() {
  const auto& entry = (*entries_)[place_];
  if (entry.version < of_.type->version) {
    for (const auto& name : entry.given_up) {
      if (const auto found = by_name_.find(name); found != by_name_.end()) {
        give_up(found->second, given_up_before);
      } else {
        early_given_up_.insert(name);
      }
    }
    return;
  }
  for (const auto& step : entry.begun) {
    if (!by_name_.contains(step.name)) {
      mistake(fmt::format("{}, {}, was begun here before, and is not now; a changed workflow needs a higher "
                          "version",
                          shown(step.name), shown(step)));
    }
  }
}

step_number flow_run::add(part made) {
  const auto number = static_cast<step_number>(parts_.size());
  made.begun_at = place_;
  if (!made.name.empty()) {
    by_name_.emplace(made.name, number);
  }
  parts_.push_back(std::move(made));
  return number;
}

step_number flow_run::begin_call(std::string name, const message_type& command, const void* body,
                                 const message_type& reply) {
  if (!hears_words()) {
    return nothing();
  }
  auto payload = command.encode(body); // it may throw
  const auto fresh = begins({step_kind::call, name, command.name});
  if (!fresh) {
    return nothing();
  }
  if (*fresh) {
    asked_.messages.push_back({intents::message::kind::command, {command.name, std::move(payload)}, name});
  }
  const auto number = add({kind::call, name, &reply});
  const auto ended = take_early(number);
  if (ended && (*entries_)[*ended].kind != entry_kind::timer) { // a limit gave it up
    take_outcome(number, *ended);
  }
  return number;
}

/// The entry that ended the step before this version has begun it, as an older one did sooner; what that one
/// gave up is given up.
std::optional<std::size_t> flow_run::take_early(step_number number) {
  const auto& name = parts_[number].name;
  if (early_given_up_.erase(name) > 0) {
    give_up(number, given_up_before);
  }
  const auto found = early_.find(name);
  if (found == early_.end()) {
    return std::nullopt;
  }
  const auto at = found->second;
  early_.erase(found);
  return parts_[number].given_up ? std::nullopt : std::optional{at};
}

step_number flow_run::begin_timer(std::string name, std::chrono::nanoseconds delay) {
  if (!hears_words()) {
    return nothing();
  }
  if (delay < std::chrono::nanoseconds{0}) {
    mistake(fmt::format("the timer {} has a negative delay", shown(name)));
    return nothing();
  }
  const auto fresh = begins({step_kind::timer, name, {}});
  if (!fresh) {
    return nothing();
  }
  if (*fresh) {
    asked_.timers.push_back({name, false, delay, {}, {name, {}}});
  }
  const auto number = add({kind::timer, name});
  parts_[number].ended_at = take_early(number);
  return number;
}

step_number flow_run::begin_expect(std::string name, const message_type& event,
                                   std::optional<std::chrono::nanoseconds> limit) {
  if (!hears_words()) {
    return nothing();
  }
  const auto declared = of_.type->subscriptions.find(event.name);
  if (declared == of_.type->subscriptions.end() || !declared->second.handles) {
    mistake(fmt::format("{} waits for {}, which never comes: the workflow does not hear it; add .hears<{}>()",
                        shown(name), event.name, event.name));
    return nothing();
  }
  if (limit && *limit < std::chrono::nanoseconds{0}) {
    mistake(fmt::format("the limit of {} is negative", shown(name)));
    return nothing();
  }
  const auto fresh = begins({step_kind::expect, name, event.name});
  if (!fresh) {
    return nothing();
  }
  if (*fresh && limit) {
    asked_.timers.push_back({name, false, *limit, {}, {name, {}}});
  }
  part made{kind::expect, name, &event};
  made.is_limited = limit.has_value();
  const auto number = add(std::move(made));
  parts_[number].time_over = take_early(number);
  return number;
}

step_number flow_run::outcome_of(step_number call) {
  if (!hears_words()) {
    return nothing();
  }
  if (!parts_[call].outcome) {
    const auto made = group(kind::outcome, {call});
    parts_[call].outcome = made;
  }
  return *parts_[call].outcome;
}

step_number flow_run::group(kind what, std::vector<step_number> members) {
  if (!hears_words()) {
    return nothing();
  }
  if (what == kind::first && members.empty()) {
    mistake("flow.first of no steps: nothing can end it");
    return nothing();
  }
  part made{what};
  made.members = std::move(members);
  return add(std::move(made));
}

void flow_run::cast(std::string name, const message_type& command, const void* body) {
  if (!hears_words()) {
    return;
  }
  auto payload = command.encode(body);
  const auto fresh = begins({step_kind::cast, name, command.name});
  if (!fresh) {
    return;
  }
  if (*fresh) {
    asked_.messages.push_back({intents::message::kind::told, {command.name, std::move(payload)}, name});
  }
  add({kind::timer, std::move(name)}); // nobody waits for it
}

void flow_run::publish(const message_type& event, const void* body) {
  if (hears_words() && is_newest()) {
    asked_.messages.push_back({intents::message::kind::event, {event.name, event.encode(body)}});
  }
}

step_number flow_run::begin_until(std::function<bool()> holds) {
  if (!hears_words()) {
    return nothing();
  }
  part made{kind::until};
  made.holds = std::move(holds);
  return add(std::move(made));
}

std::uint64_t flow_run::begin_accepting(body_type command, std::function<handled(const void*)> update) {
  const auto& name = command.type.name;
  if (!hears_words()) {
    return 0;
  }
  if (const auto declared = of_.type->commands.find(name);
      declared == of_.type->commands.end() || declared->second.starts) {
    mistake(fmt::format(
        "it accepts {}, which never comes: the workflow does not answer it; add .answers<{}>()", name, name));
    return 0;
  }
  if (!accepted_.try_emplace(name, acceptor{acceptances_ + 1, command, std::move(update)}).second) {
    mistake(fmt::format("{} is accepted already: one acceptance for each type at a time", name));
    return 0;
  }
  return ++acceptances_;
}

void flow_run::stop_accepting(std::uint64_t number) noexcept {
  std::erase_if(accepted_, [&](const auto& entry) { return entry.second.number == number; });
}

void flow_run::set_at_end(std::string name, const message_type& command, const void* body, ending when) {
  if (!hears_words()) {
    return;
  }
  if (name.empty() || name.size() > engine::step_name_bytes_max || !is_printable(name)) {
    mistake(
        fmt::format("the name of an at_end has 1 to {} bytes of UTF-8 without control characters, and not {}",
                    engine::step_name_bytes_max, shown(name)));
  } else if (is_newest()) {
    asked_.at_end.push_back(
        {std::move(name), static_cast<std::uint8_t>(when), {command.name, command.encode(body)}});
  }
}

void flow_run::settle() {
  if (!hears_words()) {
    return;
  }
  for (auto& of : parts_) {
    of.settled = of.settled || (of.what == kind::call && of.ended_at && !of.given_up);
  }
  asked_.settles = asked_.settles || is_newest();
}

/// By the version that wrote the entry at which it is asked for the first time: a later run asks there, too.
bool flow_run::since(std::uint32_t version, const std::string& name) {
  return since_.try_emplace(name, (*entries_)[place_].version >= version).first->second;
}

void flow_run::says(std::string where) {
  if (!hears_words()) {
    return;
  }
  if (where.size() > engine::step_name_bytes_max || !is_printable(where)) {
    mistake(fmt::format("what it says has at most {} bytes of UTF-8 without control characters, and not {}",
                        engine::step_name_bytes_max, shown(where)));
  } else if (is_newest()) {
    asked_.says = std::move(where);
  }
}

/// The call as it is about to be sent; null where it was sent before.
intents::message* flow_run::unsent(const part& call, std::string_view word) {
  if (call.begun_at != place_) {
    mistake(fmt::format("{} of {} is said too late: behind a co_await", word, shown(call.name)));
    return nullptr;
  }
  const auto found =
      std::find_if(asked_.messages.begin(), asked_.messages.end(), [&](const intents::message& one) {
        return one.what == intents::message::kind::command && one.step == call.name;
      });
  return found == asked_.messages.end() ? nullptr : &*found;
}

void flow_run::set_undo(step_number number, const message_type& undo, const void* body) {
  if (!hears_words()) {
    return;
  }
  auto payload = undo.encode(body);
  auto& call = parts_[number];
  if (std::exchange(call.has_undo, true)) {
    mistake(fmt::format("{} has two undos", shown(call.name)));
  } else if (auto* sent = unsent(call, "undone_by")) {
    sent->undo = {undo.name, std::move(payload)};
  }
}

void flow_run::set_limit(step_number number, std::chrono::nanoseconds limit) {
  if (!hears_words()) {
    return;
  }
  auto& call = parts_[number];
  if (call.is_limited) {
    mistake(fmt::format("{} has two limits", shown(call.name)));
  } else if (limit < std::chrono::nanoseconds{0}) {
    mistake(fmt::format("the limit of {} is negative", shown(call.name)));
  } else if (unsent(call, "within") != nullptr) {
    asked_.timers.push_back({call.name, false, limit, {}, {call.name, {}}});
  }
  call.is_limited = true;
  call.limit = limit;
}

// -- the entries --------------------------------------------------------------------------------

void flow_run::take_next_entry() {
  leave_place();
  const auto& entry = (*entries_)[++place_];
  random_ = entries_->front().seed ^ (place_ * 0x9e3779b97f4a7c15ULL);
  const auto found = by_name_.find(entry.step);
  switch (entry.kind) {
  case entry_kind::success:
  case entry_kind::failure:
    if (found == by_name_.end()) {
      early_.emplace(entry.step, place_);
    } else if (!parts_[found->second].given_up) {
      take_outcome(found->second, place_);
    }
    break;
  case entry_kind::timer:
    if (found == by_name_.end()) {
      early_.emplace(entry.step, place_);
    } else {
      end_by_time(found->second);
    }
    break;
  case entry_kind::event:
    kept_[entry.type].push_back(place_);
    break;
  case entry_kind::update:
    take_update(entry);
    break;
  case entry_kind::settled: // it was given up before
  case entry_kind::input:
    break;
  }
}

/// The function waits while the update runs: here, or where it did when it came. Not accepted at the newest
/// place it is no entry at all.
void flow_run::take_update(const engine::flow_entry& entry) {
  if (planted("update_forgotten_by_a_second_run") && !is_newest()) {
    return;
  }
  const auto found = accepted_.find(entry.type);
  if (found == accepted_.end()) {
    if (!is_newest()) {
      mistake(fmt::format("{} was answered here before, and is not accepted here now", entry.type));
    }
    return;
  }
  auto accepted = std::move(found->second); // it may end its own acceptance
  std::optional<handled> given;
  struct call {
    std::function<handled(const void*)>& update;
    std::optional<handled>& given;
  } with{accepted.update, given};
  updates_ = true;
  const auto ran = call_application(
      errc::handler_failed,
      [&] {
        return accepted.command.read(
            entry.payload,
            [](void* body, void* context) {
              const auto& to = *static_cast<call*>(context);
              to.given = to.update(body);
            },
            &with);
      },
      "the update ", entry.type, ": ");
  if (const auto still = accepted_.find(entry.type);
      still != accepted_.end() && still->second.number == accepted.number) {
    still->second.update = std::move(accepted.update);
  }
  updates_ = false;
  if (!ran) {
    stop(ran.error());
  } else if (is_newest()) {
    asked_.answer = std::move(given);
  }
}

void flow_run::take_outcome(step_number number, std::size_t at) {
  auto& call = parts_[number];
  const auto& entry = (*entries_)[at];
  if (call.ended_at) {
    return;
  }
  if (entry.kind == entry_kind::failure) {
    call.failure.emplace(call.name, static_cast<failure_kind>(entry.failure), entry.payload);
  } else {
    call.value = read_value(call, entry);
  }
  call.ended_at = at;
  drop_limit(call);
}

std::shared_ptr<void> flow_run::read_value(const part& of, const engine::flow_entry& from) {
  if (from.type != of.value_type->name) {
    mistake(fmt::format("{} brought a {}, and the function waits for a {}", shown(of.name), from.type,
                        of.value_type->name));
    return nullptr;
  }
  auto value = of.value_type->decode(from.payload);
  if (!value) {
    stop({value.error().code, fmt::format("{}: {}", shown(of.name), value.error().message)});
    return nullptr;
  }
  return std::move(*value);
}

/// A timer has fired, or what the step of a limit's name was given is over.
void flow_run::end_by_time(step_number number) {
  auto& of = parts_[number];
  const auto was_limited = std::exchange(of.is_limited, false);
  if (of.given_up || of.ended_at) {
    return;
  }
  switch (of.what) {
  case kind::timer:
    of.ended_at = place_;
    break;
  case kind::expect:
    of.time_over = place_;
    break;
  default:
    if (was_limited) { // else this version has none
      give_up(number, fmt::format("no answer within {}", shown(of.limit)));
    }
  }
}

/// Its limit does not count any more.
void flow_run::drop_limit(part& of) {
  if (std::exchange(of.is_limited, false) && is_newest()) {
    cancel_timer(of.name);
  }
}

void flow_run::cancel_timer(const std::string& name) {
  if (std::erase_if(asked_.timers, [&](const auto& change) { return change.name == name; }) == 0) {
    asked_.timers.push_back({name, true, {}, {}, {}});
  }
}

void flow_run::give_up(step_number number, std::string reason) {
  auto& of = parts_[number];
  if (of.given_up || (of.what != kind::call && of.ended_at)) {
    return;
  }
  of.given_up = true;
  const auto is_new = gave_up_.insert(of.name).second; // else an earlier transition did it
  if (is_new) {
    entries_->back().given_up.push_back(of.name);
  }
  if (of.what == kind::timer) {
    if (is_new) {
      cancel_timer(of.name);
    }
    return;
  }
  if (std::exchange(of.is_limited, false) && is_new) {
    cancel_timer(of.name);
  }
  const auto unsent = std::erase_if(asked_.messages, [&](const intents::message& one) {
    return one.what == intents::message::kind::command && one.step == of.name;
  });
  if (is_new && unsent == 0) {
    asked_.given_up.push_back(of.name);
  }
  of.failure.emplace(of.name, failure_kind::given_up, std::move(reason));
  of.ended_at = place_;
}

void flow_run::withdraw(step_number number) {
  if (hears_words()) {
    if (parts_[number].settled) {
      mistake(fmt::format("{} is settled, and cannot be withdrawn any more", shown(parts_[number].name)));
      return;
    }
    parts_[number].withdrawn = true;
    give_up(number, "withdrawn");
  }
}

// -- what has ended ------------------------------------------------------------------------------

/// At its place, or at a later one to which it goes on for this.
bool flow_run::ends(step_number number) {
  for (; !has_ended_here(number); take_next_entry()) {
    if (is_newest() || mistake_) {
      return false;
    }
  }
  return !mistake_;
}

bool flow_run::has_ended_here(step_number number) {
  auto& of = parts_[number];
  switch (of.what) {
  case kind::call:
    of.looked_at = true;
    return of.ended_at.has_value();
  case kind::timer:
    if (of.given_up && !of.ended_at) {
      mistake(fmt::format("{} was withdrawn or given up, and is awaited", shown(of.name)));
    }
    return of.ended_at.has_value();
  case kind::expect:
    return of.ended_at || event_ends(of);
  case kind::until:
    return of.ended_at || condition_holds(of);
  case kind::outcome:
    return has_ended_here(of.members.front());
  case kind::all:
    return of.ended_at || all_end(of);
  case kind::first:
    break;
  }
  return of.ended_at || one_ends(of);
}

/// By an event that is kept, or by its limit, whichever came first.
bool flow_run::event_ends(part& of) {
  const auto kept = kept_.find(of.value_type->name);
  const auto is_kept = kept != kept_.end() && !kept->second.empty();
  if (of.time_over && (!is_kept || *of.time_over < kept->second.front())) {
    of.failure.emplace(of.name, failure_kind::given_up, "it did not come in time");
    of.ended_at = of.time_over;
    return true;
  }
  if (!is_kept) {
    return false;
  }
  const auto number = kept->second.front();
  kept->second.pop_front();
  if (taken_.insert(number).second) {
    entries_->back().taken.push_back(number);
  }
  of.value = read_value(of, (*entries_)[number]);
  of.ended_at = number;
  drop_limit(of);
  return true;
}

bool flow_run::condition_holds(part& of) {
  const auto holds = call_application(
      errc::handler_failed, [&] { return of.holds(); }, "the condition of an until: ");
  if (!holds) {
    stop(holds.error());
  } else if (*holds) {
    of.ended_at = place_;
  }
  return of.ended_at.has_value();
}

bool flow_run::all_end(part& of) {
  auto is_over = true;
  const part* failed = nullptr;
  for (const auto member : of.members) {
    is_over = has_ended_here(member) && is_over;
    const auto& one = parts_[member];
    if (one.what == kind::call && one.failure && (failed == nullptr || *one.ended_at < *failed->ended_at)) {
      failed = &one;
    }
  }
  if (failed == nullptr && !is_over) {
    return false;
  }
  if (failed != nullptr) {
    of.failure = failed->failure;
    for (auto member : of.members) {
      if (parts_[member].what == kind::outcome) {
        member = parts_[member].members.front();
      }
      const auto& one = parts_[member];
      if ((one.what == kind::call || one.what == kind::timer) && !one.ended_at && !one.given_up) {
        give_up(member, fmt::format("{} beside it", of.failure->what()));
      }
    }
  }
  of.ended_at = place_;
  return true;
}

bool flow_run::one_ends(part& of) {
  std::optional<std::size_t> earliest;
  for (const auto member : of.members) {
    const auto end = end_of(member);
    if (end && (!earliest || *end < *earliest)) {
      earliest = end;
      of.winner = member;
    }
  }
  if (!earliest) {
    return false;
  }
  if (auto& won = parts_[*of.winner]; won.what == kind::expect && !won.ended_at) {
    event_ends(won);
  } else if (won.what == kind::outcome) {
    parts_[base_of(*of.winner)].looked_at = true;
  }
  of.ended_at = place_;
  return true;
}

/// The entry that ended it, or would if it were awaited.
std::optional<std::size_t> flow_run::end_of(step_number number) {
  auto& of = parts_[number];
  if (of.what == kind::until && !of.ended_at) {
    condition_holds(of);
  }
  if (of.what == kind::outcome) {
    return end_of(of.members.front());
  }
  if (of.what == kind::expect && !of.ended_at) {
    const auto kept = kept_.find(of.value_type->name);
    const auto is_kept = kept != kept_.end() && !kept->second.empty();
    return !is_kept       ? of.time_over
           : of.time_over ? std::min(*of.time_over, kept->second.front())
                          : std::optional{kept->second.front()};
  }
  return of.ended_at;
}

// -- co_await -----------------------------------------------------------------------------------

bool flow_run::is_ready(step_number number) {
  waits_for_ = number;
  return !mistake_ && !rolls_back_ && ends(number);
}

void flow_run::wait(std::coroutine_handle<> waits) {
  waits_ = waits;
}

void flow_run::give_outcome(step_number number) const {
  const auto& of = parts_[number];
  if ((of.what == kind::call || of.what == kind::all) && of.failure) {
    throw step_failed{*of.failure};
  }
}

const flow_run::part& flow_run::awaited(step_number number) const {
  const auto& given = parts_[number];
  const auto& of = given.what == kind::outcome ? parts_[given.members.front()] : given;
  if (!of.ended_at || (of.what == kind::call && !of.looked_at)) {
    throw std::logic_error{fmt::format("{} is used before it was awaited", shown(of.name))};
  }
  return of;
}

const void* flow_run::value_of(step_number number) const {
  const auto& of = awaited(number);
  if (of.failure || !of.value) {
    throw std::logic_error{fmt::format("{} has brought nothing: {}", shown(of.name),
                                       of.failure ? of.failure->reason() : std::string{"it is a timer"})};
  }
  return of.value.get();
}

const step_failed* flow_run::failure_of(step_number number) const {
  const auto& of = awaited(number);
  return of.failure ? &*of.failure : nullptr;
}

const step_failed& flow_run::given_failure_of(step_number step) const {
  const auto& of = awaited(step);
  if (!of.failure) {
    throw std::logic_error{fmt::format("{} succeeded: it has no failure", shown(of.name))};
  }
  return *of.failure;
}

/// The step behind an outcome.
step_number flow_run::base_of(step_number number) const {
  return parts_[number].what == kind::outcome ? parts_[number].members.front() : number;
}

bool flow_run::has_won(step_number first, step_number member) const {
  const auto& of = parts_[first];
  if (!of.winner) {
    throw std::logic_error{"flow.first is asked who won before it was awaited"};
  }
  return base_of(*of.winner) == base_of(member);
}

void flow_run::returned(const message_type* type, const void* value) {
  is_over_ = true;
  if (!mistake_ && !rolls_back_) {
    returned_ = type == nullptr ? typed_bytes{} : typed_bytes{type->name, type->encode(value)};
  }
}

void flow_run::threw(std::exception_ptr what) {
  is_over_ = true;
  if (!mistake_ && !rolls_back_) {
    thrown_ = std::move(what);
  }
}

void flow_run::roll_back(std::string reason) {
  if (!mistake_ && !rolls_back_) {
    rolls_back_ = std::move(reason);
  }
  throw rolls_back{};
}

} // namespace continuo::detail
