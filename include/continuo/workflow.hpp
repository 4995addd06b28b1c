#pragma once

#include <continuo/context.hpp>
#include <continuo/definition.hpp>
#include <continuo/detail/times.hpp>
#include <continuo/fields.hpp>
#include <continuo/outcome.hpp>
#include <continuo/saga.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

/// A saga written as a coroutine, for processes that read like a recipe:
///
///     continuo::workflow<std::string> fulfil(order_placed order, continuo::flow& flow) {
///       auto payment = flow.call("pay", make_payment{order.id, order.cents}); // begins here
///       payment.undone_by(refund_payment{order.id});
///       co_await payment;                                                     // waits here
///       auto label = flow.call("label", create_label{order.id});
///       co_await label;
///       co_return label->tracking;
///     }
///     node.host(continuo::workflow_type{"fulfil", fulfil}.starts_on<order_placed>(&order_placed::id));
///
/// What its steps brought is durable; the coroutine's frame is not. After a restart, or when the instance was
/// out of memory, the function runs again from its beginning, and each step that ended gives what it gave
/// before, by its name. So the function must decide by its input, its steps and `flow` alone: no clock, no
/// random numbers, no I/O of its own. Destructors run whenever the frame goes; they may free memory, nothing
/// else.
namespace continuo {

class flow;

/// Of which end of an instance.
enum class ending : std::uint8_t { any, completed, compensated };

/// Thrown by `co_await` where the step failed. Who does not catch it rolls the instance back with `what()`.
class step_failed : public std::exception {
public:
  step_failed(std::string step, failure_kind kind, std::string reason);

  const std::string& step() const { return step_; }
  failure_kind kind() const { return kind_; }
  const std::string& reason() const { return reason_; }
  const char* what() const noexcept override { return what_.c_str(); }

private:
  std::string step_;
  failure_kind kind_;
  std::string reason_;
  std::string what_;
};

namespace detail {

class flow_run;

/// Names a step, or what is made of steps, in one run of a frame.
using step_number = std::uint32_t;

step_number begin_call(flow_run& run, std::string name, const message_type& command, const void* body,
                       const message_type& reply);
step_number begin_timer(flow_run& run, std::string name, std::chrono::nanoseconds delay);
step_number begin_expect(flow_run& run, std::string name, const message_type& event,
                         std::optional<std::chrono::nanoseconds> limit);
step_number make_outcome(flow_run& run, step_number of);
step_number make_all(flow_run& run, std::vector<step_number> members);
step_number make_first(flow_run& run, std::vector<step_number> members);
void cast(flow_run& run, std::string name, const message_type& command, const void* body);
void publish(flow_run& run, const message_type& event, const void* body);
void set_undo(flow_run& run, step_number call, const message_type& undo, const void* body);
void set_limit(flow_run& run, step_number call, std::chrono::nanoseconds limit);
void withdraw(flow_run& run, step_number step);
step_number begin_until(flow_run& run, std::function<bool()> holds);
std::uint64_t begin_accepting(flow_run& run, body_type command,
                              std::function<handled(const void* command)> update);
void stop_accepting(flow_run& run, std::uint64_t number) noexcept;
void set_at_end(flow_run& run, std::string name, const message_type& command, const void* body, ending when);

/// Whether it has ended; what was written since is looked at for that.
bool has_ended(flow_run& run, step_number what);
/// For what was asked last whether it has ended.
void wait_for(flow_run& run, std::coroutine_handle<> waits);
/// @throws step_failed
void give_outcome(flow_run& run, step_number what);

/// What the step brought. @throws std::logic_error where it has not, or was not awaited
const void* value_of(flow_run& run, step_number step);
/// Its failure; null where it succeeded. @throws std::logic_error where it was not awaited
const step_failed* failure_of(flow_run& run, step_number step);
/// Its failure. @throws std::logic_error where it succeeded, or was not awaited
const step_failed& given_failure_of(flow_run& run, step_number step);
/// Of `first`: whether that member ended first.
bool has_won(flow_run& run, step_number first, step_number member);
void frame_begins(flow_run& run);

void function_returned(flow_run& run, const message_type* type, const void* value);
void function_threw(flow_run& run) noexcept;

/// What can be awaited: a number, and the run in which it means something.
class awaitable {
public:
  awaitable(flow_run& run, step_number number) : run_(&run), number_(number) {}

