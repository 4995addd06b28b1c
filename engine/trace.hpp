#pragma once

#include <continuo/ids.hpp>

#include <cstdint>
#include <string>
#include <string_view>

/// Trace context as W3C describes it (Trace Context, level 1): a message carries the text of a `traceparent`,
/// which names the trace and the span that sent the message; none if it is empty. What a message causes is a
/// span of its own, and what that sends carries its name. Pure functions: a span's id follows from what it is
/// of, so that a transition which runs again after a crash has the same one.
namespace continuo::engine {

/// Whether the text is a `traceparent` of version 00 that names a trace and a span.
bool is_trace(std::string_view text);

/// The id of the span of one transition of an instance, or of one command in execution.
std::uint64_t span_of(const message_id& id);

/// The id of the span of the transition with that number: no message has its id.
inline std::uint64_t span_of_transition(std::uint64_t store, std::uint64_t revision) {
  return span_of({store, revision, ~std::uint32_t{0}});
}

/// What a span that was caused by `parent` gives to what it sends; empty where the parent is.
std::string trace_behind(std::string_view parent, std::uint64_t span);

/// The beginning of a trace that has its name from a message; sampled. Its span is that of the message.
std::string new_trace(const message_id& id);

/// The parts of a trace. @pre `is_trace`
std::string_view trace_id_in(std::string_view trace);
std::string_view span_id_in(std::string_view trace);
bool is_sampled(std::string_view trace);

/// 16 hexadecimal digits.
std::string span_text(std::uint64_t span);

} // namespace continuo::engine
