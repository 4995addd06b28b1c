#include "engine/link.hpp"

#include "engine/planted.hpp"
#include "messages/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace continuo::engine {

namespace {

constexpr std::size_t bytes_a_unit = 4'096;

std::size_t bytes_of(const messages::batch_item& item) {
  const auto* message = std::get_if<envelope>(&item);
  return 128 + (message != nullptr ? message->payload.size() + message->type.size() : 0);
}

/// Whether a store is the one that a node knows, or takes its place since an operator accepted its loss. Ids
/// grow with each loss: a copy from between two of them takes nobody's place.
bool stands_for(std::uint64_t store, std::uint64_t replaces, std::uint64_t known) {
  return store == known || replaces == known || (replaces == messages::any_store && store > known);
}

/// Lost stores that are remembered of one peer, each of which an operator has accepted.
constexpr std::size_t former_max = 256;

/// A code that a peer names, which may be anything.
errc code_of(std::uint8_t number) {
  return number != 0 && number <= static_cast<std::uint8_t>(errc::handler_failed) ? static_cast<errc>(number)
                                                                                  : errc::unavailable;
}

template <class Body>
messages::frame framed(Body&& body) {
  messages::frame made;
  made.body = std::forward<Body>(body);
  return made;
}

} // namespace

std::span<const char* const> link_edges() {
  static constexpr std::array edges{"dial",    "welcome", "accept",   "refuse", "refused",
                                    "amnesia", "take",    "repeated", "gap",    "stale"};
  return edges;
}

std::uint64_t units_of(const envelope& message) {
  if (message.kind == message_kind::withdrawal) {
    return 0; // it comes behind a command, which has paid
  }
  return 1 + message.payload.size() / bytes_a_unit;
}

link::link(link_settings settings, std::optional<messages::known_peer> known)
    : settings_(std::move(settings)), known_(std::move(known)) {}

// -- the connection ------------------------------------------------------------------------

link_effects link::dial(const messages::position& at) {
  lost();
  link_effects out;
  out.edge = "dial";
  phase_ = phase::greeting;
  epoch_ = {settings_.starts, ++connections_};
  out.frames.push_back(framed(messages::hello{epoch_, greet(at)}));
  return out;
}

void link::lost() {
  phase_ = phase::down;
  queue_.clear();
  ready_.clear();
  dropped_.reset();
  used_ = answered_ = allowed_ = 0;
}

messages::frame link::farewell(std::string_view why) const {
  return framed(
      messages::refusal{epoch_, static_cast<std::uint8_t>(errc::unavailable),
                        fmt::format("{} begins anew with {}: {}", settings_.here, settings_.peer, why)});
}

link_effects link::receive(messages::frame&& frame, const messages::position& at,
                           std::uint64_t newest_store) {
  if (auto* hello = std::get_if<messages::hello>(&frame.body)) {
    return on_hello(std::move(*hello), at, newest_store);
  }
  if (auto* welcome = std::get_if<messages::welcome>(&frame.body)) {
    return on_welcome(std::move(*welcome), at, newest_store);
  }
  if (auto* refusal = std::get_if<messages::refusal>(&frame.body)) {
    return on_refusal(std::move(*refusal));
  }
  return on_batch(std::move(std::get<messages::batch>(frame.body)));
}

messages::greeting link::greet(const messages::position& at) const {
  messages::greeting me;
  me.cluster = settings_.cluster;
  me.from = settings_.here;
  me.to = settings_.peer;
  me.version = settings_.version;
  me.store = settings_.store;
  me.replaces = settings_.replaces;
  me.placement = settings_.placement;
  me.hosts = settings_.hosts;
  me.at = at;
  me.yours = known_;
  return me;
}

