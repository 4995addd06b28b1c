#include "engine/routing.hpp"

#include "engine/acceptance.hpp"
#include "messages/printable.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace continuo::engine {

result<void> routing_table::claim_name(const std::string& name) {
  if (name.empty()) {
    return fail(errc::invalid_definition, "a service has an empty name");
  }
  if (name.size() > name_bytes_max || !is_printable(name)) {
    return fail(
        errc::invalid_definition,
        fmt::format("the name \"{}\" of a saga or service must have at most {} bytes, of UTF-8 without "
                    "control characters",
                    printable(name.substr(0, name_bytes_max)), name_bytes_max));
  }
  if (name.starts_with("continuo.")) {
    return fail(errc::invalid_definition,
                "the name \"" + name + "\" is reserved: choose one without \"continuo.\"");
  }
  if (name.find('@') != std::string::npos) {
    return fail(errc::invalid_definition,
                "the name \"" + name + "\" has an @, which stands before a node's name");
  }
  if (!names_.emplace(name, true).second) {
    return fail(errc::invalid_definition,
                "two sagas or services are named \"" + name + "\": each name is used once");
  }
  return {};
}

result<void> routing_table::add(const detail::saga_type& saga) {
  if (auto claimed = claim_name(saga.name); !claimed) {
    return claimed;
  }
  for (const auto& [event, subscription] : saga.subscriptions) {
    subscribers_[event].push_back({saga.name, false, subscription.key});
  }
  for (const auto& [command, entry] : saga.commands) {
    if (auto claimed = claim_command(command, {saga.name, false, entry.key, true}); !claimed) {
      return claimed;
    }
  }
  return {};
}

result<void> routing_table::claim_command(const std::string& command, handler by) {
  const auto name = by.service;
  if (auto [other, fresh] = commands_.try_emplace(command, std::move(by)); !fresh) {
    return fail(errc::invalid_definition,
                fmt::format("command {} is handled by \"{}\" and by \"{}\": it must have one handler",
                            command, other->second.service, name));
  }
  return {};
}

result<void> routing_table::add(const detail::service_type& service) {
  if (auto claimed = claim_name(service.name); !claimed) {
    return claimed;
  }
  for (const auto& [command, entry] : service.commands) {
    const auto effects = !service.pure;
    if (auto claimed = claim_command(command, {service.name, effects, {}}); !claimed) {
      return claimed;
    }
  }
  for (const auto& [event, entry] : service.events) {
    subscribers_[event].push_back({service.name, !service.pure, {}});
  }
  return {};
}

result<void> routing_table::add(const detail::keyed_service_type& service) {
  if (auto claimed = claim_name(service.name); !claimed) {
    return claimed;
  }
  for (const auto& [command, entry] : service.commands) {
    if (auto claimed = claim_command(command, {service.name, false, entry.key}); !claimed) {
      return claimed;
    }
  }
  return {};
}

bool routing_table::is_hosted(const instance_id& to) const {
  const auto name = placement::service_of(to.type);
  if (name.starts_with("continuo.")) {
    return true;
  }
  const auto node = placement::node_in(to.type);
  if (where_.is_alone()) {
    return node.empty() && names_.find(name) != names_.end();
  }
  const auto hosts = where_.hosts().find(name);
  if (hosts == where_.hosts().end()) {
    return false;
  }
  const auto& nodes = hosts->second;
  return node.empty() ? !to.key.empty() // a stateless service has an address on each of its nodes
                      : std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

std::string_view routing_table::peer_of(const instance_id& id) const {
  if (where_.is_alone()) {
    return {};
  }
  if (id.type == publish_type || id.type == send_type) {
    // They live where they were accepted. The stores of peers, and those that these lost, are known before
    // anything of theirs comes; so any other store is this node's, or one that it stands for.
    const auto name = parse_message_id(id.key);
    return name && peer_of_store_ ? peer_of_store_(name->store) : std::string_view{};
  }
  const auto node = where_.node_of(id);
  return node == where_.here() ? std::string_view{} : node;
}

result<destination> routing_table::command(std::string_view type, std::string_view payload,
                                           const instance_id& sender) const {
  const auto found = commands_.find(type);
  if (found == commands_.end()) {
    return fail(errc::unknown_type, "no service handles the command " + std::string{type});
  }
  const auto& entry = found->second;
  if (!entry.key) {
    return destination{{where_.address(entry.service, sender, is_live_), {}}, entry.effects};
  }
  auto key = entry.key(payload);
  if (!key) {
    return tl::unexpected(key.error());
  }
  return destination{{entry.service, std::move(*key)}, entry.effects};
}

result<std::vector<destination>> routing_table::event(std::string_view type, std::string_view payload,
                                                      const instance_id& sender) const {
  std::vector<destination> found;
  const auto entry = subscribers_.find(type);
  if (entry == subscribers_.end()) {
    if (knows_command(type)) { // nobody would hear it
      return fail(errc::unknown_type, fmt::format("{} is a command, which has one handler: send it", type));
    }
    return found;
  }
  for (const auto& subscriber : entry->second) {
    if (!subscriber.key) {
      found.push_back({{where_.address(subscriber.service, sender, is_live_), {}}, subscriber.effects});
      continue;
    }
    auto key = subscriber.key(payload);
    if (!key) {
      return tl::unexpected(key.error());
    }
    found.push_back({{subscriber.service, std::move(*key)}, subscriber.effects});
  }
  return found;
}

} // namespace continuo::engine
