#include "messages/shapes.hpp"

#include <continuo/detail/time_text.hpp>
#include <continuo/json.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace continuo::detail {

namespace {

using json = nlohmann::json;

// Objects may nest `nesting_max` deep, and what holds one within another (variant, map, array of pairs) takes
// a few levels.
constexpr std::size_t levels_max = std::size_t{4} * nesting_max;

// How much of a wrong value an error repeats.
constexpr std::size_t found_bytes_max = 60;

std::string as_json(std::string_view text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string key_step(std::string_view key) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  const bool plain =
      !key.empty() && std::all_of(key.begin(), key.end(), is_word) && !(key[0] >= '0' && key[0] <= '9');
  return plain ? fmt::format(".{}", key) : fmt::format("[{}]", as_json(key));
}

std::string found(const json& value) {
  if (value.is_object()) {
    return "an object";
  }
  if (value.is_array()) {
    return fmt::format("an array of {}", value.size());
  }
  auto text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > found_bytes_max) {
    auto end = found_bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
      --end;
    }
    text.replace(end, std::string::npos, "...");
  }
  return text;
}

[[noreturn]] void refuse_at(const std::string& path, const std::string& what) {
  throw error{errc::malformed, fmt::format("{}: {}", path, what)};
}

// Builds the document and refuses what the parser would let pass: a key that is there twice (the last would
// win) and nesting without end.
class document_builder : public nlohmann::json_sax<json> {
public:
  explicit document_builder(json& root) : root_(root) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return enter(json::object()); }
  bool start_array(std::size_t) override { return enter(json::array()); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }

  bool key(string_t& name) override {
    auto& open = *open_.back();
    if (open.contains(name)) {
      refuse_at(path() + key_step(name), "this key is there twice");
    }
    slot_ = &open[name];
    keys_.back() = std::move(name);
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& thrown) override {
    std::string_view what = thrown.what();
    const auto name_end = what.find("] ");
    refuse_at("$", fmt::format("no JSON: {}", name_end == what.npos ? what : what.substr(name_end + 2)));
  }

private:
  template <class Value>
  bool add(Value&& value) {
    place(json(std::forward<Value>(value)));
    return true;
  }

  bool enter(json container) {
    if (open_.size() == levels_max) {
      refuse_at("$", fmt::format("nested more than {} levels deep", levels_max));
    }
    open_.push_back(place(std::move(container)));
    keys_.emplace_back();
    return true;
  }

  bool leave() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  // A pointer to an array's element holds as long as it is the last one: all the while that it is open.
  json* place(json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *slot_ = std::move(value);
    return slot_;
  }

  std::string path() const {
    std::string text = "$";
    for (std::size_t level = 0; level + 1 < open_.size(); ++level) {
      text +=
          open_[level]->is_array() ? fmt::format("[{}]", open_[level]->size() - 1) : key_step(keys_[level]);
    }
    return text;
  }

  json& root_;
  json* slot_ = nullptr;          // where the value of the last key goes
  std::vector<json*> open_;       // from the root to the innermost container
  std::vector<std::string> keys_; // the last key of each
};

/// A place in a JSON document, and the way to it: `$.lines[2].cents`. To a plain Boost type's `serialize` it
/// is a loading archive. What does not fit is thrown as an `error`.
class json_reader final : public loading_archive {
public:
  explicit json_reader(const json& document) : at_(&document) {}

