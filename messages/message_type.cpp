#include <continuo/message_type.hpp>

#include <boost/core/demangle.hpp>
#include <fmt/format.h>

namespace continuo {

result<void> message_registry::add(const message_type& type) {
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
