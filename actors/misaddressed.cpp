#include "actors/misaddressed.hpp"

#include <fmt/format.h>

namespace continuo::actors {

namespace {

/// What a type is here, as it stands behind "X is "; empty where nothing is known of it.
std::string role_of(const core& shared, std::string_view type) {
  const auto answers = [&](const auto& services) -> std::string {
    for (const auto& [name, service] : services) {
      for (const auto& [command, handler] : service.commands) {
        if (handler.reply->name == type) {
          return "the reply to the command " + command;
        }
      }
    }
    return {};
  };
  if (const auto saga = shared.sagas.find(type); saga != shared.sagas.end()) {
    return "the state of a saga";
  }
  for (const auto& [name, service] : shared.keyed_services) {
    if (service.state->name == type) {
      return "the state of the keyed service " + name;
    }
  }
  for (const auto& [name, saga] : shared.sagas) {
    if (saga.timers.contains(type)) {
      return "what a timer of the saga " + name + " carries";
    }
  }
  auto reply = answers(shared.services);
  reply = reply.empty() ? answers(shared.keyed_services) : reply;
  return reply.empty() ? answers(shared.sagas) : reply;
}

} // namespace

error not_an_event(const core& shared, std::string_view type) {
  if (shared.routes.knows_command(type)) {
    return {errc::unknown_type, fmt::format("{} is a command, which has one handler: send it", type)};
  }
  const auto role = role_of(shared, type);
  return {errc::unknown_type,
          role.empty() ? fmt::format("no saga and no service here subscribes to {}", type)
                       : fmt::format("{} is {}, and no saga and no service subscribes to it: publish "
                                     "an event",
                                     type, role)};
}

error not_a_command(const core& shared, std::string_view type) {
  if (shared.routes.knows_event(type)) {
    return {errc::unknown_type,
            fmt::format("{} is an event, which may have many subscribers: publish it", type)};
  }
  const auto role = role_of(shared, type);
  return {errc::unknown_type,
          role.empty() ? fmt::format("no service handles the command {}", type)
                       : fmt::format("{} is {}, and no service handles it: send a command", type, role)};
}

} // namespace continuo::actors