  void get(const shape& of, void* value) {
    switch (of.what) {
    case form::boolean:
      as<bool>(value) = get_bool();
      break;
    case form::int8:
      get_signed<std::int8_t>(value);
      break;
    case form::int16:
      get_signed<std::int16_t>(value);
      break;
    case form::int32:
      get_signed<std::int32_t>(value);
      break;
    case form::int64:
      get_signed<std::int64_t>(value);
      break;
    case form::uint8:
      get_unsigned<std::uint8_t>(value);
      break;
    case form::uint16:
      get_unsigned<std::uint16_t>(value);
      break;
    case form::uint32:
      get_unsigned<std::uint32_t>(value);
      break;
    case form::uint64:
      get_unsigned<std::uint64_t>(value);
      break;
    case form::float32:
      as<float>(value) = static_cast<float>(get_number(std::numeric_limits<float>::max()));
      break;
    case form::float64:
      as<double>(value) = get_number(std::numeric_limits<double>::max());
      break;
    case form::text:
      as<std::string>(value) = get_string();
      break;
    case form::object:
      get_object([&] {
        for (const auto& one : fields(of)) {
          get_field(one.name, *one.of, field_at(one, value), one.since != 0);
        }
      });
      break;
    case form::base:
      get(*of.base->of, of.base->up(value));
      break;
    case form::enumeration:
      get_enumeration(*of.enumeration, value);
      break;
    case form::optional:
      if (at_->is_null()) {
        of.optional->reset(value);
      } else {
        get(*of.optional->of, of.optional->emplace(value));
      }
      break;
    case form::variant:
      get_variant(*of.variant, value);
      break;
    case form::nothing:
      if (!at_->is_null()) {
        refuse("null");
      }
      break;
    case form::duration:
      get_duration(*of.count, value);
      break;
    case form::time_point:
      get_time(*of.count, value);
      break;
    case form::product:
      open_array(of.product->size);
      for (std::size_t index = 0; index < of.product->size; ++index) {
        get_element(index, *of.product->elements[index], const_cast<void*>(of.product->get(value, index)));
      }
      break;
    case form::array:
      open_array(of.array->size);
      get_elements(*of.array->of, value, of.array->size, of.array->element_bytes);
      break;
    case form::sequence:
      get_sequence(*of.sequence, value);
      break;
    case form::flags:
      get_flags(as<std::vector<bool>>(value));
      break;
    case form::map:
    case form::set:
      if (is_json_object(of)) {
        get_map(*of.keyed, value);
      } else {
        elements source{*this, *of.keyed};
        of.keyed->fill(value, open_array(), source);
      }
      break;
    case form::custom:
      get_object([&] {
        const auto around = std::exchange(fields_, 0);
        of.custom->load(*this, value, of.custom->version);
        fields_ = around;
      });
      break;
    }
  }

private:
  // What a step of the path is: a key, or an index where there is no key.
  struct step {
    std::string_view key;
    std::size_t index = 0;
    bool is_key = false;
    const json* from = nullptr; // the value that it left
  };

  // The elements of an array, and [key, value] pairs.
  class elements final : public element_source {
  public:
    elements(json_reader& from, const keyed_shape& of) : from_(from), of_(of) {}

    void read(void* key, void* mapped) override {
      from_.enter_element(index_++);
      if (mapped == nullptr) {
        from_.get(*of_.key, key);
      } else {
        from_.open_array(2);
        from_.get_element(0, *of_.key, key);
        from_.get_element(1, *of_.mapped, mapped);
      }
      from_.leave();
    }

    [[noreturn]] void refuse() override {
      refuse_at(fmt::format("{}[{}]", from_.path(), index_ - 1), "this key is there twice");
    }

  private:
    json_reader& from_;
    const keyed_shape& of_;
    std::size_t index_ = 0;
  };

  // The members of an object.
  class members final : public element_source {
  public:
    members(json_reader& from, const keyed_shape& of) : from_(from), of_(of), next_(from.object().begin()) {}

    void read(void* key, void* mapped) override {
      as<std::string>(key) = next_->first;
      from_.enter(next_->first, next_->second);
      from_.get(*of_.mapped, mapped);
      from_.leave();
      ++next_;
    }

    [[noreturn]] void refuse() override { refuse_at(from_.path(), "a key is there twice"); }

  private:
    json_reader& from_;
    const keyed_shape& of_;
    json::object_t::const_iterator next_;
  };

  // -- a plain Boost type ----------------------------------------------------------
  void load_field(const char* name, const shape& of, void* value) override {
    const auto place = fields_++;
    get_field(name != nullptr ? std::string{name} : std::to_string(place), of, value, false);
  }

  void load_binary(void* bytes, std::size_t size) override {
    const auto name = std::to_string(fields_++);
    if (!enter_field(name)) {
      refuse_missing(name);
    }
    open_array(size);
    get_elements(shape_of<std::uint8_t>(), bytes, size, 1);
    leave();
  }

  // -- objects -----------------------------------------------------------------------
  template <class GetFields>
  void get_object(GetFields get_fields) {
    open_object();
    auto around = std::exchange(known_, {});
    get_fields();
    close_object();
    known_ = std::move(around);
  }

  void get_field(std::string_view name, const shape& of, void* value, bool may_be_missing) {
    if (enter_field(name)) {
      get(of, value);
      leave();
    } else if (of.what == form::optional) {
      of.optional->reset(value);
    } else if (!may_be_missing) {
      refuse_missing(name);
    }
  }

