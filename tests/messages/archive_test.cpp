#define CAF_SUITE messages_archive

#include <caf/test/dsl.hpp>

#include "tests/messages/every_field.hpp"

#include <continuo/archive.hpp>

#include <cmath>
#include <limits>
#include <stdexcept>

using namespace continuo;
using namespace std::chrono_literals;
using samples::colour;

namespace {

std::string hex(std::string_view bytes) {
  std::string digits;
  for (const char byte : bytes) {
    digits += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
    digits += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15];
  }
  return digits;
}

template <class T>
void check_round_trip(const T& value) {
  const auto back = decode<T>(encode(value));
  CAF_REQUIRE(back.has_value());
  CAF_CHECK(*back == value);
}

template <class Exception, class Function>
bool refused(Function function) {
  try {
    function();
    return false;
  } catch (const Exception&) {
    return true;
  }
}

struct golden {
  std::uint32_t number = 0x01020304;
  std::int16_t negative = -2;
  bool flag = true;
  double real = 1;
  std::string text = "hi";
  std::optional<std::uint8_t> absent;
  std::optional<std::uint8_t> present = 7;
  std::variant<std::monostate, std::uint8_t> choice = std::uint8_t{9};
  std::map<std::string, std::uint8_t> map{{"b", 2}, {"a", 1}};
  std::unordered_set<std::uint8_t> set{3, 1, 2};
  colour painted = colour::blue;
  std::chrono::milliseconds delay{255};
  std::chrono::system_clock::time_point time{std::chrono::nanoseconds{1}};
  samples::order_line line{"pen", 256, colour::red};
  samples::empty_event empty;
  std::uint8_t added = 5;

  CONTINUO_FIELDS(golden, number, negative, flag, real, text, absent, present, choice, map, set, painted,
                  delay, time, line, empty, CONTINUO_SINCE(130, added))
};

} // namespace

CAF_TEST(the bytes of a struct are the documented ones) {
  const std::string expected = "8201"               // class version 130
                               "04030201"           // number
                               "feff"               // negative
                               "01"                 // flag
                               "000000000000f03f"   // real
                               "026869"             // text
                               "00"                 // absent
                               "0107"               // present
                               "0109"               // choice
                               "02016101016202"     // map
                               "03010203"           // set
                               "c8"                 // painted
                               "ff00000000000000"   // delay
                               "0100000000000000"   // time
                               "000370656e"         // line: class version, article
                               "000100000000000001" // cents, painted
                               "00"                 // empty: class version
                               "05";                // added
  CAF_CHECK_EQUAL(hex(encode(golden{})), expected);
  const auto back = decode<golden>(encode(golden{}));
  CAF_REQUIRE(back.has_value());
  CAF_CHECK(*back == golden{});
}

CAF_TEST(a field of every kind comes back from its bytes) {
  check_round_trip(samples::every_field{});
  check_round_trip(samples::filled());
  CAF_CHECK(!(samples::filled() == samples::every_field{}));
}

CAF_TEST(values that stand alone come back as well) {
  check_round_trip(true);
  check_round_trip(std::int64_t{-1});
  check_round_trip(std::string(1'000, 'x'));
  check_round_trip(std::vector<std::optional<std::string>>{std::nullopt, "a"});
  check_round_trip(samples::empty_event{});
}

CAF_TEST(not a number and infinity keep their bits) {
  const auto back = decode<std::vector<double>>(encode(std::vector<double>{std::nan(""), -INFINITY}));
  CAF_REQUIRE(back.has_value());
  CAF_CHECK(std::isnan((*back)[0]));
  CAF_CHECK((*back)[1] == -INFINITY);
}

CAF_TEST(equal unordered containers give equal bytes) {
  std::unordered_map<std::string, int> up;
  std::unordered_map<std::string, int> down;
  for (int i = 0; i < 100; ++i) {
    up[std::to_string(i)] = i;
    down[std::to_string(99 - i)] = 99 - i;
  }
  down.rehash(1'000);
  CAF_CHECK_EQUAL(encode(up), encode(down));
}

CAF_TEST(encode_to leaves what stands there) {
  std::string out = "front";
  encode_to(out, std::uint8_t{'!'});
  CAF_CHECK_EQUAL(out, "front!");
}

CAF_TEST(a decoded container forgets what it held before) {
  std::map<std::string, int> value{{"old", 1}};
  CAF_REQUIRE(decode_into(value, encode(std::map<std::string, int>{{"new", 2}})).has_value());
  CAF_CHECK_EQUAL(value.size(), 1u);
  CAF_CHECK_EQUAL(value["new"], 2);
}

CAF_TEST(what no reader would take is not written) {
  CAF_CHECK(refused<std::invalid_argument>([] { encode(static_cast<colour>(3)); }));
  CAF_CHECK(!refused<std::invalid_argument>([] { encode(colour::green); }));
  samples::tree deep;
  for (unsigned i = 0; i < binary_writer::nesting_max; ++i) {
    deep = samples::tree{"", {deep}};
  }
  CAF_CHECK(refused<std::length_error>([&] { encode(deep); }));
  check_round_trip(deep.children.front());
}
CAF_TEST(a message id takes as few bytes as it can) {
  CAF_CHECK_EQUAL(hex(encode(message_id{})), "00");
  CAF_CHECK_EQUAL(hex(encode(message_id{0x0807060504030201, 0x1234, 0})), "82"
                                                                          "3412"
                                                                          "0102030405060708");
  CAF_CHECK_EQUAL(hex(encode(message_id{1, 7, 300})), "a1"
                                                      "07"
                                                      "2c01"
                                                      "0100000000000000");
  constexpr auto most64 = std::numeric_limits<std::uint64_t>::max();
  constexpr auto most32 = std::numeric_limits<std::uint32_t>::max();
  for (const auto store : {std::uint64_t{0}, std::uint64_t{1}, most64}) {
    for (const auto revision : {std::uint64_t{0}, std::uint64_t{255}, std::uint64_t{256}, most64}) {
      for (const auto index : {std::uint32_t{0}, std::uint32_t{1}, std::uint32_t{65'536}, most32}) {
        check_round_trip(message_id{store, revision, index});
        check_round_trip(std::vector<message_id>(3, {store, revision, index}));
      }
    }
  }
}

CAF_TEST(a message id has one form only) {
  using namespace std::string_view_literals;
  for (const auto bytes : {
           ""sv, // nothing
           "\x09"
           "123456789"sv, // nine bytes of a revision
           "\x50"
           "12345"sv,                                  // five of an index
           "\x01\x00"sv, "\x02\x01\x00"sv,             // leading zeros
           "\x10\x00"sv,                               // of the index
           "\x80\x00\x00\x00\x00\x00\x00\x00\x00"sv,   // a store that is none
           "\x01"sv, "\x82\x01\x01\x01\x00\x00\x00"sv, // cut
           "\x00\x00"sv,                               // left over
       }) {
    const auto read = decode<message_id>(bytes);
    CAF_REQUIRE(!read);
    CAF_CHECK(read.error().code == errc::malformed);
  }
}
