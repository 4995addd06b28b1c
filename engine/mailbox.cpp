#include "engine/mailbox.hpp"

#include "engine/planted.hpp"
#include "engine/routing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace continuo::engine {

std::set<std::string> peers_owed(const record& of, const routing_table& routes) {
  if (routes.where().is_alone()) {
    return {};
  }
  std::set<std::string_view> found; // few, of perhaps a thousand entries
  const auto add = [&](const instance_id& id) {
    if (const auto peer = routes.peer_of(id); !peer.empty()) {
      found.insert(peer);
    }
  };
  for (const auto& sent : of.requests) {
    if (!sent.refused) {
      add(sent.to);
    }
  }
  for (const auto& sent : of.outbox) {
    add(sent.to);
  }
  for (const auto& entry : of.inbox) {
    add(entry.from);
  }
  return {found.begin(), found.end()};
}

void mailbox::loaded() {
  if (routes_ != nullptr) {
    owed_to_ = peers_owed(*record_, *routes_);
  }
}

// -- receiving -------------------------------------------------------------------------

bool mailbox::was_handled(const envelope& message) const {
  return std::any_of(record_->inbox.begin(), record_->inbox.end(), [&](const inbox_entry& entry) {
    return entry.last >= message.id && entry.from == message.from;
  });
}

bool mailbox::has_room_for(const instance_id& sender) const {
  return record_->inbox.size() < inbox_senders_max ||
         std::any_of(record_->inbox.begin(), record_->inbox.end(),
                     [&](const inbox_entry& entry) { return entry.from == sender; });
}

bool mailbox::is_held_back(const envelope& message) const {
  const auto earlier = held_.find(message.from);
  if ((earlier != held_.end() && earlier->second < message.id) || is_behind_left(message)) {
    return true;
  }
  return misses_predecessor(message);
}

bool mailbox::misses_predecessor(const envelope& message) const {
  if (!message.predecessor || message.in_reply_to) {
    return false; // of replies, the open request says whether they were handled
  }
  return std::none_of(record_->inbox.begin(), record_->inbox.end(), [&](const inbox_entry& entry) {
    return entry.last >= message.predecessor && entry.from == message.from;
  });
}

void mailbox::remember(const envelope& message) {
  const auto entry = std::find_if(record_->inbox.begin(), record_->inbox.end(),
                                  [&](const inbox_entry& known) { return known.from == message.from; });
  if (entry == record_->inbox.end()) {
    record_->inbox.push_back({message.from, message.id});
  } else {
    entry->last = std::max(entry->last, message.id);
  }
}

void mailbox::done(const envelope& message, transition& into) {
  into.receipts.push_back({message.to, message.from, message.id, {}, message.in_reply_to});
}

void mailbox::hold(const envelope& message) {
  if (message.from.key.empty()) {
    held_answers_.emplace_back(message.from, message.id);
    return;
  }
  const auto [entry, fresh] = held_.try_emplace(message.from, message.id);
  if (!fresh && message.id < entry->second) {
    entry->second = message.id;
  }
}

void mailbox::leave(const envelope& message) {
  if (message.from.key.empty()) {
    left_answers_.emplace(message.from, message.id);
    return;
  }
  const auto [entry, fresh] = left_.try_emplace(message.from, message.id);
  if (!fresh && message.id < entry->second) {
    entry->second = message.id;
  }
}

bool mailbox::is_left(const envelope& message) const {
  const auto entry = left_.find(message.from);
  return entry != left_.end() && entry->second == message.id;
}

bool mailbox::is_behind_left(const envelope& message) const {
  const auto entry = left_.find(message.from);
  return entry != left_.end() && entry->second < message.id;
}

void mailbox::call_left(transition& into) const {
  for (const auto& [sender, id] : left_) {
    into.calls.push_back({record_->self, sender, id});
  }
  for (const auto& [sender, id] : left_answers_) {
    into.calls.push_back({record_->self, sender, id});
  }
}