  void get_variant(const variant_shape& of, void* value) {
    get_object([&] {
      const auto& names = alternative_names(of);
      std::size_t chosen = 0;
      if (!enter_field("type")) {
        refuse_missing("type");
      }
      const auto* name = find_string();
      while (chosen < names.size() && (name == nullptr || names[chosen] != *name)) {
        ++chosen;
      }
      if (chosen == names.size()) {
        refuse_name(names);
      }
      leave();
      get_field("value", *of.alternatives[chosen], of.emplace(value, chosen), false);
    });
  }

  void get_map(const keyed_shape& of, void* value) {
    open_object();
    members source{*this, of};
    of.fill(value, object().size(), source);
    --nesting_;
  }

  // -- arrays ------------------------------------------------------------------------
  void get_element(std::size_t index, const shape& of, void* value) {
    enter_element(index);
    get(of, value);
    leave();
  }

  void get_elements(const shape& of, void* first, std::size_t size, std::size_t element_bytes) {
    auto* element = static_cast<char*>(first);
    for (std::size_t index = 0; index < size; ++index, element += element_bytes) {
      get_element(index, of, element);
    }
  }

  void get_sequence(const sequence_shape& of, void* value) {
    const auto size = open_array();
    if (of.block) {
      get_elements(*of.of, of.resize(value, size), size, of.element_bytes);
      return;
    }
    of.clear(value, 0);
    for (std::size_t index = 0; index < size; ++index) {
      get_element(index, *of.of, of.grow(value));
    }
  }

  void get_flags(std::vector<bool>& flags) {
    const auto size = open_array();
    flags.clear();
    for (std::size_t index = 0; index < size; ++index) {
      bool flag = false;
      get_element(index, shape_of<bool>(), &flag);
      flags.push_back(flag);
    }
  }

  // -- enums and times ---------------------------------------------------------------
  void get_enumeration(const enumeration_shape& of, void* value) {
    if (!of.named) {
      get(*of.underlying, value);
      return;
    }
    const auto* name = find_string();
    const auto* end = of.names + of.size;
    const auto* known = std::find_if(
        of.names, end, [name](const enumerator& one) { return name != nullptr && one.name == *name; });
    if (known == end) {
      std::vector<std::string> names;
      for (std::size_t index = 0; index < of.size; ++index) {
        names.emplace_back(of.names[index].name);
      }
      refuse_name(names);
    }
    set_integer(of.underlying->what, value, known->number);
  }

  void get_duration(const count_shape& of, void* value) {
    if (unit_of(of.counted).empty()) {
      get(*of.of, value);
      return;
    }
    const auto* text = find_string();
    if (is_floating(of.of->what)) {
      const auto count = text == nullptr ? std::nullopt : read_fractional_duration(*text, of.counted);
      if (!count) {
        refuse_duration(of.counted);
      }
      set_floating(of.of->what, value, *count);
    } else {
      const auto count = text == nullptr ? std::nullopt : read_duration(*text, of.counted);
      if (!count || !in_range(of.of->what, *count)) {
        refuse_duration(of.counted);
      }
      set_integer(of.of->what, value, *count);
    }
  }

  void get_time(const count_shape& of, void* value) {
    if (!is_floating(of.of->what)) {
      if (const auto* text = find_string()) {
        const auto count = read_time(*text, of.counted);
        if (!count || !in_range(of.of->what, *count)) {
          refuse_time();
        }
        set_integer(of.of->what, value, *count);
        return;
      }
      if (!unit_of(of.counted).empty() && !at_->is_number()) {
        refuse_time();
      }
    }
    get(*of.of, value);
  }

  // -- values ------------------------------------------------------------------------
  bool get_bool() const {
    if (!at_->is_boolean()) {
      refuse("true or false");
    }
    return at_->get<bool>();
  }

  template <class Number>
  void get_signed(void* value) const {
    constexpr std::int64_t least = std::numeric_limits<Number>::min();
    constexpr std::int64_t most = std::numeric_limits<Number>::max();
    std::optional<std::int64_t> found;
    if (const auto* number = at_->get_ptr<const json::number_unsigned_t*>()) {
      if (*number <= static_cast<std::uint64_t>(most)) {
        found = static_cast<std::int64_t>(*number);
      }
    } else if (const auto* negative = at_->get_ptr<const json::number_integer_t*>()) {
      if (*negative >= least && *negative <= most) {
        found = *negative;
      }
    }
    if (!found) {
      refuse(fmt::format("an integer from {} to {}", least, most));
    }
    const auto number = static_cast<Number>(*found);
    std::memcpy(value, &number, sizeof(number));
  }

