#define CAF_SUITE messages_versions

#include <caf/test/dsl.hpp>

#include <continuo/archive.hpp>
#include <continuo/definition.hpp>
#include <continuo/fields.hpp>
#include <continuo/message_type.hpp>

#include <string>
#include <vector>

using namespace continuo;

// The same message as three releases of a program knew it. Each namespace is a release.
namespace first {

struct line {
  std::string article;
  CONTINUO_FIELDS(line, article)
};

struct order {
  std::string id;
  std::vector<line> lines;
  std::int32_t cents = 0;
  CONTINUO_FIELDS(order, id, lines, cents)
};

} // namespace first

namespace second {

struct line {
  std::string article;
  std::int32_t pieces = 1;
  CONTINUO_FIELDS(line, article, CONTINUO_SINCE(1, pieces))
};

struct order {
  std::string id;
  std::string currency = "EUR";
  std::vector<line> lines;
  std::int32_t cents = 0;
  // The second of the two fields is the older one, and one stands in the middle.
  std::vector<std::string> notes{"none"};
  std::optional<std::string> coupon;
  CONTINUO_FIELDS(order, id, CONTINUO_SINCE(1, currency), lines, cents, CONTINUO_SINCE(2, notes),
                  CONTINUO_SINCE(1, coupon))
};

} // namespace second

namespace third {

struct order {
  std::string id;
  CONTINUO_FIELDS(order, id)
};

} // namespace third
BOOST_CLASS_VERSION(third::order, 5)

CAF_TEST(the class version is the highest of the list) {
  CAF_CHECK_EQUAL(message_type_of<first::order>().version, 0u);
  CAF_CHECK_EQUAL(message_type_of<second::order>().version, 2u);
  CAF_CHECK_EQUAL(message_type_of<second::line>().version, 1u);
}

CAF_TEST(a higher class version given the way of Boost counts) {
  CAF_CHECK_EQUAL(message_type_of<third::order>().version, 5u);
  CAF_CHECK(encode(third::order{}).front() == '\5');
}

CAF_TEST(bytes of an older version leave the defaults of later fields) {
  const auto bytes = encode(first::order{"o-1", {{"pen"}, {"ink"}}, 42});
  const auto read = decode<second::order>(bytes);
  CAF_REQUIRE(read.has_value());
  const second::order expected{"o-1", "EUR", {{"pen", 1}, {"ink", 1}}, 42, {"none"}, std::nullopt};
  CAF_CHECK_EQUAL(*read, expected);
}

CAF_TEST(bytes of the version between have its fields and not the later ones) {
  using namespace std::string_literals;
  const auto bytes = "\1"s + encode("o-1"s) + encode("USD"s) + encode(std::vector<first::line>{}) +
                     encode(std::int32_t{7}) + encode(std::optional<std::string>{"half"});
  const auto read = decode<second::order>(bytes);
  CAF_REQUIRE(read.has_value());
  CAF_CHECK_EQUAL(*read, (second::order{"o-1", "USD", {}, 7, {"none"}, "half"}));
}

CAF_TEST(bytes of a newer version are refused as such) {
  const auto read = decode<first::order>(encode(second::order{"o-1", "EUR", {}, 42, {}, {}}));
  CAF_REQUIRE(!read.has_value());
  CAF_CHECK(read.error().code == errc::newer_version);
  CAF_CHECK_EQUAL(read.error().message,
                  "order: at offset 0: written as class version 2, this program knows up to 0: "
                  "update it");
}

CAF_TEST(a newer version within an older one is refused as well) {
  const auto bytes = std::string(1, '\0') + encode(std::string{"o-1"}) +
                     encode(std::vector<second::line>{{"pen", 1}}) + encode(std::int32_t{7});
  const auto read = decode<first::order>(bytes);
  CAF_REQUIRE(!read.has_value());
  CAF_CHECK(read.error().code == errc::newer_version);
  CAF_CHECK(read.error().message.find("at offset 6: written as class version 1") != std::string::npos);
}

CAF_TEST(decode_into keeps what older bytes do not have) {
  second::order value;
  value.currency = "JPY";
  CAF_REQUIRE(decode_into(value, encode(first::order{"o-1", {}, 42})).has_value());
  CAF_CHECK_EQUAL(value.currency, "JPY");
  CAF_CHECK_EQUAL(value.id, "o-1");
}

CAF_TEST(JSON may leave out the fields of later versions) {
  const auto read = from_json<second::order>(R"({"id": "o-1", "lines": [{"article": "pen"}], "cents": 42})");
  CAF_REQUIRE(read.has_value());
  CAF_CHECK_EQUAL(*read, (second::order{"o-1", "EUR", {{"pen", 1}}, 42, {"none"}, std::nullopt}));
}

namespace {

struct bare_before {
  int number = 1;
  CONTINUO_FIELDS(bare_before, number)
};

struct bare {
  int number = 1;
  int later; // without an initialiser
  CONTINUO_FIELDS(bare, number, CONTINUO_SINCE(1, later))
};

[[gnu::noinline]] void soil_the_stack() {
  volatile char left[4096];
  for (auto& one : left) {
    one = 0x5a;
  }
}

} // namespace

CAF_TEST(a later field without an initialiser is zero for a handler as for decode) {
  const auto bytes = encode(bare_before{});
  int seen = -1;
  const auto type = detail::body_type_of<bare>();
  soil_the_stack();
  CAF_CHECK(type.read(
      bytes, [](void* body, void* to) { *static_cast<int*>(to) = static_cast<bare*>(body)->later; }, &seen));
  CAF_CHECK_EQUAL(seen, 0);
  soil_the_stack();
  const auto read = decode<bare>(bytes);
  CAF_CHECK_EQUAL(read->later, 0);
}
