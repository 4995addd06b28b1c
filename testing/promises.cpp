#include "testing/promises.hpp"

#include "engine/acceptance.hpp"
#include "engine/flow_entry.hpp"
#include "engine/remembered_key.hpp"
#include "journal/frame.hpp"
#include "journal/journal.hpp"
#include "nodes/identity.hpp"
#include "testing/trace.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace continuo::testing {

namespace {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Rows of the tables in which a message changes an instance's state.
bool changes_state(std::string_view what) {
  return is_one_of(what, {"start", "event", "reply", "failure", "failure_rolls_back", "timer", "late_success",
                          "late_failure", "undone", "undo_refused", "handled", "declined", "ended"});
}

std::string name_of(const instance_id& id) {
  return id.type + "/" + id.key;
}

/// What a message is called in traces.
std::string short_text(const engine::noted_message& message) {
  switch (message.kind) {
  case messages::message_kind::withdrawal:
    return "withdrawal";
  case messages::message_kind::failure:
    return message.answers.empty() ? "failure" : "failure of " + message.answers;
  default:
    return message.type;
  }
}

std::string entry_text(const engine::history_entry& entry) {
  std::string text = name_of(entry.self) + " " + entry.what;
  if (entry.in) {
    text += " " + short_text(*entry.in);
  }
  std::vector<std::string> sent;
  for (const auto& one : entry.out) {
    sent.push_back(short_text(one));
  }
  if (!sent.empty()) {
    text += ", sends " + list_of(sent);
  }
  text += fmt::format(" -> {}", to_string(entry.status));
  if (!entry.note.empty()) {
    text += " (" + entry.note + ")";
  }
  return text;
}

/// Whether time alone will do something with it.
bool has_due_timer(const engine::record& stored) {
  return std::any_of(stored.timers.begin(), stored.timers.end(),
                     [](const engine::timer& one) { return one.due != time_point::max(); });
}

} // namespace

bool is_settled(const engine::record& stored) {
  if (!stored.requests.empty() || !stored.outbox.empty() || !stored.inbox.empty()) {
    return false;
  }
  switch (stored.kind) {
  case engine::record_kind::saga:
  case engine::record_kind::absence:
    return is_terminal(stored.status) || !has_due_timer(stored) || stored.status == instance_status::paused ||
           stored.status == instance_status::stuck;
  case engine::record_kind::schedule: // lives on
  case engine::record_kind::keyed:
  case engine::record_kind::send: // kept for those who ask for its outcome
    return true;
  case engine::record_kind::command:
    return stored.status == instance_status::stuck;
  case engine::record_kind::dead_letter:
    return stored.failed.has_value(); // else it is being redriven
  case engine::record_kind::publish:
    break;
  }
  return false;
}

void promises::broke(const std::string& node, const std::string& what) const {
  hooks_.broken(node.empty() ? what : fmt::format("{} (on {})", what, node));
}

void promises::knows(const detail::saga_type& saga) {
  sagas_[saga.name] = saga;
  ordered_.insert(saga.name);
}

// -- what happens ----------------------------------------------------------------------------------------

