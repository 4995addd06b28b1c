#pragma once

#include "engine/dead_letter.hpp"
#include "engine/execution.hpp"
#include "engine/keyed_machine.hpp"
#include "engine/saga_machine.hpp"
#include "tests/engine/order.hpp"

#include <continuo/archive.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

// A small world without actors: it holds machines, the moment in which everything happens, and what would be
// on disk.
namespace continuo::engine::testing {

using messages::call_for;
using messages::receipt;

/// The rows of one machine's table that some test of this process took.
inline std::set<std::string>& taken(const std::string& machine) {
  static std::map<std::string, std::set<std::string>> rows;
  return rows[machine];
}

/// Writes a decided transition of the machine to its disk, as the journal would.
template <class Machine>
void keep_on(std::optional<std::string>& disk, const Machine& machine, const transition& decided) {
  if (decided.write == write_kind::put) {
    disk = machine.encoded();
  } else if (decided.write == write_kind::erase) {
    disk.reset();
  }
}

/// The rows that no test of this process took, as a sentence; empty if there are none.
inline std::string rows_missing(const std::string& machine, std::span<const char* const> table) {
  std::string missing;
  for (const std::string row : table) {
    if (!taken(machine).contains(row)) {
      missing += " " + row;
    }
  }
  return missing;
}

/// The rows taken that the table does not have.
inline std::string rows_unknown(const std::string& machine, std::span<const char* const> table) {
  std::string unknown;
  for (const auto& row : taken(machine)) {
    if (std::find(table.begin(), table.end(), row) == table.end()) {
      unknown += " " + row;
    }
  }
  return unknown;
}

/// What every test of the engine starts from. The time is fixed unless a test moves it.
class world {
public:
  static constexpr std::uint64_t store = 7;

  world() {
    contacts.met({store, 0});
    play() = {};
    play_shelf() = {};
    for (const auto& added :
         {routes.add(order_type), routes.add(payment.describe()), routes.add(labels.describe()),
          routes.add(mail.describe()), routes.add(stock.describe())}) {
      if (!added) {
        throw std::logic_error(added.error().message);
      }
    }
  }

  world(const world&) = delete;
  world& operator=(const world&) = delete;

  std::uint64_t next_revision() { return ++revision; }

  /// An id that some sender's transition made.
  message_id next_id() { return {store, next_revision(), 0}; }

  void pass(std::chrono::milliseconds time) {
    now.wall += time;
    now.up = later(now.up, time);
  }

  /// An event on its way to an instance of the saga.
  template <class Event>
  envelope event(const Event& body, const instance_id& from, const std::string& key = "o-1") {
    envelope made;
    made.id = next_id();
    made.kind = message_kind::event;
    made.from = from;
    made.to = {"order", key};
    made.type = message_name<Event>();
    made.payload = encode(body);
    return made;
  }

  template <class Event>
  envelope event(const Event& body) { // of a client: each is a sender of its own
    return event(body, {"continuo.publish", std::to_string(revision + 1)});
  }

  template <class Command>
  envelope command(const Command& body, const instance_id& from, const instance_id& to) {
    envelope made;
    made.id = next_id();
    made.kind = message_kind::command;
    made.from = from;
    made.to = to;
    made.type = message_name<Command>();
    made.payload = encode(body);
    return made;
  }

  /// What a service answers to `sent`, a command or a request.
  template <class Sent, class Reply>
  envelope reply(const Sent& sent, const Reply& body) {
    envelope made = answer_to(sent);
    made.kind = message_kind::reply;
    made.type = message_name<Reply>();
    made.payload = encode(body);
    return made;
  }

  template <class Sent>
  envelope failed(const Sent& sent, failure_kind kind, const std::string& reason) {
    envelope made = answer_to(sent);
    made.kind = message_kind::failure;
    made.payload = encode(messages::failure_body{static_cast<std::uint8_t>(kind), reason});
    return made;
  }

  static envelope withdrawal_of(const envelope& command) {
    envelope made;
    made.id = command.id;
    made.kind = message_kind::withdrawal;
    made.from = command.from;
    made.to = command.to;
    made.in_reply_to = command.id;
    return made;
  }

  /// As after a start of another program: `name` handles what payment did.
  void rename_payment(const char* name) {
    routes = {};
    service renamed{name};
    renamed
        .handle([](const pay& command, command_context&) -> outcome<paid> {
          return paid{command.id, "p-1"};
        })
        .handle([](const refund& command, command_context&) -> outcome<refunded> {
          return refunded{command.id};
        });
    if (!routes.add(order_type) || !routes.add(renamed.describe())) {
      throw std::logic_error("the names clash");
    }
  }

