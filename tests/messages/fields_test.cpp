#define CAF_SUITE messages_fields

#include <caf/test/dsl.hpp>

#include "tests/messages/every_field.hpp"

#include <continuo/archive.hpp>
#include <continuo/json.hpp>
#include <continuo/message_type.hpp>

#include <sstream>

using namespace continuo;
using namespace std::chrono_literals;

namespace {

struct make_payment {
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(make_payment, order_id, cents)
};

/// Everything of it is private, the macro included.
class account {
public:
  account() = default;
  explicit account(std::int64_t cents) : cents_(cents) {}
  std::int64_t cents() const { return cents_; }

private:
  std::int64_t cents_ = 0;
  std::vector<std::string> notes_;
  CONTINUO_FIELDS(account, cents_, CONTINUO_SINCE(1, notes_))
  CONTINUO_NAME("bank.account")
};

struct savings : account {
  double rate = 0.5;
  CONTINUO_FIELDS(savings, CONTINUO_BASE(account), rate)
};

/// Inherits a description without having one.
struct undescribed : account {
  std::string forgotten;
};

template <class T>
struct page {
  std::vector<T> items;
  CONTINUO_FIELDS(page, items)
};

/// Two are equal if their keys are.
struct with_its_own {
  int key = 0;
  int remark = 0;
  CONTINUO_FIELDS(with_its_own, key, remark)
  friend bool operator==(const with_its_own& left, const with_its_own& right) {
    return left.key == right.key;
  }
  friend std::string to_string(const with_its_own& value) { return "number " + std::to_string(value.key); }
};

struct wide {
  int f01 = 1, f02 = 2, f03 = 3, f04 = 4, f05 = 5, f06 = 6, f07 = 7, f08 = 8, f09 = 9, f10 = 10, f11 = 11,
      f12 = 12, f13 = 13, f14 = 14, f15 = 15, f16 = 16, f17 = 17, f18 = 18, f19 = 19, f20 = 20, f21 = 21,
      f22 = 22, f23 = 23, f24 = 24, f25 = 25, f26 = 26, f27 = 27, f28 = 28, f29 = 29, f30 = 30, f31 = 31,
      f32 = 32, f33 = 33, f34 = 34, f35 = 35, f36 = 36, f37 = 37, f38 = 38, f39 = 39, f40 = 40, f41 = 41,
      f42 = 42, f43 = 43, f44 = 44, f45 = 45, f46 = 46, f47 = 47, f48 = 48, f49 = 49, f50 = 50, f51 = 51,
      f52 = 52, f53 = 53, f54 = 54, f55 = 55, f56 = 56, f57 = 57, f58 = 58, f59 = 59, f60 = 60, f61 = 61,
      f62 = 62, f63 = 63, f64 = 64, f65 = 65, f66 = 66;
  CONTINUO_FIELDS(wide, f01, f02, f03, f04, f05, f06, f07, f08, f09, f10, f11, f12, f13, f14, f15, f16, f17,
                  f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32, f33, f34, f35,
                  f36, f37, f38, f39, f40, f41, f42, f43, f44, f45, f46, f47, f48, f49, f50, f51, f52, f53,
                  f54, f55, f56, f57, f58, f59, f60, f61, f62, f63, f64, f65, f66)
};

template <class T>
std::string streamed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

// Names that the macro uses itself, and those of its parameters, are free for fields.
struct awkward {
  int type = 1, version = 2, archive = 3, value = 4, left = 5, name = 6, field = 7, since = 8, element = 9,
      kind = 10;
  CONTINUO_FIELDS(awkward, type, version, archive, value, left, name, field, CONTINUO_SINCE(1, since),
                  element, kind)
};

} // namespace

namespace deep::er {

struct named {
  CONTINUO_FIELDS(deep::er::named)
};

} // namespace deep::er

static_assert(message<make_payment> && message<account> && message<savings> && message<page<int>>);
static_assert(message<samples::empty_event> && message<samples::every_field>);
static_assert(!message<undescribed> && !message<samples::plain> && !message<std::string> && !message<int>);
static_assert(std::is_aggregate_v<make_payment> && std::is_aggregate_v<samples::every_field>);
static_assert(detail::class_version<savings>() == 0 && detail::class_version<account>() == 1);

CAF_TEST(a type is registered under its own name without namespaces) {
  CAF_CHECK_EQUAL(message_name<make_payment>(), "make_payment");
  CAF_CHECK_EQUAL(message_name<samples::empty_event>(), "empty_event");
  CAF_CHECK_EQUAL(message_name<deep::er::named>(), "named");
  CAF_CHECK_EQUAL(message_name<page<int>>(), "page");
}

CAF_TEST(CONTINUO_NAME names the type where it stands and not what derives from it) {
  CAF_CHECK_EQUAL(message_name<account>(), "bank.account");
  CAF_CHECK_EQUAL(message_name<savings>(), "savings");
}

CAF_TEST(values are equal when every field is) {
  const make_payment value{"o-1", 42};
  CAF_CHECK((value == make_payment{"o-1", 42}));
  CAF_CHECK((value != make_payment{"o-2", 42}));
  CAF_CHECK((value != make_payment{"o-1", 43}));
  CAF_CHECK(samples::empty_event{} == samples::empty_event{});
  CAF_CHECK(account{1} != account{2});
}

