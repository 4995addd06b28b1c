// ctest: timeout=300
#define CAF_SUITE crash

#include "tests/support/orders.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace continuo;
using namespace continuo::tests;

namespace {

const std::vector<order_placed> orders{
    {"o-1", 100}, {"o-2", 100'001}, {"none-1", 100}, {"o-3", 7}, {"slow-1", 5}};

/// What is left to see of a run: how each order ended, and what happened to the world.
struct outcome_of_run {
  std::map<std::string, std::string> ends;
  std::set<std::pair<std::string, std::string>> effects; ///< kind, order
  std::size_t doubled = 0;                               ///< effects under more than one key

  friend bool operator==(const outcome_of_run&, const outcome_of_run&) = default;
};

std::string printed(const outcome_of_run& run) {
  std::string text;
  for (const auto& [order, end] : run.ends) {
    text += order + "=" + end + " ";
  }
  for (const auto& [kind, order] : run.effects) {
    text += kind + ":" + order + " ";
  }
  return text + "doubled:" + std::to_string(run.doubled);
}

/// Publishes what is not known to be accepted, as a client does who got no answer.
void place(world& here, std::set<std::string>& accepted) {
  std::vector<std::pair<std::string, publication>> sent;
  for (const auto& order : orders) {
    if (!accepted.contains(order.order_id)) {
      sent.emplace_back(order.order_id, here.client().publish(order));
    }
  }
  here.run_for(std::chrono::seconds{2});
  for (auto& [id, publication] : sent) {
    if (publication.taken().wait_for(std::chrono::seconds{0}) == std::future_status::ready &&
        publication.get()) {
      accepted.insert(id);
    }
  }
}

struct disturbance {
  std::uint64_t commit = 0; ///< the commit that fails; 0: none
  bool applied = false;     ///< whether it is on the disk after all
  bool passivates = false;  ///< with room for one instance only
};

/// The orders run to their ends; at the given commit the disk fails, and the node is started again. `commits`
/// gets the number of commits of the first life.
outcome_of_run run_orders(const disturbance& what, std::uint64_t* commits = nullptr) {
  outside_world outside;
  world here{order_workflow(outside)};
  here.config().instances_in_memory = what.passivates ? 1 : 1'000;
  outside.before = [&](const outside_world::effect& effect, std::uint32_t attempt) {
    if (effect.order.starts_with("slow") && effect.kind == "charge" && attempt < 3) {
      throw std::runtime_error{"try again"};
    }
  };
  if (what.commit != 0) {
    here.disk().fail_commit(what.commit, errc::storage_failed, what.applied);
  }
  std::set<std::string> accepted;
  if (here.start()) {
    place(here, accepted);
  }
  if (commits != nullptr) {
    *commits = here.disk().commits();
  }
  if (what.commit != 0) {
    here.crash();
    CAF_REQUIRE(here.start().has_value());
    place(here, accepted);
  }
  CAF_CHECK_EQUAL(accepted.size(), orders.size());
  here.run_for(std::chrono::seconds{10});
  outcome_of_run seen;
  for (const auto& order : orders) {
    const auto view = here.show("fulfilment", order.order_id);
    seen.ends[order.order_id] = view ? std::string{to_string(view->status)} + "/" + view->reason : "absent";
  }
  for (const auto& effect : outside.effects) {
    if (!seen.effects.emplace(effect.kind, effect.order).second) {
      ++seen.doubled;
    }
  }
  CAF_CHECK_EQUAL(here.node().figures().orphaned, 0u);
  CAF_CHECK_EQUAL(here.node().figures().in_flight, 0);
  return seen;
}

void crash_at_every_commit(bool passivates) {
  std::uint64_t commits = 0;
  const auto undisturbed = run_orders({0, false, passivates}, &commits);
  CAF_REQUIRE_EQUAL(undisturbed.ends.at("o-1"), "completed/");
  CAF_REQUIRE_EQUAL(undisturbed.ends.at("slow-1"), "completed/");
  CAF_REQUIRE_EQUAL(undisturbed.ends.at("none-1"), "compensated/create_label failed: out of stock");
  CAF_REQUIRE_EQUAL(undisturbed.doubled, 0u);
  CAF_REQUIRE(commits > 10u);
  for (std::uint64_t k = 1; k <= commits; ++k) {
    for (const auto applied : {false, true}) {
      const auto seen = run_orders({k, applied, passivates});
      if (seen != undisturbed) {
        CAF_ERROR("commit " << k << (applied ? ", written after all: " : ", not written: ") << printed(seen)
                            << " instead of " << printed(undisturbed));
      }
    }
  }
  CAF_MESSAGE(commits << " commits, each failed twice");
}

} // namespace

CAF_TEST(promise 2 - a crash at any commit changes no outcome and doubles no effect) {
  crash_at_every_commit(false);
}

CAF_TEST(nor does it where instances leave memory all the time) {
  crash_at_every_commit(true);
}
