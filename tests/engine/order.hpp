#pragma once

#undef expect // a macro of caf/test/dsl.hpp, of which these tests have no use; it is a member of saga_context

#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <cstdint>
#include <functional>
#include <string>

// The definitions that the engine's tests run: a saga whose handlers do what the test says, and the services
// that it calls.
namespace continuo::engine::testing {

// -- events -------------------------------------------------------------------------

struct placed {
  std::string id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(placed, id, cents)
};

struct changed {
  std::string id;
  std::int64_t number = 0;
  CONTINUO_FIELDS(changed, id, number)
};

struct recalled {
  std::string id;
  CONTINUO_FIELDS(recalled, id)
};

struct shipped_out {
  std::string id;
  CONTINUO_FIELDS(shipped_out, id)
};

// -- commands, with what undoes them ---------------------------------------------------

struct refunded {
  std::string id;
  CONTINUO_FIELDS(refunded, id)
};

struct refund {
  using reply = refunded;
  std::string id;
  std::string payment;
  CONTINUO_FIELDS(refund, id, payment)
};

struct paid {
  std::string id;
  std::string payment;
  CONTINUO_FIELDS(paid, id, payment)
};

struct pay {
  using reply = paid;
  std::string id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(pay, id, cents)
};

struct voided {
  CONTINUO_FIELDS(voided)
};

struct void_label {
  using reply = voided;
  std::string label;
  CONTINUO_FIELDS(void_label, label)
};

struct labelled {
  std::string label;
  CONTINUO_FIELDS(labelled, label)
};

struct print_label {
  using reply = labelled;
  std::string id;
  CONTINUO_FIELDS(print_label, id)
};

struct noted {
  CONTINUO_FIELDS(noted)
};

struct note {
  using reply = noted;
  std::string text;
  CONTINUO_FIELDS(note, text)
};

struct greeted {
  CONTINUO_FIELDS(greeted)
};

struct greet {
  using reply = greeted;
  std::string name;
  CONTINUO_FIELDS(greet, name)
};

struct posted {
  CONTINUO_FIELDS(posted)
};

/// A command that the saga tells.
struct post {
  using reply = posted;
  std::string text;
  CONTINUO_FIELDS(post, text)
};

struct released {
  CONTINUO_FIELDS(released)
};

struct release {
  using reply = released;
  std::string item;
  std::int64_t pieces = 0;
  CONTINUO_FIELDS(release, item, pieces)
};

struct reserved {
  std::int64_t left = 0;
  CONTINUO_FIELDS(reserved, left)
};

struct reserve {
  using reply = reserved;
  std::string item;
  std::int64_t pieces = 0;
  CONTINUO_FIELDS(reserve, item, pieces)
};

struct burnt {
  CONTINUO_FIELDS(burnt)
};

/// A command that some service handles and the saga does not declare.
struct burn {
  using reply = burnt;
  CONTINUO_FIELDS(burn)
};

// -- timers ------------------------------------------------------------------------------

struct overdue {
  std::int64_t round = 0;
  CONTINUO_FIELDS(overdue, round)
};

/// A timer's message that the saga does not declare.
struct unheard {
  CONTINUO_FIELDS(unheard)
};

// -- the saga --------------------------------------------------------------------------------

class order;

/// What the saga's handlers do. Handlers are functions of state and message; these stand in for them, so that
/// each test says what its handlers do. A missing one does nothing.
struct script {
  std::function<void(order&, const placed&, saga_context&)> on_placed;
  std::function<void(order&, const changed&, saga_context&)> on_changed;
  std::function<void(order&, const recalled&, saga_context&)> on_recalled;
  std::function<void(order&, const paid&, saga_context&)> on_paid;
  std::function<void(order&, const labelled&, saga_context&)> on_labelled;
  std::function<void(order&, const noted&, saga_context&)> on_noted;
  std::function<void(order&, const greeted&, saga_context&)> on_greeted;
  std::function<void(order&, const reserved&, saga_context&)> on_reserved;
  std::function<void(order&, const failure<reserve>&, saga_context&)> on_reserve_failed;
  std::function<void(order&, const overdue&, saga_context&)> on_overdue;
  std::function<refund(const pay&, const paid*)> undo_pay;
  std::function<void(order&, const saga_ended&, saga_context&)> on_end;
};

/// The script of the test that runs.
inline script& play() {
  static script current;
  return current;
}

class order : public saga<order> {
public:
  static void define(saga_definition<order>& saga) {
    saga.starts_on<placed>(&placed::id);
    saga.on<changed>(&changed::id, unknown_instance::discard);
    saga.on<recalled>(&recalled::id, unknown_instance::dead_letter);
    saga.calls<pay>().undone_by([](const pay& sent, const paid* reply) {
      return play().undo_pay ? play().undo_pay(sent, reply)
                             : refund{sent.id, reply != nullptr ? reply->payment : ""};
    });
    saga.calls<print_label>().undone_by(
        [](const print_label&, const labelled& reply) { return void_label{reply.label}; });
    saga.calls<note>();
    saga.calls<greet>().nothing_to_undo();
    saga.calls<reserve>().undone_by([](const reserve& sent, const reserved*) {
      return release{sent.item, sent.pieces};
    });
    saga.timer<overdue>();
    saga.tells<post>();
  }

