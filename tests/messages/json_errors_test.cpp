#define CAF_SUITE messages_json_errors

#include <caf/test/dsl.hpp>

#include "tests/messages/every_field.hpp"

#include <continuo/json.hpp>

using namespace continuo;

namespace {

struct box {
  std::optional<std::int32_t> number;
  std::vector<std::string> texts;
  CONTINUO_FIELDS(box, number, texts)
};

struct order {
  std::string id;
  std::vector<samples::order_line> lines;
  std::map<std::string, box> boxes;
  std::variant<std::string, samples::order_line> choice;
  CONTINUO_FIELDS(order, id, lines, boxes, choice)
};

/// The message of the error that reading a `T` gives.
template <class T>
std::string refusal(std::string_view text) {
  const auto value = from_json<T>(text);
  if (value) {
    return "it was read";
  }
  CAF_CHECK(value.error().code == errc::malformed);
  return value.error().message;
}

std::string with(const std::string& lines, const std::string& boxes = "{}",
                 const std::string& choice = R"({"type": "string", "value": ""})") {
  return R"({"id": "o-1", "lines": )" + lines + R"(, "boxes": )" + boxes + R"(, "choice": )" + choice + "}";
}

bool starts_with(const std::string& text, std::string_view start) {
  return text.compare(0, start.size(), start) == 0;
}

} // namespace

CAF_TEST(the control without a mistake is read) {
  CAF_CHECK_EQUAL(refusal<order>(with(R"([{"article": "pen", "cents": 1, "painted": "red"}])",
                                      R"({"a": {"texts": []}})")),
                  "it was read");
}

CAF_TEST(a wrong value is named with its path) {
  const auto good = std::string{R"({"article": "pen", "cents": 1, "painted": "red"})"};
  CAF_CHECK_EQUAL(
      refusal<order>(
          with("[" + good + "," + good + R"(,{"article": "pen", "cents": "x", "painted": "red"}])")),
      "$.lines[2].cents: expected an integer from -9223372036854775808 to 9223372036854775807, found \"x\"");
  CAF_CHECK_EQUAL(refusal<order>(with("[]", R"({"a b": {"texts": ["", 5]}})")),
                  "$.boxes[\"a b\"].texts[1]: expected a string, found 5");
  CAF_CHECK_EQUAL(refusal<order>(with("[]", R"({"a": {"texts": [], "number": 1.0}})")),
                  "$.boxes.a.number: expected an integer from -2147483648 to 2147483647, found 1.0");
  CAF_CHECK_EQUAL(refusal<order>(with("[]", "{}", R"({"type": "order_line", "value": {"article": 1}})")),
                  "$.choice.value.article: expected a string, found 1");
}

CAF_TEST(a wrong type is refused whatever it is) {
  CAF_CHECK_EQUAL(refusal<bool>("1"), "$: expected true or false, found 1");
  CAF_CHECK_EQUAL(refusal<std::string>("null"), "$: expected a string, found null");
  CAF_CHECK_EQUAL(refusal<double>("\"1\""), "$: expected a number, found \"1\"");
  CAF_CHECK_EQUAL(refusal<order>("[1, 2]"), "$: expected an object, found an array of 2");
  CAF_CHECK_EQUAL(refusal<std::vector<int>>("{}"), "$: expected an array, found an object");
  CAF_CHECK_EQUAL((refusal<std::array<int, 2>>("[1]")), "$: expected an array of 2, found an array of 1");
  CAF_CHECK_EQUAL((refusal<std::pair<int, int>>("[1, 2, 3]")),
                  "$: expected an array of 2, found an array of 3");
  CAF_CHECK_EQUAL((refusal<std::map<std::string, int>>("[]")), "$: expected an object, found an array of 0");
  CAF_CHECK_EQUAL(refusal<std::monostate>("0"), "$: expected null, found 0");
  CAF_CHECK_EQUAL(refusal<int>("null"), "$: expected an integer from -2147483648 to 2147483647, found null");
  CAF_CHECK_EQUAL(refusal<bool>("\"" + std::string(100, 'x') + "\""),
                  "$: expected true or false, found \"" + std::string(59, 'x') + "...");
}

CAF_TEST(a number out of range is refused) {
  CAF_CHECK_EQUAL(refusal<std::int8_t>("128"), "$: expected an integer from -128 to 127, found 128");
  CAF_CHECK_EQUAL(refusal<std::int8_t>("-129"), "$: expected an integer from -128 to 127, found -129");
  CAF_CHECK_EQUAL(refusal<std::uint8_t>("256"), "$: expected an integer from 0 to 255, found 256");
  CAF_CHECK_EQUAL(refusal<std::uint64_t>("-1"),
                  "$: expected an integer from 0 to 18446744073709551615, found -1");
  CAF_CHECK(starts_with(refusal<std::uint64_t>("18446744073709551616"), "$: expected an integer from 0 to"));
  CAF_CHECK(starts_with(refusal<std::int64_t>("9223372036854775808"), "$: expected an integer from -"));
  CAF_CHECK(starts_with(refusal<std::int64_t>("-9223372036854775809"), "$: expected an integer from -"));
  CAF_CHECK(starts_with(refusal<float>("1e39"), "$: expected a number from -3.4028"));
  CAF_CHECK(starts_with(refusal<double>("1e309"), "$: no JSON"));
}

