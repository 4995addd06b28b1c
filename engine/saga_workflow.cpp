#include "engine/dead_letter.hpp"
#include "engine/flow_text.hpp"
#include "engine/planted.hpp"
#include "engine/saga_draft.hpp"
#include "engine/saga_life.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

// The part of the saga machine that runs a workflow's function in the place of handlers.
namespace continuo::engine {

std::string entry_prefix(std::uint64_t first_revision) {
  std::string key{entry_key_mark};
  append_big_endian(key, first_revision);
  return key;
}

std::string entry_key(std::uint64_t first_revision, std::uint64_t number) {
  auto key = entry_prefix(first_revision);
  append_big_endian(key, number);
  return key;
}

// -- the entries -----------------------------------------------------------------------------------

/// Where the entries stand, by the record.
result<void> saga_machine::find_life() {
  if (!life_) {
    life_ = std::make_unique<life>();
    if (record_.state.empty()) {
      life_->is_loaded = true;
    } else if (record_.life == 0) {
      life_.reset();
      return fail(errc::unknown_type, "a class of handlers has run it, which this workflow cannot take over");
    } else if (auto read = decode_into(life_->stands, record_.state); !read) {
      life_.reset();
      return read;
    }
  }
  return {};
}

/// Everything that this instance wrote is durable whenever they are not in memory: it came from the store.
result<void> saga_machine::load_life() {
  if (auto found = find_life(); !found || life_->is_loaded) {
    return found;
  }
  const auto& stands = life_->stands;
  auto values = environment_->read_entries(entry_prefix(record_.life));
  if (!values) {
    return tl::unexpected(std::move(values.error()));
  }
  std::vector<flow_entry> entries;
  for (const auto& value : *values) {
    auto entry = decode<flow_entry>(value);
    if (!entry) {
      return tl::unexpected(std::move(entry.error()));
    }
    entries.push_back(std::move(*entry));
  }
  if (entries.size() != stands.entries) {
    return fail(errc::corrupt, fmt::format("the record of {} counts {} entries, and {} are there",
                                           to_string(record_.self), stands.entries, entries.size()));
  }
  life_->entries = std::move(entries);
  life_->is_loaded = true;
  return {};
}

std::uint32_t saga_machine::kept_events() {
  return is_workflow() && find_life() ? life_->stands.kept : 0;
}

std::string saga_machine::life_state() const {
  return encode(life_->stands);
}

/// The newest entry does not count: its transition is not to be.
void saga_machine::forget_run() {
  if (life_) {
    life_->run.reset();
    if (std::exchange(life_->is_pending, false)) {
      life_->entries.pop_back();
    }
  }
}

/// The function is not run any more.
void saga_machine::forget_frame() {
  if (life_) {
    life_->run.reset();
  }
}

// -- the function -----------------------------------------------------------------------------------

namespace {

entry_kind kind_of(const envelope& message) {
  switch (message.kind) {
  case message_kind::reply:
    return entry_kind::success;
  case message_kind::failure:
    return entry_kind::failure;
  case message_kind::timer:
    return entry_kind::timer;
  case message_kind::command:
    return entry_kind::update;
  default:
    return entry_kind::event;
  }
}

} // namespace

result<flow_entry> saga_machine::entry_of(const envelope& message, const request* answered,
                                          const moment& now) const {
  flow_entry made;
  made.kind = life_->entries.empty() ? entry_kind::input : kind_of(message);
  made.at = now.wall;
  made.version = environment_->type->version;
  made.message = message.id;
  made.type = message.type;
  made.payload = message.payload;
  switch (made.kind) {
  case entry_kind::input:
    made.seed = environment_->seed ^ std::hash<message_id>{}(message.id);
    break;
  case entry_kind::failure: {
    made.step = answered->step;
    auto body = decode<messages::failure_body>(message.payload);
    if (!body) {
      return tl::unexpected(std::move(body.error()));
    }
    made.failure = body->kind;
    made.payload = std::move(body->reason);
    break;
  }
  case entry_kind::success:
    made.step = answered->step;
    if (planted("outcome_given_to_another_step") && !record_.requests.empty()) {
      made.step = record_.requests.front().step;
    }
    break;
  case entry_kind::timer:
    made.step = message.type; // it carries the name of its step
    made.type.clear();
    break;
  default:
    made.from = message.from;
  }
  return made;
}

result<void> saga_machine::check_version() const {
  const auto& type = *environment_->type;
  if (exists_ && record_.definition_version > type.version) {
    return fail(errc::newer_version, fmt::format("version {} of the workflow {} has run it, and this program "
                                                 "has version {}: it waits for a newer program",
                                                 record_.definition_version, type.name, type.version));
  }
  return {};
}

/// Whether the function asks for the same when it runs again from its beginning.
result<void> saga_machine::run_again(const detail::intents& asked) const {
  auto entries = life_->entries;
  const auto begun = std::exchange(entries.back().begun, {});
  entries.back().given_up.clear();
  entries.back().taken.clear();
  detail::flow_run again{{environment_->type, &record_.self, parent(), nullptr}, entries};
  const auto second = again.go_on();
  const auto part = !second                         ? second.error().message
                    : entries.back().begun == begun ? detail::difference(asked, *second)
                                                    : detail::difference(begun, entries.back().begun);
  if (!part.empty()) {
    return fail(errc::handler_failed,
                fmt::format("run again from its beginning the function decides otherwise: {} (it must decide "
                            "by its input, its steps and flow alone)",
                            part));
  }
  return {};
}

/// Whose child it is; null: nobody's.
const instance_id* saga_machine::parent() const {
  return record_.ancestors.empty() ? nullptr : &record_.ancestors.back();
}

result<detail::intents> saga_machine::run_function(const envelope& message, const request* answered,
                                                   const moment& now) {
  const auto& type = *environment_->type;
  if (auto known = check_version(); !known) {
    return tl::unexpected(std::move(known.error()));
  }
  if (auto loaded = load_life(); !loaded) {
    return tl::unexpected(std::move(loaded.error()));
  }
  if (life_->entries.size() >= flow_entries_max) {
    return fail(errc::handler_failed,
                fmt::format("it has {} entries, the most there may be", flow_entries_max));
  }
  const auto updates = !life_->entries.empty() && message.kind == message_kind::command;
  if (updates && !life_->run && life_->entries.back().version == type.version) {
    // To where it stands, where this version has been: whatever it asks for was asked for before. An update
    // that is not accepted then costs the next one no second run.
    life_->run = std::make_unique<detail::flow_run>(
        detail::flow_run::setting{&type, &record_.self, parent(), environment_->sink}, life_->entries);
    if (auto stands = life_->run->go_on(); !stands) {
      forget_frame();
      return tl::unexpected(std::move(stands.error()));
    }
  }
  if (updates && life_->run && !life_->run->accepts(message.type)) {
    return detail::intents{};
  }
  auto entry = entry_of(message, answered, now);
  if (!entry) {
    return tl::unexpected(std::move(entry.error()));
  }
  life_->entries.push_back(std::move(*entry));
  life_->is_pending = true;
  if (!life_->run) {
    life_->run = std::make_unique<detail::flow_run>(
        detail::flow_run::setting{&type, &record_.self, parent(), environment_->sink}, life_->entries);
  }
  auto asked = life_->run->go_on();
  if (!asked) {
    forget_run();
    return tl::unexpected(std::move(asked.error()));
  }
  if (updates &&
      !asked->answer) { // not accepted where it stands: it is no entry, and what came behind is not
    forget_run();
    return detail::intents{};
  }
  const auto count = life_->entries.size();
  if (environment_->runs_twice && (count <= 256 || count % 64 == 0)) {
    if (auto same = run_again(*asked); !same) {
      forget_run();
      return tl::unexpected(std::move(same.error()));
    }
  }
  if (environment_->sees) {
    environment_->sees(*asked);
  }
  return asked;
}

/// The entry of this transition is part of it from here.
void saga_machine::add_entry(draft& next) {
  auto& stands = life_->stands;
  const auto was_full = stands.kept >= kept_events_max;
  if (stands.entries == 0) {
    record_.life = next.revision;
  }
  next.out.entries.push_back({entry_key(record_.life, stands.entries), encode(life_->entries.back())});
  stands.entries = life_->entries.size();
  stands.kept = life_->run ? life_->run->kept() : stands.kept;
  life_->is_pending = false;
  if (was_full && stands.kept < kept_events_max) {
    mail_.call_held(next.out);
  }
}

/// What the function says of itself, and of its end.
void saga_machine::take_words(detail::intents& asked) {
  auto& stands = life_->stands;
  if (asked.says) {
    stands.says = std::move(*asked.says);
  }
  if (asked.settles) {
    stands.undos = 0;
    stands.newest_undo = 0;
    stands.largest_undo = 0;
  }
  for (auto& word : asked.at_end) {
    const auto same = [&](const last_word& one) { return one.name == word.name; };
    std::erase_if(stands.at_end, same);
    stands.at_end.push_back({std::move(word.name), static_cast<ending>(word.when),
                             std::move(word.command.type), std::move(word.command.payload)});
  }
}

/// In the entry of this transition, if it makes one: else the record would grow with the steps done.
void saga_machine::keep_undo(compensation&& undo) {
  if (!life_ || !life_->is_pending) {
    record_.compensations.push_back(std::move(undo));
    return;
  }
  auto& stands = life_->stands;
  auto& entry = life_->entries.back();
  stands.largest_undo = std::max<std::uint64_t>(stands.largest_undo, undo.type.size() + undo.payload.size());
  entry.undo = step_undo{std::move(undo.step), std::move(undo.type), std::move(undo.payload)};
  entry.undo_before = std::exchange(stands.newest_undo, life_->entries.size());
  ++stands.undos;
}

/// The record has none of its own any more: the next one comes from the entries. One read.
result<void> saga_machine::take_newest_undo() {
  if (record_.life == 0 || record_.state.empty()) {
    return {};
  }
  if (!life_) { // also where a class of handlers has taken the place of the workflow
    life_ = std::make_unique<life>();
    if (auto read = decode_into(life_->stands, record_.state); !read) {
      life_.reset();
      return read;
    }
  }
  auto& stands = life_->stands;
  while (record_.compensations.empty() && stands.newest_undo != 0) {
    const auto number = stands.newest_undo - 1;
    flow_entry entry;
    if (life_->is_loaded) {
      entry = life_->entries[number];
    } else {
      auto values = environment_->read_entries(entry_key(record_.life, number));
      auto read = values ? values->size() == 1
                               ? decode<flow_entry>(values->front())
                               : fail(errc::corrupt, fmt::format("entry {} is not there", number))
                         : result<flow_entry>{tl::unexpected(values.error())};
      if (!read) {
        return tl::unexpected(std::move(read.error()));
      }
      entry = std::move(*read);
    }
    stands.newest_undo = entry.undo_before;
    if (entry.undo) { // else it was carried out when its step was given up
      --stands.undos;
      record_.compensations.push_back(
          {std::move(entry.undo->step), std::move(entry.undo->type), std::move(entry.undo->payload)});
    }
  }
  record_.state = life_state();
  return {};
}

/// Of a step that is given up after it has ended: its undo, if it has one, leaves the entries.
void saga_machine::take_undo_of(draft& next, const std::string& step) {
  for (auto number = life_->entries.size(); number-- > 0;) {
    auto& entry = life_->entries[number];
    if (!entry.undo || entry.undo->step != step) {
      continue;
    }
    auto undo = *std::exchange(entry.undo, std::nullopt);
    next.out.entries.push_back({entry_key(record_.life, number), encode(entry)});
    life_->stands.undos -= life_->stands.undos > 0 ? 1 : 0; // settled in the same breath they are none
    record_.state = life_state();
    undo_given_up(next, {std::move(undo.step), std::move(undo.type), std::move(undo.payload)});
    return;
  }
}

/// Commands that go out with the end.
result<void> saga_machine::send_last_words(draft& next) {
  if (auto found = find_life(); !found) {
    return found;
  }
  const auto wanted = record_.status == instance_status::completed ? ending::completed : ending::compensated;
  std::vector<std::pair<const last_word*, destination>> wanted_now;
  for (const auto& word : life_->stands.at_end) { // all of them, or none
    if (word.when != ending::any && word.when != wanted) {
      continue;
    }
    auto where = environment_->routes->command(word.type, word.payload, record_.self);
    if (!where) {
      return fail(errc::handler_failed, fmt::format("at_end {}: {}", word.name, where.error().message));
    }
    wanted_now.emplace_back(&word, std::move(*where));
  }
  for (const auto& [word, where] : wanted_now) {
    tell(next, {word->type, word->payload}, where);
  }
  return {};
}

/// The function has returned. What it has never come to, since another version of it began that, is given up.
void saga_machine::end_function(draft& next) {
  for (const auto& step : life_->run->unreached()) {
    next.note += fmt::format("{}never reached by this version: {}", next.note.empty() ? "" : "; ", step);
  }
  forget_frame();
  drop_timers(next);
  call_kept(next);
  std::vector<std::string> open;
  for (const auto& sent : record_.requests) {
    if (!sent.abandoned && !sent.compensation) {
      open.push_back(sent.step);
    }
  }
  for (const auto& step : open) {
    give_up(next, step);
  }
  end_if_settled(next);
}

/// What no wait has taken when the instance ends follows the policy of its event.
void saga_machine::end_kept_events(draft& next) {
  if (kept_events() == 0 || !load_life()) { // an unreadable store ends the node
    return;
  }
  std::set<std::uint64_t> taken;
  for (const auto& entry : life_->entries) {
    taken.insert(entry.taken.begin(), entry.taken.end());
  }
  for (std::size_t number = 0; number < life_->entries.size(); ++number) {
    const auto& entry = life_->entries[number];
    const auto declared = environment_->type->subscriptions.find(entry.type);
    if (entry.kind != entry_kind::event || taken.contains(number) ||
        declared == environment_->type->subscriptions.end() ||
        declared->second.unknown != unknown_instance::dead_letter) {
      continue;
    }
    envelope event;
    event.id = entry.message;
    event.kind = message_kind::event;
    event.from = entry.from;
    event.to = record_.self;
    event.type = entry.type;
    event.payload = entry.payload;
    next.out.dead_letters.push_back(dead_letter_of(event, "the instance is over", next.now.wall));
  }
}

// -- steps that are given up -------------------------------------------------------------------------

/// Takes the step back where it is open, and undoes it at once where it happened or may have.
void saga_machine::give_up(draft& next, const std::string& step) {
  const auto open = std::find_if(record_.requests.begin(), record_.requests.end(), [&](const request& sent) {
    return sent.step == step && !sent.compensation && !sent.abandoned;
  });
  if (open != record_.requests.end()) {
    open->abandoned = true;
    if (is_homeless(*open)) {
      auto undo = undo_of(*open, nullptr);
      if (!undo) {
        undo = compensation{step, {}, {}};
      }
      mail_.close(static_cast<std::size_t>(open - record_.requests.begin()));
      if (*undo) {
        undo_given_up(next, std::move(**undo));
      }
    } else {
      next.send(mail_.withdrawal_of(*open), open->effects);
    }
    return;
  }
  take_undo_of(next, step);
}

result<destination> saga_machine::where_undone(const compensation& undo) const {
  return undo.type.empty()
             ? result<destination>{fail(errc::handler_failed, "nothing is declared that undoes it")}
             : environment_->routes->command(undo.type, undo.payload, record_.self);
}

void saga_machine::undo_given_up(draft& next, compensation&& undo) {
  undo.given_up = true;
  if (const auto where = where_undone(undo)) {
    send(next, {std::move(undo.type), std::move(undo.payload)}, *where, true, std::move(undo.step));
    return;
  }
  record_.compensations.push_back(std::move(undo)); // a rollback meets it again
  wait_for_given_up(next);
}

std::vector<compensation>::iterator saga_machine::newest_given_up() {
  const auto found = std::find_if(record_.compensations.rbegin(), record_.compensations.rend(),
                                  [](const compensation& entry) { return entry.given_up; });
  return found == record_.compensations.rend() ? record_.compensations.end() : std::prev(found.base());
}

/// A person has to say what becomes of the newest step that was given up and that nothing undoes.
void saga_machine::wait_for_given_up(draft& next) {
  const auto newest = newest_given_up();
  if (newest == record_.compensations.end()) {
    return;
  }
  const auto others = std::count_if(record_.compensations.begin(), record_.compensations.end(),
                                    [](const compensation& entry) { return entry.given_up; }) -
                      1;
  const auto where = where_undone(*newest);
  become_stuck(next,
               fmt::format("{} was given up, and {}: {}{}", newest->step,
                           newest->type.empty() ? "its outcome is unknown" : "cannot be undone",
                           where ? "it can now, by a retry" : where.error().message,
                           others > 0 ? fmt::format(" (and {} more)", others) : std::string{}),
               instance_status::running);
}

/// A person wants it tried again.
void saga_machine::undo_given_up_again(draft& next) {
  std::vector<compensation> waiting;
  std::copy_if(record_.compensations.begin(), record_.compensations.end(), std::back_inserter(waiting),
               [](const compensation& entry) { return entry.given_up; });
  std::erase_if(record_.compensations, [](const compensation& entry) { return entry.given_up; });
  for (auto& entry : waiting) {
    undo_given_up(next, std::move(entry));
  }
}

/// What was held since too many events were kept comes now.
void saga_machine::call_kept(draft& next) {
  if (kept_events() >= kept_events_max) {
    mail_.call_held(next.out);
  }
}

void saga_machine::handle_given_up_answer(draft& next, const envelope& message, std::size_t position) {
  const auto& sent = record_.requests[position];
  auto undo = undo_of(sent, message);
  auto loaded = check_version();
  if (loaded && !record_.returned) {
    loaded = load_life();
  }
  if (!loaded || (!undo && is_unknown_here(undo.error()))) {
    leave(next, message, std::move(loaded ? undo.error() : loaded.error()));
    return;
  }
  if (!undo || (*undo && bytes_kept(&sent, *undo) + record_.state.size() > record_bytes_max)) {
    undo = compensation{sent.step, {}, {}};
    next.note = "the undo of a late outcome could not be made";
  }
  next.out.edge = message.kind == message_kind::reply ? "given_up_success" : "given_up_failure";
  auto step = close_request(next, position, message).step;
  taken_over(message);
  if (!record_.returned) {
    flow_entry settled;
    settled.kind = entry_kind::settled;
    settled.at = next.now.wall;
    settled.version = environment_->type->version;
    settled.message = message.id;
    settled.step = std::move(step);
    life_->entries.push_back(std::move(settled));
    if (life_->run && !life_->run->go_on()) { // it takes note; the function learns nothing of it
      life_->run.reset();
    }
    add_entry(next);
    record_.state = life_state();
  }
  if (*undo && !planted("late_success_of_a_given_up_step_stays")) {
    undo_given_up(next, std::move(**undo));
  }
  end_if_settled(next);
  audit(next);
  write(next);
}

/// Before a rollback: undos of given-up steps that were refused are carried out with it.
void saga_machine::take_back_refused() {
  for (std::size_t position = record_.requests.size(); position-- > 0;) {
    if (const auto& sent = record_.requests[position]; sent.refused && !sent.step.empty()) {
      compensation undo{sent.step, sent.type, sent.payload};
      mail_.close(position);
      record_.compensations.push_back(std::move(undo));
    }
  }
}

/// The function has returned: the instance ends when nothing that it gave up is open any more.
void saga_machine::end_if_settled(draft& next) {
  const auto waits = std::any_of(record_.compensations.begin(), record_.compensations.end(),
                                 [](const compensation& entry) { return entry.given_up; });
  const auto is_settled = (record_.requests.empty() && !waits) || planted("ends_before_it_is_settled");
  if (record_.returned && record_.status == instance_status::running && is_settled) {
    record_.returned = false;
    end(next, instance_status::completed);
  }
}

} // namespace continuo::engine
