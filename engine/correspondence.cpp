#include "engine/correspondence.hpp"

#include "engine/planted.hpp"

#include <algorithm>
#include <iterator>

namespace continuo::engine {

// -- receiving -------------------------------------------------------------------------

bool correspondence::was_handled(const envelope& message) const {
  return std::any_of(record_->inbox.begin(), record_->inbox.end(), [&](const inbox_entry& entry) {
    return entry.last >= message.id && entry.from == message.from;
  });
}

bool correspondence::has_room_for(const instance_id& sender) const {
  return record_->inbox.size() < inbox_senders_max ||
         std::any_of(record_->inbox.begin(), record_->inbox.end(),
                     [&](const inbox_entry& entry) { return entry.from == sender; });
}

bool correspondence::is_held_back(const envelope& message) const {
  const auto earlier = held_.find(message.from);
  if (earlier != held_.end() && earlier->second < message.id) {
    return true;
  }
  return misses_predecessor(message);
}

bool correspondence::misses_predecessor(const envelope& message) const {
  if (!message.predecessor || message.in_reply_to) {
    return false; // of replies, the open request says whether they were handled
  }
  return std::none_of(record_->inbox.begin(), record_->inbox.end(), [&](const inbox_entry& entry) {
    return entry.last >= message.predecessor && entry.from == message.from;
  });
}

void correspondence::remember(const envelope& message) {
  const auto entry = std::find_if(record_->inbox.begin(), record_->inbox.end(),
                                  [&](const inbox_entry& known) { return known.from == message.from; });
  if (entry == record_->inbox.end()) {
    record_->inbox.push_back({message.from, message.id});
  } else {
    entry->last = std::max(entry->last, message.id);
  }
}

void correspondence::hold(const envelope& message) {
  if (message.from.key.empty()) {
    held_answers_.emplace_back(message.from, message.id);
    return;
  }
  const auto [entry, fresh] = held_.try_emplace(message.from, message.id);
  if (!fresh && message.id < entry->second) {
    entry->second = message.id;
  }
}

void correspondence::hold_back(const envelope& message, transition& into) {
  hold(message);
  // The predecessor may never come: it was dropped while there was no record to remember it, or its entry in
  // the inbox was forgotten while this message was on its way. The sender knows, and names another one, or
  // none.
  const auto first = held_.find(message.from);
  if (first != held_.end() && first->second == message.id && misses_predecessor(message)) {
    into.calls.push_back({record_->self, message.from, message.id});
  }
}

void correspondence::arrived(const envelope& message) {
  const auto entry = held_.find(message.from);
  if (entry != held_.end() && entry->second <= message.id) {
    held_.erase(entry);
  }
}

void correspondence::came_back(const envelope& message) {
  const auto entry = held_.find(message.from);
  if (entry != held_.end() && entry->second == message.id) {
    held_.erase(entry);
  }
}

void correspondence::call_held(transition& into, std::size_t most) {
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

message_id correspondence::predecessor_of(const instance_id& to, const message_id& before) const {
  message_id found;
  if (to.key.empty()) {
    return found;
  }
  const auto look = [&](const auto& entry) {
    if (entry.id < before && entry.id > found && entry.to == to) {
      found = entry.id;
    }
  };
  for (const auto& sent : record_->requests) {
    look(sent);
  }
  for (const auto& sent : record_->outbox) {
    if (!sent.in_reply_to) { // the receiver knows a reply by its closed request and has no entry to compare
                             // it with
      look(sent);
    }
  }
  return found;
}

void correspondence::resend(transition& into, const instance_id* only) const {
  struct unacknowledged {
    envelope message;
    bool effects;
  };
  std::vector<unacknowledged> found;
  for (const auto& sent : record_->requests) {
    if (sent.refused || is_answered(sent) || (only != nullptr && sent.to != *only)) {
      continue;
    }
    found.push_back({to_envelope(sent), sent.effects});
    if (sent.abandoned) {
      found.push_back({withdrawal_of(sent), sent.effects});
    }
  }
  for (const auto& sent : record_->outbox) {
    if (only == nullptr || sent.to == *only) {
      found.push_back({to_envelope(sent), sent.effects});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const unacknowledged& a, const unacknowledged& b) {
    return a.message.id < b.message.id;
  });
  for (auto& entry : found) {
    (entry.effects ? into.released : into.sent).push_back(std::move(entry.message));
  }
}

void correspondence::recover(transition& into) const {
  transition found;
  resend(found, nullptr);
  auto& all = found.sent;
  std::move(found.released.begin(), found.released.end(), std::back_inserter(all));
  std::stable_sort(all.begin(), all.end(), [](const envelope& a, const envelope& b) { return a.id < b.id; });
  std::move(all.begin(), all.end(), std::back_inserter(into.sent));
}

transition correspondence::called(const messages::call_for& call) const {
  transition out;
  out.edge = "called";
  resend(out, &call.from);
  if (!dirty_ && !owes(call.from, call.id)) {
    out.receipts.push_back({record_->self, call.from, {}, call.id, {}});
  }
  return out;
}

void correspondence::closed(const instance_id& to, const message_id& id) {
  if (!to.key.empty()) { // a stateless service forgets a command with the receipt of its reply
    auto& last = dropped_[to];
    last = std::max(last, id);
  }
}

// -- receipts ------------------------------------------------------------------------------

transition correspondence::receive(const messages::receipt& receipt) {
  transition out;
  out.edge = "receipt";
  if (receipt.done) {
    const auto count =
        std::erase_if(record_->outbox, [&](const outgoing& entry) { return entry.id == receipt.done; });
    dirty_ = dirty_ || count > 0;
    if (planted("forget_too_early") && count > 0) { // while the record on the disk still has it
      out.receipts.push_back({record_->self, receipt.from, {}, receipt.done, {}});
    }
    if (count > 0 || dirty_) {
      auto& last = dropped_[receipt.from];
      last = std::max(last, receipt.done);
    } else if (!owes(receipt.from, receipt.done)) {
      out.receipts.push_back({record_->self, receipt.from, {}, receipt.done, {}});
    }
  }
  if (receipt.forget) {
    const auto was_full = record_->inbox.size() >= inbox_senders_max;
    const auto count = std::erase_if(record_->inbox, [&](const inbox_entry& entry) {
      return entry.last <= receipt.forget && entry.from == receipt.from;
    });
    dirty_ = dirty_ || count > 0;
    const auto held = held_.find(receipt.from);
    if (held != held_.end() && held->second <= receipt.forget) {
      held_.erase(held);
    }
    if (was_full && record_->inbox.size() < inbox_senders_max) { // those put off for want of room
      call_held(out);
    }
  }
  return out;
}

void correspondence::ask_senders(transition& into) const {
  for (const auto& entry : record_->inbox) {
    into.receipts.push_back({record_->self, entry.from, entry.last, {}, {}});
  }
}

void correspondence::written(transition& into) {
  dirty_ = false;
  for (auto entry = dropped_.begin(); entry != dropped_.end();) {
    const auto& [receiver, last] = *entry;
    if (owes(receiver, last)) {
      ++entry;
      continue;
    }
    const auto told = std::find_if(into.receipts.begin(), into.receipts.end(),
                                   [&](const messages::receipt& known) { return known.to == entry->first; });
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
bool correspondence::is_answered(const request& sent) const {
  return record_->failed && record_->failed->in_reply_to == sent.id;
}

bool correspondence::owes(const instance_id& to, const message_id& up_to) const {
  const auto holds = [&](const auto& entries) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const auto& sent) { return sent.id <= up_to && sent.to == to; });
  };
  return holds(record_->requests) || holds(record_->outbox);
}

// -- envelopes --------------------------------------------------------------------------------

envelope correspondence::to_envelope(const request& sent) const {
  envelope message;
  message.id = sent.id;
  message.kind = message_kind::command;
  message.compensation = sent.compensation;
  message.from = record_->self;
  message.to = sent.to;
  message.predecessor = predecessor_of(sent.to, sent.id);
  message.type = sent.type;
  message.payload = sent.payload;
  message.trace = sent.trace;
  return message;
}

envelope correspondence::to_envelope(const outgoing& sent) const {
  envelope message;
  message.id = sent.id;
  message.kind = sent.kind;
  message.from = record_->self;
  message.to = sent.to;
  message.predecessor = predecessor_of(sent.to, sent.id);
  message.in_reply_to = sent.in_reply_to;
  message.type = sent.type;
  message.payload = sent.payload;
  message.trace = sent.trace;
  return message;
}

envelope correspondence::withdrawal_of(const request& sent) const {
  envelope message;
  message.id = sent.id;
  message.kind = message_kind::withdrawal;
  message.from = record_->self;
  message.to = sent.to;
  message.in_reply_to = sent.id;
  message.trace = sent.trace;
  return message;
}

} // namespace continuo::engine