CAF_TEST(a missing field is named) {
  CAF_CHECK_EQUAL(refusal<order>("{}"), "$.id: missing field");
  CAF_CHECK_EQUAL(refusal<order>(with(R"([{"article": "pen", "painted": "red"}])")),
                  "$.lines[0].cents: missing field");
  CAF_CHECK_EQUAL(refusal<order>(with("[]", "{}", "{}")), "$.choice.type: missing field");
  CAF_CHECK_EQUAL(refusal<order>(with("[]", "{}", R"({"type": "string"})")), "$.choice.value: missing field");
  CAF_CHECK_EQUAL(refusal<box>(R"({"number": 1})"), "$.texts: missing field");
  CAF_CHECK_EQUAL(refusal<samples::plain>("{}"), "$.number: missing field");
}

CAF_TEST(an unknown field is named) {
  CAF_CHECK_EQUAL(refusal<box>(R"({"texts": [], "nubmer": 1})"), "$.nubmer: unknown field");
  CAF_CHECK_EQUAL(refusal<order>(with("[]", R"({"a": {"texts": [], "": 1}})")),
                  "$.boxes.a[\"\"]: unknown field");
  CAF_CHECK_EQUAL(refusal<order>(with("[]", "{}", R"({"type": "string", "value": "", "more": 1})")),
                  "$.choice.more: unknown field");
  CAF_CHECK_EQUAL(refusal<samples::empty_event>(R"({"x": null})"), "$.x: unknown field");
  CAF_CHECK_EQUAL(refusal<samples::plain>(R"({"number": 1, "name": 2})"), "$.name: unknown field");
}

CAF_TEST(a name that no enum or variant has is answered with those it has) {
  CAF_CHECK_EQUAL(refusal<samples::colour>("\"pink\""),
                  "$: expected one of \"red\", \"green\", \"blue\", found \"pink\"");
  CAF_CHECK_EQUAL(refusal<samples::colour>("1"), "$: expected one of \"red\", \"green\", \"blue\", found 1");
  CAF_CHECK_EQUAL(refusal<order>(with("[]", "{}", R"({"type": "int64", "value": 1})")),
                  "$.choice.type: expected one of \"string\", \"order_line\", found \"int64\"");
}

CAF_TEST(a key that is there twice is refused) {
  CAF_CHECK_EQUAL(refusal<box>(R"({"texts": [], "texts": []})"), "$.texts: this key is there twice");
  CAF_CHECK_EQUAL(
      refusal<order>(
          with(R"([{"article": "a", "cents": 1, "painted": "red"}, {"article": "b", "article": "c"}])")),
      "$.lines[1].article: this key is there twice");
  CAF_CHECK_EQUAL(
      refusal<order>(with("[]", R"({"k": {"texts": [{}, {"a": 1, "b": [1, [2, {"a": 1, "a": 2}]]}]}})")),
      "$.boxes.k.texts[1].b[1][1].a: this key is there twice");
  CAF_CHECK_EQUAL((refusal<std::map<int, int>>("[[1, 1], [2, 2], [1, 3]]")), "$[2]: this key is there twice");
  CAF_CHECK_EQUAL(refusal<std::set<std::string>>(R"(["a", "a"])"), "$[1]: this key is there twice");
}

CAF_TEST(text that is no JSON is refused with its place) {
  for (const auto* text :
       {"",         " ",        "{",           "[1,]",  "{\"a\" 1}", "nul",         "NaN", "[NaN]",
        "Infinity", "-",        "01",          "1.",    "+1",        "'a'",         "\"a", "\"\\x\"",
        "\"\n\"",   "\"\xff\"", "\"\\ud800\"", "{} {}", "// a\n1",   "\xef\xbb\xbf"}) {
    CAF_MESSAGE(text);
    CAF_CHECK(starts_with(refusal<int>(text), "$: no JSON: "));
    CAF_CHECK(refusal<int>(text).find("line ") != std::string::npos);
  }
}

CAF_TEST(nesting without end is refused) {
  CAF_CHECK_EQUAL(refusal<int>(std::string(1'000'000, '[')), "$: nested more than 512 levels deep");
  CAF_CHECK_EQUAL(refusal<int>(std::string(513, '[')), "$: nested more than 512 levels deep");
  CAF_CHECK(
      starts_with(refusal<int>(std::string(512, '[') + std::string(512, ']')), "$: expected an integer"));
  const auto trees = [](int levels) {
    std::string text;
    for (int level = 0; level < levels; ++level) {
      text += R"({"name":"","children":[)";
    }
    for (int level = 0; level < levels; ++level) {
      text += "]}";
    }
    return text;
  };
  const auto message = refusal<samples::tree>(trees(129));
  CAF_CHECK(starts_with(message, "$.children[0].children[0]"));
  CAF_CHECK(message.find(": objects are nested more than 128 deep") != std::string::npos);
  CAF_CHECK_EQUAL(refusal<samples::tree>(trees(128)), "it was read");
}
