#include "nodes/time_bounds.hpp"

#include <continuo/detail/times.hpp>

#include <fmt/format.h>

#include <chrono>

namespace continuo::nodes {

std::vector<std::string> objections_to_times(const node_config& config) {
  using namespace std::chrono_literals;
  using std::chrono::milliseconds;
  constexpr auto no_end = milliseconds::max();
  std::vector<std::string> found;
  const auto check = [&](const char* name, auto chosen, milliseconds least, milliseconds most) {
    const auto value = detail::saturated<milliseconds>(chosen);
    if (value < least || value > most) {
      found.push_back(fmt::format("{} is {} ms; it must be {} {} ms{}", name, value.count(),
                                  most == no_end ? "at least" : "from", least.count(),
                                  most == no_end ? "" : fmt::format(" to {} ms", most.count())));
    }
  };
  check("node_config::keep_ended", config.keep_ended, 0ms, no_end);
  check("node_config::sweep_every", config.sweep_every, 1ms, no_end);
  check("node_config::handler_delay", config.handler_delay, 0ms, 1h);
  if (config.cluster) {
    check("cluster_config::heartbeat", config.cluster->heartbeat, 1s, 1h);
    check("cluster_config::silence", config.cluster->silence, 1s, 24h);
    check("cluster_config::redial_cap", config.cluster->redial_cap, 1ms, 1h);
    check("cluster_config::move_after", config.cluster->move_after, 0ms, no_end);
  }
  return found;
}

} // namespace continuo::nodes
