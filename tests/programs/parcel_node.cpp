/// A node program whose work goes wrong in every way that the runtime knows, for the tests of the HTTP
/// interface: what becomes of a parcel is said by the word that comes with it.
///
///   throw     the carrier fails until it is given up: a dead letter, and the delivery is rolled back
///   decline   the carrier declines
///   slow      the carrier takes a second
///   boom      the saga's own handler fails: the delivery is stuck
///   undo      the parcel is carried, then not insured, and may not be unloaded: stuck on a compensation
///   never     the same, but unloading fails and is tried again without end
///   wait      the delivery waits for parcel_released or parcel_lost, and for its timer, which is far away
///   store     a command to the keyed service
///   later     (to customs alone) fails until it is parked, and goes well when it runs again
///   hopeless  (to customs alone) fails however often it runs
///   anything  is carried
#include <continuo/node.hpp>
#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

using namespace continuo;
using namespace std::chrono_literals;

namespace {

struct parcel_sent {
  std::string id;
  std::string how;
  CONTINUO_FIELDS(parcel_sent, id, how)
};

struct parcel_released {
  std::string id;
  CONTINUO_FIELDS(parcel_released, id)
};

struct parcel_lost {
  std::string id;
  CONTINUO_FIELDS(parcel_lost, id)
};

struct carried {
  std::string id;
  CONTINUO_FIELDS(carried, id)
};

struct carry {
  using reply = carried;
  std::string id;
  std::string how;
  CONTINUO_FIELDS(carry, id, how)
};

struct unloaded {
  CONTINUO_FIELDS(unloaded)
};

struct unload {
  using reply = unloaded;
  std::string id;
  std::string how;
  CONTINUO_FIELDS(unload, id, how)
};

struct insured {
  CONTINUO_FIELDS(insured)
};

struct insure {
  using reply = insured;
  std::string id;
  CONTINUO_FIELDS(insure, id)
};

struct cleared {
  CONTINUO_FIELDS(cleared)
};

struct clear_customs {
  using reply = cleared;
  std::string id;
  std::string how;
  CONTINUO_FIELDS(clear_customs, id, how)
};

struct stored {
  std::int64_t pieces = 0;
  CONTINUO_FIELDS(stored, pieces)
};

struct store {
  using reply = stored;
  std::string place;
  std::int64_t pieces = 0;
  CONTINUO_FIELDS(store, place, pieces)
};

struct depot_state {
  std::int64_t pieces = 0;
  CONTINUO_FIELDS(depot_state, pieces)
};

struct given_up {
  CONTINUO_FIELDS(given_up)
};

class delivery : public saga<delivery> {
public:
  static void define(saga_definition<delivery>& saga) {
    saga.starts_on<parcel_sent>(&parcel_sent::id);
    saga.on<parcel_released>(&parcel_released::id, unknown_instance::discard);
    saga.on<parcel_lost>(&parcel_lost::id, unknown_instance::dead_letter);
    saga.calls<carry>().undone_by([](const carry& sent, const carried*) {
      return unload{sent.id, sent.how};
    });
    saga.calls<insure>().nothing_to_undo();
    saga.calls<store>().nothing_to_undo();
    saga.timer<given_up>();
  }

  void on(const parcel_sent& event, saga_context& context) {
    if (event.how == "boom") {
      throw std::runtime_error{"the address is illegible"};
    }
    sent = event;
    if (event.how == "wait") {
      context.set_timer("patience", 1h, given_up{});
      context.expect<parcel_released>();
      context.expect<parcel_lost>();
    } else if (event.how == "store") {
      context.send(store{event.id, 1});
    } else {
      context.send(carry{event.id, event.how});
    }
  }

  void on(const parcel_released&, saga_context& context) {
    context.cancel_timer("patience");
    context.stop_expecting<parcel_lost>();
    context.send(carry{sent.id, "gently"});
  }
  void on(const parcel_lost&, saga_context& context) { context.roll_back("lost"); }
  void on(const given_up&, saga_context& context) { context.roll_back("given up"); }

  void on(const carried& reply, saga_context& context) {
    if (sent.how == "undo" || sent.how == "never") {
      context.send(insure{sent.id});
    } else {
      context.complete(reply.id);
    }
  }
  void on(const insured&, saga_context& context) { context.complete(sent.id); }
  void on(const stored& reply, saga_context& context) { context.complete(reply.pieces); }

  parcel_sent sent;
  CONTINUO_FIELDS(delivery, sent)
};

service carrier() {
  return service{"carrier"}
      .handle([](const carry& command, command_context&) -> outcome<carried> {
        if (command.how == "throw") {
          throw std::runtime_error{"the van broke down"};
        }
        if (command.how == "decline") {
          return decline("too heavy");
        }
        if (command.how == "slow") {
          std::this_thread::sleep_for(1s);
        }
        return carried{command.id};
      })
      .handle([](const unload& command, command_context&) -> outcome<unloaded> {
        if (command.how == "undo") {
          return decline("nobody is there");
        }
        if (command.how == "never") {
          throw std::runtime_error{"the ramp is broken"};
        }
        return unloaded{};
      })
      .handle([](const insure&, command_context&) -> outcome<insured> { return decline("no cover"); })
      .retry({.attempts = 2, .first = 10ms, .factor = 2, .cap = 1s, .jitter = 0, .timeout = 1min});
}

service customs() {
  static std::atomic<bool> strike{true}; // until something has been parked and runs again
  return service{"customs"}
      .handle([](const clear_customs& command, command_context& context) -> outcome<cleared> {
        if (command.how == "hopeless" || (command.how == "later" && strike)) {
          strike = context.attempt() < 2;
          throw std::runtime_error{"customs are on strike"};
        }
        return cleared{};
      })
      .when_exhausted(exhausted::park)
      .retry({.attempts = 2, .first = 10ms, .factor = 1, .cap = 10ms, .jitter = 0, .timeout = 1min});
}

keyed_service<depot_state> depot() {
  keyed_service<depot_state> made{"depot"};
  made.handle(&store::place,
              [](depot_state& state, const store& command, keyed_context&) -> outcome<stored> {
                if (command.pieces < 0) {
                  throw std::runtime_error{"there is less than nothing"};
                }
                if (command.pieces > 1'000) {
                  return decline("no room");
                }
                state.pieces += command.pieces;
                return stored{state.pieces};
              })
      .retry({.attempts = 2, .first = 10ms, .factor = 1, .cap = 10ms, .jitter = 0, .timeout = 1min});
  return made;
}

} // namespace

int main(int argc, char** argv) {
  return run_node(argc, argv, [](node_builder& node) {
    node.host<delivery>();
    node.host(carrier());
    node.host(customs());
    node.host(depot());
  });
}
