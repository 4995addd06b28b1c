#pragma once

#include "engine/flow_entry.hpp"

#include <continuo/result.hpp>
#include <continuo/workflow.hpp>

#include <coroutine>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::detail {

/// One run of a workflow's function over the entries of its life: its frame, and what the function may know.
///
/// The *place* of the run is the number of the newest entry that it has taken. For the function a step has
/// ended only if the entry that says so is not behind the place; where it waits for something that has not
/// ended at its place, it takes the next entry, and so on. So a run over old entries decides what the first
/// one did, and only what it does at the newest entry is new.
///
/// Not thread-safe: it belongs to one instance, on whose thread its frame runs.
class flow_run {
public:
  struct setting {
    const saga_type* type = nullptr;
    const instance_id* self = nullptr;
    const instance_id* parent = nullptr; ///< null: it has none
    log_sink* sink = nullptr;
  };

  /// `entries` outlives the run. The first is the input; the function has come to none of them.
  flow_run(setting of, std::vector<engine::flow_entry>& entries);
  flow_run(const flow_run&) = delete;
  flow_run& operator=(const flow_run&) = delete;
  ~flow_run();

  /// Lets the function go on over the entries that were added. What it asks for at the newest one; an error
  /// where it made a mistake or threw: the run is then of no more use.
  result<intents> go_on();

  /// Whether the function accepts this update where it stands.
  bool accepts(std::string_view command) const { return accepted_.find(command) != accepted_.end(); }

  /// How many events no wait has taken.
  std::uint32_t kept() const;

  /// Steps in the entries that the function has not come to.
  std::vector<std::string> unreached() const;

  // -- words of the function: see workflow.hpp --------------------------------------------
  enum class kind : std::uint8_t { call, timer, expect, until, outcome, all, first };

  step_number begin_call(std::string name, const message_type& command, const void* body,
                         const message_type& reply);
  step_number begin_timer(std::string name, std::chrono::nanoseconds delay);
  step_number begin_expect(std::string name, const message_type& event,
                           std::optional<std::chrono::nanoseconds> limit);
  step_number outcome_of(step_number call);
  step_number group(kind what, std::vector<step_number> members);
  void cast(std::string name, const message_type& command, const void* body);
  void publish(const message_type& event, const void* body);
  void set_undo(step_number number, const message_type& undo, const void* body);
  void set_limit(step_number number, std::chrono::nanoseconds limit);
  void withdraw(step_number number);
  step_number begin_until(std::function<bool()> holds);
  std::uint64_t begin_accepting(body_type command, std::function<handled(const void*)> update);
  void stop_accepting(std::uint64_t number) noexcept;
  void set_at_end(std::string name, const message_type& command, const void* body, ending when);
  void settle();
  bool since(std::uint32_t version, const std::string& name);
  void says(std::string where);
  [[noreturn]] void roll_back(std::string reason);

  bool is_ready(step_number number);
  void wait(std::coroutine_handle<> waits); // for what `is_ready` was asked for
  void give_outcome(step_number number) const;
  const void* value_of(step_number number) const;
  const step_failed* failure_of(step_number number) const;
  const step_failed& given_failure_of(step_number step) const;
  bool has_won(step_number first, step_number member) const;
  void frame_begins();
  void returned(const message_type* type, const void* value);
  void threw(std::exception_ptr what);

private:
  friend class continuo::flow;

  /// A step, or what is made of some.
  struct part {
    kind what = kind::call;
    std::string name{};
    const message_type* value_type = nullptr; ///< the reply, or the event
    std::vector<step_number> members{};
    std::size_t begun_at = 0;               ///< the place
    bool is_limited = false;                ///< a timer of its name is set
    std::chrono::nanoseconds limit{};       ///< of a call
    bool looked_at = false;                 ///< of a call
    bool given_up = false;                  ///< of a call or timer
    bool withdrawn = false;                 ///< by the function itself
    bool has_undo = false;                  ///< of a call
    bool settled = false;                   ///< what it did stays
    std::optional<step_number> outcome{};   ///< of a call: it as a value
    std::optional<std::size_t> time_over{}; ///< of an expected event: the entry of its limit
    std::optional<std::size_t> ended_at{};  ///< the entry that ended it; of what was given up: the place
    std::shared_ptr<void> value{};          ///< a `value_type`
    std::optional<step_failed> failure{};   ///< of an event that did not come: of kind `given_up`
    std::optional<step_number> winner{};    ///< of `first`
    std::function<bool()> holds{};          ///< of `until`
  };