void promises::starts(const std::string& node, const journal::store& disk, const engine::moment& now) {
  auto& known = disks_[node];
  known.wall_max = now.wall;
  auto missing = known.records;
  std::set<std::string> unsettled;
  std::set<std::string> with_timers;
  std::set<instance_id> armed;
  const auto scanned = disk.scan("r", [&](std::string_view key, std::string_view bytes) {
    const auto stored = decode<engine::record>(bytes);
    if (!stored) {
      broke(node, "a record on the disk cannot be read: " + stored.error().message);
      return true;
    }
    missing.erase(std::string{key});
    const auto found = instances_.find(stored->self);
    if (found != instances_.end() && found->second.record && found->second.node == node &&
        !(*found->second.record == *stored)) {
      broke(node, fmt::format("a restart finds {} at revision {}, and not as it was durable at revision {}",
                              name_of(stored->self), stored->revision, found->second.record->revision));
    }
    if (has_work(*stored)) {
      unsettled.emplace(key);
    }
    if (!stored->timers.empty()) {
      armed.insert(stored->self);
    }
    if (has_timer(*stored)) {
      with_timers.emplace(key);
    }
    return true;
  });
  if (!scanned) {
    broke(node, "its disk cannot be read: " + scanned.error().message);
  } else if (!missing.empty()) {
    auto name = missing.begin()->substr(1);
    std::replace(name.begin(), name.end(), '\0', '/');
    broke(node, fmt::format("a restart does not find {}, which was durable", name));
  }
  known.unsettled = std::move(unsettled);
  known.with_timers = std::move(with_timers);
  known.armed = std::move(armed);
  known.index.clear();
  known.is_indexed = false;
  for (const auto& prefix : {engine::owed_to_all, nodes::owed_for_key, journal::store_id_key}) {
    const auto read = disk.scan(prefix, [&](std::string_view key, std::string_view value) {
      note_index(node, {journal::operation::kind::put, std::string{key}, std::string{value}});
      return true;
    });
    if (!read) {
      broke(node, "its disk cannot be read: " + read.error().message);
    }
  }
}

// -- the index of what is owed -----------------------------------------------------------------------------

std::string promises::home_of(const instance_id& id) const {
  if (id.type == engine::publish_type || id.type == engine::send_type) {
    const auto name = parse_message_id(id.key);
    const auto store = name ? stores_.find(name->store) : stores_.end();
    return store == stores_.end() ? std::string{} : store->second;
  }
  return std::string{where_.node_of(id)};
}

void promises::note_index(const std::string& node, const journal::operation& change) {
  const auto is_put = change.what == journal::operation::kind::put;
  auto& on = disks_[node];
  if (change.key == journal::store_id_key && is_put) {
    stores_[decode<std::uint64_t>(change.value).value()] = node;
  } else if (change.key == nodes::owed_for_key) {
    on.is_indexed = is_put;
  } else if (change.key.starts_with(engine::owed_to_all)) {
    const auto end = change.key.find('\0');
    const auto peer = change.key.substr(1, end - 1);
    const auto key = change.key.substr(end + 1);
    if (is_put) {
      on.index[key].insert(peer);
    } else {
      on.index[key].erase(peer);
    }
  }
}

/// A link finds every record that owes its peer something by the index, and reads no others.
void promises::check_index(const std::string& node, const std::string& key) const {
  const auto& on = disks_.find(node)->second;
  const auto id = engine::instance_under(key).value();
  const auto known = instances_.find(id);
  std::set<std::string> wanted;
  if (known != instances_.end() && known->second.record && known->second.node == node) {
    const auto add = [&](const instance_id& other) {
      if (const auto home = home_of(other); !home.empty() && home != node) {
        wanted.insert(home);
      }
    };
    const auto& stored = *known->second.record;
    for (const auto& sent : stored.requests) {
      if (!sent.refused) {
        add(sent.to);
      }
    }
    for (const auto& sent : stored.outbox) {
      add(sent.to);
    }
    for (const auto& entry : stored.inbox) {
      add(entry.from);
    }
  }
  const auto found = on.index.find(key);
  const auto named = found == on.index.end() ? std::set<std::string>{} : found->second;
  for (const auto& peer : wanted) {
    if (!named.contains(peer)) {
      broke(node,
            fmt::format("{} owes something to {}, and the index on its disk forgets it", name_of(id), peer));
    }
  }
  for (const auto& peer : named) {
    if (!wanted.contains(peer)) {
      broke(node,
            fmt::format("{} owes {} nothing, and the index on its disk says it does", name_of(id), peer));
    }
  }
}

void promises::check_whole_index(const std::string& node) const {
  const auto& on = disks_.find(node)->second;
  for (const auto& key : on.records) {
    check_index(node, key);
  }
  for (const auto& [key, peers] : on.index) {
    check_index(node, key);
  }
}

