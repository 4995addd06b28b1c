#define CAF_SUITE messages_message_type

#include <caf/test/dsl.hpp>

#include "messages/frame_bounds.hpp"
#include "tests/messages/every_field.hpp"

#include <continuo/message_type.hpp>

using namespace continuo;
using samples::order_line;

namespace shop {

struct order_placed {
  std::string id;
  CONTINUO_FIELDS(order_placed, id)
};

} // namespace shop

namespace warehouse {

struct order_placed {
  std::int32_t number = 0;
  CONTINUO_FIELDS(order_placed, number)
};

} // namespace warehouse

CAF_TEST(a type is described with its fields) {
  const auto& type = message_type_of<order_line>();
  CAF_CHECK_EQUAL(type.name, "order_line");
  CAF_CHECK_EQUAL(type.version, 0u);
  CAF_CHECK(type.cpp == typeid(order_line));
  const std::vector<field_description> fields{
      {"article", "string"}, {"cents", "int64"}, {"painted", "colour"}};
  CAF_CHECK(type.fields == fields);
  CAF_CHECK(&type == &message_type_of<order_line>());
}

CAF_TEST(the types of fields read like types) {
  std::map<std::string, std::string> types;
  for (const auto& field : message_type_of<samples::every_field>().fields) {
    types[field.name] = field.type;
  }
  CAF_CHECK_EQUAL(types.size(), 52u);
  CAF_CHECK_EQUAL(types["origin"], "origin");
  CAF_CHECK_EQUAL(types["letter"], "char");
  CAF_CHECK_EQUAL(types["uint16"], "uint16");
  CAF_CHECK_EQUAL(types["single"], "float");
  CAF_CHECK_EQUAL(types["maybe_line"], "optional<order_line>");
  CAF_CHECK_EQUAL(types["choice"], "variant<nothing, int64, string, order_line>");
  CAF_CHECK_EQUAL(types["flags"], "vector<bool>");
  CAF_CHECK_EQUAL(types["triple"], "array<int16, 3>");
  CAF_CHECK_EQUAL(types["pair"], "pair<string, int32>");
  CAF_CHECK_EQUAL(types["loose"], "map<string, optional<bool>>");
  CAF_CHECK_EQUAL(types["bag"], "multiset<int32>");
  CAF_CHECK_EQUAL(types["hours"], "duration");
  CAF_CHECK_EQUAL(types["time"], "time_point");
  CAF_CHECK_EQUAL(types["number"], "samples::plain");
  CAF_CHECK_EQUAL(types["code"], "samples::unnamed");
}

CAF_TEST(simple results have types as well) {
  CAF_CHECK_EQUAL(message_type_of<std::string>().name, "string");
  CAF_CHECK_EQUAL(message_type_of<bool>().name, "bool");
  CAF_CHECK_EQUAL(message_type_of<std::int64_t>().name, "int64");
  CAF_CHECK_EQUAL(message_type_of<double>().name, "double");
  CAF_CHECK(message_type_of<std::string>().to_json(encode(std::string{"hi"})) == "\"hi\"");
  CAF_CHECK(message_type_of<double>().from_json("0.5") == encode(0.5));
}

CAF_TEST(bytes become JSON and back without the C++ type) {
  const order_line value{"pen", 199, samples::colour::blue};
  const auto& type = message_type_of<order_line>();
  CAF_CHECK_EQUAL(type.encode(&value), encode(value));
  const auto text = type.to_json(encode(value));
  CAF_REQUIRE(text.has_value());
  CAF_CHECK_EQUAL(*text, R"({"article":"pen","cents":199,"painted":"blue"})");
  CAF_CHECK(type.from_json(*text) == encode(value));
  const auto decoded = type.decode(encode(value));
  CAF_REQUIRE(decoded.has_value());
  CAF_CHECK_EQUAL(*std::static_pointer_cast<order_line>(*decoded), value);
}

CAF_TEST(errors come through) {
  const auto& type = message_type_of<order_line>();
  CAF_CHECK(type.decode("").error().code == errc::malformed);
  CAF_CHECK(type.to_json("\7").error().code == errc::newer_version);
  CAF_CHECK(type.from_json("{}").error().message == "$.article: missing field");
}

CAF_TEST(the registry finds types by name) {
  message_registry types;
  CAF_CHECK(types.find("order_line") == nullptr);
  CAF_REQUIRE(types.add<order_line>().has_value());
  CAF_REQUIRE(types.add<shop::order_placed>().has_value());
  CAF_REQUIRE(types.add<samples::empty_event>().has_value());
  CAF_CHECK(types.find("order_line") == &message_type_of<order_line>());
  CAF_CHECK(types.find("order") == nullptr);
  std::string names;
  for (const auto* type : types.all()) {
    names += type->name + " ";
  }
  CAF_CHECK_EQUAL(names, "empty_event order_line order_placed ");
}

CAF_TEST(the same type twice is fine) {
  message_registry types;
  CAF_CHECK(types.add<order_line>().has_value());
  CAF_CHECK(types.add<order_line>().has_value());
  CAF_CHECK_EQUAL(types.all().size(), 1u);
}

CAF_TEST(two types under one name are refused and the first stays) {
  message_registry types;
  CAF_REQUIRE(types.add<shop::order_placed>().has_value());
  const auto added = types.add<warehouse::order_placed>();
  CAF_REQUIRE(!added.has_value());
  CAF_CHECK(added.error().code == errc::invalid_definition);
  CAF_CHECK_EQUAL(added.error().message,
                  "two types are called \"order_placed\": shop::order_placed and "
                  "warehouse::order_placed; give one of them another name with CONTINUO_NAME");
  CAF_CHECK(types.find("order_placed") == &message_type_of<shop::order_placed>());
}

CAF_TEST(a name that no peer would take is refused) {
  message_registry types;
  for (const auto& name : {std::string(messages::type_bytes_max + 1, 'n'), std::string{"a\nb"}}) {
    auto long_named = message_type_of<order_line>();
    long_named.name = name;
    const auto added = types.add(long_named);
    CAF_REQUIRE(!added.has_value());
    CAF_CHECK(added.error().code == errc::invalid_definition);
    CAF_CHECK(added.error().message.find("CONTINUO_NAME gives it another one") != std::string::npos);
  }
  auto longest = message_type_of<order_line>();
  longest.name = std::string(messages::type_bytes_max, 'n');
  CAF_CHECK(types.add(longest).has_value());
}
