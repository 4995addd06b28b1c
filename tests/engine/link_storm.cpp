// The link's machine alone against a network and against crashes, drawn from a seed: frames are lost,
// repeated, reordered and read late, connections break, either side starts anew between any two steps. No
// actors, no store, no clock: two sides with outboxes and inboxes small enough to be seen through, and this
// file as the network between them.
#define CAF_SUITE link_storm

#include "engine/link.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace continuo;
using namespace continuo::engine;

namespace {

using lane = std::pair<int, int>; ///< sender and receiver

struct sent_message {
  message_id id;
  lane on;
  std::int64_t number = 0; ///< in its lane, from 1
  std::size_t bytes = 0;
  bool withdrawn = false;
};

/// What outlives a crash, as records, known peer and the store's own values do.
struct durable_state {
  std::uint64_t revision = 0;
  std::uint64_t starts = 0;
  std::vector<incarnation> lives;
  std::optional<messages::known_peer> known;
  std::optional<messages::position> seen; ///< of the peer: what is handled and dropped here rests on it
  std::vector<sent_message> outbox;
  std::map<lane, std::int64_t> sent;    ///< how many, as sender
  std::map<lane, message_id> inbox;     ///< the last one handled, as receiver
  std::map<lane, std::int64_t> handled; ///< how many, as receiver
};

/// A broken promise of the link.
struct broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void demand(bool holds, const char* promise) {
  if (!holds) {
    throw broken{promise};
  }
}

constexpr int senders = 3;
constexpr int receivers = 2;

/// One node: what it holds, its link, and around it what the link's actor does.
class side {
public:
  side(link_settings settings, std::uint64_t seed) : settings_(std::move(settings)), random_(seed) {}

