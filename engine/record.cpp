#include "engine/record.hpp"

#include "messages/application.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

namespace continuo::engine {

namespace {

std::size_t size_of(const instance_id& id) {
  return id.type.size() + id.key.size() + 2;
}

} // namespace

std::size_t approximate_size(const stored_message& value) {
  return 56 + size_of(value.to) + value.type.size() + value.payload.size() + value.idempotency_key.size() +
         value.trace.size();
}

std::size_t approximate_size(const envelope& value) {
  return 96 + size_of(value.from) + value.payload.size() + value.trace.size();
}

std::size_t approximate_size(const record& value) {
  std::size_t size =
      160 + size_of(value.self) + value.reason.size() + value.state.size() + value.result.size();
  for (const auto& entry : value.requests) {
    size += approximate_size(entry);
  }
  for (const auto& entry : value.outbox) {
    size += approximate_size(entry);
  }
  for (const auto& entry : value.inbox) {
    size += 22 + size_of(entry.from);
  }
  for (const auto& entry : value.timers) {
    size += 56 + entry.name.size() + entry.type.size() + entry.payload.size() + entry.trace.size();
  }
  for (const auto& entry : value.compensations) {
    size += 4 + entry.step.size() + entry.type.size() + entry.payload.size();
  }
  for (const auto& entry : value.starters) {
    size += 24 + size_of(entry.from) + entry.type.size() + entry.trace.size();
  }
  for (const auto& entry : value.ancestors) {
    size += 2 + size_of(entry);
  }
  for (const auto& entry : value.expected) {
    size += 2 + entry.size();
  }
  if (value.failed) {
    size += approximate_size(*value.failed);
  }
  return size;
}

std::string bounded_reason(std::string reason) {
  if (reason.size() > reason_bytes_max) {
    constexpr std::string_view mark = "...";
    auto end = reason_bytes_max - mark.size();
    while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) { // the middle of a character
      --end;
    }
    reason.resize(end);
    reason += mark;
  }
  return reason;
}

error record_too_large() {
  return {errc::handler_failed, fmt::format("the record would pass {} bytes", record_bytes_max)};
}

std::optional<std::string> count_death(record& of, bool proven) {
  ++(proven ? of.deaths : of.interruptions);
  if (of.deaths >= deaths_max) {
    return "it ended the process three times";
  }
  if (of.interruptions >= interruptions_max) {
    return "the process ended ten times in a row while it ran, and nobody knows why: perhaps it used up the "
           "memory, or was killed from outside";
  }
  return std::nullopt;
}

void forget_deaths(record& of) {
  of.deaths = 0;
  of.interruptions = 0;
}

result<std::string> encode_state(const message_type& type, const void* state) {
  return call_application(
      errc::handler_failed, [&] { return type.encode(state); }, "the new state cannot be written: ");
}

std::string record_prefix(std::string_view type) {
  std::string key{"r"};
  key += type;
  key += '\0';
  return key;
}

std::string record_key(const instance_id& id) {
  std::string key;
  key.reserve(id.type.size() + id.key.size() + 2);
  key += 'r';
  key += id.type;
  key += '\0';
  key += id.key;
  return key;
}

std::optional<instance_id> instance_under(std::string_view key) {
  const auto end = key.find('\0');
  if (!key.starts_with('r') || end == std::string_view::npos) {
    return std::nullopt;
  }
  return instance_id{std::string{key.substr(1, end - 1)}, std::string{key.substr(end + 1)}};
}

std::string owed_prefix(std::string_view peer) {
  std::string key{owed_to_all};
  key += peer;
  key += '\0';
  return key;
}

std::string owed_key(std::string_view peer, std::string_view record_key) {
  auto key = owed_prefix(peer);
  key += record_key;
  return key;
}

std::string history_prefix(const instance_id& of) {
  std::string key;
  key.reserve(of.type.size() + of.key.size() + 18);
  key += 'h';
  key += of.type;
  key += '\0';
  // The length first: a key may hold any byte, and may be the beginning of another one.
  append_big_endian(key, of.key.size());
  key += of.key;
  return key;
}

std::string history_key(const instance_id& of, std::uint64_t revision) {
  auto key = history_prefix(of);
  append_big_endian(key, revision);
  return key;
}

std::uint32_t note_attempt(record& of, const message_id& in) {
  if (of.noted == in) {
    return ++of.noted_times;
  }
  if (!of.failed || of.failed->id != of.noted) { // else that one comes again
    of.noted = in;
    of.noted_times = 1;
  }
  return 1;
}

void append_big_endian(std::string& key, std::uint64_t number) {
  for (int byte = 7; byte >= 0; --byte) {
    key += static_cast<char>(number >> (8 * byte));
  }
}

std::uint64_t read_big_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return number;
}

} // namespace continuo::engine