/// Why this peer cannot be spoken to. The sentence is read on both sides.
std::optional<error> link::objection(const messages::greeting& peer, std::uint64_t newest_store) const {
  const auto say = [&](errc code, std::string what) {
    return std::optional{error{code, fmt::format("{} refuses {}: {}", settings_.here, peer.from, what)}};
  };
  if (peer.protocol != messages::protocol_version) {
    return say(errc::newer_version,
               fmt::format("it speaks protocol {}, this node {}: run the same version on all nodes",
                           peer.protocol, messages::protocol_version));
  }
  if (peer.cluster != settings_.cluster) {
    return say(errc::invalid_configuration,
               fmt::format("it belongs to the cluster \"{}\", this node to \"{}\"", printable(peer.cluster),
                           settings_.cluster));
  }
  if (peer.to != settings_.here || peer.from != settings_.peer) {
    return say(
        errc::invalid_configuration,
        fmt::format("it is \"{}\" and asks for \"{}\", where \"{}\" was to ask for \"{}\": an address in the "
                    "cluster file belongs to another node",
                    peer.from, peer.to, settings_.peer, settings_.here));
  }
  if (peer.placement != settings_.placement) {
    return say(errc::invalid_configuration,
               "its cluster file places sagas or services on other nodes: all nodes need the same file");
  }
  if (peer.store == 0) {
    return say(errc::malformed, "it says of no store that it is its own");
  }
  if (known_ && !stands_for(peer.store, peer.replaces, known_->store)) {
    const auto is_accepted = peer.replaces == messages::any_store && peer.store < known_->store;
    return say(
        errc::identity,
        fmt::format(
            "the store behind this name was {:016x} and is {:016x} now: its data directory was wiped or "
            "exchanged, or another node holds the name. Restore its data; if it is lost for good, "
            "accept that with `continuo journal restore --accept-loss{}`",
            known_->store, peer.store,
            is_accepted ? fmt::format(" --beyond {:016x}", known_->store) : std::string{}));
  }
  if ((!known_ || known_->store != peer.store) && peer.store > newest_store) {
    return say(errc::conflict,
               fmt::format("its store {:016x} is of a time to come: no store that is made now "
                           "could take its place. Set the clocks of both nodes",
                           peer.store));
  }
  return std::nullopt;
}

/// Whether the peer knows more of this store than it holds: then acknowledged data was lost, and ids would be
/// used twice.
std::optional<error> link::own_loss(const messages::greeting& peer, const messages::position& at) const {
  const auto is_meant =
      peer.cluster == settings_.cluster && peer.from == settings_.peer && peer.to == settings_.here;
  if (!is_meant || !peer.yours) {
    return std::nullopt; // what it knows of another node says nothing of this one
  }
  const auto& seen = *peer.yours;
  const auto say = [&](std::string what) {
    return std::optional{error{
        errc::identity,
        fmt::format(
            "{} knows more of this node's journal than the journal holds: {}. Nothing was sent or changed. "
            "Restore the newest copy; if what is missing is lost for good, accept that with "
            "`continuo journal restore --accept-loss`",
            peer.from, what)}};
  };
  if (seen.store != settings_.store) {
    return stands_for(settings_.store, settings_.replaces, seen.store)
               ? std::nullopt
               : say(fmt::format("it knows the store {:016x}, this one is {:016x}", seen.store,
                                 settings_.store));
  }
  if (seen.furthest.incarnation == 0) {
    return std::nullopt;
  }
  const auto life = std::find_if(settings_.lives.begin(), settings_.lives.end(), [&](const incarnation& one) {
    return one.number == seen.furthest.incarnation;
  });
  if (life == settings_.lives.end()) {
    return say("it has seen a start of it that this copy knows nothing of");
  }
  const auto next = std::next(life);
  const auto end = next == settings_.lives.end() ? at.revision : next->first - 1;
  if (seen.furthest.revision > end) {
    return say(fmt::format("it has seen put {}, and this copy ends at {}", seen.furthest.revision, end));
  }
  return std::nullopt;
}

void link::learn(const messages::greeting& peer, link_effects& out) {
  // A hello's position does not count yet: its sender has not heard what is known of it, and may find that it
  // has lost something. Then it must find that again with its next start.
  const auto is_same = known_ && known_->store == peer.store;
  const auto seen = is_same ? known_->furthest : messages::position{};
  messages::known_peer now{peer.store, dials() ? peer.at : seen};
  if (known_) {
    now.former = known_->former;
    if (!is_same) {
      now.former.push_back(known_->store);
    }
    if (now.former.size() > former_max) {
      now.former.erase(now.former.begin());
    }
  }
  peer_version_ = printable(peer.version);
  if (!known_ || !(*known_ == now)) {
    known_ = now;
    out.learned = now;
  }
}

void link::begin(messages::epoch_id epoch, link_effects& out) {
  lost();
  epoch_ = epoch;
  phase_ = phase::up;
  ++token_;
  sent_ = received_ = taken_ = announced_ = came_ = 0;
  out.began = true;
}

