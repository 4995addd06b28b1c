#pragma once

#include "engine/acceptance.hpp"
#include "engine/record.hpp"
#include "engine/saga_machine.hpp"
#include "engine/schedule_machine.hpp"
#include "engine/service_pause.hpp"
#include "journal/journal.hpp"
#include "messages/envelope.hpp"
#include "messages/frames.hpp"

#include <continuo/client.hpp>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// The messages between the actors of one node. They never leave the process, so they may carry handles and
/// functions.
namespace continuo::actors {

// -- to instances, by way of their shard --------------------------------------------

/// An operator's verb. `answer` is called once the transition is durable, or refused.
struct operate {
  instance_id to;
  engine::verb what = engine::verb::cancel;
  std::string who;
  std::string note;
  std::function<void(result<void>)> answer;
};

/// Asks for what an instance is and waits for. Answered from durable state.
struct show {
  instance_id to;
  std::function<void(result<instance_view>)> answer;
};

/// Asks for the end of an instance, which may be long ago, now or later.
struct await_end {
  instance_id to;
  std::function<void(result<saga_result>)> answer;
  std::optional<std::chrono::nanoseconds> timeout;
};

/// Deletes a terminal instance that ended before a time, with its history.
struct expire {
  instance_id to;
  time_point before;
  caf::actor asks{}; ///< is answered `looked_after`, unless null
};

/// Deletes the history of a keyed instance up to a revision, as `keyed_machine::trim`.
struct trim {
  instance_id to;
  std::uint64_t up_to = 0;
  time_point since;
  caf::actor asks{}; ///< is answered `looked_after`, unless null
};

/// One that was to expire, or to be trimmed, is, or cannot be yet. What it did is durable.
struct looked_after {};

struct look_at_handlers {}; ///< for those that run too long

/// Brings an instance into memory, where it recovers by itself if it was not there in this life.
struct wake {};

// -- between shard and instance -------------------------------------------------------

/// The shard wants the memory back.
struct please_leave {};

/// The instance could leave: everything it wrote is durable. `handled` counts the messages that it got from
/// its shard. Said several times it may come when the instance has left and is back: `stay` tells one time in
/// memory from another.
struct may_leave {
  instance_id from;
  std::uint64_t stay = 0;
  std::uint64_t handled = 0;
};

/// The instance ended and that is durable.
struct ended {
  instance_id from;
  saga_result outcome;
};

/// The instance is in memory, and has said what it had to.
struct woken {};

/// Asks an instance to report its end if it is over.
struct report_end {};

/// The waiting time of an `await_end` is over.
struct await_timeout {
  instance_id of;
  std::uint64_t number = 0;
};

// -- an instance to itself -------------------------------------------------------------

struct try_again {};
struct tick {}; ///< a second is over: what receipts changed is written now

/// An instance to its shard: it wants a `tick` within a second. One wake-up of the clock serves all of a
/// shard's instances.
struct wants_tick {
  instance_id from;
};

// -- timers ------------------------------------------------------------------------------

/// As `engine::timer`.
struct timer_set {
  message_id id;
  std::uint64_t boot = 0;
  engine::boot_time due_up;
  time_point due;
};

/// Arms and disarms timers of one instance.
struct set_timers {
  instance_id of;
  std::vector<timer_set> armed;
  std::vector<message_id> disarmed;
};

struct timers_due {
  std::uint64_t wake_up = 0; ///< which one; only the last one counts
};

// -- services -----------------------------------------------------------------------------

/// A handler came to an end.
struct handler_done {
  message_id id;
  std::uint32_t attempt = 0;
  result<detail::handled> outcome;
  detail::intents asked;
  std::chrono::nanoseconds took{0}; ///< the handler
};

/// The time of the attempt that began first may be up.
struct check_deadlines {};

/// Time may have let somebody start. Of several only the one that was sent last counts.
struct look_at_turns {
  engine::boot_time at;
};

struct attempt_due {
  message_id id;
};

/// What an operator does to a parked command.
struct operate_command {
  message_id id;
  bool discard = false;
  std::function<void(result<void>)> answer;
};

/// To the actor of the pauses: what an operator has said of a service, just now or, where it was `told` by
/// another node, perhaps long ago. `answer` is called once what holds from now on is durable and the service
/// here has heard of it.
struct hear_of_pause {
  engine::service_pause said;
  bool told = false;
  std::function<void(result<void>)> answer;
};

/// To itself: that word is durable.
struct pause_written {
  engine::service_pause said;
  std::function<void(result<void>)> answer;
};

/// A link to the actor of the pauses: a connection to the peer has begun.
struct peer_began {
  std::string peer;
};

/// To itself: the peer has answered what it was told, or has not.
struct pause_told {
  std::string peer;
  result<void> said;
};

/// To a service: whether it is paused may have changed. `answer` is called once that holds.
struct pause_changed {
  std::function<void(result<void>)> answer;
};

// -- the client's side ----------------------------------------------------------------------

struct publish {
  std::string type;
  std::string payload;
  publish_options options;
  std::function<void(result<accepted>)> answer;
  std::string key{};   ///< of the client's; the same one again is answered as the first time. Empty: none
  std::string trace{}; ///< the client's `traceparent`; empty: none
};

struct send_command {
  std::string type;
  std::string payload;
  std::function<void(result<accepted>)> taken;
  std::function<void(result<command_result>)> answer;
  std::string key{};   ///< as in `publish`
  std::string trace{}; ///< as in `publish`
};

/// The intake to the shard of the record: an event or a command of a client that nothing stands against. It
/// is counted in flight already.
struct accept {
  message_id id;
  engine::acceptance::wish wanted;
  std::vector<journal::release> releases;  ///< with the write
  std::vector<journal::operation> beside;  ///< written with it
  std::function<void(result<void>)> taken; ///< called on the intake, once it is durable, or refused
  std::function<void(result<command_result>)> answer; ///< of a command; lost in a crash, with the client
};

/// To its shard: asks for the outcome of a client's command, which may be long ago or not here yet: after
/// `timeout` the answer is nothing.
struct await_command {
  message_id id;
  std::chrono::milliseconds timeout{};
  std::function<void(result<std::optional<command_result>>)> answer;
};

struct await_command_over {
  message_id id;
  std::uint64_t number = 0;
};

/// The node has recovered: timers, services and links begin, and the intake may take new work.
struct open {};
struct close {
  error reason;
};
struct disk_space {
  bool low = false;
};
struct room {}; ///< fewer instances are in flight than allowed again

/// Calls a function on an actor: how an answer waits for the journal.
struct call {
  std::function<void()> what;
};

// -- start-up ---------------------------------------------------------------------------------------

/// To a service: commands and events in execution whose records it owns. Answered with `handed_over`.
struct adopt {
  std::vector<instance_id> executions;
};

/// To the timers: timers of instances that need not be in memory. Answered with `handed_over`.
struct adopt_timers {
  std::vector<set_timers> of;
};

/// To a shard: instances that have something to do or to say here. Answered with `handed_over`, once each of
/// them is in memory and has said it.
struct wake_some {
  std::vector<instance_id> instances;
};

/// One portion is taken over.
struct handed_over {};

/// The starter to itself.
struct start_on {};

// -- links ---------------------------------------------------------------------------------------

/// A message that came in by a link is handled, put off or dropped, and all that rests on that is durable.
struct message_taken {
  std::uint32_t token = 0; ///< the epoch of its link
  std::uint64_t units = 0;
};

/// The connector has found the peer: what is said to `gate` reaches its link.
struct reached {
  caf::actor gate;
};

struct unreachable {
  std::string why;
};

struct link_flush {};
struct link_scan {};
struct link_answer {};
struct link_go_on {}; ///< to itself: there is room for what was put off
struct link_beat {};

/// A link to shards and services, and back: what was sent before it is taken.
struct link_mark {};

/// A simulation has passed over a time in which nothing came and went but signs of life.
struct link_skip {
  std::int64_t ns = 0;
};
struct link_dial {};

/// A link to an instance, or to the intake: the node behind the address `from` is down, so its open command
/// may go to another node of the service. `handed_out`: the service may have it all the same. Answered with
/// `moved` once what was decided is durable.
struct move_command {
  instance_id of;
  message_id id;
  std::string from;
  bool handed_out = false;
  caf::actor link;
};

/// The command has moved, or stays.
struct moved {
  instance_id of;
  message_id id;
};

struct link_move {};

/// To a link: asks the peer something, in the form that both sides of the call know. `answer` is called once,
/// with what the peer says or why it says nothing: it is down, does not answer in time, or has too many
/// questions open already.
struct ask_peer {
  std::string text;
  std::chrono::milliseconds patience{};
  std::function<void(result<std::string>)> answer;
};

/// The time of a question is over.
struct question_over {
  std::uint64_t number = 0;
};

/// To a link: what this node says to a question of the peer's.
struct say_to_peer {
  messages::answer said;
  std::size_t asked_bytes = 0; ///< of the question
};

/// To a link: begin a new epoch, so that the peer offers all again. From a link to the services: one has
/// begun.
struct link_renew {};

// -- dead letters -----------------------------------------------------------------------------

/// To the letter's shard.
struct redrive {
  instance_id letter;
  std::optional<std::string> corrected; ///< payload bytes
  std::function<void(result<void>)> answer;
};

struct discard_letter {
  instance_id letter;
  std::function<void(result<void>)> answer;
};

// -- schedules ----------------------------------------------------------------------------------

/// To a shard, as the node starts: these schedules of its own are defined (`core::schedules`) or are not any
/// more. Answered with `handed_over`.
struct define_schedules {
  std::vector<std::string> names;
};

/// To a schedule, by way of its shard.
struct operate_schedule {
  enum class verb : std::uint8_t { pause, resume, trigger } what = verb::pause;
  instance_id to;
  std::string who;
  std::function<void(result<message_id>)> answer; ///< of `trigger`: under which id its event was accepted
};

/// A shard to itself: it looks whether the schedule is due.
struct look_at_schedule {
  instance_id of;
  std::optional<bool> is_over; ///< whether what it has begun is, where that was asked
};

} // namespace continuo::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::messages::envelope)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::messages::receipt)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::messages::call_for)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::operate)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::show)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::await_end)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::expire)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::trim)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::looked_after)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::look_at_handlers)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::wake)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::woken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::accept)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::adopt_timers)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::wake_some)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::handed_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::start_on)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::please_leave)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::may_leave)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::ended)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::report_end)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::await_timeout)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::try_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::wants_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::set_timers)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::timers_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::handler_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::check_deadlines)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::look_at_turns)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::attempt_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::adopt)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::operate_command)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::hear_of_pause)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::pause_written)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::peer_began)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::pause_told)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::pause_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::publish)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::send_command)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::await_command)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::await_command_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::open)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::close)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::disk_space)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::room)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::message_taken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::reached)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::unreachable)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::link_flush)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::link_scan)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::link_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::link_go_on)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::link_mark)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::link_beat)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::link_skip)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::link_dial)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::link_renew)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::move_command)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::moved)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::link_move)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::ask_peer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::question_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::say_to_peer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::redrive)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::discard_letter)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::define_schedules)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::operate_schedule)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::actors::look_at_schedule)
