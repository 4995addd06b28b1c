#define CAF_SUITE messages_layout

#include "messages/layout.hpp"

#include <caf/test/dsl.hpp>

#include <continuo/fields.hpp>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace continuo;
using namespace continuo::messages;

namespace {

// What a program has stored, and what later programs call by the same names.
namespace stored {

enum class colour : std::uint8_t { red, green };
CONTINUO_ENUM(colour, red, green)

struct line {
  std::string article;
  std::int32_t pieces = 0;
  CONTINUO_FIELDS(line, article, pieces)
};

struct order {
  std::string first;
  std::string second;
  std::map<std::string, std::vector<line>> lines;
  std::optional<colour> painted;
  CONTINUO_FIELDS(order, first, second, lines, painted)
};

} // namespace stored

namespace swapped {
struct order {
  std::string first;
  std::string second;
  std::map<std::string, std::vector<stored::line>> lines;
  std::optional<stored::colour> painted;
  CONTINUO_FIELDS(order, second, first, lines, painted)
};
} // namespace swapped

namespace added {
struct line {
  std::string article;
  std::int32_t pieces = 0;
  std::int32_t cents = 0;
  CONTINUO_FIELDS(line, article, cents, pieces)
};
} // namespace added

namespace since {
struct line {
  std::string article;
  std::int32_t pieces = 0;
  std::int32_t cents = 0;
  CONTINUO_FIELDS(line, article, CONTINUO_SINCE(1, cents), pieces)
};
} // namespace since

namespace retyped {
struct line {
  std::string article;
  std::int64_t pieces = 0;
  CONTINUO_FIELDS(line, article, pieces)
};
} // namespace retyped

namespace removed {
struct line {
  std::string article;
  CONTINUO_FIELDS(line, article)
};
} // namespace removed

namespace renamed {
struct line {
  std::string title;
  std::int32_t pieces = 0;
  CONTINUO_FIELDS(line, title, pieces)
};
} // namespace renamed

namespace more {
enum class colour : std::uint8_t { red, green, blue };
CONTINUO_ENUM(colour, red, green, blue)
} // namespace more

namespace renumbered {
enum class colour : std::uint8_t { green, red };
CONTINUO_ENUM(colour, green, red)
} // namespace renumbered

template <class... Enums>
struct painted {
  std::variant<std::monostate, Enums...> with;
  CONTINUO_NAME("painted")
  CONTINUO_FIELDS(painted, with)
};

template <class T>
layout_map layouts() {
  layout_map found;
  add_layouts(message_type_of<T>(), found);
  return found;
}

template <class Was, class Now>
std::string complaint(const std::string& name) {
  const auto was = layouts<Was>();
  const auto now = layouts<Now>();
  CAF_REQUIRE(was.contains(name));
  CAF_REQUIRE(now.contains(name));
  return misreading(was.at(name), now.at(name)).value_or("none");
}

} // namespace

CAF_TEST(a layout names all that the fields are made of) {
  const auto found = layouts<stored::order>();
  CAF_REQUIRE_EQUAL(found.size(), 3u);
  const auto& order = found.at("order");
  CAF_REQUIRE_EQUAL(order.fields.size(), 4u);
  CAF_CHECK_EQUAL(order.fields[1].name, "second");
  CAF_CHECK_EQUAL(order.fields[1].type, "string");
  CAF_CHECK_EQUAL(found.at("line").fields[1].type, "int32");
  CAF_CHECK_EQUAL(found.at("colour").underlying, "uint8");
  CAF_CHECK_EQUAL(found.at("colour").fields[1].type, "1");
}

CAF_TEST(what is read as it was written is let pass) {
  CAF_CHECK_EQUAL((complaint<stored::order, stored::order>("order")), "none");
  CAF_CHECK_EQUAL((complaint<stored::line, since::line>("line")), "none");
  CAF_CHECK_EQUAL((complaint<since::line, stored::line>("line")),
                  "none"); // newer bytes are refused, and wait
  CAF_CHECK_EQUAL((complaint<stored::line, renamed::line>("line")), "none");
  CAF_CHECK_EQUAL((complaint<painted<stored::colour>, painted<more::colour>>("colour")), "none");
}

CAF_TEST(two types of one name are not compared and an enum keeps the values that it had) {
  layout_map found;
  add_layouts(message_type_of<stored::line>(), found);
  CAF_CHECK(!found.at("line").is_ambiguous);
  add_layouts(message_type_of<retyped::line>(), found);
  CAF_CHECK(found.at("line").is_ambiguous);
  auto older = layouts<painted<stored::colour>>().at("colour");
  keep_values(layouts<painted<more::colour>>().at("colour"), older);
  CAF_REQUIRE_EQUAL(older.fields.size(), 3u);
  CAF_CHECK_EQUAL(older.fields.back().name, "blue");
}

CAF_TEST(what would be misread is refused and the sentence says what to do) {
  CAF_CHECK_EQUAL(
      (complaint<stored::order, swapped::order>("order")),
      "order.first stood in the place of second when it was stored: put the fields of CONTINUO_FIELDS "
      "back into their order, it is the order of the bytes");
  CAF_CHECK_EQUAL(
      (complaint<stored::line, added::line>("line")),
      "line.cents is not in what was stored: a field that is added needs CONTINUO_SINCE(1, cents)");
  CAF_CHECK_EQUAL(
      (complaint<stored::line, retyped::line>("line")),
      "line.pieces was stored as int32, and is int64 now: keep the old field as it was and add one with "
      "CONTINUO_SINCE(1, ...)");
  CAF_CHECK_EQUAL(
      (complaint<stored::line, removed::line>("line")),
      "line.pieces was stored, and is not in CONTINUO_FIELDS any more: leave it there, its bytes are "
      "where they were");
  CAF_CHECK_EQUAL((complaint<added::line, since::line>("line")),
                  "line.cents was stored without CONTINUO_SINCE, and has one now: leave it as it was");
  CAF_CHECK_EQUAL((complaint<painted<stored::colour>, painted<renumbered::colour>>("colour")),
                  "red of the enum colour was stored as 0, and is 1 now: give it its old number");
}
