#include "testing/simulation.hpp"

#include "engine/expiry.hpp"
#include "engine/flow_entry.hpp"
#include "engine/remembered_key.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

// What the disks hold at the end of a run although nothing works on it.
namespace continuo::testing {

namespace {

/// What waits for a person, or for a handler that hangs, and so may keep others waiting.
struct waiting {
  std::set<instance_id> instances;
  std::set<message_id> messages;

  bool excuses(const instance_id& id) const { return instances.contains(id); }
  bool excuses(const message_id& id) const { return messages.contains(id); }
};

void note(waiting& what, const engine::record& stored) {
  const auto waits = stored.status == instance_status::stuck || stored.status == instance_status::paused;
  if (!waits) {
    return;
  }
  if (stored.kind == engine::record_kind::saga) {
    what.instances.insert(stored.self);
  } else if (stored.kind == engine::record_kind::command) {
    if (const auto id = parse_message_id(stored.self.key)) {
      what.messages.insert(*id);
    }
  }
}

/// What of this record nobody works on; empty: it is settled, or waits for what waits.
std::string open_part(const engine::record& stored, const waiting& on) {
  const auto id = parse_message_id(stored.self.key);
  if (on.excuses(stored.self) || (stored.kind == engine::record_kind::command && id && on.excuses(*id))) {
    return {};
  }
  for (const auto& sent : stored.requests) {
    if (!on.excuses(sent.to) && !on.excuses(sent.id)) {
      return fmt::format("waits for the outcome of {} at {}", sent.type, to_string(sent.to));
    }
  }
  for (const auto& sent : stored.outbox) {
    if (!on.excuses(sent.to) && !on.excuses(sent.id)) {
      return fmt::format("has {} for {}, which is not acknowledged",
                         sent.kind == engine::message_kind::failure ? "a failure" : sent.type,
                         to_string(sent.to));
    }
  }
  for (const auto& entry : stored.inbox) {
    if (!on.excuses(entry.from) && !on.excuses(entry.last)) {
      return fmt::format("remembers {} of {}, which never said that it may forget it", to_string(entry.last),
                         to_string(entry.from));
    }
  }
  const auto is_empty = stored.requests.empty() && stored.outbox.empty() && stored.inbox.empty();
  return is_empty && !is_settled(stored) ? "is left" : std::string{};
}

} // namespace

/// Whether the service behind an address runs there, by the cluster file.
bool simulation::is_hosted(std::string_view address) const {
  const auto name = engine::placement::service_of(address);
  const auto node = engine::placement::node_in(address);
  return std::any_of(topology_.nodes.begin(), topology_.nodes.end(), [&](const cluster_node& one) {
    return (node.empty() || node == one.name) &&
           std::find(one.hosts.begin(), one.hosts.end(), name) != one.hosts.end();
  });
}

std::string simulation::left_over() const {
  waiting on;
  std::vector<std::pair<const member*, engine::record>> all;
  for (const auto& one : members_) {
    for (const auto& waits : one->handlers) {
      if (waits.hangs) {
        on.messages.insert(waits.message.id);
      }
    }
    for (const auto& [key, bytes] : one->disk->snapshot()) {
      auto stored = key.starts_with('r') ? decode<engine::record>(bytes)
                                         : result<engine::record>{continuo::fail(errc::not_found, "")};
      if (!stored) {
        continue;
      }
      note(on, *stored);
      if (live_on_.contains(stored->self.type)) {
        on.instances.insert(stored->self);
      }
      if (stored->kind == engine::record_kind::command && !is_hosted(stored->self.type)) {
        continue; // of a service that has moved, or was renamed: it is kept for its return, if there is one
      }
      all.emplace_back(one.get(), std::move(*stored));
    }
  }
  std::string lines;
  std::size_t count = 0;
  for (const auto& [where, stored] : all) {
    if (const auto open = open_part(stored, on); !open.empty() && ++count <= 5) {
      lines += fmt::format("\n  {} on {} ({}) {}", to_string(stored.self), where->name,
                           to_string(stored.status), open);
    }
  }
  return lines + (count > 5 ? fmt::format("\n  and {} more", count - 5) : "");
}

namespace {

/// What the expiry index of this disk must hold, and nothing else.
std::set<std::string> index_of(const journal::memory_disk::contents& all) {
  std::set<std::string> keys;
  for (const auto& [key, bytes] : all) {
    if (const auto stored = key.starts_with('r')
                                ? decode<engine::record>(bytes)
                                : result<engine::record>{continuo::fail(errc::not_found, "")}) {
      const auto times = engine::expiry_of(*stored);
      if (times.ended) {
        keys.insert(engine::expiry_key(engine::expiry_kind::ended, *times.ended, stored->self));
      }
      if (times.history) {
        keys.insert(engine::expiry_key(engine::expiry_kind::history, *times.history, stored->self));
      }
    } else if (key.starts_with(engine::key_prefix)) {
      if (const auto known = decode<engine::remembered_key>(bytes)) {
        keys.insert(engine::expiry_key(engine::expiry_kind::client_key, known->at,
                                       std::string_view{key}.substr(engine::key_prefix.size())));
      }
    }
  }
  return keys;
}

std::string shown(const engine::expiry_entry& entry) {
  return entry.kind == engine::expiry_kind::client_key ? "the idempotency key " + std::string{entry.about}
                                                       : to_string(entry.instance());
}

/// The workflows of this disk, by the revision that wrote their first entries.
std::map<std::uint64_t, engine::record> lives_of(const journal::memory_disk::contents& all) {
  std::map<std::uint64_t, engine::record> lives;
  for (const auto& [key, bytes] : all) {
    auto stored = key.starts_with('r') ? decode<engine::record>(bytes)
                                       : result<engine::record>{continuo::fail(errc::not_found, "")};
    if (stored && stored->life != 0) {
      lives.emplace(stored->life, std::move(*stored));
    }
  }
  return lives;
}

/// Whether the record of its workflow counts this entry. Why not; empty: it does.
std::string entry_fault(const std::map<std::uint64_t, engine::record>& lives, std::string_view key) {
  const auto first = engine::read_big_endian(key.substr(1));
  const auto number = engine::read_big_endian(key.substr(1 + sizeof first));
  const auto found = lives.find(first);
  if (found == lives.end()) {
    return fmt::format("an entry of the workflow that began at {} is left, and its record is gone", first);
  }
  const auto stands = decode<engine::flow_life>(found->second.state);
  return stands && number < stands->entries ? std::string{}
                                            : fmt::format("{} has an entry {} that its record does not know",
                                                          to_string(found->second.self), number);
}

/// Why this disk is no good; empty: it is.
std::string upkeep_fault(const journal::memory_disk::contents& all) {
  auto wanted = index_of(all);
  const auto lives = lives_of(all);
  for (const auto& [key, bytes] : all) {
    if (const auto entry = engine::parse_expiry_key(key)) {
      if (wanted.erase(key) == 0) {
        return fmt::format("the expiry index names {}, which is not there or has another time",
                           shown(*entry));
      }
    } else if (key.starts_with(engine::entry_key_mark)) {
      if (auto fault = entry_fault(lives, key); !fault.empty()) {
        return fault;
      }
    } else if (key.starts_with('h')) {
      const auto entry = decode<engine::history_entry>(bytes);
      const auto of = entry ? all.find(engine::record_key(entry->self)) : all.end();
      const auto stored = of == all.end() ? result<engine::record>{continuo::fail(errc::not_found, "")}
                                          : decode<engine::record>(of->second);
      if (!entry || key != engine::history_key(entry->self, entry->revision)) {
        return "a history entry cannot be read, or stands under a wrong key";
      }
      if (!stored) {
        return fmt::format("{} is gone, and its history is not", to_string(entry->self));
      }
      if (stored->history < entry->revision ||
          (stored->kind == engine::record_kind::keyed && stored->history_since == time_point{})) {
        return fmt::format("{} has a history entry that its record does not know", to_string(entry->self));
      }
    }
  }
  return wanted.empty() ? std::string{}
                        : fmt::format("the expiry index lacks {}",
                                      shown(engine::parse_expiry_key(*wanted.begin()).value()));
}

} // namespace

void simulation::check_upkeep() const {
  for (const auto& one : members_) {
    if (const auto fault = upkeep_fault(one->disk->snapshot()); !fault.empty()) {
      fail(fmt::format("{} (on {})", fault, one->name));
    }
  }
}

} // namespace continuo::testing