link_effects link::on_hello(messages::hello&& frame, const messages::position& at,
                            std::uint64_t newest_store) {
  link_effects out;
  const auto refuse = [&](const error& why) {
    out.edge = "refuse";
    out.refused = why;
    out.frames.push_back(
        framed(messages::refusal{frame.epoch, static_cast<std::uint8_t>(why.code), why.message}));
    return std::move(out);
  };
  if (auto lost = own_loss(frame.me, at)) {
    out.edge = "amnesia";
    this->lost();
    out.fatal = std::move(lost);
    return out;
  }
  if (auto why = objection(frame.me, newest_store)) {
    return refuse(*why);
  }
  if (dials()) {
    return refuse({errc::invalid_configuration, fmt::format("{} refuses {}: the node of the lower name dials",
                                                            settings_.here, frame.me.from)});
  }
  const auto life = frame.me.at.incarnation;
  if (newest_store_ != frame.me.store) { // one that stands for a lost one counts its starts anew
    newest_ = {};
    proven_starts_ = proven_life_ = 0;
    accepted_.clear();
  } else if (frame.epoch.starts < proven_starts_ ||
             (proven_life_ != life && frame.epoch.starts == proven_starts_)) {
    return refuse(
        {errc::identity,
         fmt::format("{} refuses {}: its journal was started more often than it knows, so it is an old copy. "
                     "Restore the newest copy; if what is missing is lost for good, accept that with "
                     "`continuo journal restore --accept-loss`",
                     settings_.here, frame.me.from)});
  }
  // A buffer may still hold what an earlier connection said. A life that nobody has heard of comes later than
  // all that is known, though its count may be lower: older copies that were tried meanwhile have counted
  // too.
  const auto before = accepted_.find(life);
  const auto is_late = before != accepted_.end() &&
                       (frame.epoch <= before->second || (frame.epoch < newest_ && life != proven_life_));
  if (is_late) {
    return refuse({errc::conflict, fmt::format("{} refuses {}: a newer connection of it was accepted already",
                                               settings_.here, frame.me.from)});
  }
  out.edge = "accept";
  newest_ = frame.epoch;
  newest_store_ = frame.me.store;
  if (accepted_.size() >= lives_max) {
    std::erase_if(accepted_, [&](const auto& one) { return one.first != proven_life_; });
  }
  accepted_[life] = frame.epoch;
  out.contact = {frame.me.store, frame.me.at.revision};
  out.frames.push_back(framed(messages::welcome{frame.epoch, greet(at)}));
  learn(frame.me, out);
  begin(frame.epoch, out);
  return out;
}

link_effects link::on_welcome(messages::welcome&& frame, const messages::position& at,
                              std::uint64_t newest_store) {
  link_effects out;
  if (phase_ != phase::greeting || frame.epoch != epoch_) {
    out.edge = "stale";
    return out;
  }
  if (auto lost = own_loss(frame.me, at)) {
    out.edge = "amnesia";
    this->lost();
    out.fatal = std::move(lost);
    return out;
  }
  if (auto why = objection(frame.me, newest_store)) {
    out.edge = "refuse";
    out.refused = why;
    out.broke = true;
    out.frames.push_back(
        framed(messages::refusal{frame.epoch, static_cast<std::uint8_t>(why->code), why->message}));
    lost();
    return out;
  }
  out.edge = "welcome";
  out.contact = {frame.me.store, frame.me.at.revision};
  learn(frame.me, out);
  begin(frame.epoch, out);
  return out;
}

link_effects link::on_refusal(messages::refusal&& frame) {
  link_effects out;
  if (phase_ == phase::down || frame.epoch != epoch_) {
    out.edge = "stale";
    return out;
  }
  out.edge = "refused";
  const error why{code_of(frame.code), printable(frame.reason)};
  if (why.code == errc::identity && phase_ == phase::greeting) {
    out.edge = "amnesia"; // the peer knows another store under this node's name
    out.fatal = why;
  }
  out.refused = why;
  out.broke = true;
  lost();
  return out;
}

link_effects link::on_batch(messages::batch&& frame) {
  link_effects out;
  if (phase_ != phase::up || (frame.epoch != epoch_ && !planted("stale_epoch_accepted"))) {
    out.edge = "stale";
    if (phase_ == phase::down && frame.epoch == epoch_) { // the peer does not know it yet
      out.frames.push_back(framed(messages::refusal{
          frame.epoch, static_cast<std::uint8_t>(errc::unavailable),
          fmt::format("{} has lost the connection to {}: it begins anew", settings_.here, settings_.peer)}));
    }
    return out;
  }
  if (frame.number <= received_) {
    out.edge = "repeated";
    return out;
  }
  const auto is_next = frame.number == received_ + 1;
  if (!is_next || !spend_credit(frame)) {
    out.edge = "gap";
    out.broke = true;
    const error why{errc::unavailable,
                    is_next
                        ? fmt::format("{} sends more than {} gave it credit for: the connection begins anew",
                                      settings_.peer, settings_.here)
                        : fmt::format("{} misses batch {} of {}: the connection begins anew", settings_.here,
                                      received_ + 1, settings_.peer)};
    out.frames.push_back(
        framed(messages::refusal{frame.epoch, static_cast<std::uint8_t>(why.code), why.message}));
    out.offence = why;
    lost();
    return out;
  }
  out.edge = "take";
  received_ = frame.number;
  if (frame.credit > allowed_) {
    allowed_ = frame.credit;
    answered_ = allowed_ > settings_.window ? allowed_ - settings_.window : 0;
  }
  if (frame.at.incarnation != 0) { // it has heard what is known of it, and goes on
    proven_starts_ = epoch_.starts;
    proven_life_ = frame.at.incarnation;
  }
  if (frame.at.incarnation != 0 && known_ && !(known_->furthest == frame.at)) {
    known_->furthest = frame.at;
    out.learned = known_;
  }
  out.arrived = std::move(frame.items);
  return out;
}