  void on(const placed& event, saga_context& context) { run(play().on_placed, event, context); }
  void on(const changed& event, saga_context& context) { run(play().on_changed, event, context); }
  void on(const recalled& event, saga_context& context) { run(play().on_recalled, event, context); }
  void on(const paid& reply, saga_context& context) { run(play().on_paid, reply, context); }
  void on(const labelled& reply, saga_context& context) { run(play().on_labelled, reply, context); }
  void on(const noted& reply, saga_context& context) { run(play().on_noted, reply, context); }
  void on(const greeted& reply, saga_context& context) { run(play().on_greeted, reply, context); }
  void on(const reserved& reply, saga_context& context) { run(play().on_reserved, reply, context); }
  void on(const failure<reserve>& failed, saga_context& context) {
    run(play().on_reserve_failed, failed, context);
  }
  void on(const overdue& timer, saga_context& context) { run(play().on_overdue, timer, context); }
  void on(const saga_ended& end, saga_context& context) { run(play().on_end, end, context); }

  std::string text;
  std::int64_t count = 0;
  CONTINUO_FIELDS(order, text, count)

private:
  template <class Function, class Message>
  void run(const Function& function, const Message& message, saga_context& context) {
    if (function) {
      function(*this, message, context);
    }
  }
};

// -- services -----------------------------------------------------------------------------------

struct shelf {
  std::int64_t pieces = 100;
  std::string padding;
  CONTINUO_FIELDS(shelf, pieces, padding)
};

/// What the keyed service does; as `play` for the saga.
struct shelf_script {
  std::function<outcome<reserved>(shelf&, const reserve&, keyed_context&)> on_reserve;
  std::function<outcome<released>(shelf&, const release&, keyed_context&)> on_release;
};

inline shelf_script& play_shelf() {
  static shelf_script current;
  return current;
}

inline keyed_service<shelf> make_stock() {
  return keyed_service<shelf>{"stock"}
      .handle(&reserve::item,
              [](shelf& state, const reserve& command, keyed_context& context) -> outcome<reserved> {
                if (play_shelf().on_reserve) {
                  return play_shelf().on_reserve(state, command, context);
                }
                if (state.pieces < command.pieces) {
                  return decline("out of stock");
                }
                state.pieces -= command.pieces;
                return reserved{state.pieces};
              })
      .handle(&release::item,
              [](shelf& state, const release& command, keyed_context& context) -> outcome<released> {
                if (play_shelf().on_release) {
                  return play_shelf().on_release(state, command, context);
                }
                state.pieces += command.pieces;
                return released{};
              })
      .retry({.attempts = 3, .first = std::chrono::milliseconds{100}, .jitter = 0});
}

/// Its handlers are not called by the engine: the test says what came of them.
inline service make_payment_service() {
  service made{"payment"};
  made.handle([](const pay& command, command_context&) -> outcome<paid> {
        return paid{command.id, "p-1"};
      })
      .handle(
          [](const refund& command, command_context&) -> outcome<refunded> { return refunded{command.id}; })
      .retry({.attempts = 3, .first = std::chrono::milliseconds{100}, .jitter = 0});
  return made;
}

inline service make_labels() {
  service made{"labels"};
  made.handle([](const print_label&, command_context&) -> outcome<labelled> { return labelled{"l-1"}; })
      .handle([](const void_label&, command_context&) -> outcome<voided> { return voided{}; })
      .handle([](const burn&, command_context&) -> outcome<burnt> { return burnt{}; });
  return made;
}

inline service make_mail() {
  service made{"mail"};
  made.handle([](const note&, command_context&) -> outcome<noted> { return noted{}; })
      .handle([](const greet&, command_context&) -> outcome<greeted> { return greeted{}; })
      .handle([](const post&, command_context&) -> outcome<posted> { return posted{}; })
      .on([](const shipped_out&, command_context&) {})
      .pure();
  return made;
}

} // namespace continuo::engine::testing
