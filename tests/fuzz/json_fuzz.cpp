// Text that may be anything: what is read as a value must be written to text that is read as an equal one,
// and so must its bytes.

#include "tests/fuzz/claim.hpp"
#include "tests/messages/every_field.hpp"

#include <continuo/archive.hpp>
#include <continuo/json.hpp>

#include <cstdint>

namespace {

/// The kinds of field in small, so that whole values are found soon; `every_field` has too many that are
/// required.
struct some_fields {
  std::optional<bool> flag;
  std::optional<std::int8_t> small;
  std::optional<std::int64_t> number;
  std::optional<std::uint64_t> natural;
  std::optional<float> single;
  std::optional<double> real;
  std::optional<std::string> text;
  std::optional<samples::colour> painted;
  std::optional<std::variant<std::monostate, std::string, std::int32_t>> choice;
  std::optional<std::vector<bool>> flags;
  std::optional<std::array<std::int16_t, 2>> both;
  std::optional<std::map<std::string, std::int32_t>> counts;
  std::optional<std::map<std::int32_t, std::string>> names;
  std::optional<std::multimap<std::string, bool>> many;
  std::optional<std::unordered_set<std::int32_t>> set;
  std::optional<std::chrono::milliseconds> delay;
  std::optional<samples::fractional_seconds> fraction;
  std::optional<std::chrono::system_clock::time_point> time;
  std::optional<std::chrono::sys_days> day;
  std::optional<samples::tree> forest;
  std::optional<samples::plain> number_of_boost;

  CONTINUO_FIELDS(some_fields, flag, small, number, natural, single, real, text, painted, choice, flags, both,
                  counts, names, many, set, delay, fraction, time, day, forest, number_of_boost)
};

template <class T>
void read(std::string_view text) {
  const auto value = continuo::from_json<T>(text);
  if (!value) {
    claim(value.error().message.front() == '$', "an error begins with the path");
    return;
  }
  const auto written = continuo::to_json(*value);
  const auto again = continuo::from_json<T>(written);
  claim(again.has_value(), "what was written is read");
  claim(*again == *value, "the value comes back");
  claim(continuo::to_json(*again) == written, "a value has one form");
  const auto from_bytes = continuo::decode<T>(continuo::encode(*value));
  claim(from_bytes.has_value() && *from_bytes == *value, "its bytes give it back");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(bytes), size};
  read<some_fields>(text);
  read<samples::every_field>(text);
  return 0;
}
