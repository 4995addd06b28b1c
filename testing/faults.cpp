#include "testing/simulation.hpp"

#include <fmt/format.h>

#include <array>

// What goes wrong in a simulation: the faults, when they come, and how they end.
namespace continuo::testing {

using namespace std::chrono_literals;

namespace {

constexpr std::int64_t ns(std::chrono::nanoseconds time) {
  return time.count();
}

struct named_fault {
  fault kind;
  const char* name;
};

constexpr std::array names{
    named_fault{fault::crash, "crash"},
    named_fault{fault::crash_in_start, "crash in a start"},
    named_fault{fault::torn_sync, "torn sync"},
    named_fault{fault::failed_sync, "failed sync"},
    named_fault{fault::full_disk, "full disk"},
    named_fault{fault::slow_disk, "slow disk"},
    named_fault{fault::cut, "cut"},
    named_fault{fault::late_delivery, "late delivery"},
    named_fault{fault::one_way, "one way"},
    named_fault{fault::separation, "separation"},
    named_fault{fault::delay, "delay"},
    named_fault{fault::pause, "pause"},
    named_fault{fault::clock_jump, "clock jump"},
    named_fault{fault::handler_throws, "a handler throws"},
    named_fault{fault::handler_loses, "a handler loses its outcome"},
    named_fault{fault::handler_hangs, "a handler hangs"},
    named_fault{fault::handler_repeats, "a handler answers twice"},
    named_fault{fault::handler_declines, "a handler declines"},
};

} // namespace

const char* to_string(fault kind) {
  for (const auto& one : names) {
    if (one.kind == kind) {
      return one.name;
    }
  }
  return "?";
}

const std::vector<fault>& all_faults() {
  static const std::vector<fault> all = [] {
    std::vector<fault> kinds;
    for (const auto& one : names) {
      if (one.kind != fault::handler_declines) {
        kinds.push_back(one.kind);
      }
    }
    return kinds;
  }();
  return all;
}

void simulation::plan_faults(const fault_plan& plan_of) {
  if (members_.empty()) {
    early_plans_.push_back(plan_of);
    return;
  }
  start_new();
  const auto& kinds = plan_of.kinds.empty() ? all_faults() : plan_of.kinds;
  const auto below = [this](std::uint64_t bound) {
    return continuo::detail::next_random(fault_random_) % bound;
  };
  for (std::size_t i = 0; i < plan_of.count; ++i) {
    // Everything is drawn before anything is left out, so that the others stay as they are.
    const auto kind = kinds[below(kinds.size())];
    const auto hit = plan_of.nodes.empty() ? members_[below(members_.size())].get()
                                           : &at(plan_of.nodes[below(plan_of.nodes.size())]);
    auto other = members_[below(members_.size())].get();
    const auto when =
        static_cast<std::int64_t>(below(static_cast<std::uint64_t>(plan_of.within.count()) + 1));
    const auto amount = continuo::detail::next_random(fault_random_);
    if (other == hit) { // the next one, if there is one
      for (std::size_t k = 0; k < members_.size(); ++k) {
        if (members_[k].get() == hit) {
          other = members_[(k + 1) % members_.size()].get();
          break;
        }
      }
    }
    const auto number = planned_++;
    if (left_out_.contains(number)) {
      planned_texts_.push_back({});
      continue;
    }
    planned_texts_.push_back(fmt::format("#{}: {} at {} ({:.6f} s)", number, to_string(kind), hit->name,
                                         static_cast<double>(now_ns_ + when) / 1e9));
    plan(now_ns_ + when, [this, kind, hit, other, amount] { happen(kind, *hit, *other, amount); });
  }
}

void simulation::note_fault(const std::string& node, const std::string& peer, const std::string& what) {
  tell(event_kind::fault, node, peer, what);
}

void simulation::restart_later(member& one, std::int64_t after_ns) {
  plan(now_ns_ + after_ns, [this, &one] {
    if (!one.is_up() && !start(one)) {
      restart_later(one, ns(500ms)); // the disk may be full still
    }
  });
}

void simulation::happen(fault kind, member& one, member& other, std::uint64_t amount) {
  if (!one.is_up()) {
    return; // nothing can happen to it
  }
  ++seen.faults[to_string(kind)];
  const auto peer = &one == &other ? std::string{} : other.name;
  const auto lasts = ns(100ms) + static_cast<std::int64_t>(amount % static_cast<std::uint64_t>(ns(4s)));
  const auto later = [&](auto what) { plan(now_ns_ + lasts, std::move(what)); };
  switch (kind) {
  case fault::crash:
    crash(one, "crashes");
    restart_later(one, lasts);
    break;
  case fault::crash_in_start:
    one.dies_in_start = 1 + amount % 16;
    crash(one, "crashes");
    restart_later(one, lasts);
    break;
  case fault::torn_sync:
    one.tears = amount % 2 == 0;
    break;
  case fault::failed_sync:
    one.is_restarted = true;
    note_fault(one.name, {}, "the next sync fails");
    one.disk->fail_commit(1, errc::storage_failed, amount % 2 == 0);
    break;
  case fault::full_disk:
    one.is_restarted = true;
    note_fault(one.name, {}, "the disk is full");
    one.disk->set_bytes_max(one.disk->used_bytes());
    later([this, &one] {
      note_fault(one.name, {}, "the disk has room again");
      one.disk->set_bytes_max(~std::uint64_t{0});
    });
    break;
  case fault::slow_disk:
    one.sync_ns = 1 + static_cast<std::int64_t>(amount % static_cast<std::uint64_t>(ns(1s)));
    note_fault(one.name, {}, fmt::format("syncs take {} ms", one.sync_ns / 1'000'000));
    later([this, &one] {
      one.sync_ns = 0;
      note_fault(one.name, {}, "syncs are quick again");
    });
    break;
  case fault::cut:
    network_.cut(one.name, other.name, false);
    break;
  case fault::late_delivery:
    network_.cut(one.name, other.name, true);
    if (amount % 2 == 0 && &one != &other) { // the next one breaks with its hello
      network_.cut_next(one.name, other.name);
    }
    break;
  case fault::one_way:
    note_fault(one.name, peer, "hears nothing from here");
    network_.silence(one.name, other.name);
    later([this, &one, &other] { network_.heal(one.name, other.name); });
    break;
  case fault::separation:
    note_fault(one.name, peer, "are separated");
    network_.separate(one.name, other.name);
    later([this, &one, &other] { network_.heal(one.name, other.name); });
    break;
  case fault::delay:
    note_fault(one.name, peer, "gets everything late");
    network_.slow_down(one.name, other.name,
                       static_cast<std::int64_t>(amount % static_cast<std::uint64_t>(ns(2s))));
    later([this, &one, &other] { network_.heal(one.name, other.name); });
    break;
  case fault::pause:
    pause(one, true);
    plan(now_ns_ + 2 * lasts, [this, &one] { pause(one, false); });
    break;
  case fault::clock_jump: {
    jump_wall_clock(
        one, std::chrono::nanoseconds{
                 static_cast<std::int64_t>(amount % static_cast<std::uint64_t>(ns(20min))) - ns(10min)});
    break;
  }
  case fault::handler_throws:
  case fault::handler_loses:
  case fault::handler_hangs:
  case fault::handler_repeats:
  case fault::handler_declines:
    ++one.next_handlers[kind];
    break;
  }
}

void simulation::heal() {
  tell(event_kind::fault, {}, {}, "all is healed");
  network_.heal();
  for (const auto& one : members_) {
    pause(*one, false);
    one->sync_ns = 0;
    one->next_handlers.clear();
    one->dies_in_start = 0;
    one->tears.reset();
    one->disk->mend();
    if (one->was_started && !one->is_up()) {
      if (const auto started = start(*one); !started) {
        fail(fmt::format("{} does not start: {}", one->name, started.error().message));
      }
    }
  }
}

} // namespace continuo::testing
