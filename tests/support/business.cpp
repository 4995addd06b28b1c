#include "tests/support/business.hpp"

#include "engine/dead_letter.hpp"
#include "engine/expiry.hpp"

#include <continuo/archive.hpp>
#include <continuo/node.hpp>
#include <continuo/saga.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

namespace continuo::tests {

using namespace std::chrono_literals;

namespace {

struct nothing_happened {
  std::string id;
  CONTINUO_FIELDS(nothing_happened, id)
};

/// What a node hosts that has nothing else to do.
class bystander : public saga<bystander> {
public:
  static void define(saga_definition<bystander>& saga) {
    saga.starts_on<nothing_happened>(&nothing_happened::id);
  }
  void on(const nothing_happened&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(bystander)
};

void configure(cluster& here, const ingredients& with, std::uint32_t in_flight) {
  here.configure([with, in_flight](node_config& config) {
    config.in_flight = in_flight;
    if (with.contains(ingredient::small_memory)) {
      config.instances_in_memory = 2;
    }
    if (with.contains(ingredient::expiry)) {
      config.keep_ended = 0h;
      config.sweep_every = 300ms;
    }
  });
}

/// People look at what is left, again and again.
void tidy_up(cluster& here, const std::vector<std::shared_ptr<business>>& all) {
  here.run();
  here.heal();
  here.run_for(10s);
  constexpr int times_max = 40;
  for (int time = 0; time < times_max; ++time) {
    here.run();
    here.run_for(2s); // what people said last is durable, however slow the disk
    bool was_done = false;
    for (const auto& one : all) {
      was_done = one->tidy(here, time) || was_done;
    }
    if (!was_done) {
      return;
    }
  }
  std::string left;
  for (const auto& [node, stored] : records_of(here, [](const engine::record& one) {
         return one.kind == engine::record_kind::saga && !is_terminal(one.status);
       })) {
    left += " " + to_string(stored.self) + " is " + std::string{to_string(stored.status)} + ";";
  }
  throw testing::failure{"people tidied up again and again, and it was never done:" + left};
}

} // namespace

void run_businesses(cluster& here, const std::vector<std::shared_ptr<business>>& all, const run_of& how) {
  hosts_by_node hosts{{"north", {}}, {"south", {}}, {"west", {}}};
  here.offer<bystander>();
  for (const auto& one : all) {
    for (const auto& [node, names] : one->offer(here)) {
      hosts[node].insert(hosts[node].end(), names.begin(), names.end());
    }
  }
  for (auto& [node, names] : hosts) {
    names.emplace_back("bystander"); // a node that is told nothing hosts everything
    here.add(node, names);
  }
  configure(here, how.with, how.in_flight);
  if (how.faults.count > 0) {
    here.plan_faults(how.faults);
  }
  for (int round = 0; round < how.rounds; ++round) {
    for (const auto& one : all) {
      one->act(here, round);
    }
    if (how.gap_max.count() > 0) {
      here.run_for(
          std::chrono::microseconds{here.draw(static_cast<std::uint64_t>(how.gap_max.count()) * 1'000)});
    }
  }
  tidy_up(here, all);
  here.finish();
  for (const auto& one : all) {
    one->judge(here);
  }
  if (how.with.contains(ingredient::expiry)) {
    // A wall clock may have jumped back, by ten minutes with each fault.
    here.run_for(2min + 10min * static_cast<int>(how.faults.count));
    const auto kept = records_of(
        here, [](const engine::record& stored) { return engine::expiry_of(stored).ended.has_value(); });
    must(kept.empty(),
         kept.empty() ? "" : to_string(kept.front().stored.self) + " has ended, and is never deleted");
    here.internals().check_upkeep();
  }
}

// -- for businesses ---------------------------------------------------------------------------------------

continuo::detail::saga_type bystander_type() {
  return bystander::describe();
}

void must(bool holds, const std::string& what) {
  if (!holds) {
    throw testing::failure{what};
  }
}

std::string any_node(cluster& here) {
  const auto names = here.names();
  return names[here.draw(names.size())];
}

std::string status_of(cluster& here, const instance_id& id) {
  const auto& world = here.internals();
  if (const auto stored = world.record(id)) {
    return std::string{to_string(stored->status)};
  }
  const auto ended = world.end_of(id);
  return ended ? std::string{to_string(*ended)} : "absent";
}

std::vector<found_record> records_of(cluster& here,
                                     const std::function<bool(const engine::record&)>& wanted) {
  std::vector<found_record> found;
  for (const auto& one : here.internals().members()) {
    for (const auto& [key, bytes] : one->disk->snapshot()) {
      if (!key.starts_with('r')) {
        continue;
      }
      if (auto stored = decode<engine::record>(bytes); stored && wanted(*stored)) {
        found.push_back({one->name, std::move(*stored)});
      }
    }
  }
  return found;
}

namespace {

/// A client of any node that is up: it acts on the letters of all.
client any_client(cluster& here) {
  std::vector<std::string> up;
  for (const auto& name : here.names()) {
    if (here[name].is_up()) {
      up.push_back(name);
    }
  }
  return here[up[here.draw(up.size())]].client();
}

} // namespace

void operate(cluster& here, const instance_id& id, int verb) {
  const auto* home = here.internals().home_of(id);
  if (home == nullptr || !home->is_up()) {
    return;
  }
  const auto client = any_client(here);
  switch (verb) {
  case cancel_verb:
    static_cast<void>(client.cancel(id, "anna", "not wanted any more"));
    break;
  case pause_verb:
    static_cast<void>(client.pause(id, "anna"));
    break;
  case resume_verb:
    static_cast<void>(client.resume(id, "anna"));
    break;
  case retry_verb:
    static_cast<void>(client.retry(id, "anna"));
    break;
  default:
    static_cast<void>(client.skip(id, "anna", "done by hand"));
    break;
  }
}

bool clear_parked(cluster& here) {
  const auto parked = records_of(here, [](const engine::record& stored) {
    return stored.kind == engine::record_kind::command && stored.status == instance_status::stuck;
  });
  for (const auto& [node, stored] : parked) {
    const auto id = parse_message_id(stored.self.key);
    if (!here[node].is_up() || !id) {
      continue;
    }
    const auto service = std::string{engine::placement::service_of(stored.self.type)};
    const auto client = any_client(here);
    if (here.draw(2) == 0) {
      static_cast<void>(client.retry_command(service, *id));
    } else {
      static_cast<void>(client.discard_command(service, *id));
    }
  }
  return !parked.empty();
}

namespace {

std::vector<dead_letter_view> letters_on(cluster& here, const std::string& name) {
  std::vector<dead_letter_view> letters;
  for (const auto& [node, stored] : records_of(here, [](const engine::record& one) {
         return one.kind == engine::record_kind::dead_letter && one.failed;
       })) {
    if (node == name) {
      letters.push_back({stored.self.key,
                         stored.failed->type,
                         stored.failed->from,
                         stored.failed->to,
                         stored.reason,
                         stored.attempts,
                         stored.started_at,
                         {},
                         !engine::requester_was_told(stored)});
    }
  }
  return letters;
}

} // namespace

bool clear_letters(cluster& here, const std::set<std::string>& types, bool at_last,
                   const std::function<bool(const dead_letter_view&)>& may_redrive,
                   const std::function<std::optional<std::string>(const dead_letter_view&)>& corrected) {
  bool found = false;
  for (const auto& name : here.names()) {
    if (!here[name].is_up()) {
      continue;
    }
    const auto client = any_client(here);
    for (const auto& letter : letters_on(here, name)) {
      if (!types.contains(letter.type)) {
        continue;
      }
      found = true;
      const auto redrives = letter.may_redrive && !at_last && (!may_redrive || may_redrive(letter));
      if (redrives && here.draw(3) != 0) {
        static_cast<void>(client.redrive(letter.id, corrected ? corrected(letter) : std::nullopt));
        if (here.draw(8) == 0) { // somebody else at the same letter, who comes too late
          static_cast<void>(client.discard(letter.id));
        }
      } else if (at_last || here.draw(3) == 0) {
        static_cast<void>(client.discard(letter.id));
      }
    }
  }
  return found;
}

} // namespace continuo::tests