/// What is erased by range is the history of one instance, or the older part of it, or the entries of one
/// workflow: the keys of both ends differ in the revision, or the number, alone.
void promises::check_range(const std::string& node, const journal::operation& change) const {
  if (change.what != journal::operation::kind::erase_range) {
    return;
  }
  constexpr std::size_t revision_bytes = sizeof(std::uint64_t);
  const auto of = [=](std::string_view key) {
    return key.substr(0, key.size() - std::min(key.size(), revision_bytes));
  };
  const auto is_known = change.key.starts_with('h') || change.key.starts_with(engine::entry_key_mark);
  if (!is_known || of(change.key).empty() || of(change.key) != of(change.value)) {
    broke(node, fmt::format("it erases from {} up to {}, which is more than what belongs to one instance",
                            journal::printable(change.key), journal::printable(change.value)));
  }
}

void promises::clock_jumps(const std::string& node, const engine::moment& before) {
  auto& latest = disks_[node].wall_max;
  latest = std::max(latest, before.wall);
}

void promises::commits(const std::string& node, const journal::batch& changes, const engine::moment& now) {
  ++batches_;
  std::vector<engine::history_entry> entries;
  std::map<instance_id, std::size_t> entries_of;
  for (const auto& change : changes) {
    if (change.what == journal::operation::kind::put && change.key.starts_with('h')) {
      auto entry = decode<engine::history_entry>(change.value);
      if (!entry) {
        broke(node, "a history entry cannot be read: " + entry.error().message);
        continue;
      }
      ++entries_of[entry->self];
      entries.push_back(std::move(*entry));
    }
  }
  for (const auto& entry : entries) {
    on_entry(node, entry, now);
  }
  std::set<instance_id> written;
  for (const auto& change : changes) {
    note_index(node, change);
    check_range(node, change);
    if (change.key.starts_with(engine::key_prefix) && change.what == journal::operation::kind::put) {
      // What was handled in the batch that accepted it leaves no record of its own, but a client's key does.
      if (const auto remembered = decode<engine::remembered_key>(change.value)) {
        disks_[node].taken.insert(to_string(remembered->id));
      }
    }
    if (!change.key.starts_with('r')) {
      continue;
    }
    if (change.what == journal::operation::kind::erase) {
      const auto end = change.key.find('\0');
      const instance_id id{change.key.substr(1, end - 1), change.key.substr(end + 1)};
      auto& known = instances_[id];
      if (known.record && ordered_.contains(id.type)) {
        const auto& last = *known.record;
        if (!is_terminal(last.status)) {
          broke(node, fmt::format("{} was deleted while it was {}", name_of(id), to_string(last.status)));
        }
        for (const auto& entry : last.inbox) { // it may have been told meanwhile that it may forget them
          if (owes(entry.from, id)) {
            broke(node, fmt::format("{} was deleted, and {} will send to it again after a crash", name_of(id),
                                    name_of(entry.from)));
          }
        }
      }
      known.record.reset();
      known.ended.reset();
      auto& disk = disks_[node];
      disk.records.erase(change.key);
      disk.unsettled.erase(change.key);
      disk.with_timers.erase(change.key);
      disk.armed.erase(id);
      written.insert(id);
      continue;
    }
    const auto stored = decode<engine::record>(change.value);
    if (!stored) {
      broke(node, "a record cannot be read: " + stored.error().message);
      continue;
    }
    const engine::history_entry* only = nullptr;
    if (const auto count = entries_of.find(stored->self); count != entries_of.end() && count->second == 1) {
      only = &*std::find_if(entries.begin(), entries.end(),
                            [&](const engine::history_entry& entry) { return entry.self == stored->self; });
    }
    written.insert(stored->self);
    on_record(node, change.key, *stored, only);
  }
  for (const auto& entry : entries) {
    const auto& known = instances_[entry.self];
    if (!written.contains(entry.self) || (known.record && known.record->revision < entry.revision)) {
      broke(node,
            fmt::format("the history of {} has revision {}, its record has not: half a transition is durable",
                        name_of(entry.self), entry.revision));
    }
  }
  if (!where_.hosts().empty() && !disks_[node].is_indexed) {
    return;
  }
  for (const auto& change : changes) {
    if (change.key == nodes::owed_for_key) {
      check_whole_index(node);
    } else if (change.key.starts_with('r')) {
      check_index(node, change.key);
    } else if (change.key.starts_with(engine::owed_to_all)) {
      check_index(node, change.key.substr(change.key.find('\0') + 1));
    }
  }
}