  step_number number() const { return number_; }
  flow_run& run() const { return *run_; }

private:
  flow_run* run_;
  step_number number_;
};

/// What `all` and `first` take: no groups of steps.
class single_step : public awaitable {
public:
  using awaitable::awaitable;
};

/// Has a real constructor and refers to nothing in the frame: g++ 12 would not keep it alive otherwise.
class awaiter {
public:
  awaiter(flow_run& run, step_number number) : run_(&run), number_(number) {}

  bool await_ready() { return has_ended(*run_, number_); }
  void await_suspend(std::coroutine_handle<> waits) { wait_for(*run_, waits); }
  void await_resume() { give_outcome(*run_, number_); }

private:
  flow_run* run_;
  step_number number_;
};

flow_run& run_of(flow& words);

template <class... Arguments>
flow_run& run_among(Arguments&... arguments) {
  flow_run* found = nullptr;
  const auto look_at = [&]<class Argument>(Argument& argument) {
    if constexpr (std::is_same_v<std::remove_cv_t<Argument>, flow>) {
      found = &run_of(argument);
    }
  };
  (look_at(arguments), ...);
  return *found;
}

/// What the promises of all workflows have in common.
class flow_promise {
public:
  template <class... Arguments>
  explicit flow_promise(Arguments&... arguments) : run_(&run_among(arguments...)) {
    static_assert((std::is_same_v<std::remove_cv_t<Arguments>, flow> || ...),
                  "continuo: a workflow takes its input by value and a continuo::flow&");
    frame_begins(*run_);
  }

  std::suspend_always initial_suspend() const { return {}; }
  std::suspend_always final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { function_threw(*run_); }

  template <class Awaited>
  awaiter await_transform(Awaited&& awaited) const {
    static_assert(std::is_lvalue_reference_v<Awaited>,
                  "continuo: only what has a name can be awaited, in a statement of its own: "
                  "auto payment = flow.call(...); co_await payment;");
    static_assert(std::is_base_of_v<awaitable, std::remove_cvref_t<Awaited>>,
                  "continuo: a workflow waits for steps, and for what flow.all and flow.first make of them");
    return {*run_, awaited.number()};
  }

  /// Frames may hold what is aligned to a cache line.
  static constexpr std::align_val_t alignment{64};
  static void* operator new(std::size_t bytes) { return ::operator new(bytes, alignment); }
  static void operator delete(void* frame) { ::operator delete(frame, alignment); }

protected:
  flow_run* run_;
};

template <class Result>
class returning_promise : public flow_promise {
public:
  using flow_promise::flow_promise;

  void return_value(Result value) { function_returned(*run_, &message_type_of<Result>(), &value); }
};

template <>
class returning_promise<void> : public flow_promise {
public:
  using flow_promise::flow_promise;

  void return_void() { function_returned(*run_, nullptr, nullptr); }
};

} // namespace detail

/// What the function of a workflow gives back: with `co_return`, a string, number, bool or message that
/// becomes the result of the instance, or nothing.
template <class Result = void>
class [[nodiscard]] workflow {
public:
  static_assert(std::is_void_v<Result> || message<Result> || detail::plain_result<Result>,
                "continuo: a workflow's result is nothing, a std::string, bool, std::int64_t or double, or a "
                "message, which" CONTINUO_DETAIL_NEEDS);

  class promise_type : public detail::returning_promise<Result> {
  public:
    using detail::returning_promise<Result>::returning_promise;

    workflow get_return_object() {
      return workflow{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
  };

  workflow(workflow&& other) noexcept : frame_(other.release()) {}
  workflow& operator=(workflow&&) = delete;
  ~workflow() {
    if (frame_) {
      frame_.destroy();
    }
  }

  /// For the runtime, which resumes the frame and destroys it.
  std::coroutine_handle<> release() noexcept { return std::exchange(frame_, nullptr); }

private:
  explicit workflow(std::coroutine_handle<> frame) : frame_(frame) {}

  std::coroutine_handle<> frame_;
};

/// How a step ended, as a value: `co_await` of it does not throw.
template <class Reply>
class step_outcome : public detail::single_step {
public:
  using detail::single_step::single_step;

  /// Whether the step succeeded. @pre it was awaited, as for all members
  explicit operator bool() const { return detail::failure_of(run(), number()) == nullptr; }

  const Reply& operator*() const { return *static_cast<const Reply*>(detail::value_of(run(), number())); }
  const Reply* operator->() const { return &**this; }

