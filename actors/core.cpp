#include "actors/core.hpp"

#include "actors/trouble.hpp"
#include "engine/dead_letter.hpp"
#include "engine/flow_entry.hpp"
#include "engine/planted.hpp"
#include "engine/trace.hpp"
#include "journal/frame.hpp"

#include <continuo/archive.hpp>

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace continuo::actors {

namespace {

bool is_built_in(std::string_view type) {
  return type == engine::publish_type || type == engine::send_type || type == engine::dead_letter_type ||
         type == engine::schedule_type;
}

} // namespace

const caf::actor& core::home_of(const instance_id& id) const {
  static const caf::actor nobody;
  if (const auto service = service_actors.find(id.type); service != service_actors.end()) {
    return service->second;
  }
  if (const auto peer = peer_of(id); !peer.empty()) {
    const auto link = links.find(peer);
    return link == links.end() ? nobody : link->second;
  }
  const auto is_known = sagas.contains(id.type) || keyed_services.contains(id.type) || is_built_in(id.type);
  return is_known && !shards.empty() ? shard_of(id) : nobody;
}

std::size_t core::place_of(const instance_id& id) const {
  if (id.type == engine::publish_type || id.type == engine::send_type) {
    const auto name = parse_message_id(id.key);
    return name ? name->revision % shards.size() : 0;
  }
  return std::hash<instance_id>{}(id) % shards.size();
}

std::optional<error> core::start_objection() const {
  if (disk_low) {
    return error{errc::overloaded,
                 "the disk is nearly full (see disk-reserve): accepted work goes on, starts are refused"};
  }
  if (const auto now = in_flight.load(); now >= bounds.in_flight) {
    return error{errc::overloaded,
                 fmt::format("{} instances are in flight, and {} are allowed: try again later", now,
                             bounds.in_flight)};
  }
  return std::nullopt;
}

std::optional<error> core::apart_objection() const {
  if (const auto why = peers.stands_apart()) {
    return error{
        errc::unavailable,
        fmt::format("no node that can be reached goes together with this one ({}): it takes in nothing "
                    "until one does",
                    *why)};
  }
  return std::nullopt;
}

void core::count_in_flight(caf::event_based_actor* self, bool before, bool now) {
  if (before == now) {
    return;
  }
  const auto change = now ? 1 : -1;
  const auto count = in_flight.fetch_add(change) + change;
  if (!now && count < bounds.in_flight && somebody_waits.exchange(false)) {
    self->send(intake, room{});
  }
}

void core::tell_when_durable(span&& one, std::vector<journal::release>& releases) const {
  if (spans && engine::is_trace(one.parent) && engine::is_sampled(one.parent)) {
    releases.push_back(
        {intake, caf::make_message(call{[this, one = std::move(one)]() mutable { spans(std::move(one)); }})});
  }
}

void core::note_when_durable(node_event event, std::vector<journal::release>& releases) {
  if (events.is_watched()) {
    const auto now = time->now();
    event.at = now.wall;
    releases.push_back({intake, caf::make_message(call{
                                    [this, event = std::move(event), now] { events.note(event, now.up); }})});
  }
}

namespace {

std::atomic<std::uint64_t> orphans{0};

} // namespace

void core::count_orphan() {
  orphaned.fetch_add(1);
  orphans.fetch_add(1);
}

void core::count_unknown(const std::string& receiver, const messages::envelope& message, const error& why) {
  if (unknown.note(receiver, message.type, message.id, why)) {
    log(log_level::warn,
        fmt::format("{} does not know {} from {}, which waits there for another program here: {}", receiver,
                    message.type.empty() ? "a failure" : message.type, to_string(message.from), why.message));
  }
}

void core::tell_failed_attempt(seldom& when, const instance_id& of, const messages::envelope& message,
                               std::uint32_t attempt, const error& why,
                               std::optional<std::chrono::milliseconds> next) const {
  const auto untold = when.let_through(time->now().up);
  if (!untold) {
    return;
  }
  auto said = fmt::format("{}: attempt {} at {} ({}) of {} failed: {}; the next one follows ", of.type,
                          attempt, message.type, to_string(message.id), to_string(message.from), why.message);
  said += next ? fmt::format("in {} ms", next->count()) : std::string{"when its handler has returned"};
  if (*untold > 0) {
    said += fmt::format(" ({} more attempts failed since this was said last)", *untold);
  }
  log(log_level::warn, said);
}

std::uint64_t core::orphans_of_process() {
  return orphans.load();
}

void core::instance_begins() {
  const std::lock_guard lock{instances_mutex_};
  ++instances_;
}

void core::instance_ends() {
  const std::lock_guard lock{instances_mutex_};
  if (--instances_ == 0) {
    instances_changed_.notify_all();
  }
}

void core::wait_for_instances() {
  std::unique_lock lock{instances_mutex_};
  instances_changed_.wait(lock, [this] { return instances_ == 0; });
}

void core::handler_ended(std::string_view address, handler_done&& done) {
  const std::lock_guard lock{handles_mutex_};
  if (const auto found = service_actors.find(address); found != service_actors.end()) {
    caf::anon_send(found->second, std::move(done));
  }
}

void core::forget_actors() {
  const std::lock_guard lock{handles_mutex_};
  for (auto& [name, service] : services) {
    for (auto& [command, handler] : service.commands) {
      handler.mounted = nullptr; // holds an actor of the application
    }
  }
  journal = nullptr;
  timers = nullptr;
  intake = nullptr;
  shards.clear();
  service_actors.clear();
  links.clear();
  gate = nullptr;
  pauses = nullptr;
}

namespace {

void deliver(caf::event_based_actor* self, core& shared, messages::envelope&& message) {
  const auto& home = shared.home_of(message.to);
  if (home) {
    self->send(home, std::move(message));
  } else {
    shared.log(log_level::error, fmt::format("{} for {} waits: nothing here hosts {}", message.type,
                                             to_string(message.to), message.to.type));
  }
}

template <class T>
void deliver_small(caf::event_based_actor* self, core& shared, T&& message) {
  if (const auto& home = shared.home_of(message.to)) {
    self->send(home, std::forward<T>(message));
  }
}

/// Whether what is sent to an instance waits for the sync: it leaves the node, or its receiver is watched.
bool waits_for_sync(const core& shared, const instance_id& to) {
  return shared.watched.contains(to) || (!shared.links.empty() && !shared.peer_of(to).empty());
}

/// Lets the messages for other nodes, and those for watched receivers, wait for the sync. All of an
/// instance's messages to one receiver wait, or none, so their order stays; its receipts and calls follow
/// them (`take_waiting`).
void hold_back(const core& shared, engine::transition& decided) {
  if (shared.watched.empty() && shared.links.empty()) {
    return;
  }
  const auto waits =
      std::stable_partition(decided.sent.begin(), decided.sent.end(), [&](const messages::envelope& message) {
        const auto hurries = planted("reply_before_journal") && message.kind == messages::message_kind::reply;
        return hurries || !waits_for_sync(shared, message.to);
      });
  decided.released.insert(decided.released.begin(), std::make_move_iterator(waits),
                          std::make_move_iterator(decided.sent.end()));
  decided.sent.erase(waits, decided.sent.end());
}

/// Takes out what waits for the sync. Word to forget a message must not overtake the message itself,
/// which would then be handled a second time.
template <class T>
std::vector<T> take_waiting(const core& shared, std::vector<T>& list) {
  std::vector<T> taken;
  if (!shared.watched.empty() || !shared.links.empty()) {
    const auto waits = std::stable_partition(list.begin(), list.end(),
                                             [&](const T& one) { return !waits_for_sync(shared, one.to); });
    taken.assign(std::make_move_iterator(waits), std::make_move_iterator(list.end()));
    list.erase(waits, list.end());
  }
  return taken;
}

template <class T>
void release_all(const core& shared, std::vector<T>&& list, std::vector<journal::release>& into) {
  for (auto& one : list) {
    if (const auto& home = shared.home_of(one.to)) {
      into.push_back({home, caf::make_message(std::move(one))});
    }
  }
}

} // namespace

void give_credit_back(const core& shared, const messages::envelope& message,
                      std::vector<journal::release>& releases) {
  if (message.link == 0 || planted("credit_never_given_back")) {
    return;
  }
  auto link = shared.links.begin();
  std::advance(link, message.link - 1);
  releases.push_back(
      {link->second, caf::make_message(message_taken{message.link_token, engine::units_of(message)})});
}

void add_upkeep(const engine::transition& decided, const instance_id& of,
                std::vector<journal::operation>& operations) {
  using kind = journal::operation::kind;
  if (decided.history_up_to != 0 && !planted("history_outlives_its_instance")) {
    const auto& last = planted("range_goes_too_far") ? instance_id{of.type, of.key + "~"} : of;
    operations.push_back({kind::erase_range, engine::history_key(of, 0),
                          engine::history_key(last, decided.history_up_to + 1)});
  }
  if (decided.history) {
    operations.push_back(
        {kind::put, engine::history_key(of, decided.history->revision), encode(*decided.history)});
  }
  for (const auto& entry : decided.entries) {
    operations.push_back({kind::put, entry.key, entry.value});
  }
  if (decided.life_over) {
    operations.push_back({kind::erase_range, engine::entry_key(*decided.life_over, 0),
                          engine::entry_key(*decided.life_over, ~std::uint64_t{0})});
  }
  for (const auto& key : decided.unindexed) {
    operations.push_back({kind::erase, key, {}});
  }
  for (const auto& key : decided.indexed) {
    operations.push_back({kind::put, key, {}});
  }
}

void add_writes(const engine::transition& decided, const instance_id& of,
                const std::function<std::string()>& encoded, std::vector<journal::operation>& into) {
  using kind = journal::operation::kind;
  const auto is_half =
      planted("record_written_half") && decided.history && decided.history->revision % 16 == 0;
  if (decided.write != engine::write_kind::none && !is_half) { // its history is written all the same
    const auto erased = decided.write == engine::write_kind::erase;
    const auto at = into.size();
    into.push_back(
        {erased ? kind::erase : kind::put, engine::record_key(of), erased ? std::string{} : encoded()});
    for (const auto& peer : decided.owed_now) {
      into.push_back({kind::put, engine::owed_key(peer, into[at].key), {}});
    }
    for (const auto& peer : decided.owed_no_more) {
      into.push_back({kind::erase, engine::owed_key(peer, into[at].key), {}});
    }
  }
  add_upkeep(decided, of, into);
  if (decided.handed_on) {
    const auto key = engine::record_key(decided.handed_on->stored.self);
    into.push_back({kind::put, key, encode(decided.handed_on->stored)});
    for (const auto& peer : decided.handed_on->owed_now) {
      into.push_back({kind::put, engine::owed_key(peer, key), {}});
    }
  }
  for (const auto& letter : decided.dead_letters) { // they owe nothing until somebody redrives them
    into.push_back({kind::put, engine::record_key(letter.self), encode(letter)});
  }
}

void act(caf::event_based_actor* self, core& shared, engine::transition& decided, const instance_id& of,
         const std::function<std::string()>& encoded, std::uint64_t revision,
         std::vector<journal::release> extra, std::vector<journal::operation> beside) {
  if (shared.took) {
    shared.took(of, decided.edge);
  }
  if (planted("command_handler_runs_before_cause_is_durable")) { // as if no handler had effects outside
    std::move(decided.released.begin(), decided.released.end(), std::back_inserter(decided.sent));
    decided.released.clear();
  }
  hold_back(shared, decided);
  auto receipts =
      planted("ack_before_sync") ? std::vector<messages::receipt>{} : take_waiting(shared, decided.receipts);
  auto calls = take_waiting(shared, decided.calls);
  const auto writes =
      decided.write != engine::write_kind::none || !decided.dead_letters.empty() || !beside.empty();
  if (writes || !decided.released.empty() || !receipts.empty() || !calls.empty() || !extra.empty()) {
    journal::commit commit;
    commit.creates = decided.created;
    commit.operations.reserve(2);
    add_writes(decided, of, encoded, commit.operations);
    for (const auto& letter : decided.dead_letters) {
      shared.letters_made.fetch_add(1, std::memory_order_relaxed);
      shared.log(log_level::warn,
                 fmt::format("dead letter {}: {} for {}: {}", letter.self.key, letter.failed->type,
                             to_string(letter.failed->to), letter.reason));
    }
    std::move(beside.begin(), beside.end(), std::back_inserter(commit.operations));
    for (const auto& letter : decided.dead_letters) {
      shared.note_when_durable(
          {node_event::kind::dead_letter, 0, {}, letter.failed->to, {}, letter.self.key, letter.reason},
          extra);
    }
    commit.revision = writes ? revision : 0;
    commit.releases = std::move(extra);
    release_all(shared, std::move(decided.released), commit.releases);
    release_all(shared, std::move(receipts), commit.releases);
    release_all(shared, std::move(calls), commit.releases);
    // The write is handed over before anything that it causes moves: the journal keeps this order.
    self->send(shared.journal, std::move(commit));
  }
  for (auto& message : decided.sent) {
    deliver(self, shared, std::move(message));
  }
  for (auto& receipt : decided.receipts) {
    deliver_small(self, shared, std::move(receipt));
  }
  for (auto& call : decided.calls) {
    deliver_small(self, shared, std::move(call));
  }
  if (!decided.armed.empty() || !decided.disarmed.empty()) {
    set_timers change{of, {}, std::move(decided.disarmed)};
    for (const auto& armed : decided.armed) {
      change.armed.push_back({armed.id, armed.boot, armed.due_up, armed.due});
    }
    self->send(shared.timers, std::move(change));
  }
}

error unreadable_record(std::string_view key, const error& why) {
  const auto code = why.code == errc::newer_version ? why.code : errc::corrupt;
  return {code, fmt::format("the record under key '{}': {}", journal::printable(key), why.message)};
}

result<std::optional<engine::record>> read_record(const core& shared, const instance_id& id) {
  const auto ends = [&](const error& why) {
    if (shared.failed) { // else nothing runs yet
      shared.failed(why);
    }
    return tl::unexpected(why);
  };
  const auto key = engine::record_key(id);
  const auto bytes = shared.store->get(key);
  if (!bytes) {
    return ends({bytes.error().code, fmt::format("{}: {}", to_string(id), bytes.error().message)});
  }
  if (!*bytes) {
    return std::optional<engine::record>{};
  }
  auto stored = decode<engine::record>(**bytes);
  if (!stored) {
    return ends(unreadable_record(key, stored.error()));
  }
  return std::optional{std::move(*stored)};
}

void fail_node_on_trouble(caf::scheduled_actor* self, const std::shared_ptr<core>& shared) {
  // By its address: a handler runs only while its actor does, which holds the core, but it lives on where a
  // delayed message holds the actor. It must not hold the core then, which holds the actors that are mounted.
  fail_node_on_trouble(self, [core = shared.get()](const error& why) { core->failed(why); });
}

} // namespace continuo::actors
