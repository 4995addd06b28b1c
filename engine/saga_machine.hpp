#pragma once

#include "engine/expiry.hpp"
#include "engine/flow_entry.hpp"
#include "engine/mailbox.hpp"
#include "engine/routing.hpp"
#include "engine/transition.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

// The state machine of a saga instance. `transition::edge` names the row that a message took; the tests
// report rows that none of them takes. "absent" is an instance without a record.
//
// clang-format off
//   edge                 from                   message                              to
//   start                absent                 event that starts it                 running, or where its handler leads
//   start_fails          absent                 its handler fails for good           stuck
//   unknown_discard      absent                 event that starts nothing            absent
//   unknown_dead_letter  absent                 the same, policy dead_letter         absent
//   stale                absent                 reply, failure, timer                absent
//   event                running                event declared with on               by its handler
//   event_dropped        any live               event not for this status            the same; noted
//   event_after_end      terminal, or returned  event                                the same; by its policy
//   reply                running                reply of an open request             by its handler
//   failure              running                failure of an open request           by its handler
//   failure_rolls_back   running                failure without a handler            compensating
//   told                 any                    answer to a command that was told    the same
//   timer                running                timer that is set                    by its handler
//   timer_stale          any                    timer that is not set any more       the same
//   duplicate            any                    handled before                       the same
//   hold                 paused, stuck, or      anything that a handler would take   the same; called for later
//                        retrying a message
//   unknown_here         absent, running        what this program does not know      the same; left with its sender
//   retry_later          absent, running        a handler fails, attempts are left   the same
//   handler_fails        running                a handler fails for good             stuck
//   late_success         compensating, stuck    reply of an abandoned request        compensating, one more to undo
//   late_failure         compensating, stuck    failure of an abandoned request      compensating
//   undone               compensating           reply of a compensation              compensating or compensated
//   undo_refused         compensating           failure of a compensation            stuck
//   cancel               running, paused, stuck operator                             compensating
//   pause                running, compensating  operator                             paused
//   resume               paused                 operator                             the status before
//   retry                stuck                  operator                             the status before
//   rerouted             running, compensating  operator's retry, and a request that the same; sent to who handles it now,
//                                               went to what nothing hosts any more  or given up
//   skip                 stuck (compensating)   operator                             compensating or compensated
//   verb_refused         any                    a verb that the status forbids       the same
//   quarantine           absent, running        the process ended in its handler     the same; one time too many: stuck
//   move                 any                    its node is down, another one is up  the same; sent to the other node
//   stays                any                    the same, nothing to move            the same
//   flush                any                    receipts since the last write        the same
//   expire               terminal               kept long enough                     absent
//
// Of commands that a saga handles, beside these:
//   start                absent, compensated     command that starts it               running
//   joined               any                    such a command, where it may join    the same
//   declined             any                    command that finds no such instance  the same
//   update               running                command, by its handler              running
//   update_declined      running                the same, declined                   the same
//   update_fails         running                its handler fails for good           the same; dead letter
//   withdrawn            any                    word that a command is given up      the same; else `cancel`
//
// Of workflows, beside these:
//   given_up_success     running                reply of a step that was given up    the same; undone at once
//   given_up_failure     running                failure of a step that was given up  the same, or stuck
//   given_up_undone      running                reply of the undo of such a step     the same
//   given_up_refused     running                failure of it                        stuck
// clang-format on
//
// After a row leads to "running" the audit asks what can wake the instance: an open request, a timer, an
// expected event. Nothing: it is stuck at once. "compensating" with no request open undoes the newest step;
// with no step left it is compensated. A step of unknown outcome that nothing undoes makes it stuck.
namespace continuo::engine {

/// All rows of the table, for the tests; those of workflows alone, and those of commands.
std::span<const char* const> saga_edges();
std::span<const char* const> workflow_edges();
std::span<const char* const> command_edges();

/// What the machine needs to know of its node. Outlives the machine; only read.
struct saga_environment {
  const detail::saga_type* type = nullptr;
  const routing_table* routes = nullptr;
  detail::log_sink* sink = nullptr;
  std::uint64_t store = 0;                      ///< the store's id, part of each message id
  std::uint64_t seed = 0;                       ///< of the handlers' random numbers
  std::uint32_t handler_attempts = 3;           ///< before a failing handler makes the instance stuck
  std::chrono::milliseconds handler_delay{100}; ///< before the first further attempt; doubled for each
  bool history = true;
  /// Of workflows: the values in the store under this prefix, in the order of their keys.
  std::function<result<std::vector<std::string>>(const std::string& prefix)> read_entries{};
  /// For tests: each time a workflow's function goes on it is run again from its beginning as well, and must
  /// ask for the same; past 256 entries at every 64th.
  bool runs_twice = false;
  /// For tests: is shown what the saga's code asks for, before it is checked.
  std::function<void(const detail::intents&)> sees{};
};

/// What an operator may ask of an instance.
enum class verb : std::uint8_t { cancel, pause, resume, retry, skip };

/// One saga instance: its record, and what happens to it. Pure but for the saga's own handlers, which it
/// calls. Not thread-safe: it belongs to one actor. Every member that returns a transition takes a revision
/// that was never used before; the transition's writes carry it.
class saga_machine {
public:
  ~saga_machine();

