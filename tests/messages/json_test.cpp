#define CAF_SUITE messages_json

#include <caf/test/dsl.hpp>

#include "tests/messages/every_field.hpp"

#include <continuo/json.hpp>

#include <boost/serialization/split_member.hpp>

#include <array>
#include <cmath>

using namespace continuo;
using namespace std::chrono_literals;

namespace {

struct order {
  std::string id;
  std::vector<samples::order_line> lines;
  std::optional<std::int32_t> discount;
  std::map<std::string, double> prices;
  std::variant<std::monostate, std::string, samples::order_line> choice;
  std::chrono::milliseconds delay{1500};
  std::chrono::system_clock::time_point placed;
  CONTINUO_FIELDS(order, id, lines, discount, prices, choice, delay, placed)
};

/// A plain Boost type that writes raw bytes.
struct raw {
  std::array<unsigned char, 3> bytes{};

  template <class Archive>
  void save(Archive& archive, const unsigned) const {
    archive.save_binary(bytes.data(), bytes.size());
  }
  template <class Archive>
  void load(Archive& archive, const unsigned) {
    archive.load_binary(bytes.data(), bytes.size());
  }
  BOOST_SERIALIZATION_SPLIT_MEMBER()
  friend bool operator==(const raw&, const raw&) = default;
};

template <class T>
std::string round_trip(const T& value) {
  const auto text = to_json(value);
  const auto back = from_json<T>(text);
  if (!back) {
    return back.error().message;
  }
  return *back == value ? text : "another value: " + to_json(*back);
}

/// What reading gives, written again.
template <class T>
std::string reread(std::string_view text) {
  const auto value = from_json<T>(text);
  return value ? to_json(*value) : value.error().message;
}

template <class Duration>
using system_time = std::chrono::time_point<std::chrono::system_clock, Duration>;

} // namespace

CAF_TEST(a message is an object of its fields in their order) {
  const order value{
      "o-1", {{"pen", 199, samples::colour::green}}, std::nullopt, {{"a b", 1}, {"a", 0.5}}, "text", 1500ms,
      {}};
  CAF_CHECK_EQUAL(
      round_trip(value),
      R"({"id":"o-1","lines":[{"article":"pen","cents":199,"painted":"green"}],"discount":null,)"
      R"("prices":{"a":0.5,"a b":1.0},"choice":{"type":"string","value":"text"},"delay":"1500ms",)"
      R"("placed":"1970-01-01T00:00:00Z"})");
}

CAF_TEST(a field of every kind comes back from its JSON) {
  CAF_CHECK_EQUAL(round_trip(samples::every_field{}), to_json(samples::every_field{}));
  CAF_CHECK_EQUAL(round_trip(samples::filled()), to_json(samples::filled()));
}