  template <class Number>
  void get_unsigned(void* value) const {
    constexpr std::uint64_t most = std::numeric_limits<Number>::max();
    const auto* found = at_->get_ptr<const json::number_unsigned_t*>();
    if (found == nullptr || *found > most) {
      refuse(fmt::format("an integer from 0 to {}", most));
    }
    const auto number = static_cast<Number>(*found);
    std::memcpy(value, &number, sizeof(number));
  }

  double get_number(double most) const {
    if (!at_->is_number()) {
      refuse("a number");
    }
    const auto number = at_->get<double>();
    if (std::abs(number) > most) {
      refuse(fmt::format("a number from {} to {}", -most, most));
    }
    return number;
  }

  const std::string& get_string() const {
    const auto* text = find_string();
    if (text == nullptr) {
      refuse("a string");
    }
    return *text;
  }

  /// Null where it is no string.
  const std::string* find_string() const { return at_->get_ptr<const std::string*>(); }

  // -- moving about --------------------------------------------------------------------
  const json::object_t& object() const { return at_->get_ref<const json::object_t&>(); }

  /// Moves to the field; false where there is none.
  bool enter_field(std::string_view name) {
    known_.emplace_back(name);
    const auto field = object().find(known_.back());
    if (field == object().end()) {
      return false;
    }
    enter(field->first, field->second);
    return true;
  }

  void enter(std::string_view key, const json& value) {
    path_.push_back({key, 0, true, at_});
    at_ = &value;
  }

  void enter_element(std::size_t index) {
    path_.push_back({{}, index, false, at_});
    at_ = &(*at_)[index];
  }

  void leave() {
    at_ = path_.back().from;
    path_.pop_back();
  }

  void open_object() {
    if (!at_->is_object()) {
      refuse("an object");
    }
    if (++nesting_ > nesting_max) {
      refuse_at(path(), fmt::format("objects are nested more than {} deep", nesting_max));
    }
  }

  /// Refuses fields that nobody asked for.
  void close_object() {
    for (const auto& [name, value] : object()) {
      if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
        refuse_at(path() + key_step(name), "unknown field");
      }
    }
    --nesting_;
  }

  std::size_t open_array() const {
    if (!at_->is_array()) {
      refuse("an array");
    }
    return at_->size();
  }

  void open_array(std::size_t size) const {
    if (!at_->is_array() || at_->size() != size) {
      refuse(fmt::format("an array of {}", size));
    }
  }

  // -- refusals ------------------------------------------------------------------------
  std::string path() const {
    std::string text = "$";
    for (const auto& step : path_) {
      text += step.is_key ? key_step(step.key) : fmt::format("[{}]", step.index);
    }
    return text;
  }

  [[noreturn]] void refuse(const std::string& expected) const {
    refuse_at(path(), fmt::format("expected {}, found {}", expected, found(*at_)));
  }

  [[noreturn]] void refuse_missing(std::string_view name) const {
    refuse_at(path() + key_step(name), "missing field");
  }

  [[noreturn]] void refuse_name(const std::vector<std::string>& names) const {
    std::string list;
    for (const auto& name : names) {
      list += (list.empty() ? "" : ", ") + as_json(name);
    }
    refuse("one of " + list);
  }

  [[noreturn]] void refuse_duration(period counted) const {
    refuse(fmt::format("a duration of whole {} such as \"10{}\"", unit_of(counted), unit_of(counted)));
  }

  [[noreturn]] void refuse_time() const {
    refuse("a time such as \"2024-05-01T12:00:00Z\" that this clock can tell");
  }

  const json* at_; // the value that is being read
  std::vector<step> path_;
  std::vector<std::string> known_; // the fields of the present object that were asked for
  unsigned fields_ = 0;            // of the plain Boost type that is being read
  unsigned nesting_ = 0;
};

// Parses all of the text. Throws where it is no JSON, has a key twice in one object or nests too deep.
json parsed(std::string_view text) {
  if (text.find('\0') != text.npos) { // where the parser would end, whatever follows
    refuse_at("$", "no JSON: it holds a byte that is 0");
  }
  json root;
  document_builder builder{root};
  json::sax_parse(text.begin(), text.end(), &builder);
  return root;
}

} // namespace

result<void> shaped_from_json(const shape& of, void* value, std::string_view text) {
  try {
    const auto document = parsed(text);
    json_reader{document}.get(of, value);
    return {};
  } catch (...) {
    return tl::unexpected(reading_error({}));
  }
}

} // namespace continuo::detail
