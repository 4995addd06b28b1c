#pragma once

#include "engine/moment.hpp"
#include "messages/envelope.hpp"

#include <continuo/context.hpp>
#include <continuo/result.hpp>
#include <continuo/status.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// The one durable value of an instance.
namespace continuo::engine {

using messages::envelope;
using messages::message_kind;

enum class record_kind : std::uint8_t {
  saga,
  keyed,       ///< an instance of a keyed service
  command,     ///< a command or event in execution at a stateless service
  publish,     ///< a client's accepted event
  send,        ///< a client's accepted command
  dead_letter, ///< a message that failed for good
  absence,     ///< there is no saga under this key, and a command for it was answered so: no instance
  schedule,    ///< publishes an event at its times
};
CONTINUO_ENUM(record_kind, saga, keyed, command, publish, send, dead_letter, absence, schedule)

/// A message that a record owes to somebody: with its record it is all that is needed to send it, and to send
/// it again. An event or a reply stands in the outbox until its receiver has acknowledged it.
struct stored_message {
  message_id id;
  message_kind kind = message_kind::event;
  instance_id to;
  message_id in_reply_to;
  std::string type;
  std::string payload;
  bool effects = false; ///< its handler has effects outside: it goes out only when this record is durable
  bool compensation = false;     ///< a command that undoes the newest completed step
  std::string idempotency_key{}; ///< as in `envelope`
  std::string trace{};           ///< as in `envelope`
  bool told = false;             ///< as in `envelope`: it stands in the outbox until its answer has come

  CONTINUO_FIELDS(stored_message, id, kind, to, in_reply_to, type, payload, effects, compensation,
                  idempotency_key, trace, told)
};

/// A command sent whose outcome is not known yet.
struct request : stored_message {
  time_point sent_at;
  bool abandoned = false;       ///< given up; its outcome only decides what must be undone
  bool refused = false;         ///< a compensation that was declined: waits for a person
  bool moved = false;           ///< it went to another node before and may have been handed out there
  bool unknown_will_do = false; ///< as in `envelope`
  std::string step{};           ///< of a workflow: its name
  std::string undo_type{};      ///< of a workflow's step: the command that undoes it, where it said so itself
  std::string undo{};

  CONTINUO_FIELDS(request, CONTINUO_BASE(stored_message), sent_at, abandoned, refused, moved, unknown_will_do,
                  step, undo_type, undo)
};

/// The last message of a sender that this instance handled.
struct inbox_entry {
  instance_id from;
  message_id last;

  CONTINUO_FIELDS(inbox_entry, from, last)
};

/// A timer that is set. In the boot that set it the boot time decides, in any other the wall clock.
struct timer {
  std::string name;
  message_id id;
  std::uint64_t boot = 0; ///< 0: it was set for a time of the wall clock, which alone decides
  boot_time due_up;       ///< in that boot
  time_point due;         ///< `time_point::max()`: never
  std::string type;
  std::string payload;
  std::string trace{}; ///< of the message whose handler set it, as in `envelope`

  CONTINUO_FIELDS(timer, name, id, boot, due_up, due, type, payload, trace)
};

/// What undoes a completed step, or marks one whose outcome is unknown and that nothing undoes.
struct compensation {
  std::string step; ///< the command that is undone
  std::string type; ///< the undo command; empty: unknown outcome, and no undo declared
  std::string payload;
  bool given_up = false; ///< by a workflow, which waits for this undo, and a person for its being possible

  CONTINUO_FIELDS(compensation, step, type, payload, given_up)
};

/// A command that the instance answers when it ends.
struct starter {
  message_id id;
  instance_id from;
  std::string type;
  std::string trace{};    ///< as in `envelope`
  bool withdrawn = false; ///< its sender has given it up; the instance is to be cancelled as soon as it can

  CONTINUO_FIELDS(starter, id, from, type, trace, withdrawn)
};

/// The whole of an instance. Equal records give equal bytes.
struct record {
  record_kind kind = record_kind::saga;
  instance_id self;
  std::uint32_t definition_version = 0;
  std::uint64_t revision = 0; ///< the number of the transition that wrote it
  std::uint64_t history = 0;  ///< the revision of its newest history entry; 0: it has none
  instance_status status = instance_status::running;
  /// While paused or stuck. Terminal: it is stuck over the saga's own handler of its end.
  instance_status resumes_to = instance_status::running;
  std::string reason;
  std::string rolled_back_for; ///< the reason of the rollback that began last
  std::string state;
  std::string result_type;
  std::string result;
  std::vector<request> requests;
  std::vector<stored_message> outbox;
  std::vector<inbox_entry> inbox;
  std::vector<timer> timers;
  std::vector<compensation> compensations; ///< oldest step first
  std::set<std::string> expected;
  std::optional<envelope> failed; ///< the message that made it `stuck`; of a command: the one in execution
  std::uint32_t attempts = 0;
  std::uint32_t deaths = 0;        ///< how often in a row its handler ended the process
  std::uint32_t interruptions = 0; ///< how often in a row the process ended in its handler, nobody knows why
  time_point retry_at;             ///< of a command: when the next attempt is due
  time_point started_at;
  time_point updated_at;
  time_point history_since{};    ///< of a keyed instance: no entry of its history is older; 1970: it has none
  message_id noted{};            ///< the last message that its history shows, or the one in `failed`
  std::uint32_t noted_times = 0; ///< in so many entries
  std::uint64_t life = 0;        ///< of a workflow: the revision that wrote its first entry; 0: it has none
  bool returned = false;         ///< a workflow's function has, and steps that it gave up are open
  std::vector<starter> starters{};      ///< commands that wait for its end
  std::vector<instance_id> ancestors{}; ///< whose child it is, the nearest last
  bool stands_alone = false; ///< it lives on when nobody waits for its end: an event started it, or a cast

