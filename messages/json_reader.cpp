#include <continuo/detail/json_reader.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace continuo::detail {

namespace {

using json = nlohmann::json;

// Objects may nest `nesting_max` deep, and what holds one within another (variant, map, array of pairs) takes
// a few levels.
constexpr std::size_t levels_max = std::size_t{4} * nesting_max;

// How much of a wrong value an error repeats.
constexpr std::size_t found_bytes_max = 60;

const json& value_at(const void* at) {
  return *static_cast<const json*>(at);
}

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

} // namespace

struct json_reader::document {
  json root;
};

json_reader::json_reader(std::string_view text) : document_(std::make_unique<document>()) {
  if (text.find('\0') != text.npos) { // where the parser would end, whatever follows
    refuse_at("$", "no JSON: it holds a byte that is 0");
  }
  document_builder builder{document_->root};
  json::sax_parse(text.begin(), text.end(), &builder);
  at_ = &document_->root;
}

json_reader::~json_reader() = default;

// -- values ------------------------------------------------------------------------------

bool json_reader::get_bool() const {
  const auto& value = value_at(at_);
  if (!value.is_boolean()) {
    refuse("true or false");
  }
  return value.get<bool>();
}

std::int64_t json_reader::get_signed(std::int64_t least, std::int64_t most) const {
  const auto& value = value_at(at_);
  if (const auto* number = value.get_ptr<const json::number_unsigned_t*>()) {
    if (*number <= static_cast<std::uint64_t>(most)) {
      return static_cast<std::int64_t>(*number);
    }
  } else if (const auto* negative = value.get_ptr<const json::number_integer_t*>()) {
    if (*negative >= least && *negative <= most) {
      return *negative;
    }
  }
  refuse(fmt::format("an integer from {} to {}", least, most));
}

std::uint64_t json_reader::get_unsigned(std::uint64_t most) const {
  const auto* number = value_at(at_).get_ptr<const json::number_unsigned_t*>();
  if (number == nullptr || *number > most) {
    refuse(fmt::format("an integer from 0 to {}", most));
  }
  return *number;
}

double json_reader::get_number(double most) const {
  const auto& value = value_at(at_);
  if (!value.is_number()) {
    refuse("a number");
  }
  const auto number = value.get<double>();
  if (std::abs(number) > most) {
    refuse(fmt::format("a number from {} to {}", -most, most));
  }
  return number;
}

const std::string& json_reader::get_string() const {
  const auto* text = find_string();
  if (text == nullptr) {
    refuse("a string");
  }
  return *text;
}

void json_reader::get_null() const {
  if (!is_null()) {
    refuse("null");
  }
}

bool json_reader::is_null() const {
  return value_at(at_).is_null();
}

const std::string* json_reader::find_string() const {
  return value_at(at_).get_ptr<const std::string*>();
}

bool json_reader::is_number() const {
  return value_at(at_).is_number();
}

// -- objects and arrays ------------------------------------------------------------------

bool json_reader::enter_field(std::string_view name) {
  const auto& object = value_at(at_).get_ref<const json::object_t&>();
  known_.emplace_back(name);
  const auto field = object.find(std::string{name});
  if (field == object.end()) {
    return false;
  }
  path_.push_back({field->first, 0, true, at_});
  at_ = &field->second;
  return true;
}

void json_reader::enter_element(std::size_t index) {
  path_.push_back({{}, index, false, at_});
  at_ = &value_at(at_)[index];
}

void json_reader::leave() {
  at_ = path_.back().from;
  path_.pop_back();
}

void json_reader::open_object() {
  if (!value_at(at_).is_object()) {
    refuse("an object");
  }
  if (++nesting_ > nesting_max) {
    refuse_at(path(), fmt::format("objects are nested more than {} deep", nesting_max));
  }
}

void json_reader::close_object() {
  for (const auto& [name, value] : value_at(at_).get_ref<const json::object_t&>()) {
    if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
      refuse_at(path() + key_step(name), "unknown field");
    }
  }
  leave_object();
}

std::size_t json_reader::open_array() const {
  const auto& value = value_at(at_);
  if (!value.is_array()) {
    refuse("an array");
  }
  return value.size();
}

void json_reader::open_array(std::size_t size) const {
  const auto& value = value_at(at_);
  if (!value.is_array() || value.size() != size) {
    refuse(fmt::format("an array of {}", size));
  }
}

std::vector<std::string_view> json_reader::keys() const {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : value_at(at_).get_ref<const json::object_t&>()) {
    names.push_back(name);
  }
  return names;
}

// -- refusals ------------------------------------------------------------------------------

std::string json_reader::path() const {
  std::string text = "$";
  for (const auto& step : path_) {
    text += step.is_key ? key_step(step.key) : fmt::format("[{}]", step.index);
  }
  return text;
}

void json_reader::refuse(const std::string& expected) const {
  refuse_at(path(), fmt::format("expected {}, found {}", expected, found(value_at(at_))));
}

void json_reader::refuse_missing(std::string_view name) {
  refuse_at(path() + key_step(name), "missing field");
}

void json_reader::refuse_twice(std::size_t index) {
  refuse_at(fmt::format("{}[{}]", path(), index), "this key is there twice");
}

void json_reader::refuse_name(const std::vector<std::string>& names) const {
  std::string list;
  for (const auto& name : names) {
    list += (list.empty() ? "" : ", ") + as_json(name);
  }
  refuse("one of " + list);
}

void json_reader::refuse_duration(period counted) const {
  refuse(fmt::format("a duration of whole {} such as \"10{}\"", unit_of(counted), unit_of(counted)));
}

void json_reader::refuse_time() const {
  refuse("a time such as \"2024-05-01T12:00:00Z\" that this clock can tell");
}

} // namespace continuo::detail
