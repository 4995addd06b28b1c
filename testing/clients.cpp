#include "actors/protocol.hpp"
#include "testing/simulation.hpp"

#include <caf/send.hpp>

#include <fmt/format.h>

// Clients of the simulated nodes, which ask again until they have an answer.
namespace continuo::testing {

using namespace std::chrono_literals;

/// Lets time pass until the node is up.
void simulation::await_life(member& one) {
  while (!one.is_up()) {
    if (planned_work_.empty()) {
      fail(fmt::format("{} is down, and nobody starts it: what is sent there would wait for ever", one.name));
    }
    run_until([&] { return one.is_up() || planned_work_.empty(); }, 1h);
  }
}

accepted
simulation::ask_until_taken(const std::string& what, std::string_view at_node,
                            const std::function<void(member&, std::function<void(result<accepted>)>)>& ask) {
  start_new();
  auto& one = at(at_node);
  const auto until = now_ns_ + std::chrono::nanoseconds{1h}.count();
  while (now_ns_ < until) {
    await_life(one);
    const auto answer = std::make_shared<std::optional<result<accepted>>>();
    const auto life = one.starts;
    ask(one, [this, &one, answer, what](result<accepted> said) {
      if (said && one.system && !one.crashes) {
        promises_.accepted(one.name, *said, what);
      }
      *answer = std::move(said);
    });
    run_until([&] { return answer->has_value() || one.starts != life || !one.is_up(); }, 1min);
    if (!answer->has_value()) {
      continue; // the node died, or stands still, before it could say anything
    }
    if (**answer) {
      tell(event_kind::client, one.name, {}, "accepts " + what);
      return ***answer;
    }
    const auto& why = (*answer)->error();
    if (why.code != errc::unavailable && why.code != errc::overloaded) {
      fail(fmt::format("{} refuses {}: {}", one.name, what, why.message));
    }
    run_for(100ms);
  }
  fail(fmt::format("{} did not accept {} within an hour", one.name, what));
}

accepted simulation::publish(const std::string& type, const std::string& payload, std::string_view at_node) {
  const auto key = fmt::format("client-{}", ++clients_);
  return ask_until_taken(type, at_node, [&](member& one, std::function<void(result<accepted>)> answer) {
    if (const auto core = one.runtime->open_core()) {
      caf::anon_send(core->intake, actors::publish{type, payload, {}, std::move(answer), key});
    } else {
      answer(tl::unexpected(one.runtime->why_closed()));
    }
  });
}

result<command_result> simulation::send(const std::string& type, const std::string& payload,
                                        std::string_view at_node) {
  const auto key = fmt::format("client-{}", ++clients_);
  const auto taken =
      ask_until_taken(type, at_node, [&](member& one, std::function<void(result<accepted>)> answer) {
        if (const auto core = one.runtime->open_core()) {
          caf::anon_send(core->intake, actors::send_command{type, payload, std::move(answer), {}, key});
        } else {
          answer(tl::unexpected(one.runtime->why_closed()));
        }
      });
  auto& one = at(at_node);
  const auto until = now_ns_ + std::chrono::nanoseconds{1h}.count();
  while (now_ns_ < until) {
    await_life(one);
    const auto answer = std::make_shared<std::optional<result<std::optional<command_result>>>>();
    const auto life = one.starts;
    if (const auto core = one.runtime->open_core()) {
      caf::anon_send(core->home_of({std::string{engine::send_type}, to_string(taken.id)}),
                     actors::await_command{taken.id, 1'000ms, [answer](auto said) { *answer = said; }});
    }
    run_until([&] { return answer->has_value() || one.starts != life || !one.is_up(); }, 2s);
    if (*answer && **answer && ***answer) {
      return ****answer;
    }
    if (*answer && !**answer && (*answer)->error().code != errc::unavailable) {
      return tl::unexpected((*answer)->error());
    }
  }
  fail(fmt::format("{} has no outcome of {} within an hour", one.name, type));
}

} // namespace continuo::testing