void promises::on_entry(const std::string& node, const engine::history_entry& entry,
                        const engine::moment& now) {
  ++transitions_;
  hooks_.transition(node, entry_text(entry));
  auto& known = instances_[entry.self];
  if (!disks_[node].revisions.insert(entry.revision).second) {
    broke(node, fmt::format("revision {} was used twice, now by {}", entry.revision, name_of(entry.self)));
  }
  if (entry.revision <= known.last_revision) {
    broke(node, fmt::format("{} went back from revision {} to {}", name_of(entry.self), known.last_revision,
                            entry.revision));
  }
  known.last_revision = entry.revision;
  for (const auto& sent : entry.out) {
    if (sent.kind == messages::message_kind::event) {
      publishes(sent.id, sent.type, sent.payload);
    }
  }
  const auto saga = sagas_.find(entry.self.type);
  const auto is_started_by_command = [&] {
    const auto found = entry.in ? saga->second.commands.find(entry.in->type) : saga->second.commands.end();
    return found != saga->second.commands.end() && found->second.starts;
  };
  // The key of a keyed service does; that of a saga where what had it was compensated, and a command starts
  // it.
  const auto may_begin_anew =
      saga == sagas_.end() || (known.ended == instance_status::compensated && is_started_by_command());
  if (known.ended && entry.status != *known.ended && !may_begin_anew) {
    broke(node, fmt::format("{} had ended, and is {} after {}", name_of(entry.self), to_string(entry.status),
                            entry.what));
  }
  known.ended = is_terminal(entry.status) ? std::optional{entry.status} : std::nullopt;
  known.ended_last = known.ended ? known.ended : known.ended_last;
  if (entry.in) {
    known.noted.insert(entry.in->id);
  }
  if (!entry.in || !changes_state(entry.what)) {
    return;
  }
  const auto& in = *entry.in;
  if (!known.handled.insert(in.id).second) {
    broke(node, fmt::format("{} changed its state twice by the message {} ({})", name_of(entry.self), in.type,
                            to_string(in.id)));
  }
  const auto one_way = in.kind == messages::message_kind::command || in.kind == messages::message_kind::event;
  if (one_way && ordered_.contains(in.peer.type)) {
    auto& last = known.last_from[in.peer];
    if (in.id.store == last.store && in.id < last) {
      broke(node, fmt::format("{} handled {} of {} after a later one of it", name_of(entry.self), in.type,
                              name_of(in.peer)));
    }
    last = in.id;
  }
  if (in.kind == messages::message_kind::timer) {
    const auto set = known.timers.find(in.id);
    if (set != known.timers.end()) {
      const auto& timer = set->second;
      // A wall clock that has shown the time has made it due, even if it jumped back then.
      const auto wall = std::max(now.wall, disks_[node].wall_max);
      if (timer.boot == now.boot ? now.up < timer.due_up : wall < timer.due) {
        broke(node,
              fmt::format("the timer {} of {} fired before it was due", timer.name, name_of(entry.self)));
      }
    }
  }
}

void promises::publishes(const message_id& id, const std::string& type, const std::string& payload) {
  published_.try_emplace({id.store, id.revision, type, payload}, effect{type, payload});
}

std::vector<promises::effect> promises::published() const {
  std::vector<effect> all;
  for (const auto& [key, event] : published_) {
    all.push_back(event);
  }
  return all;
}

