#include "tools/json_text.hpp"

#include "tools/table.hpp"

#include <continuo/detail/time_text.hpp>
#include <continuo/detail/times.hpp>

#include <algorithm>

namespace continuo::tools {

using nlohmann::json;
using std::chrono::system_clock;

std::string text_of(const json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  return value.is_null() ? std::string{} : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string text_at(const json& from, const char* field) {
  const auto found = from.is_object() ? from.find(field) : from.end();
  return found == from.end() ? std::string{} : text_of(*found);
}

const json& list_at(const json& from, const char* field) {
  static const auto none = json::array();
  const auto found = from.is_object() ? from.find(field) : from.end();
  return found == from.end() || !found->is_array() ? none : *found;
}

const json& field_at(const json& from, const char* field) {
  static const json none;
  const auto found = from.is_object() ? from.find(field) : from.end();
  return found == from.end() ? none : *found;
}

std::uint64_t number_at(const json& from, const char* field) {
  const auto& found = field_at(from, field);
  return found.is_number_unsigned() ? found.get<std::uint64_t>() : 0;
}

std::string joined(const json& list) {
  std::string made;
  for (const auto& one : list) {
    made += (made.empty() ? "" : ", ") + text_of(one);
  }
  return made;
}

std::string address_text(const json& instance) {
  const auto type = text_at(instance, "type");
  const auto key = text_at(instance, "key");
  return key.empty() ? type : type + " " + key;
}

std::optional<system_clock::time_point> time_of(const json& text) {
  if (!text.is_string()) {
    return std::nullopt;
  }
  const auto read =
      detail::read_time(text.get<std::string>(), detail::period_of<system_clock::time_point::duration>());
  return read ? std::optional{system_clock::time_point{system_clock::time_point::duration{*read}}}
              : std::nullopt;
}

std::chrono::milliseconds since(system_clock::time_point then) {
  return std::max(std::chrono::milliseconds{0},
                  detail::saturated<std::chrono::milliseconds>(detail::between(then, system_clock::now())));
}

std::string age_at(const json& from, const char* field) {
  const auto at = time_of(text_at(from, field));
  return at ? age_text(since(*at)) : std::string{};
}

} // namespace continuo::tools