  /// @pre it failed
  const step_failed& failure() const { return detail::given_failure_of(run(), number()); }
};

/// A command on its way, or answered. `co_await` waits for its end and throws `step_failed` where it failed;
/// then it is like a pointer to its reply. Each one must be looked at: awaited itself, as `outcome()` or in
/// `flow.all`, or withdrawn. Copies stand for the same step.
template <class Reply>
class step : public detail::single_step {
public:
  using detail::single_step::single_step;

  /// The command that undoes the step when the instance is rolled back, or the step given up, after it
  /// happened or may have happened: it must succeed where nothing had happened. Said before the next
  /// co_await.
  template <class Undo>
  step undone_by(const Undo& command) {
    static_assert(detail::command<Undo>, "continuo: undone_by takes a command (a type with CONTINUO_FIELDS "
                                         "and a member type `reply`)");
    detail::set_undo(run(), number(), message_type_of<Undo>(), &command);
    return *this;
  }

  /// Gives the step up where it has not ended after this time. Said before the next co_await.
  step within(detail::any_duration limit) {
    detail::set_limit(run(), number(), limit);
    return *this;
  }

  /// Gives the step up, as if it had not happened: taken back where it is open, undone at once where it
  /// succeeded or may have. The instance does not end before that is settled. Who awaits the step sees a
  /// failure of kind `given_up`.
  void withdraw() { detail::withdraw(run(), number()); }

  step_outcome<Reply> outcome() const { return {run(), detail::make_outcome(run(), number())}; }

  /// @pre it was awaited and succeeded
  const Reply& operator*() const { return *static_cast<const Reply*>(detail::value_of(run(), number())); }
  const Reply* operator->() const { return &**this; }
};

/// A timer that is set.
class timer_step : public detail::single_step {
public:
  using detail::single_step::single_step;

  /// It does not fire any more; nothing happens where it has. Timers that are left over end with the
  /// function.
  void withdraw() { detail::withdraw(run(), number()); }
};

/// An event that is waited for: where it has a limit, that or nothing.
template <class Event>
class event_step : public detail::single_step {
public:
  using detail::single_step::single_step;

  /// Whether it came. @pre it was awaited
  explicit operator bool() const { return detail::failure_of(run(), number()) == nullptr; }

  const Event& operator*() const { return *static_cast<const Event*>(detail::value_of(run(), number())); }
  const Event* operator->() const { return &**this; }
};

/// Something that the function waits for to become true. See `flow::until`.
class condition : public detail::single_step {
public:
  using detail::single_step::single_step;
};

/// As long as it lives the instance accepts updates of one type. See `flow::accept`.
class [[nodiscard]] update_acceptance {
public:
  update_acceptance(detail::flow_run& run, std::uint64_t number) : run_(run), number_(number) {}
  update_acceptance(const update_acceptance&) = delete;
  update_acceptance& operator=(const update_acceptance&) = delete;
  ~update_acceptance() { detail::stop_accepting(run_, number_); }

private:
  detail::flow_run& run_;
  std::uint64_t number_;
};

/// Waits for all of its steps, and throws what failed first; the others are given up then.
class all_of_steps : public detail::awaitable {
public:
  using detail::awaitable::awaitable;
};

/// Waits until one of its steps has ended, well or badly. It never throws, and the others stay as they are.
class first_of_steps : public detail::awaitable {
public:
  using detail::awaitable::awaitable;

  /// Whether that one ended first. @pre it was awaited
  bool is(const detail::single_step& other) const { return detail::has_won(run(), number(), other.number()); }
};

/// What a workflow's function says, within the function and the plain functions that it calls. Everything
/// that is asked for becomes durable together, when the function waits for something that has not happened
/// yet, or not at all if it throws anything but `step_failed`. A mistake makes the instance `stuck` with a
/// reason that names the step: a name twice, a step that was never looked at, a command that nothing handles.
/// Names have 1 to 200 bytes of UTF-8 without control characters. Valid within the function, on its thread.
class flow {
public:
  explicit flow(detail::flow_run& run) : run_(&run) {}
  flow(const flow&) = delete;
  flow& operator=(const flow&) = delete;