  // -- life -------------------------------------------------------------------------------
  /// A crash, or the first start: what was not durable is gone, and so is everything in memory.
  void start() {
    auto& now = durable_;
    ++now.starts;
    now.lives.push_back({draw(1'000'000'000) + 1, now.revision + 1});
    visible_ = now;
    waits_.clear();
    held_.clear();
    dropped_.clear();
    scanning_ = false;
    paused_.fill(false);
    revision_ = now.revision;
    settings_.starts = now.starts;
    settings_.lives = now.lives;
    machine_ = std::make_unique<engine::link>(settings_, now.known);
    last_arrived_ = 0;
    epoch_ = settings_.here < settings_.peer ? epoch_ : messages::epoch_id{};
  }

  /// The journal writes what it was given, and lets go what waited for that.
  void sync() {
    for (auto entry = dropped_.begin(); entry != dropped_.end();) {
      const auto [on, last] = *entry;
      if (owes(visible_, on, last)) {
        ++entry;
        continue;
      }
      waits_.emplace_back([this, on = on, last = last] { machine_->send(receipt(on, true, {}, last)); });
      entry = dropped_.erase(entry);
    }
    durable_ = visible_;
    for (const auto& release : std::exchange(waits_, {})) {
      release();
    }
  }

  /// A copy of an older state comes back in place of the newest.
  void restore(durable_state old) {
    durable_ = std::move(old);
    epoch_ = {}; // it knows no better
  }

  // -- work -------------------------------------------------------------------------------
  void say_something() {
    const lane on{static_cast<int>(draw(senders)), static_cast<int>(draw(receivers))};
    const auto bytes = draw(8) == 0 ? draw(3 * 4'096) : draw(40);
    sent_message made{{settings_.store, next(), 0}, on, ++visible_.sent[on], bytes, false};
    visible_.outbox.push_back(made);
    release(made, false);
  }

  void withdraw_something() {
    if (!visible_.outbox.empty()) {
      auto& one = visible_.outbox[draw(visible_.outbox.size())];
      one.withdrawn = true;
      next();
      release(one, true);
    }
  }

  void pause_or_go_on() {
    const auto which = draw(receivers);
    paused_[which] = !paused_[which];
    if (!paused_[which]) {
      call_held();
    }
  }

  void go_on() {
    paused_.fill(false);
    call_held();
  }

  /// Reads one record, as far as the link wants it.
  bool scan() {
    if (!machine_->wants_offers()) {
      return false;
    }
    if (!scanning_) {
      queued_up_to_ = machine_->take_dropped();
      scanning_ = queued_up_to_.has_value();
      cursor_ = 0;
    }
    if (!scanning_) {
      return false;
    }
    for (const auto& one : durable_.outbox) {
      if (one.on.first == cursor_ && !(queued_up_to_ && queued_up_to_->covers(one.id))) {
        offer(one);
      }
    }
    if (!queued_up_to_ && cursor_ < receivers) {
      for (const auto& [on, last] : durable_.inbox) {
        if (on.second == cursor_) {
          machine_->send(receipt(on, false, last, {}));
        }
      }
    }
    scanning_ = ++cursor_ < std::max(senders, receivers);
    return true;
  }

  std::vector<messages::frame> flush(bool shows_life) {
    if (!shows_life && !machine_->has_work()) {
      return {};
    }
    const auto waited = machine_->waiting();
    auto frames = machine_->flush(
        position(), [this](const waiting_message& wanted) { return look_up(wanted); }, shows_life,
        1 + draw(20));
    for (const auto& frame : frames) {
      check_bounds(std::get<messages::batch>(frame.body));
    }
    demand(!frames.empty() || machine_->waiting() < waited || !machine_->has_work(), "work gets done");
    demand(!is_heard_ || !is_open_ || machine_->waiting() <= settings_.queue_max, "the queue is bounded");
    return frames;
  }

  link_effects dial() {
    auto out = machine_->dial(position());
    const auto epoch = std::get<messages::hello>(out.frames.front().body).epoch;
    demand(epoch > epoch_, "an epoch is never used twice");
    epoch_ = epoch;
    return out;
  }

  link_effects receive(messages::frame frame) {
    const auto* hello = std::get_if<messages::hello>(&frame.body);
    const auto* batch = std::get_if<messages::batch>(&frame.body);
    const auto epoch = hello != nullptr ? hello->epoch : batch != nullptr ? batch->epoch : epoch_;
    const auto number = batch != nullptr ? batch->number : 0;
    const auto credit = batch != nullptr ? batch->credit : 0;
    const auto life = hello != nullptr ? hello->me.at.incarnation : 0;
    const auto* welcome = std::get_if<messages::welcome>(&frame.body);
    const auto at = welcome != nullptr ? welcome->me.at : batch != nullptr ? batch->at : messages::position{};
    auto out = machine_->receive(std::move(frame), position());
    demand(!out.fatal || may_alarm, "no false alarm");
    if (out.learned) {
      visible_.known = out.learned;
    }
    if (at.incarnation != 0 && (out.began || std::string_view{out.edge} == "take")) {
      visible_.seen = at; // not that of a hello: nothing rests on it yet
    }
    if (out.began) {
      const auto before = accepted_.find(life);
      demand(hello == nullptr || before == accepted_.end() || epoch > before->second,
             "of each life only a newer epoch is accepted");
      if (hello != nullptr) {
        accepted_[life] = epoch;
      }
      epoch_ = epoch;
      last_arrived_ = 0;
      under_way_ = 0;
      is_heard_ = false;
      scanning_ = true;
      cursor_ = 0;
      queued_up_to_.reset();
      if (is_open_) {
        machine_->open();
        demand(machine_->has_work(), "a new epoch begins with credit");
      }
    }
    const std::string_view edge{out.edge};
    demand(edge == "take" || out.arrived.empty(), "only a batch that is taken brings something");
    if (edge == "take") {
      demand(epoch == epoch_, "nothing of another epoch is taken");
      demand(number == ++last_arrived_, "batches are taken in order and without a gap");
      is_heard_ = is_heard_ || credit > 0;
    }
    for (auto& item : out.arrived) {
      handle(std::move(item));
    }
    demand(machine_->is_up() || machine_->waiting() == 0, "a link that is down holds nothing");
    return out;
  }

  void lose() { machine_->lost(); }

  void open() {
    is_open_ = true;
    machine_->open();
  }
  void close() { is_open_ = false; }

  // -- queries ------------------------------------------------------------------------------
  engine::link& machine() { return *machine_; }
  const durable_state& durable() const { return durable_; }
  messages::position position() const { return {settings_.lives.back().number, durable_.revision}; }
  const messages::epoch_id& epoch() const { return epoch_; }

  bool is_done() const {
    return durable_.outbox.empty() && durable_.inbox.empty() && machine_->is_up() && !machine_->has_work();
  }

  bool may_alarm = false;

private:
  std::uint64_t draw(std::uint64_t below) { return detail::next_random(random_) % below; }

  /// Begins a write.
  std::uint64_t next() {
    visible_.revision = ++revision_;
    return revision_;
  }

  static instance_id sender_of(lane on) { return {"sender", std::to_string(on.first)}; }
  static instance_id receiver_of(lane on) { return {"receiver", std::to_string(on.second)}; }
  static lane lane_of(const instance_id& sender, const instance_id& receiver) {
    return {std::stoi(sender.key), std::stoi(receiver.key)};
  }

  static messages::receipt receipt(lane on, bool by_sender, message_id done, message_id forget) {
    return by_sender ? messages::receipt{sender_of(on), receiver_of(on), done, forget, {}}
                     : messages::receipt{receiver_of(on), sender_of(on), done, forget, {}};
  }

  static bool owes(const durable_state& of, lane on, message_id up_to) {
    return std::any_of(of.outbox.begin(), of.outbox.end(),
                       [&](const sent_message& one) { return one.on == on && one.id <= up_to; });
  }

  static envelope to_envelope(const durable_state& of, const sent_message& sent, bool withdrawal) {
    envelope made;
    made.from = sender_of(sent.on);
    made.to = receiver_of(sent.on);
    if (withdrawal) {
      made.kind = message_kind::withdrawal;
      made.in_reply_to = sent.id;
      return made;
    }
    made.id = sent.id;
    made.type = std::to_string(sent.number);
    made.payload.assign(sent.bytes, '.');
    for (const auto& earlier : of.outbox) {
      if (earlier.on == sent.on && earlier.id < sent.id) {
        made.predecessor = std::max(made.predecessor, earlier.id);
      }
    }
    return made;
  }

  void release(const sent_message& sent, bool withdrawal) {
    waits_.emplace_back(
        [this, made = to_envelope(visible_, sent, withdrawal)] { machine_->send(envelope{made}); });
  }

  void offer(const sent_message& one) {
    const instance_id of = sender_of(one.on);
    machine_->offer({of, one.id, false});
    if (one.withdrawn) {
      machine_->offer({of, one.id, true});
    }
  }

  std::optional<envelope> look_up(const waiting_message& wanted) const {
    for (const auto& one : durable_.outbox) {
      if (one.id == wanted.id && (!wanted.withdrawal || one.withdrawn)) {
        return to_envelope(durable_, one, wanted.withdrawal);
      }
    }
    return std::nullopt;
  }

  void handle(messages::batch_item&& item) {
    if (const auto* call = std::get_if<messages::call_for>(&item)) {
      const auto on = lane_of(call->to, call->from);
      for (const auto& one : durable_.outbox) {
        if (one.on == on) {
          offer(one);
        }
      }
      if (!owes(durable_, on, call->id)) {
        machine_->send(receipt(on, true, {}, call->id));
      }
    } else if (const auto* said = std::get_if<messages::receipt>(&item)) {
      said->from.type == "receiver" ? on_done(*said) : on_forget(*said);
    } else {
      on_message(std::get<envelope>(item));
    }
  }

  void on_done(const messages::receipt& said) {
    const auto on = lane_of(said.to, said.from);
    if (std::erase_if(visible_.outbox, [&](const sent_message& one) { return one.id == said.done; }) > 0) {
      next();
    }
    auto& last = dropped_[on];
    last = std::max(last, said.done);
  }

  void on_forget(const messages::receipt& said) {
    const auto on = lane_of(said.from, said.to);
    if (const auto entry = visible_.inbox.find(on);
        entry != visible_.inbox.end() && entry->second <= said.forget) {
      visible_.inbox.erase(entry);
      next();
    }
    if (const auto first = held_.find(on); first != held_.end() && first->second <= said.forget) {
      held_.erase(first);
    }
  }

  void on_message(const envelope& message) {
    const auto units = units_of(message);
    under_way_ += units;
    demand(under_way_ < settings_.window + units || units == 0, "no more is sent than there is credit for");
    waits_.emplace_back([this, units, token = machine_->token()] {
      if (token == machine_->token()) {
        under_way_ -= units;
      }
      machine_->taken(token, units);
    });
    if (message.kind == message_kind::withdrawal) {
      return;
    }
    const auto on = lane_of(message.from, message.to);
    const auto known = visible_.inbox.find(on);
    const auto last = known == visible_.inbox.end() ? message_id{} : known->second;
    if (last >= message.id) {
      waits_.emplace_back([this, on, id = message.id] { machine_->send(receipt(on, false, id, {})); });
      return;
    }
    const auto first = held_.find(on);
    const auto misses = message.predecessor && last < message.predecessor;
    if (misses || paused_[static_cast<std::size_t>(on.second)] ||
        (first != held_.end() && first->second < message.id)) {
      hold(on, message.id, misses);
      return;
    }
    held_.erase(on);
    visible_.inbox[on] = message.id;
    next();
    demand(std::to_string(++visible_.handled[on]) == message.type, "each message once and in order");
    waits_.emplace_back([this, on, id = message.id] { machine_->send(receipt(on, false, id, {})); });
  }

  void hold(lane on, message_id id, bool asks) {
    auto& first = held_.try_emplace(on, id).first->second;
    first = std::min(first, id);
    if (asks && first == id) {
      call(on, id);
    }
  }

  void call(lane on, message_id id) {
    waits_.emplace_back([this, on, id] {
      machine_->send(messages::call_for{receiver_of(on), sender_of(on), id});
    });
  }

  void call_held() {
    for (const auto& [on, id] : held_) {
      call(on, id);
    }
  }

  void check_bounds(const messages::batch& made) {
    demand(made.items.size() <= settings_.batch_items_max, "a batch holds so many items at most");
    std::size_t bytes = 0;
    for (const auto& item : made.items) {
      const auto* message = std::get_if<envelope>(&item);
      bytes += 128 + (message != nullptr ? message->payload.size() + message->type.size() : 0);
    }
    demand(made.items.size() <= 1 || bytes <= settings_.batch_bytes_max,
           "a batch holds so many bytes at most");
  }

  link_settings settings_;
  std::uint64_t random_;
  durable_state durable_;
  durable_state visible_;
  std::uint64_t revision_ = 0;
  std::vector<std::function<void()>> waits_; ///< for the sync
  std::unique_ptr<engine::link> machine_;
  bool is_open_ = false;

  bool scanning_ = false;
  int cursor_ = 0;
  std::optional<engine::store_point> queued_up_to_; // as of the link's `offered_up_to`

  std::map<lane, message_id> held_;
  std::map<lane, message_id> dropped_;
  std::array<bool, receivers> paused_{};

  messages::epoch_id epoch_;
  std::map<std::uint64_t, messages::epoch_id> accepted_; ///< by life of the dialing side
  std::uint64_t last_arrived_ = 0;
  std::uint64_t under_way_ = 0; ///< units that came in and were not given back
  bool is_heard_ = false;       ///< the peer has given credit in this epoch
};

/// Both sides and the network between them.
class storm {
public:
  explicit storm(std::uint64_t seed, bool is_rough = true) : random_(seed), is_rough_(is_rough) {
    const auto settings = [&](const char* here, const char* peer, std::uint64_t store) {
      link_settings made;
      made.cluster = "test";
      made.here = here;
      made.peer = peer;
      made.store = store;
      made.window = 1 + draw(24);
      made.queue_max = 1 + draw(12);
      made.queue_low = 1 + draw(made.queue_max);
      made.batch_items_max = 1 + draw(8);
      made.batch_bytes_max = 200 + draw(20'000);
      return made;
    };
    sides_.reserve(2);
    sides_.emplace_back(settings("a", "b", 1), draw(~0ull));
    sides_.emplace_back(settings("b", "a", 2), draw(~0ull));
    loss_ = is_rough ? std::array<std::uint64_t, 3>{0, 1, 8}[draw(3)] : 0;
    for (auto& one : sides_) {
      one.start();
    }
  }

  // -- what happens -------------------------------------------------------------------------
  void step() {
    const auto which = draw(2);
    auto& one = sides_[which];
    const auto dice = draw(100);
    if (dice < 14) {
      one.say_something();
    } else if (dice < 16) {
      one.withdraw_something();
    } else if (dice < 29) {
      one.sync();
    } else if (dice < 42) {
      send(which, one.flush(false));
    } else if (dice < 72) {
      deliver(which);
    } else if (dice < 80) {
      one.scan();
    } else if (dice < 84) {
      send(which, one.flush(true));
    } else if (dice < 87) {
      one.pause_or_go_on();
    } else if (dice < 91) {
      one.open();
    } else if (dice < 97) {
      if (!sides_[0].machine().is_up() || (is_rough_ && draw(8) == 0)) {
        act(0, sides_[0].dial());
      }
    } else if (is_rough_ && dice < 99) {
      break_connection();
    } else if (is_rough_) {
      restart(which);
    }
  }

  /// One side crashes; the other one may notice.
  void restart(std::size_t which) {
    sides_[which].close();
    sides_[which].start();
    towards_[which].clear(); // a buffer dies with the process that was to read it
    if (draw(2) == 0) {
      sides_[1 - which].lose();
    }
  }

  /// Either side or both notice. What was under way is gone, or is read late.
  void break_connection() {
    const auto who = 1 + draw(3);
    for (const auto which : {0u, 1u}) {
      if ((who & (1u << which)) != 0) {
        sides_[which].lose();
      }
      if (draw(2) == 0) {
        towards_[which].clear();
      }
    }
  }

  /// From here on the network is good, and everybody goes on: what is owed must get through.
  void settle() {
    loss_ = 0;
    for (auto& one : sides_) {
      one.open();
      one.go_on();
    }
    std::array<int, 2> silent{};
    constexpr int rounds_max = 400;
    for (int round = 0; round < rounds_max; ++round) {
      for (const auto which : {0u, 1u}) {
        auto& one = sides_[which];
        one.sync();
        while (one.scan()) {
        }
        send(which, one.flush(round % 3 == 0));
      }
      if (!sides_[0].machine().is_up() && round % 3 == 0) {
        act(0, sides_[0].dial());
      }
      for (const auto which : {0u, 1u}) {
        silent[which] = towards_[which].empty() ? silent[which] + 1 : 0;
        if (silent[which] > 6) {
          sides_[which].lose(); // as one that hears nothing of its peer does
        }
        while (!towards_[which].empty() && !is_over()) {
          deliver(which);
        }
      }
      if (is_over() || (sides_[0].is_done() && sides_[1].is_done())) {
        return;
      }
    }
    throw broken{"what is owed gets through"};
  }

  void check() const {
    for (const auto which : {0u, 1u}) {
      demand(sides_[which].durable().sent == sides_[1 - which].durable().handled, "nothing is lost");
    }
  }

  // -- losing what was durable ------------------------------------------------------------------
  void restore(std::size_t which, durable_state old) {
    for (auto& one : sides_) {
      one.lose();
      one.sync();
    }
    for (auto& buffer : towards_) {
      buffer.clear();
    }
    auto& one = sides_[which];
    // Whether the other side has seen more than the copy holds.
    const auto seen = sides_[1 - which].durable().seen;
    const auto has_life = std::any_of(old.lives.begin(), old.lives.end(), [&](const incarnation& life) {
      return seen && life.number == seen->incarnation;
    });
    loss_is_known_ = seen && (!has_life || seen->revision > old.revision);
    if (draw(2) == 0) {
      sides_[1 - which].start();
    }
    // A connection of a lost start may be known although nothing rests on it yet.
    start_is_known_ = which == 0 && sides_[1].epoch() >= messages::epoch_id{old.starts + 1, 1};
    one.restore(std::move(old));
    one.may_alarm = true;
    one.close();
    one.start();
    arrived_ = 0;
  }

  void open_all() {
    for (auto& one : sides_) {
      one.open();
    }
  }

  void start_again(std::size_t which) {
    alarm_ = false;
    restart(which);
  }

  bool loss_is_known() const { return loss_is_known_; }
  bool start_is_known() const { return start_is_known_; }
  bool is_over() const { return alarm_; }
  std::size_t arrived() const { return arrived_; }
  const durable_state& durable(std::size_t which) const { return sides_[which].durable(); }
  const std::set<std::string>& edges() const { return edges_; }
  std::uint64_t draw(std::uint64_t below) { return detail::next_random(random_) % below; }

private:
  void send(std::size_t from, std::vector<messages::frame>&& frames) {
    for (auto& frame : frames) {
      towards_[1 - from].push_back(std::move(frame));
    }
  }

  void act(std::size_t which, link_effects&& out) {
    edges_.insert(out.edge);
    alarm_ = alarm_ || out.fatal.has_value();
    send(which, std::move(out.frames));
  }

  void deliver(std::size_t to) {
    auto& buffer = towards_[to];
    if (buffer.empty()) {
      return;
    }
    const auto place = draw(100) < loss_ ? draw(buffer.size()) : 0;
    auto frame = buffer[place];
    if (draw(100) >= loss_) { // else it is repeated
      buffer.erase(buffer.begin() + static_cast<std::ptrdiff_t>(place));
    }
    if (draw(100) < loss_) {
      return; // lost
    }
    auto out = sides_[to].receive(std::move(frame));
    arrived_ += out.arrived.size();
    act(to, std::move(out));
  }

  std::uint64_t random_;
  bool is_rough_;
  std::uint64_t loss_ = 0; ///< in percent: of lost, of repeated, of overtaken frames
  std::vector<side> sides_;
  std::array<std::deque<messages::frame>, 2> towards_;
  std::set<std::string> edges_;
  bool alarm_ = false;
  bool loss_is_known_ = false;
  bool start_is_known_ = false;
  std::size_t arrived_ = 0;
};

bool is_long() {
  const auto* set = std::getenv("CONTINUO_LONG");
  return set != nullptr && std::string_view{set} == "1";
}

/// Runs one storm; a failure names its seed.
template <class Run>
void with_seed(std::uint64_t seed, Run run) {
  try {
    run();
  } catch (const broken& promise) {
    CAF_FAIL("seed " << seed << ": not so: " << promise.what());
  }
}

} // namespace

CAF_TEST(whatever the network does each message arrives once and in order) {
  const std::uint64_t seeds = is_long() ? 1'000'000 : 3'000;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    with_seed(seed, [&] {
      storm run{seed};
      for (int steps = 0; steps < 400; ++steps) {
        run.step();
      }
      run.settle();
      run.check();
    });
  }
}

CAF_TEST(either side may start anew after any step of a handshake and of a delivery) {
  constexpr int steps_max = 150;
  const std::uint64_t seeds = is_long() ? 2'000 : 10;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    for (int last = 0; last < steps_max; ++last) {
      for (const auto which : {0u, 1u}) {
        with_seed(seed, [&] {
          storm run{seed, false};
          for (int steps = 0; steps <= last; ++steps) {
            run.step();
          }
          run.restart(which);
          run.settle();
          run.check();
        });
      }
    }
  }
}

