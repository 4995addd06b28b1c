#include "actors/intake_keys.hpp"

#include "engine/expiry.hpp"
#include "engine/remembered_key.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>
#include <xxhash.h>

namespace continuo::actors {

namespace {

/// XXH3, 128 bits. Whoever makes two bodies collide under a key of his own harms himself.
std::string hash_of(std::string_view payload) {
  const auto hash = XXH3_128bits(payload.data(), payload.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string stored_under(const std::string& key) {
  return std::string{engine::key_prefix} + key;
}

} // namespace

std::optional<result<accepted>> answer_of_key(const intake_state& state, const core& shared,
                                              const std::string& key, std::string_view type,
                                              std::string_view payload) {
  std::optional<engine::remembered_key> known;
  if (const auto fresh = state.new_keys.find(key); fresh != state.new_keys.end()) {
    known = fresh->second;
  } else {
    const auto bytes = shared.store->get(stored_under(key));
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    if (!*bytes) {
      return std::nullopt;
    }
    auto read = decode<engine::remembered_key>(**bytes);
    if (!read) {
      return fail(errc::corrupt, fmt::format("the idempotency key {}: {}", key, read.error().message));
    }
    known = std::move(*read);
  }
  if (known->type != type || known->payload_hash != hash_of(payload)) {
    return fail(
        errc::conflict,
        fmt::format("the idempotency key {} was used for another message ({} {}): choose a new key for "
                    "each message, and the same one only to repeat it",
                    key, known->type, to_string(known->id)));
  }
  return accepted{known->id, std::move(known->instances)};
}

std::vector<journal::operation> remember_key(intake_state& state, const std::string& key,
                                             std::string_view type, std::string_view payload,
                                             const accepted& answer, time_point now) {
  engine::remembered_key made{std::string{type}, hash_of(payload), answer.id, answer.instances, now};
  using kind = journal::operation::kind;
  std::vector<journal::operation> writes{
      {kind::put, stored_under(key), encode(made)},
      {kind::put, engine::expiry_key(engine::expiry_kind::client_key, now, key), {}}};
  state.new_keys.emplace(key, std::move(made));
  return writes;
}

} // namespace continuo::actors