void mailbox::hold_back(const envelope& message, transition& into) {
  if (is_behind_left(message)) {
    return; // it is offered again with what is before it
  }
  hold(message);
  // The predecessor may never come: it was dropped while there was no record to remember it, or its entry in
  // the inbox was forgotten while this message was on its way. The sender knows, and names another one, or
  // none.
  const auto first = held_.find(message.from);
  if (first != held_.end() && first->second == message.id && misses_predecessor(message)) {
    into.calls.push_back({record_->self, message.from, message.id});
  }
}

void mailbox::withdrawn(const envelope& withdrawal, transition& into) {
  const auto& id = withdrawal.in_reply_to;
  const auto left = left_.find(withdrawal.from);
  const auto was_left = left != left_.end() && left->second == id && has_room_for(withdrawal.from);
  const auto never_came = left == left_.end() && !held_.contains(withdrawal.from);
  const auto handled =
      std::any_of(record_->inbox.begin(), record_->inbox.end(), [&](const inbox_entry& known) {
        return known.last >= id && known.from == withdrawal.from;
      });
  if (!handled && (never_came || was_left)) {
    into.calls.push_back({record_->self, withdrawal.from, id});
  }
}

void mailbox::arrived(const envelope& message) {
  if (is_left(message)) {
    left_.erase(message.from);
  }
  const auto entry = held_.find(message.from);
  if (entry != held_.end() && entry->second <= message.id) {
    held_.erase(entry);
  }
}

void mailbox::came_back(const envelope& message) {
  const auto entry = held_.find(message.from);
  if (entry != held_.end() && entry->second == message.id) {
    held_.erase(entry);
  }
}

void mailbox::call_held(transition& into, std::size_t most) {
  if (planted("lost_wake_up")) { // who was put off is never called
    return;
  }
  // The entries of ordered senders stay: until the first message put off is back, later ones of that sender
  // wait. A few at a time go round, so that each sender has its turn.
  auto next = most < held_.size() ? held_.upper_bound(called_last_) : held_.begin();
  for (std::size_t left = std::min(most, held_.size()); left > 0; --left) {
    next = next == held_.end() ? held_.begin() : next;
    into.calls.push_back({record_->self, next->first, next->second});
    called_last_ = next->first;
    ++next;
  }
  for (auto& [sender, id] : held_answers_) {
    into.calls.push_back({record_->self, std::move(sender), id});
  }
  held_answers_.clear();
}

// -- sending ------------------------------------------------------------------------------

namespace {

/// Whether the receiver handles it in the sender's order: it has a key, and knows no reply by what came
/// before but by its closed request.
bool is_ordered(const stored_message& sent) {
  return !sent.to.key.empty() && !sent.in_reply_to;
}

} // namespace

message_id mailbox::predecessor_of(const stored_message& sent) const {
  message_id found;
  if (!is_ordered(sent)) {
    return found;
  }
  const auto look = [&](const stored_message& entry) {
    if (entry.id < sent.id && entry.id > found && is_ordered(entry) && entry.to == sent.to) {
      found = entry.id;
    }
  };
  std::for_each(record_->requests.begin(), record_->requests.end(), look);
  std::for_each(record_->outbox.begin(), record_->outbox.end(), look);
  return found;
}

std::vector<owed_message> mailbox::owed(const instance_id* only) const {
  struct entry {
    const stored_message* sent;
    const request* command; // null: of the outbox
  };
  std::vector<entry> all;
  all.reserve(record_->requests.size() + record_->outbox.size());
  const auto add = [&](const stored_message& sent, const request* command) {
    if (only == nullptr || sent.to == *only) {
      all.push_back({&sent, command});
    }
  };
  for (const auto& sent : record_->requests) {
    add(sent, &sent);
  }
  for (const auto& sent : record_->outbox) {
    add(sent, nullptr);
  }
  std::sort(all.begin(), all.end(), [](const entry& a, const entry& b) { return a.sent->id < b.sent->id; });
  std::map<instance_id, message_id> before; // the last one so far, by receiver
  std::vector<owed_message> found;
  found.reserve(all.size());
  for (const auto& [sent, command] : all) {
    message_id predecessor;
    if (is_ordered(*sent)) {
      predecessor = std::exchange(before[sent->to], sent->id);
    }
    if (command != nullptr && (command->refused || is_answered(*command))) {
      continue;
    }
    found.push_back({envelope_of(*sent, predecessor), sent->effects});
    if (command != nullptr && command->abandoned) {
      found.back().message.withdrawn = true;
      found.back().message.unknown_will_do = command->unknown_will_do;
      found.push_back({withdrawal_of(*command), sent->effects});
    }
  }
  return found;
}