// -- to the peer -------------------------------------------------------------------------------

void link::send(envelope&& message) {
  if (!is_up()) {
    return;
  }
  if (queue_.empty() && is_heard() && used_ < allowed_) {
    used_ += units_of(message);
    ready_.emplace_back(std::move(message));
    return;
  }
  const auto withdraws = message.kind == message_kind::withdrawal;
  queue({holder_of(message), withdraws ? message.in_reply_to : message.id, withdraws});
}

void link::send(messages::receipt&& receipt) {
  if (is_up()) {
    ready_.emplace_back(std::move(receipt));
  }
}

void link::send(messages::call_for&& call) {
  if (is_up()) {
    ready_.emplace_back(std::move(call));
  }
}

void link::offer(waiting_message&& message) {
  if (is_up()) {
    queue(std::move(message));
  }
}

void link::queue(waiting_message&& message) {
  if (queue_.size() < settings_.queue_max || planted("unbounded_link_queue")) {
    queue_.push_back(std::move(message));
    return;
  }
  const store_point before{message.id.store, message.id.revision - 1};
  if (!dropped_ || dropped_->covers(message.id)) {
    dropped_ = before;
  } else if (dropped_->store != message.id.store) {
    dropped_ = store_point{}; // everything is offered
  }
}

std::optional<store_point> link::take_dropped() {
  return std::exchange(dropped_, std::nullopt);
}

bool link::has_work() const {
  if (!is_up()) {
    return false;
  }
  return (!ready_.empty() && is_heard()) || (!queue_.empty() && is_heard() && used_ < allowed_) ||
         has_credit_to_give();
}

/// Whether so much was taken since the credit was announced last that it is worth a batch.
bool link::has_credit_to_give() const {
  const auto now = credit();
  return now > announced_ && now >= announced_ + settings_.window / 4;
}

/// The last message may cost more than is left.
bool link::spend_credit(const messages::batch& frame) {
  for (const auto& item : frame.items) {
    if (const auto* message = std::get_if<envelope>(&item)) {
      if (came_ >= announced_) {
        return false;
      }
      came_ += units_of(*message);
    }
  }
  return true;
}

messages::batch link::next_batch(const messages::position& at) {
  messages::batch made;
  made.epoch = epoch_;
  made.number = ++sent_;
  made.at = is_open_ ? at : messages::position{}; // what an old copy says would stand in the newest one's way
  announced_ = credit();
  made.credit = announced_;
  return made;
}

std::vector<messages::frame>
link::flush(const messages::position& at,
            const std::function<std::optional<envelope>(const waiting_message&)>& lookup, bool shows_life,
            std::size_t lookups_max, const std::function<bool(const waiting_message&)>& may_look) {
  std::vector<messages::frame> frames;
  if (!is_up()) {
    return frames;
  }
  const auto cut = [&] {
    auto made = next_batch(at);
    std::size_t bytes = 0;
    std::size_t count = 0;
    for (const auto& item : ready_) {
      if (!is_heard() || count == settings_.batch_items_max ||
          (count > 0 && bytes + bytes_of(item) > settings_.batch_bytes_max)) {
        break;
      }
      bytes += bytes_of(item);
      ++count;
    }
    const auto end = ready_.begin() + static_cast<std::ptrdiff_t>(count);
    made.items.assign(std::make_move_iterator(ready_.begin()), std::make_move_iterator(end));
    ready_.erase(ready_.begin(), end);
    frames.push_back(framed(std::move(made)));
  };
  for (std::size_t looked = 0; looked < lookups_max && !queue_.empty() && is_heard() && used_ < allowed_;
       ++looked) {
    if (may_look && !may_look(queue_.front())) {
      break;
    }
    const auto next = std::move(queue_.front());
    queue_.pop_front();
    if (auto message = lookup(next)) {
      used_ += units_of(*message);
      ready_.emplace_back(std::move(*message));
    }
  }
  if ((ready_.empty() || !is_heard()) && (shows_life || has_credit_to_give())) {
    cut();
  }
  while (!ready_.empty() && is_heard()) {
    cut();
  }
  return frames;
}

// -- credit --------------------------------------------------------------------------------------

void link::taken(std::uint32_t token, std::uint64_t units) {
  if (is_up() && token == token_) {
    taken_ += units;
  }
}

// -- records -----------------------------------------------------------------------------------------

instance_id holder_of(const envelope& message) {
  if (message.from.key.empty()) {
    return {message.from.type, to_string(message.in_reply_to)};
  }
  return message.from;
}

} // namespace continuo::engine