CAF_TEST(each field of every kind counts for equality) {
  const auto one = samples::filled();
  CAF_CHECK(one == samples::filled());
  auto other = one;
  other.place = "elsewhere"; // in the base
  CAF_CHECK(one != other);
  other = one;
  other.added_later.reset(); // since a later version
  CAF_CHECK(one != other);
  other = one;
  other.lines[1].cents += 1; // nested
  CAF_CHECK(one != other);
}

CAF_TEST(a value prints as its type with its fields) {
  CAF_CHECK_EQUAL(to_string(make_payment{"o-1", 4200}), "make_payment{order_id: \"o-1\", cents: 4200}");
  CAF_CHECK_EQUAL(streamed(make_payment{"o-1", 4200}), "make_payment{order_id: \"o-1\", cents: 4200}");
  CAF_CHECK_EQUAL(to_string(samples::empty_event{}), "empty_event{}");
  CAF_CHECK_EQUAL(to_string(savings{}), "savings{account: bank.account{cents_: 0, notes_: []}, rate: 0.5}");
  CAF_CHECK_EQUAL(to_string(page<std::string>{{"a", "b"}}), "page{items: [\"a\", \"b\"]}");
}

CAF_TEST(a field of every kind prints) {
  const auto text = to_string(samples::filled());
  for (const auto* part :
       {"every_field{origin: origin{place: \"there\"}, flag: true, letter: 122, int8: -128, uint8: 255",
        "uint64: 18446744073709551615, single: 0.1, real: -1e-300, text: \"a \\\"quoted\\\"\\n\\x09\\\\ "
        "line, \\x01",
        "painted: blue, code: 3, maybe_number: -1, maybe_line: order_line{article: \"pen\", cents: 199, "
        "painted: green}",
        "choice: order_line{article: \"ink\"", "twins: \"second\"",
        "flags: [true, false, true], bytes: [0, 127, 255]",
        "pair: (\"left\", 2), tuple: (true, \"right\"), counts: {\"a\": 1, \"b\": 2, \"with space\": 3}",
        "loose: {\"no\": false, \"unknown\": none, \"yes\": true}, many: {\"j\": 3, \"k\": 2, \"k\": 1}",
        "loose_set: {-9, 0, 9}, nanoseconds: -5ns, milliseconds: 1500ms, hours: 36h, fraction: 0.25s, third: "
        "-7",
        "time: 2024-02-29T23:59:59.123456789Z, second: 1969-12-31T01:00:00Z, day: 2100-01-01T00:00:00Z",
        "empty: empty_event{}, forest: tree{name: \"root\"",
        "number: plain{number: 42}, parted: split{text: \"text\"}",
        "beside: outside{number: 17}, added: 8, added_later: \"later\"}"}) {
    CAF_MESSAGE(part);
    CAF_CHECK(text.find(part) != std::string::npos);
  }
}

CAF_TEST(an enum has the names of its list) {
  CAF_CHECK_EQUAL(to_string(samples::colour::green), "green");
  CAF_CHECK_EQUAL(to_string(static_cast<samples::colour>(99)), "unknown");
}

CAF_TEST(private members are described as others are) {
  const auto bytes = decode<account>(encode(account{7}));
  CAF_REQUIRE(bytes.has_value());
  CAF_CHECK_EQUAL(bytes->cents(), 7);
  const auto json = from_json<savings>(R"({"account": {"cents_": 8}, "rate": 0.25})");
  CAF_REQUIRE(json.has_value());
  CAF_CHECK_EQUAL(json->cents(), 8);
  CAF_CHECK_EQUAL(json->rate, 0.25);
}

CAF_TEST(a base is a part of its own with its own class version) {
  CAF_CHECK_EQUAL(encode(savings{}), std::string(1, '\0') + encode(account{}) + encode(0.5));
}

CAF_TEST(a type may bring its own equality and printing) {
  CAF_CHECK((with_its_own{1, 2} == with_its_own{1, 3}));
  CAF_CHECK_EQUAL(to_string(with_its_own{1, 2}), "number 1");
}

CAF_TEST(a list holds more fields than anyone should write) {
  CAF_CHECK_EQUAL(message_type_of<wide>().fields.size(), 66u);
  CAF_CHECK_EQUAL(encode(wide{}).size(), 1 + 66 * sizeof(int));
  const auto back = from_json<wide>(to_json(wide{}));
  CAF_REQUIRE(back.has_value());
  CAF_CHECK_EQUAL(*back, wide{});
}

CAF_TEST(no name of a field is taken) {
  awkward value;
  value.since = 80;
  const auto back = decode<awkward>(encode(value));
  CAF_REQUIRE(back.has_value());
  CAF_CHECK_EQUAL(*back, value);
  CAF_CHECK_EQUAL(to_json(value),
                  R"({"type":1,"version":2,"archive":3,"value":4,"left":5,"name":6,"field":7,)"
                  R"("since":80,"element":9,"kind":10})");
}