  /// `stored` is what the store holds under `self`.
  saga_machine(const saga_environment& environment, instance_id self, std::optional<record> stored);
  saga_machine(const saga_machine&) = delete;
  saga_machine& operator=(const saga_machine&) = delete;

  // -- messages -----------------------------------------------------------------
  transition receive(const envelope& message, const moment& now, std::uint64_t revision);

  /// Handles again the message whose handler failed. @pre `retrying()`
  transition try_again(const moment& now, std::uint64_t revision);

  /// Takes note that a receiver handled a message, or that a sender forgets one. Changes memory only; the
  /// next write, or `flush`, makes it durable.
  transition receive(const messages::receipt& receipt) { return mail_.receive(receipt); }

  /// What `to` asks for: the unacknowledged messages for it, in order, or a receipt that nothing is left.
  transition called(const messages::call_for& call) const { return mail_.called(call); }

  // -- people -------------------------------------------------------------------
  /// The verdict says why where the status forbids it.
  transition operate(verb what, const std::string& who, const std::string& note, const moment& now,
                     std::uint64_t revision);

  // -- housekeeping ----------------------------------------------------------------
  /// The stateless service at `from` cannot be reached: the open command `id` goes to another live node of
  /// the service, if there is one. `handed_out`: the service may have it all the same.
  transition move(const message_id& id, std::string_view from, bool handed_out, const moment& now,
                  std::uint64_t revision);

  /// Writes what receipts changed, if anything.
  transition flush(const moment& now, std::uint64_t revision);

  /// Deletes the record if it is terminal, nobody waits for anything of it, and it ended before `before`.
  transition expire(time_point before);

  /// Counts that the process ended in the handler of `message`, which its thread did where that is `proven`:
  /// the record takes the message over, and `recover` has it handled again. After the third such death, or
  /// the tenth end in a row of which nobody knows the cause, the instance is stuck over `message` instead.
  transition suspect(const envelope& message, bool proven, const moment& now, std::uint64_t revision);

  // -- queries ------------------------------------------------------------------
  /// In memory for the first time since the node started: what is unacknowledged here, in the order in which
  /// it was sent, and the timers to set. Delivered before the instance handles anything new.
  transition recover(std::uint64_t revision);

  bool exists() const { return exists_ && record_.kind != record_kind::absence; }
  bool dirty() const { return mail_.is_dirty(); }
  bool retrying() const { return retrying_.has_value(); }

  /// The message whose handler failed and is to be tried again. @pre `retrying()`
  const envelope& retried() const { return *retrying_; }
  std::uint32_t attempts() const { return attempts_; } ///< of `retried()` that failed

  /// Whether it may leave memory: nothing is retried or unwritten, or held until something happens here.
  bool may_passivate() const;

  /// Whether it counts as in flight; what memory alone knows included.
  bool in_flight() const { return retrying_.has_value() || is_in_flight(record_, *environment_->routes); }

  const record& current() const { return record_; }
  std::string encoded() const { return encode(record_); }

private:
  struct draft; // a transition in the making

  // -- one message ---------------------------------------------------------------
  /// A timer's message only names the timer: what it carries stands in the record. Nothing for other
  /// messages.
  std::optional<envelope> filled_timer(const envelope& message) const;
  void dispatch(draft& next, const envelope& message);
  bool is_duplicate(draft& next, const envelope& message) const;
  bool must_hold(const envelope& message);
  void handle_event(draft& next, const envelope& message);
  void handle_answer(draft& next, const envelope& message);
  void handle_late_answer(draft& next, const envelope& message, std::size_t position);
  void handle_undo_answer(draft& next, const envelope& message, std::size_t position);
  void handle_timer(draft& next, const envelope& message);
  void absent(draft& next, const envelope& message);

  // -- the saga's handlers ---------------------------------------------------------
  result<detail::intents> invoke(const envelope& message, const request* answered, const moment& now);
  struct plan; // what a handler asked for, checked and with its destinations
  result<plan> check(detail::intents&& asked, const request* closing,
                     const std::optional<compensation>& undo = std::nullopt,
                     std::size_t answer_bytes = 0) const;
  /// What undoes a command, as far as its answer says that it happened, or may have; `reply` is null where
  /// the outcome is unknown.
  result<std::optional<compensation>> undo_of(const request& sent, const envelope& answer) const;
  result<std::optional<compensation>> undo_of(const request& sent, const std::string_view* reply) const;
  std::size_t bytes_kept(const request* closing, const std::optional<compensation>& undo) const;
  void apply(draft& next, plan&& asked);
  void send_all(draft& next, plan& planned);
  result<void> read_state();
  std::optional<error> state_unknown_here();
  std::optional<error> unknown_to_verbs(verb what);
  result<void> say_end(draft& next);
  /// `step` and `undo` of a workflow.
  void send(draft& next, detail::typed_bytes&& body, const destination& where, bool compensates,
            std::string step = {}, detail::typed_bytes undo = {});
  void publish(draft& next, const detail::typed_bytes& body, const std::vector<destination>& where);
  void tell(draft& next, detail::typed_bytes&& body, const destination& where);
  void handler_failed(draft& next, const envelope& message, const error& why);
  void taken_over(const envelope& message);