  detail::saga_type order_type = order::describe();
  service payment = make_payment_service();
  service labels = make_labels();
  service mail = make_mail();
  keyed_service<shelf> stock = make_stock();
  routing_table routes;
  first_contacts contacts;
  moment now{time_point{std::chrono::seconds{1'700'000'000}}, {std::chrono::seconds{5}}, 1};
  std::uint64_t revision = 100;

private:
  template <class Sent>
  envelope answer_to(const Sent& sent) {
    envelope made;
    made.id = next_id();
    made.from = sent.to;
    made.to = {"order", "o-1"};
    if constexpr (requires { sent.from; }) {
      made.to = sent.from;
    }
    made.in_reply_to = sent.id;
    return made;
  }
};

/// A machine with its place on disk: what it wrote last, encoded, is what a crash leaves.
template <class Machine>
class box {
public:
  using environment =
      std::conditional_t<std::is_same_v<Machine, saga_machine>, saga_environment, keyed_environment>;
  static constexpr bool is_saga = std::is_same_v<Machine, saga_machine>;

  box(world& in, environment of, instance_id self) : world_(&in), environment_(of), self_(std::move(self)) {
    load();
  }

  // -- what happens to it ------------------------------------------------------------
  transition take(const envelope& message) {
    return keep(machine_->receive(message, world_->now, world_->next_revision()));
  }
  transition take(const receipt& said) { return keep(machine_->receive(said), false); }
  transition take(const call_for& call) { return keep(machine_->called(call), false); }
  transition again() { return keep(machine_->try_again(world_->now, world_->next_revision())); }
  transition flush() { return keep(machine_->flush(world_->now, world_->next_revision())); }
  transition move(const message_id& id, const std::string& from, bool handed_out) {
    return keep(machine_->move(id, from, handed_out, world_->now, world_->next_revision()));
  }
  transition suspect(const envelope& message, bool proven = true) {
    return keep(machine_->suspect(message, proven, world_->now, world_->next_revision()));
  }
  transition operate(verb what, const std::string& words = {}) {
    return keep(machine_->operate(what, "ann", words, world_->now, world_->next_revision()));
  }
  transition expire(time_point before) { return keep(machine_->expire(before)); }
  transition trim(std::uint64_t up_to, time_point since) {
    return keep(machine_->trim(up_to, since, world_->next_revision()));
  }

  /// Drops what is in memory and reads what was written, as a restart of the node does.
  transition crash() {
    load();
    return keep(machine_->recover(world_->next_revision()), false);
  }

  /// Changes what is on disk, as another program would have written it, and restarts.
  template <class Change>
  void rewrite(Change change) {
    auto stored = decode<record>(*disk_).value();
    change(stored);
    disk_ = encode(stored);
    crash();
  }

  // -- queries ---------------------------------------------------------------------------
  Machine& machine() { return *machine_; }
  const record& current() const { return machine_->current(); }
  bool stored() const { return disk_.has_value(); }
  std::size_t bytes() const { return disk_ ? disk_->size() : 0; }
  std::string status() const { return std::string{to_string(current().status)}; }
  const std::string& reason() const { return current().reason; }

  /// The open request of a command. A test that asks for one that is not open ends there.
  template <class Command>
  const request& open() const {
    for (const auto& entry : current().requests) {
      if (entry.type == message_name<Command>()) {
        return entry;
      }
    }
    throw std::logic_error("no open request of " + std::string{message_name<Command>()});
  }

  template <class Command>
  bool is_open() const {
    return std::any_of(current().requests.begin(), current().requests.end(),
                       [](const request& entry) { return entry.type == message_name<Command>(); });
  }

private:
  void load() {
    std::optional<record> stored;
    if (disk_) {
      auto decoded = decode<record>(*disk_);
      if (!decoded) {
        throw std::logic_error("its record cannot be read: " + decoded.error().message);
      }
      stored = std::move(*decoded);
    }
    machine_ = std::make_unique<Machine>(environment_, self_, std::move(stored));
  }

  transition keep(transition decided, bool row = true) {
    if (row) {
      taken(is_saga ? "saga" : "keyed").insert(decided.edge);
    }
    keep_on(disk_, *machine_, decided);
    return decided;
  }

  world* world_;
  environment environment_;
  instance_id self_;
  std::unique_ptr<Machine> machine_;
  std::optional<std::string> disk_;
};

class saga_box : public box<saga_machine> {
public:
  explicit saga_box(world& in, const std::string& key = "o-1")
      : box(in, saga_environment{&in.order_type, &in.routes, nullptr, world::store, 42}, {"order", key}) {}
};

class keyed_box : public box<keyed_machine> {
public:
  explicit keyed_box(world& in, const std::string& key = "nail")
      : box(in, keyed_environment{&in.stock.describe(), &in.routes, nullptr, world::store, 42},
            {"stock", key}) {}
};

/// A command, or event, in execution, with its place on disk.
class execution_box {
public:
  execution_box(world& in, const service& at, const envelope& message)
      : world_(&in), environment_{&at.describe(), &in.routes, world::store, 42, &in.contacts},
        first_(message), machine_(std::make_unique<execution>(environment_, message)) {}

  // -- what happens to it -------------------------------------------------------------------
  transition begin() { return keep(machine_->begin()); }
  template <class Reply>
  transition replies(const Reply& body, const detail::intents& asked = {}) {
    return keep(machine_->finished(detail::handled{false, encode(body)}, asked, world_->now,
                                   world_->next_revision()));
  }
  transition declines(const std::string& reason) {
    return keep(machine_->finished(detail::handled{true, reason}, {}, world_->now, world_->next_revision()));
  }
  transition fails(const std::string& reason) { return fails(errc::handler_failed, reason); }
  transition fails(errc code, const std::string& reason) {
    return keep(machine_->finished(fail(code, reason), {}, world_->now, world_->next_revision()));
  }
  transition times_out() { return keep(machine_->timed_out(world_->now, world_->next_revision())); }
  transition take(const envelope& message) {
    return keep(machine_->receive(message, world_->now, world_->next_revision()));
  }
  transition take(const receipt& said) {
    return keep(machine_->receive(said, world_->now, world_->next_revision()));
  }
  transition suspect(bool proven = true) {
    return keep(machine_->suspect(proven, world_->now, world_->next_revision()));
  }
  transition retry() { return keep(machine_->retry(world_->now, world_->next_revision())); }
  transition discard() { return keep(machine_->discard(world_->now, world_->next_revision())); }

  /// As after a restart. Without a record the sender sends the message again.
  transition crash() {
    if (!disk_) {
      machine_ = std::make_unique<execution>(environment_, first_);
      return {};
    }
    auto decoded = decode<record>(*disk_);
    if (!decoded) {
      throw std::logic_error("its record cannot be read: " + decoded.error().message);
    }
    machine_ = std::make_unique<execution>(environment_, std::move(*decoded));
    return machine_->recover(world_->now, world_->next_revision());
  }

  // -- queries ---------------------------------------------------------------------------------
  execution& machine() { return *machine_; }
  const record& current() const { return machine_->current(); }
  execution::phase phase() const { return machine_->now_in(); }
  bool stored() const { return disk_.has_value(); }

private:
  transition keep(transition decided) {
    taken("execution").insert(decided.edge);
    keep_on(disk_, *machine_, decided);
    return decided;
  }

  world* world_;
  execution_environment environment_;
  envelope first_;
  std::unique_ptr<execution> machine_;
  std::optional<std::string> disk_;
};

// -- what a transition says, in words that a failing check can print -------------------------------

inline std::string edge_of(const transition& decided) {
  return decided.edge;
}

/// The types of what it sends, in order; a withdrawal is `-`, what waits for the write stands in brackets.
inline std::string sent_by(const transition& decided) {
  std::string all;
  const auto add = [&](const std::vector<envelope>& list, bool waits) {
    for (const auto& message : list) {
      const auto name = message.kind == message_kind::withdrawal ? "-"
                        : message.kind == message_kind::failure  ? "failure"
                                                                 : message.type;
      all += (all.empty() ? "" : " ") + (waits ? "(" + std::string{name} + ")" : std::string{name});
    }
  };
  add(decided.sent, false);
  add(decided.released, true);
  return all;
}

/// Whether it tells the sender of `message` that it is done with.
inline bool says_done(const transition& decided, const envelope& message) {
  return std::any_of(decided.receipts.begin(), decided.receipts.end(),
                     [&](const receipt& said) { return said.done == message.id && said.to == message.from; });
}

/// Up to which id it tells `to` to forget; none if it does not.
inline message_id forget_for(const transition& decided, const instance_id& to) {
  message_id up_to;
  for (const auto& said : decided.receipts) {
    if (said.to == to && said.forget) {
      up_to = std::max(up_to, said.forget);
    }
  }
  return up_to;
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

inline messages::failure_body failure_in(const envelope& message) {
  const auto body = decode<messages::failure_body>(message.payload);
  return body ? *body : messages::failure_body{255, "unreadable"};
}

inline std::string kind_in(const envelope& message) {
  return to_string(static_cast<failure_kind>(failure_in(message).kind));
}

} // namespace continuo::engine::testing