  /// An update that the function accepts.
  struct acceptor {
    std::uint64_t number = 0;
    body_type command;
    std::function<handled(const void*)> update;
  };

  /// Thrown where the function is to be rolled back. No std::exception, so that it passes by who catches
  /// those.
  struct rolls_back {};

  // -- mistakes ---------------------------------------------------------------------------
  /// From here on words have no effect, and the next co_await does not return. Nothing is thrown: words are
  /// said in destructors, too.
  void stop(error why);
  void mistake(std::string what);
  bool hears_words();
  step_number nothing();
  bool is_name(const std::string& name);

  // -- steps --------------------------------------------------------------------------------
  bool is_newest() const { return place_ + 1 == entries_->size(); }
  /// Whether the step begins now, and has to be sent or set; else it did before. Nothing: a mistake.
  std::optional<bool> begins(engine::begun_step step);
  std::uint32_t version_before() const;
  void leave_place();
  std::optional<std::size_t> take_early(step_number number);
  step_number add(part made);
  intents::message* unsent(const part& call, std::string_view word);
  void give_up(step_number number, std::string reason);
  void drop_limit(part& of);
  void cancel_timer(const std::string& name);

  // -- entries --------------------------------------------------------------------------------
  void take_next_entry();
  void take_update(const engine::flow_entry& entry);
  void take_outcome(step_number number, std::size_t at);
  std::shared_ptr<void> read_value(const part& of, const engine::flow_entry& from);
  void end_by_time(step_number number);
  bool ends(step_number number);
  bool has_ended_here(step_number number);
  bool event_ends(part& of);
  bool condition_holds(part& of);
  bool all_end(part& of);
  bool one_ends(part& of);
  step_number base_of(step_number number) const;
  std::optional<std::size_t> end_of(step_number number);
  const part& awaited(step_number number) const;
  std::string last_awaited() const;
  void collect_events(step_number number, std::vector<std::string>& into) const;
  void resume();
  result<intents> outcome_of_run();

  setting of_;
  std::vector<engine::flow_entry>* entries_;
  flow words_{*this};
  std::coroutine_handle<> frame_; // of the function
  std::coroutine_handle<> waits_; // what goes on when `waits_for_` has ended; null: nothing waits
  step_number waits_for_ = 0;
  std::size_t place_ = 0;
  std::uint64_t random_ = 0;
  std::deque<part> parts_;
  std::map<std::string, step_number, std::less<>> by_name_;
  std::map<std::string, engine::begun_step, std::less<>> begun_; // in the entries, also behind the place
  std::map<std::string, std::size_t, std::less<>> early_;        // ends of steps that this run has not begun
  std::set<std::string, std::less<>> early_given_up_;            // and those that an older version gave up
  std::map<std::string, std::deque<std::size_t>, std::less<>> kept_; // events by type: entries
  std::set<std::string, std::less<>> gave_up_;                       // in the entries, also behind the place
  std::set<std::uint64_t> taken_;                                    // events that waits have taken
  std::map<std::string, acceptor, std::less<>> accepted_;            // updates by type
  std::map<std::string, bool, std::less<>> since_;                   // what was asked, and the answer
  std::uint64_t acceptances_ = 0;
  intents asked_;
  std::optional<typed_bytes> returned_;
  std::optional<std::string> rolls_back_;
  std::optional<error> mistake_;
  std::exception_ptr thrown_;
  bool is_over_ = false; // the function returned or threw
  bool dies_ = false;    // the frame is being destroyed
  bool updates_ = false; // an update runs
  bool warned_ = false;
  bool has_frame_ = false;
  int in_flight_ = 0; // exceptions outside the function
};

} // namespace continuo::detail
