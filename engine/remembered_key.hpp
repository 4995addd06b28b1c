#pragma once

#include <continuo/client.hpp>
#include <continuo/fields.hpp>

#include "messages/envelope.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace continuo::engine {

/// What is kept of a publish or send that came with an idempotency key: enough to answer it again, and to see
/// that another one uses the same key. Under `key_prefix` and the key in the store.
struct remembered_key {
  std::string type;         ///< of the message
  std::string payload_hash; ///< of its bytes: equal JSON gives equal bytes, whatever its blanks and order
  message_id id;
  std::vector<instance_id> instances; ///< that the event may have started
  time_point at; ///< when it was used, or last found to be needed still: its place in the expiry index

  CONTINUO_FIELDS(remembered_key, type, payload_hash, id, instances, at)
};

constexpr std::string_view key_prefix = "k";

/// The longest key that a client may choose.
constexpr std::size_t idempotency_key_max = 256;

} // namespace continuo::engine