CAF_TEST(integers are exact to the last one) {
  CAF_CHECK_EQUAL(round_trip(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  CAF_CHECK_EQUAL(round_trip(std::numeric_limits<std::int64_t>::max()), "9223372036854775807");
  CAF_CHECK_EQUAL(round_trip(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  CAF_CHECK_EQUAL(round_trip(std::int64_t{9'007'199'254'740'993}), "9007199254740993");
}

CAF_TEST(floating point has the fewest digits that give it back) {
  CAF_CHECK_EQUAL(round_trip(0.1), "0.1");
  CAF_CHECK_EQUAL(round_trip(0.1F), "0.1");
  CAF_CHECK_EQUAL(round_trip(1.0), "1.0");
  CAF_CHECK_EQUAL(round_trip(1e300), "1e+300");
  CAF_CHECK_EQUAL(to_json(-0.0), "-0.0");
  CAF_CHECK(std::signbit(from_json<double>("-0.0").value()));
  CAF_CHECK(from_json<double>("3").value() == 3.0);
}

CAF_TEST(what JSON cannot say is null and not an exception) {
  CAF_CHECK_EQUAL(to_json(std::vector<double>{std::nan(""), INFINITY}), "[null,null]");
  CAF_CHECK_EQUAL(to_json(static_cast<samples::colour>(99)), "99");
}

CAF_TEST(strings are escaped and wrong bytes are replaced) {
  CAF_CHECK_EQUAL(round_trip(std::string("\"\\/\b\n\r\t\x01\x1f\x7f")),
                  "\"\\\"\\\\/\\u0008\\n\\r\\t\\u0001\\u001f\x7f\"");
  CAF_CHECK_EQUAL(round_trip(std::string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf")),
                  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"");
  const std::string mark = "\xef\xbf\xbd";
  for (const std::string wrong : {"\x80", "\xff", "\xc3", "\xc0"}) {
    CAF_CHECK_EQUAL(to_json("a" + wrong + "b"), "\"a" + mark + "b\"");
  }
  CAF_CHECK_EQUAL(to_json(std::string("\xc0\xaf")), "\"" + mark + mark + "\"");            // overlong
  CAF_CHECK_EQUAL(to_json(std::string("\xed\xa0\x80")), "\"" + mark + mark + mark + "\""); // a surrogate
  CAF_CHECK_EQUAL(to_json(std::string("\xf4\x90\x80\x80")), "\"" + mark + mark + mark + mark + "\"");
  CAF_CHECK_EQUAL(to_json(std::string("\xe2\x82")), "\"" + mark + mark + "\""); // cut off
  CAF_CHECK(from_json<std::string>(to_json(std::string("\xff\x00\xfe", 3))).has_value());
  CAF_CHECK(from_json<std::string>("\"\\u00e9\\ud83d\\ude00\"") == "\xc3\xa9\xf0\x9f\x98\x80");
}

CAF_TEST(a variant goes by the name of its type or else by its index) {
  using choice = std::variant<std::monostate, bool, samples::order_line, std::vector<std::int32_t>>;
  CAF_CHECK_EQUAL(round_trip(choice{}), R"({"type":"nothing","value":null})");
  CAF_CHECK_EQUAL(round_trip(choice{true}), R"({"type":"bool","value":true})");
  CAF_CHECK_EQUAL(round_trip(choice{std::vector<std::int32_t>{1}}),
                  R"({"type":"vector<int32>","value":[1]})");
  CAF_CHECK_EQUAL(round_trip(std::variant<std::string, std::string>{std::in_place_index<1>, "x"}),
                  R"({"type":"1","value":"x"})");
}

CAF_TEST(a map is an object only if its keys are strings) {
  CAF_CHECK_EQUAL(round_trip(std::map<std::string, bool>{{"b", true}, {"a", false}}),
                  R"({"a":false,"b":true})");
  CAF_CHECK_EQUAL(round_trip(std::unordered_map<std::string, int>{{"z", 1}, {"a", 2}, {"m", 3}}),
                  R"({"a":2,"m":3,"z":1})");
  CAF_CHECK_EQUAL(round_trip(std::map<std::int32_t, std::string>{{2, "b"}, {-1, "a"}}),
                  R"([[-1,"a"],[2,"b"]])");
  CAF_CHECK_EQUAL(round_trip(std::multimap<std::string, int>{{"k", 2}, {"k", 1}}), R"([["k",2],["k",1]])");
}

CAF_TEST(raw bytes of a plain Boost type are an array of numbers) {
  CAF_CHECK_EQUAL(round_trip(raw{{0, 127, 255}}), R"({"0":[0,127,255]})");
  CAF_CHECK_EQUAL(reread<raw>(R"({"0":[1,2]})"), "$[\"0\"]: expected an array of 3, found an array of 2");
  CAF_CHECK_EQUAL(reread<raw>("{}"), "$[\"0\"]: missing field");
}

CAF_TEST(a duration says its unit and is read in any that comes out even) {
  CAF_CHECK_EQUAL(round_trip(10s), "\"10s\"");
  CAF_CHECK_EQUAL(round_trip(std::chrono::nanoseconds::min()), "\"-9223372036854775808ns\"");
  CAF_CHECK_EQUAL(round_trip(samples::fractional_seconds{0.25}), "\"0.25s\"");
  CAF_CHECK_EQUAL(round_trip(samples::thirds{-7}), "-7");
  using milliseconds = std::chrono::milliseconds;
  CAF_CHECK_EQUAL(reread<milliseconds>("\"2min\""), "\"120000ms\"");
  CAF_CHECK_EQUAL(reread<milliseconds>("\"3000us\""), "\"3ms\"");
  CAF_CHECK_EQUAL(reread<milliseconds>("\"-1w\""), "\"-604800000ms\"");
  CAF_CHECK_EQUAL(reread<samples::fractional_seconds>("\"1500ms\""), "\"1.5s\"");
  const auto refused = "$: expected a duration of whole ms such as \"10ms\", found ";
  for (const auto* text :
       {"\"10\"", "\"ms\"", "\"1.5ms\"", "\"10 ms\"", "\"+1ms\"", "\"1ms \"", "\"5us\"", "\"10xs\"", "1500",
        "\"\"", "\"9223372036854775807s\"", "\"9223372036854775808ms\"", "null"}) {
    CAF_CHECK_EQUAL(reread<milliseconds>(text), refused + std::string{text});
  }
  CAF_CHECK(!from_json<samples::fractional_seconds>("\"nans\"").has_value());
}

CAF_TEST(a time point is RFC 3339 in UTC) {
  using namespace std::chrono;
  using clock_time = system_clock::time_point;
  const clock_time day = sys_days{2024y / 2 / 29};
  CAF_CHECK_EQUAL(round_trip(day), "\"2024-02-29T00:00:00Z\"");
  CAF_CHECK_EQUAL(round_trip(day + 1h + 2min + 3s + 40ms), "\"2024-02-29T01:02:03.040000000Z\"");
  CAF_CHECK_EQUAL(round_trip(clock_time{} - 1ns), "\"1969-12-31T23:59:59.999999999Z\"");
  CAF_CHECK_EQUAL(round_trip(clock_time::max()), "\"2262-04-11T23:47:16.854775807Z\"");
  CAF_CHECK_EQUAL(round_trip(clock_time::min()), "\"1677-09-21T00:12:43.145224192Z\"");
  CAF_CHECK_EQUAL(round_trip(sys_seconds{sys_days{9999y / 12 / 31}}), "\"9999-12-31T00:00:00Z\"");
  CAF_CHECK_EQUAL(round_trip(sys_seconds{sys_days{10'000y / 1 / 1}}), "253402300800");
  CAF_CHECK_EQUAL(round_trip(sys_seconds::max()), "9223372036854775807");
  CAF_CHECK_EQUAL(round_trip(sys_days{-1y / 12 / 31}), "-719529");
  CAF_CHECK_EQUAL(round_trip(system_time<samples::thirds>{samples::thirds{5}}), "5");
  CAF_CHECK_EQUAL(round_trip(system_time<samples::fractional_seconds>{samples::fractional_seconds{0.5}}),
                  "0.5");
}

CAF_TEST(a time is read with any offset and up to nine digits) {
  using clock_time = std::chrono::system_clock::time_point;
  CAF_CHECK_EQUAL(reread<clock_time>("\"2024-05-01T02:00:00+02:00\""), "\"2024-05-01T00:00:00Z\"");
  CAF_CHECK_EQUAL(reread<clock_time>("\"2024-05-01T02:00:00-00:30\""), "\"2024-05-01T02:30:00Z\"");
  CAF_CHECK_EQUAL(reread<clock_time>("\"2024-05-01t02:00:00.5z\""), "\"2024-05-01T02:00:00.500000000Z\"");
  CAF_CHECK_EQUAL(reread<std::chrono::sys_days>("\"2024-05-01T02:00:00+02:00\""), "\"2024-05-01T00:00:00Z\"");
  for (const auto* text : {"\"\"", "\"2024-05-01\"", "\"2024-05-01T02:00:00\"", "\"2024-05-01 02:00:00Z\"",
                           "\"2024-5-01T02:00:00Z\"", "\"2023-02-29T00:00:00Z\"", "\"2024-13-01T00:00:00Z\"",
                           "\"2024-05-01T24:00:00Z\"", "\"2024-05-01T00:60:00Z\"", "\"2024-05-01T00:00:60Z\"",
                           "\"2024-05-01T00:00:00.Z\"", "\"2024-05-01T00:00:00.1234567890Z\"",
                           "\"2024-05-01T00:00:00Zx\"", "\"2024-05-01T00:00:00+24:00\"",
                           "\"2024-05-01T00:00:00+0200\"", "\"2263-01-01T00:00:00Z\"", "true"}) {
    CAF_CHECK_EQUAL(reread<clock_time>(text),
                    "$: expected a time such as \"2024-05-01T12:00:00Z\" that this clock can tell, found " +
                        std::string{text});
  }
  CAF_CHECK(!from_json<std::chrono::sys_seconds>("\"2024-05-01T02:00:00.5Z\"").has_value());
}

CAF_TEST(an optional field may be null or left out) {
  const auto full =
      R"({"id":"","lines":[],"prices":{},"choice":{"type":"nothing","value":null},"delay":"0ms",)"
      R"("placed":"1970-01-01T00:00:00Z")";
  CAF_CHECK(from_json<order>(std::string{full} + "}").value().discount == std::nullopt);
  CAF_CHECK(from_json<order>(std::string{full} + R"(,"discount":null})").value().discount == std::nullopt);
  CAF_CHECK(from_json<order>(std::string{full} + R"(,"discount":5})").value().discount == 5);
}

CAF_TEST(space between the parts is allowed) {
  CAF_CHECK_EQUAL(reread<std::vector<int>>(" [ 1 ,\n\t2 ] \r\n"), "[1,2]");
}
