#include "engine/record.hpp"

#include <continuo/archive.hpp>

#include <exception>

namespace continuo::engine {

namespace {

std::size_t size_of(const instance_id& id) {
  return id.type.size() + id.key.size() + 2;
}

} // namespace

std::size_t approximate_size(const record& value) {
  std::size_t size =
      160 + size_of(value.self) + value.reason.size() + value.state.size() + value.result.size();
  for (const auto& entry : value.requests) {
    size += 40 + size_of(entry.to) + entry.type.size() + entry.payload.size();
  }
  for (const auto& entry : value.outbox) {
    size += 48 + size_of(entry.to) + entry.type.size() + entry.payload.size();
  }
  for (const auto& entry : value.inbox) {
    size += 22 + size_of(entry.from);
  }
  for (const auto& entry : value.timers) {
    size += 56 + entry.name.size() + entry.type.size() + entry.payload.size();
  }
  for (const auto& entry : value.compensations) {
    size += 4 + entry.step.size() + entry.type.size() + entry.payload.size();
  }
  for (const auto& entry : value.expected) {
    size += 2 + entry.size();
  }
  if (value.failed) {
    size += 96 + size_of(value.failed->from) + value.failed->payload.size();
  }
  return size;
}

result<std::string> encode_state(const message_type& type, const void* state) {
  try {
    return type.encode(state);
  } catch (const std::exception& thrown) {
    return fail(errc::handler_failed, "the new state cannot be written: " + std::string{thrown.what()});
  }
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

std::string history_key(std::uint64_t revision) {
  std::string key(9, 'h');
  for (int byte = 0; byte < 8; ++byte) {
    key[std::size_t(8 - byte)] = static_cast<char>(revision >> (8 * byte));
  }
  return key;
}

} // namespace continuo::engine