  detail::invocation invocation_of(const envelope& message, const moment& now) const;

  // -- commands: saga_commands.cpp ---------------------------------------------------
  const detail::saga_command* command_of(std::string_view type) const;
  bool is_update(const envelope& message) const;
  void answer(draft& next, const starter& to, message_kind kind, std::string payload);
  void decline(draft& next, const starter& to, failure_kind kind, std::string reason);
  void decline(draft& next, const envelope& message, failure_kind kind, std::string reason);
  void remember_absence(draft& next, const envelope& message, failure_kind kind, std::string reason);
  void answer_again(draft& next, const envelope& message) const;
  std::string objection_to_starter(const envelope& message) const;
  void begin_life(const envelope& message);
  void add_starter(const envelope& message);
  bool has_room_for_answer() const;
  void absent_command(draft& next, const envelope& message);
  void begin_new_life(draft& next);
  void start(draft& next, const envelope& message);
  void handle_command(draft& next, const envelope& message);
  void join(draft& next, const envelope& message, const detail::saga_command& command);
  void answer_starters(draft& next);
  void update(draft& next, const envelope& message, const detail::saga_command& command);
  result<detail::intents> run_update(const envelope& message, const detail::saga_command& command,
                                     const moment& now);
  void update_failed(draft& next, const envelope& message, const std::string& reason);
  bool is_given_up() const;
  transition withdraw(const envelope& message, const moment& now, std::uint64_t revision);

  // -- a workflow: saga_workflow.cpp ------------------------------------------------
  struct life; // the entries, and the run over them
  bool is_workflow() const { return static_cast<bool>(environment_->type->frame); }
  result<void> find_life();
  result<void> load_life();
  std::uint32_t kept_events();
  std::string life_state() const;
  void forget_run();
  void forget_frame();
  result<flow_entry> entry_of(const envelope& message, const request* answered, const moment& now) const;
  result<detail::intents> run_function(const envelope& message, const request* answered, const moment& now);
  result<void> run_again(const detail::intents& asked) const;
  const instance_id* parent() const;
  void add_entry(draft& next);
  void take_words(detail::intents& asked);
  void keep_undo(compensation&& undo);
  result<void> take_newest_undo();
  void take_undo_of(draft& next, const std::string& step);
  void end_function(draft& next);
  void end_kept_events(draft& next);
  void give_up(draft& next, const std::string& step);
  result<destination> where_undone(const compensation& undo) const;
  void undo_given_up(draft& next, compensation&& undo);
  void handle_given_up_answer(draft& next, const envelope& message, std::size_t position);
  void take_back_refused();
  void end_if_settled(draft& next);
  void undo_given_up_again(draft& next);
  std::vector<compensation>::iterator newest_given_up();
  void wait_for_given_up(draft& next);
  void call_kept(draft& next);
  result<void> send_last_words(draft& next);
  result<void> check_version() const;

  // -- rolling back --------------------------------------------------------------
  transition cancel(draft& next, const char* edge, std::string reason);
  void begin_rollback(draft& next, std::string reason, const message_id& answered = {});
  bool is_homeless(const request& sent) const;
  result<void> reroute(draft& next);
  void send_refused_again(draft& next);
  void skip_refused();
  void give_up_homeless(draft& next, const message_id& answered = {});
  void advance_rollback(draft& next);
  void become_stuck(draft& next, std::string reason, instance_status resumes_to);
  void end(draft& next, instance_status status);

  // -- parts ----------------------------------------------------------------------
  void hold(draft& next, const envelope& message);
  void leave(draft& next, const envelope& message, error why);
  void release_held(transition& into);
  void remember(const envelope& message);
  std::size_t find_request(const message_id& id) const;

  /// The type of the command that the message answers; empty where it answers none that the record knows.
  std::string answered_by(const envelope& message) const;
  request close_request(draft& next, std::size_t position, const envelope& answer);
  void audit(draft& next);
  void write(draft& next);
  void create(const draft& next);
  void drop_timers(draft& next);

  const saga_environment* environment_;
  record record_;
  bool exists_ = false;
  expiry_times indexed_; // of what was written last
  mailbox mail_{record_, *environment_->routes};
  std::unique_ptr<life> life_;       // of a workflow; null until it is needed
  std::shared_ptr<void> state_;      // the user's object; null until it is needed, and after a failed handler
  std::optional<envelope> retrying_; // its handler failed; tried again later
  std::uint32_t attempts_ = 0;       // of retrying_
};

} // namespace continuo::engine