void promises::on_record(const std::string& node, const std::string& key, const engine::record& stored,
                         const engine::history_entry* only) {
  auto& known = instances_[stored.self];
  note_record(disks_[node], key, stored);
  check_record(node, stored);
  if (only != nullptr && known.record) {
    check_steps(node, *known.record, stored, *only);
  }
  for (const auto& timer : stored.timers) {
    known.timers.try_emplace(timer.id, timer);
  }
  if (stored.kind == engine::record_kind::dead_letter && stored.failed) {
    lettered_.insert(stored.failed->to);
  }
  if (stored.kind == engine::record_kind::command) {
    for (const auto& sent : stored.outbox) {
      if (sent.kind == messages::message_kind::event) {
        publishes(sent.id, sent.type, sent.payload);
      }
    }
  }
  known.since = known.record ? known.since : batches_;
  known.record = stored;
  known.node = node;
}

bool promises::has_work(const engine::record& stored) const {
  return !testing::is_settled(stored) && !live_on_.contains(stored.self.type);
}

bool promises::has_timer(const engine::record& stored) const {
  return has_due_timer(stored) && stored.status == instance_status::running &&
         stored.kind != engine::record_kind::schedule && !live_on_.contains(stored.self.type);
}

/// Whether the sender holds something for the receiver on its disk.
bool promises::owes(const instance_id& sender, const instance_id& receiver) const {
  const auto known = instances_.find(sender);
  if (known == instances_.end() || !known->second.record) {
    return false;
  }
  const auto is_for = [&](const auto& sent) { return sent.to == receiver; };
  const auto& stored = *known->second.record;
  return std::any_of(stored.requests.begin(), stored.requests.end(), is_for) ||
         std::any_of(stored.outbox.begin(), stored.outbox.end(), is_for);
}

void promises::note_record(disk& on, const std::string& key, const engine::record& stored) {
  const auto mark = [&](std::set<std::string>& keys, bool marked) {
    if (marked) {
      keys.insert(key);
    } else {
      keys.erase(key);
    }
  };
  on.records.insert(key);
  mark(on.unsettled, has_work(stored));
  mark(on.with_timers, has_timer(stored));
  if (stored.timers.empty()) {
    on.armed.erase(stored.self);
  } else {
    on.armed.insert(stored.self);
  }
  for (const auto& sent : stored.requests) {
    on.owed.try_emplace(sent.id, owed_message{sent.type, batches_});
  }
  for (const auto& sent : stored.outbox) {
    on.owed.try_emplace(sent.id, owed_message{sent.type, batches_});
  }
  if (stored.kind == engine::record_kind::publish || stored.kind == engine::record_kind::send) {
    on.taken.insert(stored.self.key);
  }
}

/// `withdrawn` says that the handler never ran. What ran is known here.
void promises::check_execution(const std::string& node, const engine::record& stored) const {
  for (const auto& sent : stored.outbox) {
    const auto ran = sent.kind == messages::message_kind::failure ? ran_.find(sent.in_reply_to) : ran_.end();
    if (ran == ran_.end() || !ran->second.nodes.contains(node)) {
      continue;
    }
    const auto body = decode<messages::failure_body>(sent.payload);
    if (body && static_cast<failure_kind>(body->kind) == failure_kind::withdrawn) {
      broke(node,
            fmt::format("{} is told that its command {} was withdrawn before its handler ran, and it has run",
                        name_of(sent.to), to_string(sent.in_reply_to)));
    }
  }
}

/// What must be true of every record by itself.
void promises::check_record(const std::string& node, const engine::record& stored) const {
  if (stored.kind == engine::record_kind::command) {
    check_execution(node, stored);
  }
  if (stored.kind != engine::record_kind::saga) {
    return;
  }
  const auto name = name_of(stored.self);
  if (is_terminal(stored.status) && !stored.requests.empty()) {
    broke(node, fmt::format("{} is {} with a request open", name, to_string(stored.status)));
  }
  if (stored.status == instance_status::running && stored.requests.empty() && stored.timers.empty() &&
      stored.expected.empty() && !stored.failed) {
    broke(node, name + " is running, and nothing can wake it");
  }
  if (stored.status == instance_status::stuck && stored.reason.empty()) {
    broke(node, name + " is stuck and does not say why");
  }
  for (const auto& sent : stored.requests) {
    if (sent.compensation && sent.step.empty() && // else it undoes a step that was given up
        (stored.compensations.empty() || stored.compensations.back().type != sent.type)) {
      broke(node, fmt::format("{} undoes by {}, which is not its newest completed step", name, sent.type));
    }
  }
  if (stored.requests.size() > engine::open_requests_max) {
    broke(node, name + " has more open requests than a record may hold");
  }
}

