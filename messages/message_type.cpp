#include "messages/application.hpp"
#include "messages/frame_bounds.hpp"
#include "messages/printable.hpp"
#include "messages/shapes.hpp"

#include <continuo/message_type.hpp>

#include <boost/core/demangle.hpp>
#include <fmt/format.h>

#include <new>

namespace continuo {

// -- a type -------------------------------------------------------------------------------

message_type::message_type(const detail::made_type& type)
    : name(type.of->name), cpp(*type.cpp), type_(&type) {
  if (type.of->what == detail::form::object) {
    version = type.of->object->version;
    for (const auto& one : detail::fields(*type.of)) {
      fields.push_back({one.name, detail::type_name(*one.of)});
    }
  }
}

std::shared_ptr<void> message_type::make() const {
  const auto* type = type_;
  const std::align_val_t alignment{type->alignment};
  struct give_back {
    std::align_val_t alignment;
    void operator()(void* memory) const { ::operator delete(memory, alignment); }
  };
  std::unique_ptr<void, give_back> memory{::operator new(type->size, alignment), give_back{alignment}};
  type->make(memory.get());
  // Where no memory is left for its counters, the pointer calls this as well.
  return {memory.release(), [type, alignment](void* value) {
            type->destroy(value);
            ::operator delete(value, alignment);
          }};
}

std::string message_type::encode(const void* value) const {
  return detail::encode_shaped(*type_->of, value);
}

// A type may have a constructor, a `serialize` and comparisons of the application's own, which run here.

result<std::shared_ptr<void>> message_type::decode(std::string_view bytes) const {
  return call_application(
      errc::malformed,
      [&] {
        auto value = make();
        return detail::decode_shaped(*type_->of, value.get(), bytes).map([&] { return std::move(value); });
      },
      name, ": ");
}

result<void> message_type::decode_into(void* value, std::string_view bytes) const {
  return call_application(
      errc::malformed, [&] { return detail::decode_shaped(*type_->of, value, bytes); }, name, ": ");
}

result<std::string> message_type::to_json(std::string_view bytes) const {
  return decode(bytes).and_then([this](const auto& value) {
    return call_application(
        errc::malformed, [&] { return detail::shaped_to_json(*type_->of, value.get()); }, name, ": ");
  });
}

result<std::string> message_type::from_json(std::string_view text) const {
  return call_application(
      errc::malformed,
      [&]() -> result<std::string> {
        const auto value = make();
        return detail::shaped_from_json(*type_->of, value.get(), text).map([&] {
          return encode(value.get());
        });
      },
      name, ": ");
}

const message_type& detail::describe(const made_type& type) {
  return *new message_type{type}; // for ever: whoever asked keeps it in a static
}

// -- the registry --------------------------------------------------------------------------

result<void> message_registry::add(const message_type& type) {
  if (type.name.size() > messages::type_bytes_max || !is_printable(type.name)) {
    return fail(
        errc::invalid_definition,
        fmt::format("the type {} has a name of {} bytes, or one with characters that cannot be shown: at "
                    "most {} are allowed; CONTINUO_NAME gives it another one",
                    printable(std::string_view{type.name}.substr(0, 100)), type.name.size(),
                    messages::type_bytes_max));
  }
  const auto [position, added] = types_.try_emplace(type.name, &type);
  const auto& present = *position->second;
  if (!added && present.cpp != type.cpp) {
    return fail(
        errc::invalid_definition,
        fmt::format(
            "two types are called \"{}\": {} and {}; give one of them another name with CONTINUO_NAME",
            type.name, boost::core::demangle(present.cpp.name()), boost::core::demangle(type.cpp.name())));
  }
  return {};
}

const message_type* message_registry::find(std::string_view name) const {
  const auto position = types_.find(name);
  return position == types_.end() ? nullptr : position->second;
}

std::vector<const message_type*> message_registry::all() const {
  std::vector<const message_type*> types;
  types.reserve(types_.size());
  for (const auto& [name, type] : types_) {
    types.push_back(type);
  }
  return types;
}

} // namespace continuo