void mailbox::resend(transition& into, const instance_id* only) const {
  for (auto& entry : owed(only)) {
    entry.message.repeated = true;
    (entry.effects ? into.released : into.sent).push_back(std::move(entry.message));
  }
}

namespace {

/// Where an entry of an outbox, whose receiver nothing hosts any more, goes now; nothing where to nobody.
std::optional<destination> destination_now(const stored_message& sent, const routing_table& routes,
                                           const instance_id& sender) {
  if (sent.told) {
    auto where = routes.command(sent.type, sent.payload, sender);
    return where ? std::optional{std::move(*where)} : std::nullopt;
  }
  if (planted("event_stays_where_its_service_was")) {
    return std::nullopt;
  }
  auto all = sent.kind == message_kind::event ? routes.event(sent.type, sent.payload, sender)
                                              : result<std::vector<destination>>{};
  const auto same = [&](const destination& one) {
    return placement::service_of(one.to.type) == placement::service_of(sent.to.type);
  };
  const auto found =
      all ? std::find_if(all->begin(), all->end(), same) : std::vector<destination>::iterator{};
  return all && found != all->end() ? std::optional{std::move(*found)} : std::nullopt;
}

} // namespace

void mailbox::begin_anew(stored_message& sent, const message_id& id) {
  if (sent.idempotency_key.empty()) {
    sent.idempotency_key = to_string(sent.id);
  }
  sent.id = id;
}

std::set<message_id> mailbox::send_on(transition& into, const routing_table& routes, message_id next_id) {
  std::set<message_id> moved;
  for (auto& sent : record_->outbox) {
    if (routes.is_hosted(sent.to)) {
      continue;
    }
    auto where = destination_now(sent, routes, record_->self);
    if (!where || !routes.is_hosted(where->to)) {
      continue;
    }
    sent.to = std::move(where->to);
    sent.effects = where->effects;
    if (!sent.to.key.empty()) {
      begin_anew(sent, next_id);
      ++next_id.index;
    }
    changed();
    moved.insert(sent.id);
  }
  for (const auto& sent : record_->outbox) {
    if (moved.contains(sent.id)) {
      into.released.push_back(to_envelope(sent));
    }
  }
  return moved;
}

void mailbox::recover(transition& into, const routing_table& routes, const message_id& first_new) {
  const auto moved = send_on(into, routes, first_new);
  for (auto& entry : owed()) {
    if (routes.is_here(entry.message.to) && !moved.contains(entry.message.id)) {
      entry.message.repeated = true;
      into.sent.push_back(std::move(entry.message));
    }
  }
  ask_senders(into.receipts, [&](const instance_id& sender) { return routes.is_here(sender); });
}

transition mailbox::called(const messages::call_for& call) const {
  transition out;
  out.edge = "called";
  if (planted("called_letter_does_not_answer") && record_->kind == record_kind::dead_letter) {
    return out;
  }
  resend(out, &call.from);
  if (!dirty_ && !owes(call.from, call.id)) {
    out.receipts.push_back({call.to, call.from, {}, call.id, {}});
  }
  return out;
}

void mailbox::closed(const instance_id& to, const message_id& id) {
  if (!to.key.empty()) { // a stateless service forgets a command with the receipt of its reply
    auto& last = dropped_[to];
    last = std::max(last, id);
  }
}

request mailbox::close(std::size_t position) {
  auto sent = std::move(record_->requests[position]);
  record_->requests.erase(record_->requests.begin() + static_cast<std::ptrdiff_t>(position));
  closed(sent.to, sent.id);
  return sent;
}

bool mailbox::is_told(const message_id& id) const {
  return std::any_of(record_->outbox.begin(), record_->outbox.end(),
                     [&](const stored_message& sent) { return sent.told && sent.id == id; });
}

void mailbox::close_told(const message_id& id) {
  const auto sent = std::find_if(record_->outbox.begin(), record_->outbox.end(),
                                 [&](const stored_message& one) { return one.told && one.id == id; });
  if (sent != record_->outbox.end()) {
    closed(sent->to, id);
    record_->outbox.erase(sent);
  }
}

