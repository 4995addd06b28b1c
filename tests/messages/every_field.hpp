#pragma once

#include <continuo/fields.hpp>

#include <boost/serialization/split_member.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

/// A type with a field of every kind, for the suites and the fuzz targets.
namespace samples {

enum class colour : std::uint8_t { red = 1, green = 2, blue = 200 };
CONTINUO_ENUM(colour, red, green, blue)

enum class unnamed : std::int16_t { low = -3, high = 3 };

struct order_line {
  std::string article;
  std::int64_t cents = 0;
  colour painted = colour::red;

  CONTINUO_FIELDS(order_line, article, cents, painted)
};

struct empty_event {
  CONTINUO_FIELDS(empty_event)
};

/// Holds itself.
struct tree {
  std::string name;
  std::vector<tree> children;

  CONTINUO_FIELDS(tree, name, children)
};

struct origin {
  std::string place = "here";

  CONTINUO_FIELDS(origin, place)
};

/// A type as Boost's manual shows it, without our macro.
class plain {
public:
  plain() = default;
  explicit plain(std::int32_t number) : number_(number) {}
  friend bool operator==(const plain&, const plain&) = default;

private:
  friend class boost::serialization::access;
  template <class Archive>
  void serialize(Archive& archive, const unsigned) {
    archive& boost::serialization::make_nvp("number", number_);
  }
  std::int32_t number_ = 0;
};

/// One that saves and loads differently.
class split {
public:
  split() = default;
  explicit split(std::string text) : text_(std::move(text)) {}
  friend bool operator==(const split&, const split&) = default;

private:
  friend class boost::serialization::access;
  template <class Archive>
  void save(Archive& archive, const unsigned) const {
    archive << boost::serialization::make_nvp("text", text_);
  }
  template <class Archive>
  void load(Archive& archive, const unsigned) {
    archive >> boost::serialization::make_nvp("text", text_);
  }
  BOOST_SERIALIZATION_SPLIT_MEMBER()
  std::string text_;
};

/// One with a function beside it.
struct outside {
  std::uint16_t number = 0;
  friend bool operator==(const outside&, const outside&) = default;
};

template <class Archive>
void serialize(Archive& archive, outside& value, const unsigned) {
  archive& boost::serialization::make_nvp("number", value.number);
}

using fractional_seconds = std::chrono::duration<double>;
using thirds = std::chrono::duration<std::int32_t, std::ratio<1, 3>>;

struct every_field : origin {
  bool flag = false;
  char letter = 'a';
  std::int8_t int8 = 0;
  std::uint8_t uint8 = 0;
  std::int16_t int16 = 0;
  std::uint16_t uint16 = 0;
  std::int32_t int32 = 0;
  std::uint32_t uint32 = 0;
  std::int64_t int64 = 0;
  std::uint64_t uint64 = 0;
  float single = 0;
  double real = 0;
  std::string text;
  colour painted = colour::red;
  unnamed code = unnamed::low;
  std::optional<std::int32_t> maybe_number;
  std::optional<order_line> maybe_line;
  std::variant<std::monostate, std::int64_t, std::string, order_line> choice;
  std::variant<std::string, std::string> twins;
  std::vector<std::string> texts;
  std::vector<bool> flags;
  std::vector<std::uint8_t> bytes;
  std::vector<double> reals;
  std::vector<order_line> lines;
  std::deque<std::int32_t> queue;
  std::list<std::string> chain;
  std::array<std::int16_t, 3> triple{};
  std::pair<std::string, std::int32_t> pair;
  std::tuple<bool, std::string> tuple;
  std::map<std::string, std::int32_t> counts;
  std::map<std::int32_t, std::string> names;
  std::unordered_map<std::string, std::optional<bool>> loose;
  std::multimap<std::string, std::int32_t> many;
  std::set<std::string> set;
  std::multiset<std::int32_t> bag;
  std::unordered_set<std::int64_t> loose_set;
  std::chrono::nanoseconds nanoseconds{};
  std::chrono::milliseconds milliseconds{};
  std::chrono::hours hours{};
  fractional_seconds fraction{};
  thirds third{};
  std::chrono::system_clock::time_point time;
  std::chrono::sys_seconds second;
  std::chrono::sys_days day;
  empty_event empty;
  tree forest;
  plain number;
  split parted;
  outside beside;
  std::int32_t added = 7;
  std::optional<std::string> added_later;

  CONTINUO_FIELDS(every_field, CONTINUO_BASE(origin), flag, letter, int8, uint8, int16, uint16, int32, uint32,
                  int64, uint64, single, real, text, painted, code, maybe_number, maybe_line, choice, twins,
                  texts, flags, bytes, reals, lines, queue, chain, triple, pair, tuple, counts, names, loose,
                  many, set, bag, loose_set, nanoseconds, milliseconds, hours, fraction, third, time, second,
                  day, empty, forest, number, parted, beside, CONTINUO_SINCE(1, added),
                  CONTINUO_SINCE(3, added_later))
};

/// Every field holds something else than its default.
inline every_field filled() {
  using namespace std::chrono;
  every_field value;
  value.place = "there";
  value.flag = true;
  value.letter = 'z';
  value.int8 = -128;
  value.uint8 = 255;
  value.int16 = -32'768;
  value.uint16 = 65'535;
  value.int32 = -2'147'483'648;
  value.uint32 = 4'294'967'295;
  value.int64 = std::numeric_limits<std::int64_t>::min();
  value.uint64 = std::numeric_limits<std::uint64_t>::max();
  value.single = 0.1F;
  value.real = -1e-300;
  value.text = "a \"quoted\"\n\t\\ line, \x01, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80 and a \x7f";
  value.painted = colour::blue;
  value.code = unnamed::high;
  value.maybe_number = -1;
  value.maybe_line = order_line{"pen", 199, colour::green};
  value.choice = order_line{"ink", 5, colour::blue};
  value.twins.emplace<1>("second");
  value.texts = {"", "x", std::string(300, 'y')};
  value.flags = {true, false, true};
  value.bytes = {0, 127, 255};
  value.reals = {0.5, -2, 1e300};
  value.lines = {{"a", 1, colour::red}, {"b", -1, colour::green}};
  value.queue = {3, 2, 1};
  value.chain = {"one", "two"};
  value.triple = {1, -2, 3};
  value.pair = {"left", 2};
  value.tuple = {true, "right"};
  value.counts = {{"b", 2}, {"a", 1}, {"with space", 3}};
  value.names = {{-1, "minus"}, {10, "ten"}};
  value.loose = {{"yes", true}, {"no", false}, {"unknown", std::nullopt}};
  value.many = {{"k", 2}, {"k", 1}, {"j", 3}};
  value.set = {"s", "t"};
  value.bag = {4, 4, 2};
  value.loose_set = {9, -9, 0};
  value.nanoseconds = std::chrono::nanoseconds{-5};
  value.milliseconds = 1500ms;
  value.hours = 36h;
  value.fraction = fractional_seconds{0.25};
  value.third = thirds{-7};
  value.time = sys_days{2024y / 2 / 29} + 23h + 59min + 59s + 123'456'789ns;
  value.second = sys_days{1969y / 12 / 31} + 1h;
  value.day = sys_days{2100y / 1 / 1};
  value.forest = {"root", {{"left", {}}, {"right", {{"leaf", {}}}}}};
  value.number = plain{42};
  value.parted = split{"text"};
  value.beside = outside{17};
  value.added = 8;
  value.added_later = "later";
  return value;
}

} // namespace samples
