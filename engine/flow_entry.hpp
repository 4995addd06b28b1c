#pragma once

#include <continuo/context.hpp>
#include <continuo/fields.hpp>
#include <continuo/workflow.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace continuo {
CONTINUO_ENUM(ending, any, completed, compensated)
} // namespace continuo

/// What a workflow's frame is made again from.
///
/// Beside the record of a workflow's instance stand its entries, numbered from 0: what started it, each step
/// that ended, each event and each timer that came. The function runs over them from its beginning and
/// decides each time the same. What one transition writes does not grow with their number: it is one entry
/// more.
namespace continuo::engine {

enum class entry_kind : std::uint8_t {
  input,   ///< the event that started the instance
  success, ///< a step's reply
  failure, ///< a step's failure
  settled, ///< the end of a step that was given up: the function does not see it
  timer,   ///< a timer's time, or a limit's, is over
  event,   ///< it is kept until a wait takes it
  update,  ///< a command that was answered at once
};
CONTINUO_ENUM(entry_kind, input, success, failure, settled, timer, event, update)

enum class step_kind : std::uint8_t { call, cast, timer, expect };
CONTINUO_ENUM(step_kind, call, cast, timer, expect)

/// A step that the function began when it came to an entry.
struct begun_step {
  step_kind kind = step_kind::call;
  std::string name;
  std::string type; ///< the command, or the event; of a timer: empty

  CONTINUO_FIELDS(begun_step, kind, name, type)
};

/// What undoes a step, as a `compensation` of the record.
struct step_undo {
  std::string step;
  std::string type; ///< empty: its outcome is unknown, and nothing undoes it
  std::string payload;

  CONTINUO_FIELDS(step_undo, step, type, payload)
};

struct flow_entry {
  entry_kind kind = entry_kind::input;
  time_point at;
  std::uint32_t version = 0; ///< of the program that wrote it
  std::string step;          ///< the step that ended, the timer's or limit's
  std::string type;          ///< of the payload
  std::string payload;       ///< of a failure: its reason
  std::uint8_t failure = 0;  ///< a `failure_kind`
  std::uint64_t seed = 0;    ///< of the first entry: of the life's random numbers
  std::vector<begun_step> begun;
  std::vector<std::uint64_t> taken;  ///< entries whose events were taken by waits then
  std::vector<std::string> given_up; ///< steps that were given up then
  message_id message;                ///< that came
  instance_id from;                  ///< of an event: who sent it
  std::optional<step_undo> undo;     ///< of a step that ended, until it is carried out: what undoes it
  std::uint64_t undo_before = 0;     ///< the entry with the next older undo, counted from 1; 0: none

  CONTINUO_FIELDS(flow_entry, kind, at, version, step, type, payload, failure, seed, begun, taken, given_up,
                  message, from, undo, undo_before)
};

/// A command that goes out with the end of the instance.
struct last_word {
  std::string name;
  ending when = ending::any;
  std::string type;
  std::string payload;

  CONTINUO_FIELDS(last_word, name, when, type, payload)
  CONTINUO_NAME("continuo.last_word")
};

/// The state in the record of a workflow's instance.
struct flow_life {
  std::uint64_t entries = 0; ///< how many there are
  std::uint32_t kept = 0;    ///< events that no wait has taken
  std::string says;          ///< where it is, in its own words
  std::vector<last_word> at_end;
  /// Undos stand in the entries, so that the record does not grow with them: how many, the entry with the
  /// newest one (counted from 1), which names the one before, and the bytes of the largest.
  std::uint64_t undos = 0;
  std::uint64_t newest_undo = 0;
  std::uint64_t largest_undo = 0;

  CONTINUO_FIELDS(flow_life, entries, kept, says, at_end, undos, newest_undo, largest_undo)
  CONTINUO_NAME("continuo.workflow") // people see it beside the names of applications' types
};

// -- bounds -----------------------------------------------------------------------
constexpr std::uint64_t flow_entries_max = 100'000;
constexpr std::uint32_t kept_events_max = 1'000; ///< the sender keeps the next
constexpr std::size_t step_name_bytes_max = 200;
constexpr std::size_t last_words_max = 100;

/// The key of an entry in the store: those of one life stand together, in their order, and no others between
/// them.
std::string entry_key(std::uint64_t first_revision, std::uint64_t number);

/// The prefix of the keys of all entries of one life, and of no other.
std::string entry_prefix(std::uint64_t first_revision);

constexpr char entry_key_mark = 's';

} // namespace continuo::engine
