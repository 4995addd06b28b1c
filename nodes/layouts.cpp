#include "nodes/layouts.hpp"

#include "journal/frame.hpp"
#include "messages/layout.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

namespace continuo::nodes {

namespace {

/// Behind it the name of a type.
constexpr std::string_view layout_prefix = "t";

result<messages::layout_map> stored_layouts(const journal::store& store) {
  messages::layout_map found;
  std::optional<error> wrong;
  const auto scanned = store.scan(layout_prefix, [&](std::string_view key, std::string_view bytes) {
    auto layout = decode<messages::type_layout>(bytes);
    if (!layout) {
      wrong = error{errc::corrupt, fmt::format("the value under key '{}': {}", journal::printable(key),
                                               layout.error().message)};
      return false;
    }
    found.emplace(key.substr(layout_prefix.size()), std::move(*layout));
    return true;
  });
  if (!scanned) {
    return tl::unexpected(scanned.error());
  }
  if (wrong) {
    return tl::unexpected(std::move(*wrong));
  }
  return found;
}

} // namespace

result<void> check_layouts(journal::store& store, const message_registry& types) {
  messages::layout_map mine;
  for (const auto* type : types.all()) {
    messages::add_layouts(*type, mine);
  }
  const auto stored = stored_layouts(store);
  if (!stored) {
    return tl::unexpected(stored.error());
  }
  std::string mistakes;
  journal::batch changes;
  for (auto& [name, layout] : mine) {
    const auto known = stored->find(name);
    if (layout.is_ambiguous) {
      continue;
    }
    if (known != stored->end()) {
      messages::keep_values(known->second, layout);
      if (const auto why = messages::misreading(known->second, layout)) {
        mistakes += (mistakes.empty() ? "" : "\n") + *why;
      }
      if (known->second.version > layout.version || encode(known->second) == encode(layout)) {
        continue;
      }
    }
    changes.push_back({journal::operation::kind::put, std::string{layout_prefix} + name, encode(layout)});
  }
  if (!mistakes.empty()) {
    return fail(errc::invalid_definition, std::move(mistakes));
  }
  return changes.empty() ? result<void>{} : store.commit(changes);
}

} // namespace continuo::nodes