  // -- steps ------------------------------------------------------------------------
  /// Sends the command to the service that handles it. It begins now, and is awaited by its name: making
  /// several and awaiting them later runs them side by side.
  template <class Command>
  auto call(std::string name, const Command& command) {
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    constexpr bool has_reply = requires {
      typename Command::reply;
    };
    static_assert(has_reply,
                  "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    if constexpr (has_reply) {
      using reply = typename detail::reply_type<Command>::type;
      return step<reply>{*run_, detail::begin_call(*run_, std::move(name), message_type_of<Command>(),
                                                   &command, message_type_of<reply>())};
    } else { // the compiler has said so
      return timer(std::move(name), std::chrono::seconds{0});
    }
  }

  /// Sends the command and takes no interest in what becomes of it; one that fails for good becomes a dead
  /// letter. It goes out also where the function rolls back.
  template <class Command>
  void cast(std::string name, const Command& command) {
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    static_assert(
        requires { typename Command::reply; },
        "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    detail::cast(*run_, std::move(name), message_type_of<Command>(), &command);
  }

  /// The same, sent with the end of the instance, also where an operator cancels it: a mail to the customer.
  /// A later one of the same name takes its place.
  template <class Command>
  void at_end(std::string name, const Command& command, ending when = ending::any) {
    static_assert(detail::command<Command>,
                  "continuo: at_end takes a command: a type with CONTINUO_FIELDS and a member type `reply`");
    detail::set_at_end(*run_, std::move(name), message_type_of<Command>(), &command, when);
  }

  /// Publishes an event to every saga, workflow and service that subscribes to its type.
  template <class Event>
  void publish(const Event& event) {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    detail::publish(*run_, message_type_of<Event>(), &event);
  }

  /// Ends after `delay`, never early. Zero is over at once, the longest of any unit (`hours::max()`) never.
  timer_step timer(std::string name, detail::any_duration delay) {
    return {*run_, detail::begin_timer(*run_, std::move(name), delay)};
  }

  /// The next event of this type that no other wait has taken, also one that came before: events are kept in
  /// the order in which they come. It is taken when it is awaited, alone or in `all`, or when it wins
  /// `first`. The workflow must declare it with `hears`.
  template <class Event>
  event_step<Event>(expect)(std::string name) {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    return {*run_, detail::begin_expect(*run_, std::move(name), message_type_of<Event>(), std::nullopt)};
  }

  /// The same, for so long; then it ends without one.
  template <class Event>
  event_step<Event>(expect)(std::string name, detail::any_duration limit) {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    return {*run_, detail::begin_expect(*run_, std::move(name), message_type_of<Event>(), limit)};
  }

  /// Ends when `holds` (a function of nothing that gives a bool, of local variables alone) is true. It is
  /// looked at again after each update that is accepted and whenever else the function is gone on with; an
  /// update has to be accepted, or something else be open, while the function waits for it alone.
  template <class Predicate>
  condition until(Predicate holds) {
    static_assert(std::is_invocable_r_v<bool, Predicate&>,
                  "continuo: flow.until takes a function of nothing that gives a bool");
    return {*run_, detail::begin_until(*run_, std::move(holds))};
  }

  // -- updates --------------------------------------------------------------------------
  /// As long as what it gives lives, updates of `Command` are answered by `update`, a function
  /// `outcome<Command::reply> (const Command&)`: at once, whatever the function waits for. It may change
  /// local variables, which must outlive the acceptance, and begins no step. Before and after that the
  /// command is declined. Each update is an entry of its own and run again at its place. What throws is tried
  /// again, and then the update has failed and the instance goes on as it was. One for each type at a time.
  ///
  ///     auto open = flow.accept<change_address>([&](const change_address& to) -> outcome<address_changed> {
  ///       address = to.address;
  ///       return address_changed{};
  ///     });
  template <class Command, class Function>
  update_acceptance accept(Function update) {
    static_assert(detail::command<Command>,
                  "continuo: accept takes a command: a type with CONTINUO_FIELDS and a member type `reply`");
    using reply = typename Command::reply;
    static_assert(std::is_invocable_r_v<outcome<reply>, Function&, const Command&>,
                  "continuo: flow.accept takes a function `outcome<Command::reply> (const Command&)`");
    return update_acceptance{*run_, detail::begin_accepting(*run_, detail::body_type_of<Command>(),
                                                            [update](const void* body) mutable {
                                                              const outcome<reply> decided =
                                                                  update(*static_cast<const Command*>(body));
                                                              return detail::to_handled(decided);
                                                            })};
  }

  // -- several ------------------------------------------------------------------------
  template <class... Steps>
  all_of_steps all(const Steps&... steps) {
    static_assert((std::is_base_of_v<detail::single_step, Steps> && ...),
                  "continuo: flow.all and flow.first take steps, and not each other");
    return {*run_, detail::make_all(*run_, {steps.number()...})};
  }
  template <std::derived_from<detail::single_step> Step>
  all_of_steps all(const std::vector<Step>& steps) {
    return {*run_, detail::make_all(*run_, numbers_of(steps))};
  }
  template <class... Steps>
  first_of_steps first(const Steps&... steps) {
    static_assert((std::is_base_of_v<detail::single_step, Steps> && ...),
                  "continuo: flow.all and flow.first take steps, and not each other");
    return {*run_, detail::make_first(*run_, {steps.number()...})};
  }
  template <std::derived_from<detail::single_step> Step>
  first_of_steps first(const std::vector<Step>& steps) {
    return {*run_, detail::make_first(*run_, numbers_of(steps))};
  }

  // -- the end ------------------------------------------------------------------------
  /// Gives up: what was done is undone in reverse order, and the instance ends as `compensated` with this
  /// reason. Throws what is no std::exception; who swallows it does not come further than the next co_await.
  /// Not for destructors, out of which nothing may be thrown.
  [[noreturn]] void roll_back(std::string reason);

  /// What was done so far stays done: a rollback undoes only what comes later, and nothing of it can be given
  /// up any more.
  void settle();

  // -- what it may know, and say ----------------------------------------------------------
  const instance_id& self() const;

  /// The instance whose command started it, so that it is its child. Null where an event or a client did.
  const instance_id* parent() const;

  /// Whether the function may do what its version `version` brought (`name` says what): where this life came
  /// to this place under an older one, it may not. Asked again under the same name it gives the same.
  bool since(std::uint32_t version, const std::string& name);

  /// Where it is, for people: shown with the instance, until it says something else. At most 200 bytes.
  void says(std::string where);

  /// The time of the message that the function has come to: the same whenever it runs again.
  time_point now() const;

  /// A number that is the same whenever the function runs again.
  std::uint64_t random();

  /// A logger that names the instance, and is silent where the function runs again over what was there
  /// before.
  instance_logger log() const;

private:
  friend detail::flow_run& detail::run_of(flow& words);

  template <class Step>
  static std::vector<detail::step_number> numbers_of(const std::vector<Step>& steps) {
    std::vector<detail::step_number> numbers;
    for (const auto& one : steps) {
      numbers.push_back(one.number());
    }
    return numbers;
  }

  detail::flow_run* run_;
};

namespace detail {

inline flow_run& run_of(flow& words) {
  return *words.run_;
}

/// Makes the frame of a workflow's function for an input, which may be moved from.
using frame_function = void* (*)(void* function, void* input, flow& words);

template <class Function>
struct workflow_signature;
template <class Result, class Input>
struct workflow_signature<workflow<Result> (*)(Input, flow&)> {
  using result = Result;
  using input = Input;
};

saga_type describe_workflow(std::string name, body_type input, kept_function function, frame_function begin,
                            const message_type* result);
void declare_version(saga_type& workflow, std::uint32_t version);
void declare_start(saga_type& workflow, body_type event, kept_function correlation, key_function key);
void declare_event(saga_type& workflow, body_type event, kept_function correlation, key_function key,
                   unknown_instance policy);
void declare_starting_command(saga_type& workflow, command_declaration command, second_starter second);
call& declare_call(saga_type& workflow, body_type command, body_type reply);

} // namespace detail

/// A workflow under its name, with what starts it and what it hears.
template <class Result, class Input>
class workflow_type {
public:
  static_assert(std::is_same_v<Input, std::remove_cvref_t<Input>>,
                "continuo: a workflow takes its input by value: the frame lives longer than the event");
  static_assert(message<std::remove_cvref_t<Input>>,
                "continuo: the input of a workflow" CONTINUO_DETAIL_NEEDS);