// -- receipts ------------------------------------------------------------------------------

transition mailbox::receive(const messages::receipt& receipt) {
  transition out;
  out.edge = "receipt";
  if (receipt.done) {
    const auto count =
        std::erase_if(record_->outbox, [&](const stored_message& entry) { return entry.id == receipt.done; });
    dirty_ = dirty_ || count > 0;
    if (planted("forget_too_early") && count > 0) { // while the record on the disk still has it
      out.receipts.push_back({receipt.to, receipt.from, {}, receipt.done, {}});
    }
    if (receipt.closes) {
      // A reply: the receiver knows it by its closed request, and has nothing to forget.
    } else if (dirty_) {
      auto& last = dropped_[receipt.from];
      last = std::max(last, receipt.done);
    } else if (!owes(receipt.from, receipt.done)) {
      out.receipts.push_back({receipt.to, receipt.from, {}, receipt.done, {}});
    }
  }
  if (receipt.forget) {
    const auto was_full = record_->inbox.size() >= inbox_senders_max;
    const auto count = std::erase_if(record_->inbox, [&](const inbox_entry& entry) {
      return entry.last <= receipt.forget && entry.from == receipt.from;
    });
    dirty_ = dirty_ || count > 0;
    for (auto* waiting : {&held_, &left_}) {
      const auto held = waiting->find(receipt.from);
      if (held != waiting->end() && held->second <= receipt.forget) {
        waiting->erase(held);
      }
    }
    if (was_full && record_->inbox.size() < inbox_senders_max) { // those put off for want of room
      call_held(out);
    }
  }
  return out;
}

void mailbox::tell_whom_it_owes(transition& into) {
  auto now = into.write == write_kind::erase || routes_ == nullptr ? std::set<std::string>{}
                                                                   : peers_owed(*record_, *routes_);
  if (!planted("index_forgets")) {
    std::set_difference(now.begin(), now.end(), owed_to_.begin(), owed_to_.end(),
                        std::back_inserter(into.owed_now));
  }
  std::set_difference(owed_to_.begin(), owed_to_.end(), now.begin(), now.end(),
                      std::back_inserter(into.owed_no_more));
  owed_to_ = std::move(now);
}

void mailbox::written(transition& into) {
  dirty_ = false;
  tell_whom_it_owes(into);
  if (planted("forget_lost_with_the_execution") && record_->kind == record_kind::command &&
      record_->outbox.empty()) {
    dropped_.clear();
  }
  for (auto entry = dropped_.begin(); entry != dropped_.end();) {
    const auto& [receiver, last] = *entry;
    if (owes(receiver, last)) {
      ++entry;
      continue;
    }
    const auto told =
        std::find_if(into.receipts.begin(), into.receipts.end(), [&](const messages::receipt& known) {
          return known.to == entry->first && known.from == record_->self;
        });
    if (told != into.receipts.end()) {
      told->forget = std::max(told->forget, last);
    } else {
      into.receipts.push_back({record_->self, receiver, {}, last, {}});
    }
    entry = dropped_.erase(entry);
  }
}

// The receiver was told that the answer is here, and may have deleted its record. Sent once more, the command
// would run again.
bool mailbox::is_answered(const request& sent) const {
  return record_->failed && record_->failed->in_reply_to == sent.id;
}

bool mailbox::owes(const instance_id& to, const message_id& up_to) const {
  const auto holds = [&](const auto& entries) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const auto& sent) { return sent.id <= up_to && sent.to == to; });
  };
  return holds(record_->requests) || holds(record_->outbox);
}

// -- envelopes --------------------------------------------------------------------------------

instance_id mailbox::address() const {
  return record_->kind == record_kind::command ? instance_id{record_->self.type, {}} : record_->self;
}

