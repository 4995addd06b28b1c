// Bytes that may be anything: what is read as a value must be written to bytes that are read as an equal one,
// and those bytes are the only form of it.

#include "tests/fuzz/claim.hpp"
#include "tests/messages/every_field.hpp"

#include <continuo/archive.hpp>
#include <continuo/json.hpp>
#include <continuo/message_type.hpp>

#include <cstdint>

using samples::every_field;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto value = continuo::decode<every_field>({reinterpret_cast<const char*>(bytes), size});
  if (!value) {
    claim(!value.error().message.empty(), "an error says what is wrong");
    return 0;
  }
  const auto written = continuo::encode(*value);
  // The version comes first, in one byte; an older one has fewer fields. No type within has a version but its
  // first.
  const bool present = bytes[0] == continuo::message_type_of<every_field>().version;
  claim(!present || written == std::string_view{reinterpret_cast<const char*>(bytes), size},
        "only the written form is read");
  const auto again = continuo::decode<every_field>(written);
  claim(again.has_value(), "what was written is read");
  claim(continuo::encode(*again) == written, "a value has one form");
  const bool has_nan = !(*value == *value);
  claim(has_nan || *again == *value, "the value comes back");
  // Without an exception: strings need not be UTF-8, nor numbers finite.
  const auto text = continuo::to_json(*value);
  const auto from_text = continuo::from_json<every_field>(text);
  claim(from_text.has_value() || !from_text.error().message.empty(), "JSON is read or refused");
  claim(!to_string(*value).empty(), "a value prints");
  return 0;
}