  workflow_type(std::string name, workflow<Result> (*function)(Input, flow&))
      : type_(detail::describe_workflow(
            std::move(name), detail::body_type_of<Input>(), detail::kept_function{function},
            [](void* kept, void* input, flow& words) {
              const auto begin = *static_cast<workflow<Result> (**)(Input, flow&)>(kept);
              return begin(std::move(*static_cast<Input*>(input)), words).release().address();
            },
            result_type())) {}

  /// The number of this program's function: a higher one where steps were added, removed or moved. Instances
  /// that are under way go on with it; their steps keep their meaning by their names. 0 to begin with.
  workflow_type& version(std::uint32_t number) {
    detail::declare_version(type_, number);
    return *this;
  }

  /// The event starts an instance under the key that `correlation` (a member or a function) reads from it,
  /// and is the function's input. Where the instance exists, live or ended, the event is noted and dropped,
  /// unless it is declared with `hears` as well.
  template <class Event, class Correlation>
  workflow_type& starts_on(Correlation correlation) {
    static_assert(std::is_same_v<Event, Input>, "continuo: a workflow starts on the event that its function "
                                                "takes");
    detail::declare_start(type_, detail::body_type_of<Event>(), detail::kept_function{std::move(correlation)},
                          detail::read_key<Event, Correlation>);
    return *this;
  }