envelope mailbox::envelope_of(const stored_message& sent, const message_id& predecessor) const {
  envelope message;
  message.id = sent.id;
  message.kind = sent.kind;
  message.compensation = sent.compensation;
  message.from = sent.in_reply_to ? address() : record_->self;
  message.to = sent.to;
  message.predecessor = predecessor;
  message.in_reply_to = sent.in_reply_to;
  message.type = sent.type;
  message.payload = sent.payload;
  if (record_->kind != record_kind::dead_letter || !planted("idempotency_key_lost_by_a_redriven_command")) {
    message.idempotency_key = sent.idempotency_key;
  }
  message.trace = sent.trace;
  message.told = sent.told;
  if (record_->kind == record_kind::saga && sent.kind == message_kind::command && routes_ != nullptr &&
      routes_->goes_to_saga(sent.type)) {
    if (!sent.told) { // nobody waits for that one: it begins a chain of its own
      message.ancestors = record_->ancestors;
    }
    message.ancestors.push_back(record_->self);
  }
  return message;
}

envelope mailbox::to_envelope(const stored_message& sent) const {
  return envelope_of(sent, predecessor_of(sent));
}

envelope mailbox::to_envelope(const request& sent) const {
  auto message = envelope_of(sent, predecessor_of(sent));
  message.withdrawn = sent.abandoned;
  message.unknown_will_do = sent.unknown_will_do;
  return message;
}

envelope mailbox::withdrawal_of(const request& sent) const {
  envelope message;
  message.kind = message_kind::withdrawal;
  message.from = record_->self;
  message.to = sent.to;
  message.in_reply_to = sent.id;
  message.unknown_will_do = sent.unknown_will_do;
  message.trace = sent.trace;
  return message;
}

// -- for those who are not there ------------------------------------------------------------------

transition absent(const envelope& message) {
  transition out;
  out.edge = "absent";
  if (message.kind == message_kind::command || message.kind == message_kind::withdrawal) {
    return out; // a command is answered by a reply, never by a receipt
  }
  mailbox::done(message, out);
  if (message.in_reply_to && !message.from.key.empty()) { // its request is closed, durably
    out.receipts.back().forget = message.in_reply_to;
  }
  return out;
}

transition absent(const messages::receipt& receipt) {
  transition out;
  out.edge = "absent";
  if (receipt.done && !receipt.closes) {
    out.receipts.push_back({receipt.to, receipt.from, {}, receipt.done, {}});
  }
  return out;
}

transition absent(const messages::call_for& call) {
  transition out;
  out.edge = "absent";
  out.receipts.push_back({call.to, call.from, {}, call.id, {}});
  return out;
}

// -- of records and handlers ----------------------------------------------------------------------

result<std::vector<stored_message>> events_of(const routing_table& routes, const detail::intents& asked,
                                              const instance_id& sender) {
  std::vector<stored_message> events;
  for (const auto& event : asked.messages) {
    const auto subscribers = routes.event(event.body.type, event.body.payload, sender);
    if (!subscribers) {
      return fail(errc::handler_failed,
                  fmt::format("publish({}): {}", event.body.type, subscribers.error().message));
    }
    for (const auto& subscriber : *subscribers) {
      stored_message sent;
      sent.to = subscriber.to;
      sent.type = event.body.type;
      sent.payload = event.body.payload;
      sent.effects = subscriber.effects;
      events.push_back(std::move(sent));
    }
  }
  return events;
}

bool is_in_flight(const record& of, const routing_table& routes) {
  if (planted("what_waits_is_not_in_flight") && of.kind == record_kind::saga) {
    return false;
  }
  const auto waits_here = [&] {
    const auto is_here = [&](const stored_message& sent) { // a child counts for itself
      return routes.is_here(sent.to) &&
             !(sent.kind == message_kind::command && routes.goes_to_saga(sent.type));
    };
    return std::any_of(of.requests.begin(), of.requests.end(), is_here) ||
           std::any_of(of.outbox.begin(), of.outbox.end(), is_here);
  };
  switch (of.kind) {
  case record_kind::saga:
    return (of.status == instance_status::running || of.status == instance_status::compensating) &&
           (of.failed.has_value() || waits_here());
  case record_kind::publish:
  case record_kind::send:
    return waits_here();
  case record_kind::keyed:   // what it works for is
  case record_kind::command: // what sent it is
  case record_kind::dead_letter:
  case record_kind::absence:
  case record_kind::schedule: // what it publishes is
    break;
  }
  return false;
}

} // namespace continuo::engine