/// What one transition may do to the steps that are to be undone.
void promises::check_steps(const std::string& node, const engine::record& before, const engine::record& after,
                           const engine::history_entry& by) const {
  const auto saga = sagas_.find(after.self.type);
  if (after.kind != engine::record_kind::saga || saga == sagas_.end() || !by.in) {
    return;
  }
  const auto name = name_of(after.self);
  // What a workflow gave up is undone at once.
  const auto is_undone_now = [&](const std::string& step) {
    const auto undoes = [&](const engine::request& sent) { return sent.compensation && sent.step == step; };
    const auto cannot = [&](const engine::compensation& one) { return one.given_up && one.step == step; };
    return !step.empty() && (std::any_of(after.requests.begin(), after.requests.end(), undoes) ||
                             std::any_of(after.compensations.begin(), after.compensations.end(), cannot));
  };
  const auto to_undo = [](const engine::record& of) { // a workflow has them in its entries
    const auto life = of.life == 0 ? result<engine::flow_life>{} : decode<engine::flow_life>(of.state);
    return of.compensations.size() + (life ? life->undos : 0);
  };
  // Steps are added behind the others, and leave from behind; only those from between. A workflow's next one
  // comes from its entries.
  const auto comes_from_entries =
      to_undo(after) - after.compensations.size() != to_undo(before) - before.compensations.size();
  auto next = after.compensations.begin();
  for (const auto& one : before.compensations) {
    if (next == after.compensations.end() || comes_from_entries) {
      break;
    }
    if (one.type == next->type && one.payload == next->payload) {
      ++next;
    } else if (!is_undone_now(one.step)) {
      broke(node, fmt::format("{} has changed the order of the steps that it will undo", name));
      break;
    }
  }
  // The request that this transition closed.
  const engine::request* closed = nullptr;
  for (const auto& sent : before.requests) {
    const auto open = std::any_of(after.requests.begin(), after.requests.end(),
                                  [&](const engine::request& other) { return other.id == sent.id; });
    if (!open) {
      if (closed != nullptr) {
        return; // several: nothing to tell them apart by
      }
      closed = &sent;
    }
  }
  if (closed == nullptr || closed->compensation) {
    return;
  }
  const auto call = saga->second.calls.find(closed->type);
  const auto has_undo = !closed->undo_type.empty() ||
                        (call != saga->second.calls.end() && call->second.undo_command != nullptr);
  auto gave_up = std::count_if(before.compensations.begin(), before.compensations.end(),
                               [&](const auto& one) { return is_undone_now(one.step); });
  if (after.life != 0) { // the undos of those that it gives up leave its entries
    gave_up += std::count_if(after.requests.begin(), after.requests.end(), [&](const engine::request& sent) {
      return sent.compensation && !sent.step.empty() &&
             std::none_of(before.requests.begin(), before.requests.end(),
                          [&](const engine::request& other) { return other.id == sent.id; });
    });
  }
  const auto grew =
      to_undo(after) + static_cast<std::size_t>(gave_up) > to_undo(before) || is_undone_now(closed->step);
  if (by.in->kind == messages::message_kind::reply) {
    if (has_undo && !grew && !is_terminal(after.status)) {
      broke(node, fmt::format("{} completed {}, and will not undo it", name, closed->type));
    }
  } else if (by.in->kind == messages::message_kind::failure) {
    const auto body = decode<messages::failure_body>(by.in->payload);
    const auto ran = closed->moved || ran_.contains(closed->id);
    if (body && static_cast<failure_kind>(body->kind) != failure_kind::unknown && grew &&
        !(static_cast<failure_kind>(body->kind) == failure_kind::withdrawn && ran)) {
      broke(node, fmt::format("{} will undo {}, which certainly did not happen", name, closed->type));
    }
    if (body && static_cast<failure_kind>(body->kind) == failure_kind::unknown && has_undo && !grew &&
        !is_terminal(after.status)) {
      broke(node, fmt::format("{} will not undo {}, which may have happened", name, closed->type));
    }
    if (body && static_cast<failure_kind>(body->kind) == failure_kind::withdrawn && has_undo && !grew &&
        ran_.contains(closed->id)) {
      broke(node, fmt::format("{} will not undo {}, whose handler has run", name, closed->type));
    }
  }
}