  /// The command starts an instance under the key that `correlation` reads from it, is the function's input,
  /// and is answered when the instance ends: with the function's result, or declined with the reason for
  /// which it was rolled back. So whoever calls it has a child process, of which `withdraw` (and a rollback)
  /// is a cancel. `second` says what becomes of another such command where the key has an instance.
  template <class Command, class Correlation>
  workflow_type& starts_on_command(Correlation correlation, second_starter second) {
    static_assert(detail::command<Command>, "continuo: starts_on_command takes a command: a type with "
                                            "CONTINUO_FIELDS and a member type `reply`");
    static_assert(std::is_same_v<Command, Input>, "continuo: a workflow starts on the command that its "
                                                  "function takes");
    static_assert(std::is_same_v<Result, typename Command::reply>,
                  "continuo: the result of a workflow that a command starts is that command's reply");
    detail::declare_starting_command(type_, detail::declared_command<Command>(std::move(correlation)),
                                     second);
    return *this;
  }

  /// Updates of a live instance, answered where the function accepts them (`flow::accept`), else declined.
  template <class Command, class Correlation>
  workflow_type& answers(Correlation correlation) {
    static_assert(detail::command<Command>,
                  "continuo: answers takes a command: a type with CONTINUO_FIELDS and a member type `reply`");
    detail::declare_update(type_, detail::declared_command<Command>(std::move(correlation)), nullptr);
    return *this;
  }

  /// A live instance keeps `Event` until a wait of its function takes it; one that is neither live nor
  /// startable follows `policy`.
  template <class Event, class Correlation>
  workflow_type& hears(Correlation correlation, unknown_instance policy) {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    detail::declare_event(type_, detail::body_type_of<Event>(), detail::kept_function{std::move(correlation)},
                          detail::read_key<Event, Correlation>, policy);
    return *this;
  }

  /// The function calls `Command`: so that a node refuses to start where nothing handles it. Whatever the
  /// function calls beside these is looked up when it does.
  template <class Command>
  workflow_type& calls() {
    call_of<Command>();
    return *this;
  }

  /// What undoes every step of this command that has no undo of its own: a function of the command sent and
  /// its reply, as in `saga_definition::calls`.
  template <class Command, class Function>
  workflow_type& undone_by(Function function) {
    call_declaration<Input, Command>{type_, call_of<Command>()}.undone_by(std::move(function));
    return *this;
  }

  /// Steps of this command leave nothing behind that would have to be undone, even if their outcome is
  /// unknown.
  template <class Command>
  workflow_type& nothing_to_undo() {
    detail::declare_nothing_to_undo(call_of<Command>());
    return *this;
  }

  // NOLINTNEXTLINE(google-explicit-constructor): what `node::host` takes
  operator detail::saga_type() const { return type_; }

private:
  template <class Command>
  detail::call& call_of() {
    static_assert(detail::command<Command>, "continuo: a command needs CONTINUO_FIELDS and a member type "
                                            "`reply` (using reply = payment_completed;)");
    return detail::declare_call(type_, detail::body_type_of<Command>(),
                                detail::body_type_of<typename Command::reply>());
  }

  static const message_type* result_type() {
    if constexpr (std::is_void_v<Result>) {
      return nullptr;
    } else {
      return &message_type_of<Result>();
    }
  }

  detail::saga_type type_;
};

/// Of a lambda without captures.
template <class Lambda>
workflow_type(std::string, Lambda)
    -> workflow_type<typename detail::workflow_signature<decltype(+std::declval<Lambda>())>::result,
                     typename detail::workflow_signature<decltype(+std::declval<Lambda>())>::input>;

} // namespace continuo
