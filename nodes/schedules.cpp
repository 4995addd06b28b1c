#include "nodes/schedules.hpp"

#include "config/nearest.hpp"
#include "config/values.hpp"
#include "engine/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <set>
#include <system_error>

namespace continuo::nodes {

namespace {

constexpr std::size_t zone_bytes_max = 1 << 20;

/// More mistakes than that are only counted.
constexpr std::size_t objections_max = 20;

bool is_zone_name(std::string_view name) {
  const auto may_stand = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '-' || c == '+';
  };
  return !name.empty() && name.size() <= 100 && name.front() != '/' &&
         std::all_of(name.begin(), name.end(), may_stand);
}

/// The time zone as the system has it, where the C library looks for it as well.
result<engine::time_zone> read_zone(const std::string& name) {
  if (!is_zone_name(name)) {
    return fail(errc::invalid_configuration,
                fmt::format("\"{}\" is no name of a time zone; write one as Europe/Berlin", name));
  }
  const auto* elsewhere = std::getenv("TZDIR");
  const auto path = fmt::format(
      "{}/{}", elsewhere != nullptr && *elsewhere != '\0' ? elsewhere : "/usr/share/zoneinfo", name);
  std::ifstream file{path, std::ios::binary};
  std::string bytes(zone_bytes_max + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  if (bytes.empty() || bytes.size() > zone_bytes_max) {
    return fail(
        errc::invalid_configuration,
        fmt::format("there is no time zone \"{}\": {} cannot be read; write a name of the system's time "
                    "zone database (Debian's tzdata), as Europe/Berlin",
                    name, path));
  }
  auto zone = engine::time_zone::read(bytes);
  if (!zone) {
    return fail(errc::invalid_configuration,
                fmt::format("the time zone \"{}\": {}: {}", name, path, zone.error().message));
  }
  return zone;
}

/// What is wrong with a schedule; empty: nothing.
std::string objection_to(const schedule& one, actors::core& shared) {
  const auto rule = engine::recurrence::read(one.when);
  if (!rule) {
    return fmt::format("when: {}", rule.error().message);
  }
  if (!one.zone.empty() && !rule->is_local()) {
    return fmt::format("zone: \"{}\" goes by no time zone; leave the zone out", one.when);
  }
  if (!shared.scheduled.zones.contains(one.zone)) {
    auto zone = read_zone(one.zone);
    if (!zone) {
      return "zone: " + zone.error().message;
    }
    shared.scheduled.zones.emplace(one.zone, std::move(*zone));
  }
  const auto* type = shared.routes.knows_event(one.event) ? shared.types.find(one.event) : nullptr;
  if (type == nullptr) {
    std::vector<std::string> events;
    for (const auto* known : shared.types.all()) {
      if (shared.routes.knows_event(known->name)) {
        events.push_back(known->name);
      }
    }
    return fmt::format("event: no saga and no service subscribes to an event \"{}\"; {}", one.event,
                       config::suggestion(one.event, events));
  }
  if (one.body.size() > engine::schedule_body_max) {
    return fmt::format("body: it has {} bytes; write at most {}", one.body.size(), engine::schedule_body_max);
  }
  if (const auto read = type->from_json(engine::body_for(one.body, one.name, shared.time->now().wall));
      !read) {
    return fmt::format("body: it is no {}: {}", one.event, read.error().message);
  }
  return {};
}

} // namespace

const std::string& home_of_schedule(std::string_view name, const cluster_config& cluster) {
  const instance_id id{std::string{engine::schedule_type}, std::string{name}};
  const auto less = [&](const cluster_node& a, const cluster_node& b) {
    const auto left = engine::rendezvous_weight(a.name, id);
    const auto right = engine::rendezvous_weight(b.name, id);
    return left != right ? left < right : a.name > b.name;
  };
  return std::max_element(cluster.nodes.begin(), cluster.nodes.end(), less)->name;
}

std::vector<std::string> take_schedules(const std::vector<schedule>& all, std::string_view here,
                                        actors::core& shared) {
  std::vector<std::string> objections;
  if (all.size() > engine::schedules_max) {
    objections.push_back(
        fmt::format("there are {} schedules; a cluster has at most {}", all.size(), engine::schedules_max));
  }
  std::set<std::string_view> names;
  for (const auto& one : all) {
    const auto where = one.where.empty() ? fmt::format("schedule {}", one.name) : one.where;
    if (!config::is_name(one.name)) {
      objections.push_back(fmt::format(
          "schedule \"{}\": the name of a schedule is 1 to 64 letters, digits, - and _", one.name));
    } else if (!names.insert(one.name).second) {
      objections.push_back(
          fmt::format("{}: there are two schedules {}; give each a name of its own", where, one.name));
    } else if (auto wrong = objection_to(one, shared); !wrong.empty()) {
      objections.push_back(fmt::format("{}: {}", where, wrong));
    } else if (shared.cluster.nodes.empty() || home_of_schedule(one.name, shared.cluster) == here) {
      shared.schedules.emplace(one.name, one);
    }
  }
  if (const auto count = objections.size(); count > objections_max) {
    objections.resize(objections_max);
    objections.push_back(fmt::format("and {} more schedules are wrong", count - objections_max));
  }
  return objections;
}

} // namespace continuo::nodes
