#include "actors/link.hpp"

#include "actors/link_moves.hpp"
#include "actors/link_questions.hpp"
#include "actors/link_records.hpp"
#include "actors/waiting.hpp"
#include "engine/mailbox.hpp"
#include "engine/planted.hpp"
#include "messages/caf_types.hpp"
#include "messages/frame_bounds.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace continuo::actors {

namespace {

using link = caf::stateful_actor<link_state>;
using engine::record;

constexpr std::chrono::milliseconds first_redial{50};

/// How long a peer is left alone that has said what no node says: doubled each time, up to the second one,
/// and forgotten after the third.
constexpr std::chrono::seconds shuns_first{1};
constexpr std::chrono::seconds shuns_at_most{30};
constexpr std::chrono::minutes forgives_after{2};

/// Epochs that a peer may begin in a while.
constexpr std::chrono::seconds begins_while{60};
constexpr std::uint32_t begins_max = 600;

/// Calls of an epoch that wait for their turn.
constexpr std::size_t calls_max = 500'000;

/// Receipts, calls and withdrawals that are handed on before it is looked whether they are taken. Of so many
/// more frames wait here: they take no credit, and a peer may say more of them than instances can hear.
constexpr std::size_t marks_apart = 10'000;

/// How far the clock of a peer may be ahead that made a new store.
constexpr std::chrono::hours clocks_differ{24};
constexpr std::chrono::milliseconds greeting_time{2'000};

// -- records -----------------------------------------------------------------------------------

/// Looks messages up as durable state has them now. Those of one record come one after the other: it is read
/// and taken apart once for all of them.
class lookup {
public:
  lookup(const core& shared, const link_state& state) : core_(&shared), state_(&state), records_(shared) {}

  /// Whether the handler's share reaches for this message.
  bool may_look(const engine::waiting_message& wanted) const { return records_.may_read(wanted.of); }

  /// Nothing where it is not owed any more, or goes to another node.
  std::optional<messages::envelope> operator()(const engine::waiting_message& wanted) {
    if (!records_.is_here(wanted.of)) {
      read(wanted.of);
    }
    const auto found = owed_.find({wanted.id, wanted.withdrawal});
    if (found == owed_.end() || core_->peer_of(found->second.to) != state_->peer) {
      return std::nullopt;
    }
    auto message = std::move(found->second);
    owed_.erase(found); // offered twice it is sent once
    message.unseen = !wanted.again && message.kind == messages::message_kind::command &&
                     state_->seen_up_to.precedes(message.id);
    return message;
  }

private:
  void read(const instance_id& of) {
    owed_.clear();
    const auto stored = records_.read(of);
    if (!stored || *stored == nullptr) {
      return;
    }
    for (auto& [message, effects] : engine::mailbox{**stored}.owed()) {
      const auto withdraws = message.kind == messages::message_kind::withdrawal;
      const auto& id = withdraws ? message.in_reply_to : message.id;
      owed_.emplace(std::pair{id, withdraws}, std::move(message));
    }
  }

  const core* core_;
  const link_state* state_;
  record_reader records_;
  std::map<std::pair<message_id, bool>, messages::envelope> owed_;
};

// -- out ----------------------------------------------------------------------------------------

void put_on_the_wire(link* self, core& shared, std::vector<messages::frame>&& frames) {
  auto& state = self->state;
  for (const auto& frame : frames) {
    if (state.other) {
      state.spoke = shared.time->now().up;
      self->send(state.other, messages::wire{encode(frame)});
    }
  }
}

void want_flush(link* self) {
  if (!self->state.flush_sent && self->state.machine->has_work()) {
    self->state.flush_sent = true;
    self->send(self, link_flush{});
  }
}

/// Goes on reading the outboxes where there is room; from a revision on where there was none for it before.
void want_scan(link* self) {
  auto& state = self->state;
  if (state.scan_sent || !state.machine->wants_offers()) {
    return;
  }
  if (!state.scanning) {
    state.offered_up_to = state.machine->take_dropped();
    state.scanning = state.offered_up_to.has_value();
    state.cursor.clear();
  }
  if (state.scanning) {
    state.scan_sent = true;
    self->send(self, link_scan{});
  }
}

constexpr std::size_t lookups_max = 1'000;

void flush(link* self, core& shared) {
  auto& state = self->state;
  lookup messages{shared, state};
  put_on_the_wire(
      self, shared,
      state.machine->flush(shared.position(), std::ref(messages), false, lookups_max,
                           [&](const engine::waiting_message& next) { return messages.may_look(next); }));
  want_flush(self);
  want_scan(self);
}

/// A sign of life waits for no record: it goes with what is ready, or alone.
void show_life(link* self, core& shared) {
  put_on_the_wire(self, shared, self->state.machine->flush(shared.position(), {}, true, 0));
  want_flush(self);
  want_scan(self);
}

// -- reading the outboxes ---------------------------------------------------------------------------

/// Names to the machine what a record owes for which `is_meant`, in the order in which it was sent.
template <class Filter>
void offer_owed(link_state& state, const record& stored, bool again, Filter is_meant) {
  std::vector<std::pair<message_id, bool>> names;
  for (const auto& sent : stored.requests) {
    if (!sent.refused && is_meant(sent)) {
      names.emplace_back(sent.id, sent.abandoned);
    }
  }
  for (const auto& sent : stored.outbox) {
    if (is_meant(sent)) {
      names.emplace_back(sent.id, false);
    }
  }
  std::sort(names.begin(), names.end());
  for (const auto& [id, abandoned] : names) {
    if (state.began_at.precedes(id)) {
      state.offered.insert(id);
    }
    state.machine->offer({stored.self, id, false, again});
    if (abandoned) {
      state.machine->offer({stored.self, id, true, again});
    }
  }
}

/// Offers what a record holds for the peer, and asks the senders on the peer that it remembers.
void offer(link* self, const core& shared, record& stored) {
  auto& state = self->state;
  offer_owed(state, stored, false, [&](const engine::stored_message& sent) {
    const auto is_queued = state.offered_up_to && state.offered_up_to->covers(sent.id);
    return !is_queued && shared.peer_of(sent.to) == state.peer && !state.moving.contains(sent.id);
  });
  if (!state.offered_up_to) {
    std::vector<messages::receipt> asks;
    engine::mailbox{stored}.ask_senders(
        asks, [&](const instance_id& sender) { return shared.peer_of(sender) == state.peer; });
    for (auto& ask : asks) {
      state.machine->send(std::move(ask));
    }
  }
}

void begin_scan(link* self) {
  auto& state = self->state;
  state.scanning = true;
  state.cursor.clear();
  state.offered_up_to.reset();
  want_scan(self);
}

void scan(link* self, core& shared) {
  auto& state = self->state;
  if (!state.scanning || !state.machine->wants_offers()) {
    return;
  }
  const auto whole = read_owed(shared, state.peer, state.cursor, [&](record& stored) {
    offer(self, shared, stored);
    return state.machine->wants_offers();
  });
  state.scanning = !whole;
  want_flush(self);
  want_scan(self);
}

// -- in -----------------------------------------------------------------------------------------------

void want_answers(link* self) {
  if (!self->state.answer_sent && !self->state.calls.empty()) {
    self->state.answer_sent = true;
    self->send(self, link_answer{});
  }
}

/// A peer's instance asks for what it put off: answered from the store, without waking the sender.
void answer_call(link_state& state, record_reader& records, const messages::call_for& call) {
  const auto read = records.read(call.to);
  if (!read) {
    return;
  }
  auto* stored = *read;
  auto answer = stored != nullptr ? engine::mailbox{*stored}.called(call) : engine::absent(call);
  if (stored != nullptr) {
    records.spend(engine::approximate_size(*stored) / 16); // all of its messages are looked at
    offer_owed(state, *stored, true, [&](const engine::stored_message& sent) {
      return sent.to == call.from && (!call.from.key.empty() || sent.id == call.id);
    });
  }
  for (auto& receipt : answer.receipts) {
    state.machine->send(std::move(receipt));
  }
}

/// Answers what has been asked, as far as the share of a handler goes. (A batch may ask for a thousand
/// messages of one record, or of as many large ones.) Later than it came is no other answer: it speaks of
/// durable state, and what became durable meanwhile comes from the journal.
void answer_calls(link* self, const core& shared) {
  auto& state = self->state;
  record_reader records{shared};
  while (!state.calls.empty() && records.has_more()) {
    const auto call = std::move(state.calls.front());
    state.calls.pop_front();
    answer_call(state, records, call);
  }
  want_answers(self);
  want_flush(self);
}

void on_call(link* self, const core& shared, messages::call_for&& call) {
  if (call.to.key
          .empty()) { // a reply, which stands in the record of a command that only the service can find
    if (const auto& home = shared.home_of(call.to); home && shared.peer_of(call.to).empty()) {
      ++self->state.handed_on;
      self->send(home, std::move(call));
    }
    return;
  }
  self->state.calls.push_back(std::move(call));
  want_answers(self);
}

void say_once(link* self, const core& shared, log_level level, const std::string& what) {
  if (self->state.said != what) {
    self->state.said = what;
    shared.log(level, what);
  }
}

const instance_id& sender_of(const messages::batch_item& item) {
  return std::visit([](const auto& one) -> const instance_id& { return one.from; }, item);
}

/// Gives the credit of what goes nowhere back.
void pass_over(link_state& state, const messages::batch_item& item) {
  if (const auto* message = std::get_if<messages::envelope>(&item)) {
    state.machine->taken(state.machine->token(), engine::units_of(*message));
  }
}

/// Once in a while: what a peer sends may come by the thousand.
void say_seldom(core& shared, seldom& when, const std::string& what) {
  if (const auto untold = when.let_through(shared.time->now().up)) {
    shared.log(log_level::error,
               *untold == 0 ? what
                            : fmt::format("{} ({} more of that kind since the last time)", what, *untold));
  }
}

void deliver(link* self, core& shared, messages::batch_item&& item) {
  auto& state = self->state;
  // A peer speaks for what lives on it, and for nobody else: else it could answer for the services of another
  // node, and say that what another one holds is done.
  if (const auto& from = sender_of(item); shared.peer_of(from) != state.peer) {
    say_seldom(shared, state.foreign_told,
               fmt::format("{} speaks for {}, which does not live there: that is not taken", state.peer,
                           to_string(from)));
    pass_over(state, item);
    return;
  }
  if (auto* call = std::get_if<messages::call_for>(&item)) {
    on_call(self, shared, std::move(*call));
    return;
  }
  if (auto* receipt = std::get_if<messages::receipt>(&item)) {
    const auto& home = shared.home_of(receipt->to);
    if (home && shared.peer_of(receipt->to).empty()) {
      ++state.handed_on;
      self->send(home, std::move(*receipt));
    }
    return;
  }
  auto& message = std::get<messages::envelope>(item);
  if (engine::units_of(message) == 0) {
    ++state.handed_on;
  }
  message.link = state.number;
  message.link_token = state.machine->token();
  const auto& home = shared.home_of(message.to);
  if (home && shared.peer_of(message.to).empty()) {
    self->send(home, std::move(message));
    return;
  }
  say_seldom(shared, state.unhosted_told,
             fmt::format("{} for {} waits at {}: nothing here hosts {}", message.type, message.to.type,
                         state.peer, message.to.type));
  state.machine->taken(message.link_token, engine::units_of(message));
}

void dial_later(link* self, const core& shared);

/// What a service has called for at the peer does not come on this connection any more.
void tell_services(link* self, const core& shared) {
  for (const auto& [address, service] : shared.service_actors) {
    self->send(service, link_renew{});
  }
}

void note_peer(core& shared, const std::string& peer, const std::string& what) {
  if (shared.events.is_watched()) {
    const auto now = shared.time->now();
    shared.events.note({node_event::kind::node, 0, now.wall, {}, {}, peer, what}, now.up);
  }
}

void went_down(link* self, core& shared, const std::string& why) {
  auto& state = self->state;
  if (std::exchange(state.was_up, false)) {
    begin_to_move(state, shared);
  }
  if (shared.peers.is_up(state.peer)) {
    shared.log(log_level::info, fmt::format("{} is down: {}", state.peer, why));
    note_peer(shared, state.peer, why);
  }
  shared.peers.went_down(state.peer, why, shared.time->now().wall);
  state.machine->lost();
  state.scanning = false;
  state.calls.clear();
  drop_questions(state, why);
  tell_services(self, shared);
  dial_later(self, shared);
}

/// The peer has said what no node says that is in order: whoever holds its name, the connection ends, and
/// nothing more is heard of it for a while. False where nobody can say on which connection it came.
bool leave_alone(link* self, core& shared, const std::string& why) {
  auto& state = self->state;
  const auto& sender = state.speaker;
  if (!shared.reach->hang_up(sender, why)) {
    return false;
  }
  state.offended = shared.time->now().up;
  const auto wait =
      std::min<std::chrono::seconds>(shuns_first * (1u << std::min(state.offences, 10u)), shuns_at_most);
  ++state.offences;
  state.shunned_until = engine::later(state.offended, wait);
  if (state.other && sender && state.other.node() == sender->node()) {
    state.other = nullptr;
    went_down(self, shared, why);
  }
  return true;
}

/// The same for a frame that is not taken.
void drop(link* self, core& shared, const std::string& why) {
  if (!leave_alone(self, shared, why)) {
    say_once(self, shared, log_level::error, fmt::format("{} is not heard: {}", self->state.peer, why));
  }
}

/// Ends an epoch that is up, and says so: the dialer dials again at once.
void give_up(link* self, core& shared, const std::string& why) {
  std::vector<messages::frame> last;
  last.push_back(self->state.machine->farewell(why));
  put_on_the_wire(self, shared, std::move(last));
  went_down(self, shared, why);
}

void carry_out(link* self, core& shared, engine::link_effects&& out) {
  auto& state = self->state;
  if (shared.took) {
    shared.took({}, out.edge);
  }
  if (out.fatal) {
    shared.failed(*out.fatal);
    return;
  }
  put_on_the_wire(self, shared, std::move(out.frames));
  if (out.learned) {
    shared.peers.learn_store(out.learned->store, state.peer);
    journal::commit commit;
    commit.operations.push_back({journal::operation::kind::put,
                                 std::string{journal::peer_prefix} + state.peer, encode(*out.learned)});
    // Handed to the journal before anything that rests on it.
    self->send(shared.journal, std::move(commit));
  }
  if (out.refused) {
    say_once(self, shared, log_level::error, out.refused->message);
    if (!state.machine->is_up()) { // else another node holds the peer's name: the peer is there
      shared.peers.went_down(state.peer, out.refused->message, shared.time->now().wall);
      shared.peers.settled(state.peer);
      if (out.refused->code == errc::invalid_configuration) {
        shared.peers.disagrees(state.peer, out.refused->message);
      }
    }
  }
  if (out.broke) {
    went_down(self, shared, out.refused ? out.refused->message : "a batch is missing");
  }
  if (out.began) {
    state.offered.clear();
    state.calls.clear(); // of an epoch before: in this one all is offered again
    state.began_at = {shared.store_id, shared.position().revision};
    shared.contacts.met(*out.contact);
    drop_questions(state, "the connection began anew"); // where nobody noticed that the old one was gone
    if (std::exchange(state.was_up, true)) {            // nobody noticed that the connection before was gone
      begin_to_move(state, shared);
    }
    state.said.clear();
    state.failures = 0;
    if (state.is_open) {
      state.machine->open();
    }
    shared.peers.went_up(state.peer, state.machine->peer_version(), shared.time->now().wall);
    shared.log(log_level::info, fmt::format("{} is up", state.peer));
    note_peer(shared, state.peer, "up");
    tell_services(self, shared);
    self->send(shared.pauses, peer_began{state.peer});
    if (!planted("reconnect_skips_the_unacknowledged_tail") || state.machine->token() == 1) {
      begin_scan(self);
    }
  }
  for (auto& item : out.arrived) {
    deliver(self, shared, std::move(item));
  }
  want_flush(self);
  want_scan(self);
}

/// Whether a message comes from who holds a certificate of the peer, and is heard.
bool is_heard(const link_state& state, core& shared) {
  const auto& sender = state.speaker;
  if (!shared.reach->speaks_for(sender, state.peer)) {
    shared.reach->hang_up(sender, fmt::format("it speaks for {}, and its certificate does not", state.peer));
    return false;
  }
  if (shared.time->now().up < state.shunned_until) {
    shared.reach->hang_up(sender, "it comes back too soon after what it has said");
    return false;
  }
  return true;
}

/// The greatest id that a store may have which is new.
std::uint64_t newest_store(const core& shared) {
  if (!shared.store_ids_tell_time) {
    return messages::any_store;
  }
  const auto now = std::chrono::floor<std::chrono::seconds>(shared.time->now().wall + clocks_differ);
  return static_cast<std::uint64_t>(now.time_since_epoch().count()) << 32;
}

/// Whether a greeting names the store of somebody else: what a client's message is answered to is found by
/// its store.
bool takes_a_store(const core& shared, const std::string& peer, const messages::frame& frame) {
  const auto* hello = std::get_if<messages::hello>(&frame.body);
  const auto* welcome = std::get_if<messages::welcome>(&frame.body);
  if (hello == nullptr && welcome == nullptr) {
    return false;
  }
  const auto store = hello != nullptr ? hello->me.store : welcome->me.store;
  const auto known = shared.peers.peer_of_store(store);
  return store == shared.store_id || (!known.empty() && known != peer);
}

/// Counts the epochs that a peer begins; false where they are too many.
bool may_begin(link_state& state, engine::boot_time now) {
  if (engine::between(state.counting_since, now) > begins_while) {
    state.counting_since = now;
    state.begins = 0;
  }
  return ++state.begins <= begins_max;
}

void take_frame(link* self, core& shared, const messages::wire& message) {
  auto& state = self->state;
  if (!is_heard(state, shared)) {
    return;
  }
  auto frame = messages::read_frame(message.bytes);
  if (!frame) {
    drop(self, shared, "it sent a frame that no node sends: " + frame.error().message);
    return;
  }
  if (takes_a_store(shared, state.peer, *frame)) {
    drop(self, shared, "it says that the store of another node is its own");
    return;
  }
  if (std::holds_alternative<messages::hello>(frame->body) && !may_begin(state, shared.time->now().up)) {
    drop(self, shared, "it begins anew again and again");
    return;
  }
  if (on_question_frame(self, shared, frame->body)) {
    return;
  }
  const auto sender = caf::actor_cast<caf::actor>(state.speaker);
  const auto begins = std::holds_alternative<messages::hello>(frame->body);
  const auto before = state.other;
  if (begins && sender) {
    state.other = sender; // where a refusal goes as well
  }
  auto out = state.machine->receive(std::move(*frame), shared.position(), newest_store(shared));
  if (!begins || out.began) { // a stranger's hello is no sign of the peer's life
    state.heard = shared.time->now().up;
  }
  if (begins && !out.began) {
    put_on_the_wire(self, shared, std::exchange(out.frames, {}));
    state.other = before; // a stranger changes nothing
  } else if (out.began && sender) {
    state.other = sender;
    self->monitor(state.other);
  } else if (!state.other && sender) { // the peer still speaks in an epoch that is over here
    state.other = sender;
    put_on_the_wire(self, shared, std::exchange(out.frames, {}));
    state.other = nullptr;
  }
  const auto offence = std::exchange(out.offence, std::nullopt);
  carry_out(self, shared, std::move(out));
  if (offence) {
    leave_alone(self, shared, offence->message);
  }
  if (state.calls.size() > calls_max) {
    state.calls.clear();
    drop(self, shared, "it asks for more messages than can wait");
  }
}

// -- no more than is taken -------------------------------------------------------------------------------

bool has_room(const link_state& state) {
  return state.handed_on < marks_apart || state.marks == 0;
}

/// Asks shards and services to say when they have taken what was handed to them.
void send_marks(link* self, const core& shared) {
  auto& state = self->state;
  if (state.handed_on < marks_apart || state.marks > 0) {
    return;
  }
  state.handed_on = 0;
  for (const auto& shard : shared.shards) {
    self->send(shard, link_mark{});
  }
  for (const auto& [address, service] : shared.service_actors) {
    self->send(service, link_mark{});
  }
  state.marks = shared.shards.size() + shared.service_actors.size();
}

void take(link* self, core& shared, caf::strong_actor_ptr&& from, const messages::wire& message) {
  auto& state = self->state;
  state.speaker = std::move(from);
  take_frame(self, shared, message);
  shared.reach->taken(state.speaker, message.bytes.size());
  state.speaker = nullptr;
  send_marks(self, shared);
}

void want_to_go_on(link* self) {
  auto& state = self->state;
  if (!state.put_off.empty() && !state.go_on_sent && has_room(state)) {
    state.go_on_sent = true;
    self->send(self, link_go_on{});
  }
}

void on_wire(link* self, core& shared, messages::wire& message) {
  auto& state = self->state;
  auto from = self->current_sender();
  if (state.put_off.empty() && has_room(state)) {
    take(self, shared, std::move(from), message);
    return;
  }
  if (state.other && from && state.other.node() == from->node()) {
    state.heard = shared.time->now().up;
  }
  state.put_off.push_back({std::move(from), std::move(message)});
  want_to_go_on(self);
}

void go_on(link* self, core& shared) {
  auto& state = self->state;
  state.go_on_sent = false;
  if (!state.put_off.empty() && has_room(state)) {
    auto next = std::move(state.put_off.front());
    state.put_off.pop_front();
    take(self, shared, std::move(next.from), next.frame);
  }
  want_to_go_on(self);
}

void on_mark(link* self, const core& shared) {
  --self->state.marks;
  send_marks(self, shared);
  want_to_go_on(self);
}

// -- dialing --------------------------------------------------------------------------------------------

void dial_later(link* self, const core& shared) {
  auto& state = self->state;
  if (!state.machine->dials() || state.dial_sent) {
    return;
  }
  state.dial_sent = true;
  // Exponential backoff, of which a random half is left out: nodes that were cut off together do not come
  // back together.
  const auto doubled = first_redial * (1u << std::min(state.failures, 10u));
  const auto wait = std::min<std::chrono::milliseconds>(doubled, shared.cluster.redial_cap);
  const auto half = static_cast<std::uint64_t>(wait.count() / 2);
  const auto less = half == 0 ? 0 : detail::next_random(state.random) % (half + 1);
  const auto shunned = engine::between(shared.time->now().up, state.shunned_until);
  send_later(self, std::max<std::chrono::nanoseconds>(wait - std::chrono::milliseconds{less}, shunned),
             link_dial{});
}

void on_dial(link* self, core& shared) {
  auto& state = self->state;
  if (!state.machine->dials()) {
    shared.reach->look(state.peer, caf::actor_cast<caf::actor>(self)); // whether there is anybody to wait for
    return;
  }
  if (state.machine->is_up()) {
    state.dial_sent = false;
    return;
  }
  ++state.failures;
  shared.reach->dial(state.peer, caf::actor_cast<caf::actor>(self));
}

void on_reached(link* self, core& shared, reached& found) {
  auto& state = self->state;
  state.dial_sent = false;
  state.other = std::move(found.gate);
  state.dialed = shared.time->now().up;
  self->monitor(state.other);
  carry_out(self, shared, state.machine->dial(shared.position()));
}

void on_unreachable(link* self, core& shared, const unreachable& answer) {
  auto& state = self->state;
  state.dial_sent = false;
  if (state.machine->is_up()) {
    return; // it has reached this node meanwhile
  }
  say_once(self, shared, log_level::info, fmt::format("{} cannot be reached: {}", state.peer, answer.why));
  shared.peers.unreachable(state.peer, answer.why, shared.time->now().wall);
  shared.peers.settled(state.peer);
  dial_later(self, shared);
}

void on_down(link* self, core& shared, const caf::down_msg& down) {
  auto& state = self->state;
  if (!state.other || down.source != state.other.address()) {
    return;
  }
  state.other = nullptr;
  went_down(self, shared, "the connection is gone");
}

/// What stays is offered again; it was left out meanwhile.
void on_moved(link* self, core& shared, const moved& answer) {
  auto& state = self->state;
  state.moving.erase(answer.id);
  // What has moved is not found, and left out. If it was given up meanwhile its withdrawal goes behind it.
  state.machine->offer({answer.of, answer.id, false});
  state.machine->offer({answer.of, answer.id, true});
  want_flush(self);
  if (state.moving.empty()) {
    move_some(self, shared);
  }
}

/// Once a second: shows life, and looks for the peer's.
void on_beat(link* self, core& shared) {
  auto& state = self->state;
  send_later(self, shared.cluster.heartbeat, link_beat{});
  shared.reach->tend();
  const auto now = shared.time->now().up;
  if (engine::between(state.offended, now) > forgives_after) {
    state.offences = 0;
  }
  if (!state.scanning) {
    state.offered.clear(); // the journal has said all that was durable then
  }
  if (state.machine->is_up()) {
    shared.peers.note(state.peer, state.machine->waiting(), state.machine->unanswered_units());
    if (between(state.heard, now) > shared.cluster.silence) {
      give_up(self, shared, "the peer is silent");
    } else if (between(state.spoke, now) >= shared.cluster.heartbeat / 2) {
      show_life(self, shared);
    }
    return;
  }
  if (state.is_open) { // recovery comes first: it wakes instances so that they send again
    look_for_moves(self, shared);
  }
  if (state.machine->dials() && !state.dial_sent && between(state.dialed, now) > greeting_time) {
    went_down(self, shared, "it does not answer");
    shared.peers.settled(state.peer);
  }
}

} // namespace

result<std::optional<messages::known_peer>> read_known_peer(const journal::store& from,
                                                            const std::string& peer) {
  const auto bytes = from.get(std::string{journal::peer_prefix} + peer);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  if (!*bytes) {
    return std::optional<messages::known_peer>{};
  }
  auto known = decode<messages::known_peer>(**bytes);
  if (!known) {
    return fail(errc::corrupt, fmt::format("what is known of the peer {}: {}", peer, known.error().message));
  }
  return std::optional{*known};
}

caf::behavior link_actor(link* self, std::shared_ptr<core> shared, std::string peer) {
  fail_node_on_trouble(self, shared);
  // A peer has the handle: what it says that is no frame is dropped.
  self->set_default_handler([](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
    return caf::sec::unexpected_message;
  });
  self->set_error_handler([](caf::scheduled_actor*, caf::error&) {});
  auto& state = self->state;
  state.peer = peer;
  auto known = read_known_peer(*shared->store, peer);
  if (!known) {
    shared->failed(known.error());
    known = std::optional<messages::known_peer>{};
  }
  state.machine = std::make_unique<engine::link>(shared->link_settings.find(peer)->second, *known);
  state.number = static_cast<std::uint32_t>(
      1 + std::distance(shared->link_settings.begin(), shared->link_settings.find(peer)));
  state.random = shared->seed ^ std::hash<std::string>{}(peer);
  begin_to_move(state, *shared); // after a restart nothing is known of what was handed out before
  // Weak, as in `fail_node_on_trouble`: a question that is not over yet holds the actor.
  self->set_down_handler([self, weak = std::weak_ptr{shared}](const caf::down_msg& down) {
    if (const auto core = weak.lock()) {
      on_down(self, *core, down);
    }
  });
  send_later(self, shared->cluster.heartbeat, link_beat{});
  state.dial_sent = state.machine->dials(); // the node says when it listens
  return {
      [self, shared](messages::wire& message) { on_wire(self, *shared, message); },
      [self](messages::envelope& message) {
        const auto withdraws = message.kind == messages::message_kind::withdrawal;
        if (self->state.moving.contains(withdraws ? message.in_reply_to : message.id)) {
          return; // it may have moved; if it stays it is offered
        }
        const auto is_offered = !withdraws && self->state.offered.erase(message.id) > 0;
        if (is_offered && (!message.repeated || planted("called_reply_swallowed_by_its_name"))) {
          return; // by its name already; a repeated one is asked for, and comes behind its original
        }
        if (message.repeated) {
          self->state.machine->offer(
              {engine::holder_of(message), withdraws ? message.in_reply_to : message.id, withdraws, true});
          want_flush(self);
          return;
        }
        message.unseen =
            message.kind == messages::message_kind::command && self->state.seen_up_to.precedes(message.id);
        self->state.machine->send(std::move(message));
        want_flush(self);
      },
      [self](messages::receipt& receipt) {
        self->state.machine->send(std::move(receipt));
        want_flush(self);
      },
      [self](messages::call_for& call) {
        self->state.machine->send(std::move(call));
        want_flush(self);
      },
      [self](const message_taken& taken) {
        self->state.machine->taken(taken.token, taken.units);
        want_flush(self);
      },
      [self, shared](link_flush) {
        self->state.flush_sent = false;
        flush(self, *shared);
      },
      [self, shared](link_scan) {
        self->state.scan_sent = false;
        scan(self, *shared);
      },
      [self, shared](link_answer) {
        self->state.answer_sent = false;
        answer_calls(self, *shared);
      },
      [self, shared](link_go_on) { go_on(self, *shared); },
      [self, shared](link_mark) { on_mark(self, *shared); },
      [self, shared](link_move) { move_some(self, *shared); },
      [self, shared](const moved& answer) { on_moved(self, *shared, answer); },
      [self, shared](ask_peer& asks) { on_ask(self, *shared, asks); },
      [self](const question_over& over) { on_question_over(self, over); },
      [self, shared](say_to_peer& says) { on_say(self, *shared, std::move(says.said), says.asked_bytes); },
      [self, shared](link_dial) { on_dial(self, *shared); },
      [self, shared](link_beat) { on_beat(self, *shared); },
      [self](const link_skip& time) {
        self->state.heard = engine::later(self->state.heard, std::chrono::nanoseconds{time.ns});
        self->state.spoke = engine::later(self->state.spoke, std::chrono::nanoseconds{time.ns});
      },
      [self, shared](link_renew) {
        if (self->state.machine->is_up()) {
          give_up(self, *shared, "messages that found no room are offered again");
        }
      },
      [self, shared](reached& found) { on_reached(self, *shared, found); },
      [self, shared](const unreachable& answer) { on_unreachable(self, *shared, answer); },
      [self](open) {
        self->state.is_open = true;
        self->state.machine->open();
        want_flush(self);
      },
  };
}

} // namespace continuo::actors
