#pragma once

#include <caf/actor_system_config.hpp>

#include <cstddef>
#include <memory>

namespace continuo::nodes {

/// Gives a node's own actor system a scheduler of ours where `scheduler.policy` is `sharing`, as long as
/// nobody wants CAF's profile of it. All workers take from one queue, as with CAF's; but
/// - before each run of an actor CAF's worker asks by dynamic_cast who that is, for CAF's own log: 1,400
///   instructions, seven to thirty times an order;
/// - CAF's wakes a worker for each actor that has something to do. Ours wakes one at a time, which wakes the
///   next while there is more, and none for a single actor that a worker at work can run itself, next. That
///   one waits for the end of the run, but no longer than until code of the application begins in it
///   (`let_others_work`), another job is put, or the run has handled
///   `messages_a_run`;
/// - an actor that ends does not wake CAF's clock, unless it has set a time limit.
/// So who blocks in a run calls `let_others_work` before: `running_handlers` and the log do, for code of the
/// application. What reads a key or writes a message of it does not, and must not block. No actor of the
/// application can be mounted there.
/// @pre all else of the configuration is set
void share_work(caf::actor_system_config& config);

/// Messages that a run handles at most where the configuration does not say `scheduler.max-throughput`; CAF
/// has no limit.
constexpr std::size_t messages_a_run = 64;

/// Called with what it was asked for.
using after_run = void (*)(const std::shared_ptr<void>& of);

/// Has `what(of)` called on this thread when the run of an actor that goes on here is over, or lets others
/// work before: once, however often it was asked for. So others are woken once for all that a run has for
/// them. `of` is kept until then. False, and nothing is kept, where this thread is no worker of ours. Any
/// thread.
/// @pre `what` is short and does not throw
bool when_run_is_over(const std::shared_ptr<void>& of, after_run what);

/// Code of the application begins in this run, which may take long: what waits for the end of the run begins
/// elsewhere now. What the run has for others from here on waits for its end again. Nothing on a thread that
/// is no worker of ours. Any thread.
void let_others_work();

} // namespace continuo::nodes
