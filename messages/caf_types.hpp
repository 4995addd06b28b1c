#pragma once

#include <caf/meta/type_name.hpp>
#include <caf/type_id.hpp>

#include <string>

/// The one message of ours that CAF's middleman sees: a frame (messages/frames.hpp) as bytes. Everything
/// about how it is written is ours, so CAF's registry of types, and what it does to a message that it cannot
/// read, are of no concern.
namespace continuo::messages {

struct wire {
  std::string bytes;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& inspector, wire& message) {
  return inspector(caf::meta::type_name("continuo.wire"), message.bytes);
}

} // namespace continuo::messages

CAF_BEGIN_TYPE_ID_BLOCK(continuo, caf::first_custom_type_id + 700)
CAF_ADD_TYPE_ID(continuo, (continuo::messages::wire))
CAF_END_TYPE_ID_BLOCK(continuo)
