#include "messages/envelope.hpp"

#include <continuo/archive.hpp>

namespace continuo::messages {

std::string failure_payload(failure_kind kind, std::string reason) {
  return encode(failure_body{static_cast<std::uint8_t>(kind), std::move(reason)});
}

} // namespace continuo::messages