CAF_TEST(a store that lost what its peer has seen is found out and no other one) {
  const std::uint64_t seeds = is_long() ? 100'000 : 1'000;
  std::size_t alarms = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    with_seed(seed, [&] {
      storm run{seed};
      const auto which = run.draw(2);
      const auto copied = run.draw(400);
      auto copy = run.durable(which);
      for (std::uint64_t steps = 0; steps < 400; ++steps) {
        run.step();
        if (steps == copied) {
          copy = run.durable(which);
        }
      }
      run.restore(which, std::move(copy));
      if (run.loss_is_known()) {
        for (int starts = 0; starts < 3; ++starts) { // as whoever watches over processes would start it
          run.settle();
          demand(run.is_over(), "a known loss is found out with every start");
          demand(run.arrived() == 0, "nothing is taken of a store that lost something");
          run.start_again(which);
        }
        ++alarms;
      } else {
        run.open_all();
        for (int steps = 0; steps < 100; ++steps) {
          run.step();
        }
        demand(!run.is_over() || run.start_is_known(), "no false alarm");
      }
    });
  }
  CAF_CHECK(alarms > seeds / 4);
  CAF_CHECK(alarms < seeds);
}

CAF_TEST(every edge is taken) {
  std::set<std::string> taken;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    with_seed(seed, [&] {
      storm run{seed};
      auto copy = run.durable(seed % 2);
      for (int steps = 0; steps < 200; ++steps) {
        run.step();
      }
      run.restore(seed % 2, std::move(copy)); // of a time when there was nothing yet
      if (run.loss_is_known()) {
        run.settle();
      }
      taken.insert(run.edges().begin(), run.edges().end());
    });
  }
  std::string missed;
  for (const auto* edge : link_edges()) {
    missed += taken.contains(edge) ? "" : std::string{edge} + " ";
  }
  CAF_CHECK_EQUAL(missed, "");
}