void promises::runs(const std::string& node, const messages::envelope& message) {
  const auto is_owed = std::any_of(disks_.begin(), disks_.end(),
                                   [&](const auto& one) { return one.second.owed.contains(message.id); });
  if (!is_owed && !was_wiped_) {
    broke(node, fmt::format("the handler of {} of {} runs before that is durable", message.type,
                            name_of(message.from)));
  }
  const auto key = message.idempotency_key.empty() ? to_string(message.id) : message.idempotency_key;
  auto& run = ran_[message.id];
  if (!run.key.empty() && run.key != key) {
    broke(node, fmt::format("the handler of {} of {} has run under the idempotency key {}, and runs under {}",
                            message.type, name_of(message.from), run.key, key));
  }
  run.key = key;
  run.nodes.insert(node);
  effects_.insert_or_assign(key, effect{message.type, message.payload});
}

void promises::leaves(const std::string& node, const messages::frame& frame) {
  const auto* batch = std::get_if<messages::batch>(&frame.body);
  if (batch == nullptr) {
    return;
  }
  const auto& disk = disks_[node];
  for (const auto& item : batch->items) {
    if (const auto* message = std::get_if<engine::envelope>(&item)) {
      const auto is_withdrawal = message->kind == messages::message_kind::withdrawal;
      if (!disk.owed.contains(is_withdrawal ? message->in_reply_to : message->id)) {
        broke(node, fmt::format("{} of {} leaves the node before it is durable", message->type,
                                name_of(message->from)));
      }
    } else if (const auto* said = std::get_if<messages::receipt>(&item)) {
      check_receipt(node, *said);
      check_forget(node, *said);
    }
  }
}

/// A receipt speaks of what is durable.
void promises::check_receipt(const std::string& node, const messages::receipt& said) const {
  if (said.done == message_id{} || !ordered_.contains(said.from.type)) {
    return;
  }
  const auto known = instances_.find(said.from);
  if (known == instances_.end() || !known->second.record) {
    if (said.closes == message_id{} && !may_be_dropped(said) &&
        (known == instances_.end() || !known->second.noted.contains(said.done))) {
      broke(node, fmt::format("{} says that it has handled what starts it, and it is not on its disk",
                              name_of(said.from)));
    }
    return; // gone, or never there: what it would hold is not wanted
  }
  const auto& stored = *known->second.record;
  if (said.closes != message_id{}) {
    const auto open =
        std::any_of(stored.requests.begin(), stored.requests.end(), [&](const engine::request& sent) {
          return sent.id == said.closes && !sent.refused; // such an undo waits for a person
        });
    if (open) {
      broke(node,
            fmt::format("{} says that it has a reply whose request is open on its disk", name_of(said.from)));
    }
    return;
  }
  const auto entry = std::find_if(stored.inbox.begin(), stored.inbox.end(),
                                  [&](const engine::inbox_entry& one) { return one.from == said.to; });
  const auto remembered = entry != stored.inbox.end() && !(entry->last < said.done);
  if (!remembered && !known->second.noted.contains(said.done) && !may_be_dropped(said)) {
    broke(node, fmt::format("{} says that it has handled a message that its disk does not show",
                            name_of(said.from)));
  }
}

