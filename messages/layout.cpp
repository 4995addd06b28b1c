#include "messages/layout.hpp"

#include "messages/shapes.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace continuo::messages {

namespace {

using detail::form;
using detail::shape;

void add_shape(const shape& of, layout_map& into);

/// Without the namespaces of a name that only the compiler has: they may change.
std::string plain_name(const shape& of) {
  auto name = detail::type_name(of);
  const auto last = name.rfind("::");
  return last == std::string::npos ? name : name.substr(last + 2);
}

std::string layout_name(const shape& of);

std::string layout_names(std::span<const shape* const> shapes) {
  std::string names;
  for (const auto* one : shapes) {
    names += (names.empty() ? "" : ", ") + layout_name(*one);
  }
  return names;
}

/// As `detail::type_name`, but equal for containers that are written alike.
std::string layout_name(const shape& of) {
  switch (of.what) {
  case form::base:
    return layout_name(*of.base->of);
  case form::optional:
    return fmt::format("optional<{}>", layout_name(*of.optional->of));
  case form::variant:
    return fmt::format("variant<{}>", layout_names({of.variant->alternatives, of.variant->size}));
  case form::product:
    return fmt::format("tuple<{}>", layout_names({of.product->elements, of.product->size}));
  case form::array:
    return fmt::format("array<{}, {}>", layout_name(*of.array->of), of.array->size);
  case form::sequence:
    return fmt::format("list<{}>", layout_name(*of.sequence->of));
  case form::flags:
    return "list<bool>";
  case form::map:
    return fmt::format("map<{}, {}>", layout_name(*of.keyed->key), layout_name(*of.keyed->mapped));
  case form::set:
    return fmt::format("set<{}>", layout_name(*of.keyed->key));
  default:
    return plain_name(of);
  }
}

/// Whether it is new there. Two types of one name make the name ambiguous.
bool is_new(const type_layout& made, layout_map& into) {
  const auto [entry, fresh] = into.try_emplace(made.name, made);
  if (!fresh && encode(entry->second) != encode(made)) {
    entry->second.is_ambiguous = true;
  }
  return fresh;
}

void add_object(const shape& of, layout_map& into) {
  type_layout made;
  made.name = plain_name(of);
  made.version = of.object->version;
  for (const auto& one : detail::fields(of)) {
    made.fields.push_back({one.name, layout_name(*one.of), one.since});
  }
  if (is_new(made, into)) {
    for (const auto& one : detail::fields(of)) {
      add_shape(*one.of, into);
    }
  }
}

void add_enumeration(const shape& of, layout_map& into) {
  type_layout made;
  made.name = plain_name(of);
  made.underlying = detail::type_name(*of.enumeration->underlying);
  for (std::size_t i = 0; i < of.enumeration->size; ++i) {
    const auto& value = of.enumeration->names[i];
    made.fields.push_back({std::string{value.name}, std::to_string(value.number), 0});
  }
  is_new(made, into);
}

void add_shape(const shape& of, layout_map& into) {
  switch (of.what) {
  case form::object:
    add_object(of, into);
    break;
  case form::enumeration:
    add_enumeration(of, into);
    break;
  case form::base:
    add_shape(*of.base->of, into);
    break;
  case form::optional:
    add_shape(*of.optional->of, into);
    break;
  case form::variant:
    for (std::size_t i = 0; i < of.variant->size; ++i) {
      add_shape(*of.variant->alternatives[i], into);
    }
    break;
  case form::product:
    for (std::size_t i = 0; i < of.product->size; ++i) {
      add_shape(*of.product->elements[i], into);
    }
    break;
  case form::array:
    add_shape(*of.array->of, into);
    break;
  case form::sequence:
    add_shape(*of.sequence->of, into);
    break;
  case form::map:
    add_shape(*of.keyed->mapped, into);
    add_shape(*of.keyed->key, into);
    break;
  case form::set:
    add_shape(*of.keyed->key, into);
    break;
  default:
    break;
  }
}

const field_layout* find(const std::vector<field_layout>& fields, const std::string& name) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const field_layout& one) { return one.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

std::optional<std::string> misread_enum(const type_layout& was, const type_layout& now) {
  if (was.underlying != now.underlying) {
    return fmt::format("the enum {} was stored as {}, and is {} now: give the new one another name", was.name,
                       was.underlying, now.underlying.empty() ? "a class" : now.underlying);
  }
  for (const auto& value : was.fields) {
    const auto* still = find(now.fields, value.name);
    if (still != nullptr && still->type != value.type) {
      return fmt::format("{} of the enum {} was stored as {}, and is {} now: give it its old number",
                         value.name, was.name, value.type, still->type);
    }
  }
  return std::nullopt;
}

} // namespace

void add_layouts(const message_type& type, layout_map& into) {
  add_shape(type.described(), into);
}

void keep_values(const type_layout& was, type_layout& now) {
  if (was.underlying.empty() || now.underlying.empty()) {
    return;
  }
  for (const auto& value : was.fields) {
    if (find(now.fields, value.name) == nullptr) {
      now.fields.push_back(value);
    }
  }
}

std::optional<std::string> misreading(const type_layout& was, const type_layout& now) {
  if (!was.underlying.empty()) {
    return misread_enum(was, now);
  }
  if (!now.underlying.empty()) {
    return fmt::format("{} was stored with fields, and is an enum now: give the enum another name", was.name);
  }
  if (was.version > now.version) {
    return std::nullopt;
  }
  const auto next = was.version + 1;
  auto stored = was.fields.begin();
  for (const auto& field : now.fields) {
    if (field.since > was.version) {
      if (find(was.fields, field.name) != nullptr) {
        return fmt::format("{0}.{1} was stored without CONTINUO_SINCE, and has one now: leave it as it was",
                           was.name, field.name);
      }
      continue;
    }
    if (stored == was.fields.end()) {
      return fmt::format(
          "{0}.{1} is not in what was stored: a field that is added needs CONTINUO_SINCE({2}, {1})", was.name,
          field.name, next);
    }
    if (field.name != stored->name && find(now.fields, stored->name) != nullptr) {
      return find(was.fields, field.name) != nullptr
                 ? fmt::format(
                       "{}.{} stood in the place of {} when it was stored: put the fields of CONTINUO_FIELDS "
                       "back into their order, it is the order of the bytes",
                       was.name, stored->name, field.name)
                 : fmt::format(
                       "{0}.{1} is not in what was stored: a field that is added needs CONTINUO_SINCE({2}, "
                       "{1})",
                       was.name, field.name, next);
    }
    if (field.type != stored->type) {
      return fmt::format(
          "{}.{} was stored as {}, and is {} now: keep the old field as it was and add one with "
          "CONTINUO_SINCE({}, ...)",
          was.name, field.name, stored->type, field.type, next);
    }
    ++stored;
  }
  if (stored != was.fields.end()) {
    return fmt::format(
        "{}.{} was stored, and is not in CONTINUO_FIELDS any more: leave it there, its bytes are "
        "where they were",
        was.name, stored->name);
  }
  return std::nullopt;
}

} // namespace continuo::messages