  CONTINUO_FIELDS(record, kind, self, definition_version, revision, history, status, resumes_to, reason,
                  rolled_back_for, state, result_type, result, requests, outbox, inbox, timers, compensations,
                  expected, failed, attempts, deaths, interruptions, retry_at, started_at, updated_at,
                  history_since, noted, noted_times, life, returned, starters, ancestors, stands_alone)
};

/// A message in a history entry, for people and for replay.
struct noted_message {
  message_kind kind = message_kind::event;
  message_id id;
  instance_id peer;
  std::string type;
  std::string payload;
  message_id in_reply_to{}; ///< the command that it answers, or takes back
  std::string answers{};    ///< that command's type, where it is known

  CONTINUO_FIELDS(noted_message, kind, id, peer, type, payload, in_reply_to, answers)
};

/// One transition as the history keeps it. The entries of an instance stand together in the store, oldest
/// first.
struct history_entry {
  instance_id self;
  std::uint64_t revision = 0;
  time_point at;
  std::string what;                                  ///< the transition's name in the table
  instance_status status = instance_status::running; ///< after it
  std::optional<noted_message> in;
  std::uint32_t attempt = 0; ///< so many entries so far show the message `in`, this one included
  std::vector<noted_message> out;
  std::string note; ///< who did it and why, for operators' verbs; the reason of a failure

  CONTINUO_FIELDS(history_entry, self, revision, at, what, status, in, attempt, out, note)
};

// -- bounds -----------------------------------------------------------------------
constexpr std::size_t record_bytes_max = 1 << 20;
constexpr std::size_t open_requests_max = 1'000;
constexpr std::size_t inbox_senders_max = 1'000;
constexpr std::size_t starters_max = 100;
constexpr std::size_t ancestors_max = 16; ///< more are declined
constexpr std::uint32_t deaths_max = 3;
constexpr std::uint32_t interruptions_max = 10;
constexpr std::size_t reason_bytes_max = 4'096; ///< of what an application's code says went wrong

/// Roughly the bytes that `value` takes when written: never less than half of them, never more than twice.
std::size_t approximate_size(const record& value);

/// As much of that as one part of a record takes.
std::size_t approximate_size(const stored_message& value);
std::size_t approximate_size(const envelope& value);

/// A reason as a record may hold it: cut, between two characters, where it is too long.
std::string bounded_reason(std::string reason);

/// Why a handler's outcome is refused that would make the record too large.
error record_too_large();

/// Counts that the process ended while a handler of the instance ran: `proven` where the handler's thread
/// ended it, else it may have been killed from outside. Why the handler must not run again, nothing where it
/// may.
std::optional<std::string> count_death(record& of, bool proven);

/// A handler has come to its end, or a person lets it run again.
void forget_deaths(record& of);

/// The bytes of an application's state; `errc::handler_failed` where a handler left a value in it that nobody
/// could read back, such as an enum outside its list.
result<std::string> encode_state(const message_type& type, const void* state);

/// The key of a record in the store.
std::string record_key(const instance_id& id);

/// The instance whose record stands under this key; nothing for any other key.
std::optional<instance_id> instance_under(std::string_view key);

/// The key, without a value, that stands beside a record as long as the record owes something to this peer
/// (`peers_owed`), so that a link reads the records that concern it, and no others.
std::string owed_key(std::string_view peer, std::string_view record_key);

/// The prefix of these keys: of all of them, and of those for one peer.
constexpr std::string_view owed_to_all = "o";
std::string owed_prefix(std::string_view peer);

/// The key of a history entry in the store: those of one instance stand together, in the order in which they
/// are written, and no others between them.
std::string history_key(const instance_id& of, std::uint64_t revision);

/// The prefix of all history entries of one instance.
std::string history_prefix(const instance_id& of);

/// What a history entry says of its message: in which entry, of those that show it, it stands. A message that
/// made its instance `stuck`, or ended the process, is handled again and stands in several.
std::uint32_t note_attempt(record& of, const message_id& in);

/// Numbers in keys, in their order.
void append_big_endian(std::string& key, std::uint64_t number);

/// @pre `bytes` has eight bytes at least
std::uint64_t read_big_endian(std::string_view bytes);

/// The prefix of all records of one saga, service or built-in type.
std::string record_prefix(std::string_view type);

} // namespace continuo::engine