/// Whether the message of a receipt came, or may have come, where there was no instance and it started none.
bool promises::may_be_dropped(const messages::receipt& said) const {
  for (const auto& [name, disk] : disks_) {
    const auto message = disk.owed.find(said.done);
    if (message == disk.owed.end()) {
      continue;
    }
    const auto saga = sagas_.find(said.from.type);
    if (saga == sagas_.end()) {
      return false;
    }
    const auto wanted = saga->second.subscriptions.find(message->second.type);
    const auto starts = wanted != saga->second.subscriptions.end() && wanted->second.starts;
    const auto receiver = instances_.find(said.from);
    const auto was_there = receiver != instances_.end() && receiver->second.record &&
                           receiver->second.since < message->second.since;
    return !starts && !was_there;
  }
  return true; // of a disk that was wiped
}

/// Who may forget a message gets it no more: its sender does not hold it on its disk.
void promises::check_forget(const std::string& node, const messages::receipt& said) const {
  const auto known = said.forget == message_id{} ? instances_.end() : instances_.find(said.from);
  if (known == instances_.end() || !known->second.record) {
    return;
  }
  const auto holds = [&](const auto& sent) { return sent.to == said.to && !(said.forget < sent.id); };
  const auto& stored = *known->second.record;
  if (std::any_of(stored.requests.begin(), stored.requests.end(), holds) ||
      std::any_of(stored.outbox.begin(), stored.outbox.end(), holds)) {
    broke(node, fmt::format("{} says that {} may forget a message that it will send again after a crash",
                            name_of(said.from), name_of(said.to)));
  }
}

void promises::accepted(const std::string& node, const continuo::accepted& said, const std::string& type) {
  if (!disks_[node].taken.contains(to_string(said.id))) {
    broke(node,
          fmt::format("a client was told that {} is accepted, and it is not durable", to_string(said.id)));
  }
  for (const auto& id : said.instances) {
    const auto saga = sagas_.find(id.type);
    const auto wanted = saga == sagas_.end() ? nullptr : &saga->second.subscriptions;
    if (wanted != nullptr && wanted->contains(type) && wanted->find(type)->second.starts) {
      wanted_.try_emplace(id, node);
    }
  }
}

void promises::forgets(const std::string& node) {
  disks_.erase(node);
  was_wiped_ = true;
  for (auto& [id, known] : instances_) {
    if (known.node == node) {
      known = {};
    }
  }
  std::erase_if(wanted_,
                [&](const auto& one) { return one.second == node || !instances_.contains(one.first); });
}

// -- what there is ------------------------------------------------------------------------------------------

bool promises::is_settled(const std::string& node) const {
  const auto found = disks_.find(node);
  return found == disks_.end() || found->second.unsettled.empty();
}

bool promises::has_timers(const std::string& node) const {
  const auto found = disks_.find(node);
  return found != disks_.end() && !found->second.with_timers.empty();
}

std::optional<std::int64_t> promises::next_timer_ns(const std::string& node,
                                                    const engine::moment& now) const {
  std::optional<std::int64_t> next;
  const auto on = disks_.find(node);
  if (on == disks_.end()) {
    return next;
  }
  for (const auto& id : on->second.armed) {
    const auto known = instances_.find(id);
    if (known == instances_.end() || !known->second.record) {
      continue;
    }
    for (const auto& timer : known->second.record->timers) {
      const auto left = timer.boot == now.boot ? engine::between(now.up, timer.due_up)
                                               : engine::between(now.wall, timer.due);
      if (left.count() > 0 || known->second.record->status == instance_status::running) {
        const auto wait = std::max<std::int64_t>(left.count(), 0); // if due, then for the end of a nap
        next = std::min(next.value_or(wait), wait);
      }
    }
  }
  return next;
}

void promises::check_end() const {
  for (const auto& [node, on] : disks_) {
    check_whole_index(node);
  }
  for (const auto& [id, where] : wanted_) {
    const auto known = instances_.find(id);
    const auto left_trace = known != instances_.end() && known->second.last_revision != 0;
    if (!left_trace && !lettered_.contains(id)) { // a start may also end as a dead letter
      broke(where, fmt::format("{} was accepted, and there is no trace of it", name_of(id)));
    }
  }
}

std::optional<instance_status> promises::end_of(const instance_id& id) const {
  const auto known = instances_.find(id);
  return known == instances_.end() ? std::nullopt : known->second.ended_last;
}

} // namespace continuo::testing
