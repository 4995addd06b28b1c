// ctest: timeout=600 labels=simulation
// The checks are checked: the nodes with one bug at a time (engine/planted.hpp), which the simulation must
// catch. CONTINUO_PLANTED=name runs that bug alone.
#define CAF_SUITE bugs

#include <caf/test/dsl.hpp>

#undef expect
#undef inject // a macro of CAF's, and a member of `testing::cluster`

#include "tests/planted/scenarios.hpp"
#include "tests/support/business.hpp"
#include "tests/support/no_orphans.hpp"
#include "tests/support/planted.hpp"
#include "tests/support/scenarios.hpp"

#include "actors/core.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace continuo;
using namespace continuo::tests;

namespace {

struct scenario {
  const char* name;
  void (*play)(cluster&);
  std::uint64_t seeds = 100;
};

constexpr scenario three_nodes{"orders on three nodes", orders_on_three_nodes};
constexpr scenario bad_network{"orders over a bad network", orders_over_a_bad_network};
constexpr scenario one_node{"orders on one node", orders_on_one_node};
constexpr scenario bank{"transfers", transfers};
constexpr scenario late_bank{"transfers with late frames", transfers_with_late_frames};
constexpr scenario travel{"trips", trips};
constexpr scenario clock_jumps{"reminders with jumps", reminders_with_jumps};
/// One of those that every commit runs (tests/support/scenarios.hpp).
template <const char* const& Name>
void play(cluster& here) {
  scenario_of(Name).run(here);
}

constexpr const char* withdrawals_name = "withdrawals";
constexpr const char* chimes_name = "chimes";
constexpr const char* publishing_name = "publishing";
constexpr const char* hasty_letters_name = "hasty letters";
constexpr const char* stamps_name = "stamps";
constexpr const char* claims_name = "claims";
constexpr const char* far_name = "far";
constexpr const char* own_name = "own";
constexpr const char* guests_name = "guests";
constexpr const char* freight_name = "freight";
constexpr const char* programs_name = "programs";
constexpr scenario withdrawals{withdrawals_name, play<withdrawals_name>, 400};
constexpr scenario chimes{chimes_name, play<chimes_name>, 400};
constexpr scenario publishing{publishing_name, play<publishing_name>};
constexpr scenario hasty_letters{hasty_letters_name, play<hasty_letters_name>, 300};
constexpr scenario stamps{stamps_name, play<stamps_name>, 300};
constexpr scenario claims{claims_name, play<claims_name>, 20};
constexpr scenario far{far_name, play<far_name>, 20};
constexpr scenario own{own_name, play<own_name>, 300};
constexpr scenario guests_leave{guests_name, play<guests_name>, 5};
constexpr scenario freight{freight_name, play<freight_name>, 200};
constexpr const char* banquets_name = "banquets";
constexpr const char* brief_banquets_name = "brief banquets";
constexpr scenario banquets_held{banquets_name, play<banquets_name>, 100};
constexpr scenario brief_banquets{brief_banquets_name, play<brief_banquets_name>, 100};
constexpr const char* trips_name = "trips";
constexpr const char* brief_trips_name = "brief trips";
constexpr scenario trips_made{trips_name, play<trips_name>, 100};
constexpr scenario brief_trips{brief_trips_name, play<brief_trips_name>, 100};
constexpr const char* tills_name = "tills";
constexpr scenario busy_tills{tills_name, play<tills_name>, 50};
constexpr scenario programs{programs_name, play<programs_name>, 400};
constexpr const char* bells_name = "bells";
constexpr scenario bells{bells_name, play<bells_name>, 20};
constexpr scenario large{"large parcels", large_parcels, 3};
constexpr scenario many{"many parcels", many_parcels, 20};

struct planted_bug {
  const char* name;
  const scenario* where; ///< it can do harm
};

constexpr planted_bug bugs[] = {
    {"ack_before_sync", &three_nodes},
    {"reply_before_journal", &three_nodes},
    {"accepted_before_durable", &one_node},
    {"command_handler_runs_before_cause_is_durable", &one_node},
    {"record_written_half", &three_nodes},
    {"retry_after_a_failed_sync", &one_node},
    {"sequence_reused_after_restart", &one_node},
    {"inbox_forgotten_at_restart", &bank},
    {"forget_too_early", &travel},
    {"lost_wake_up", &bank},
    {"duplicate_reply_handled_twice", &bad_network},
    {"late_answer_moves_a_terminal_saga", &bad_network},
    {"compensation_forward", &travel},
    {"compensation_of_a_step_that_never_ran", &one_node},
    {"timer_fired_twice", &clock_jumps},
    {"timer_on_the_wall_clock", &clock_jumps},
    {"stale_epoch_accepted", &late_bank},
    {"reconnect_skips_the_unacknowledged_tail", &bad_network},
    {"unbounded_link_queue", &many},
    {"credit_never_given_back", &large},
    {"withdrawn_although_it_ran_in_an_earlier_life", &withdrawals},
    {"woken_without_recovering", &chimes},
    {"forget_lost_with_the_execution", &publishing},
    {"called_letter_does_not_answer", &hasty_letters},
    {"idempotency_key_lost_by_a_redriven_command", &stamps},
    {"what_waits_is_not_in_flight", &claims},
    {"wake_ups_for_timers_multiply", &far},
    {"held_event_holds_back_a_timer", &own},
    {"index_forgets", &bad_network},
    {"ended_and_not_in_the_expiry_index", &guests_leave},
    {"history_outlives_its_instance", &guests_leave},
    {"range_goes_too_far", &guests_leave},
    {"called_reply_swallowed_by_its_name", &freight},
    {"key_not_looked_at_after_waiting", &claims},
    {"unknown_counts_as_an_attempt", &programs},
    {"unknown_is_acknowledged", &programs},
    {"rerouted_under_a_new_id", &programs},
    {"what_lost_its_service_is_not_woken", &programs},
    {"event_stays_where_its_service_was", &programs},
    {"letter_ends_before_its_message_begins", &programs},
    {"rate_counts_no_starts", &busy_tills},
    {"key_is_never_taken", &busy_tills},
    {"pause_is_not_heard", &busy_tills},
    {"step_given_twice_by_a_second_run", &brief_banquets},
    {"outcome_given_to_another_step", &banquets_held},
    {"late_success_of_a_given_up_step_stays", &banquets_held},
    {"ends_before_it_is_settled", &banquets_held},
    {"undo_of_a_step_forgotten", &banquets_held},
    {"entries_outlive_their_workflow", &brief_banquets},
    {"child_answers_nobody", &trips_made},
    {"child_outlives_its_parent", &trips_made},
    {"update_forgotten_by_a_second_run", &brief_trips},
    {"entries_outlive_a_life", &trips_made},
    {"schedule_fires_twice_when_summer_time_ends", &bells},
};

std::vector<planted_bug> wanted() {
  const auto* only = std::getenv("CONTINUO_PLANTED");
  std::vector<planted_bug> found;
  for (const auto& bug : bugs) {
    if (only == nullptr || std::string_view{bug.name} == only) {
      found.push_back(bug);
    }
  }
  return found;
}

/// Why the scenario fails with this seed; nothing where it does not.
std::optional<std::string> failure_of(const scenario& what, std::uint64_t seed) {
  try {
    cluster here{seed};
    what.play(here);
    return std::nullopt;
  } catch (const std::exception& thrown) {
    return thrown.what();
  }
}

} // namespace

CAF_TEST(without a bug none of the scenarios fails) {
  set_planted({});
  std::set<std::string> played;
  for (const auto& bug : wanted()) {
    if (!played.insert(bug.where->name).second) {
      continue;
    }
    for (std::uint64_t seed = 1; seed <= bug.where->seeds; ++seed) {
      const auto failed = failure_of(*bug.where, seed);
      CAF_CHECK_EQUAL(failed ? fmt::format("{}: {}", bug.where->name, *failed) : "", "");
    }
  }
}

CAF_TEST(each planted bug is caught) {
  const auto orphans = actors::core::orphans_of_process();
  for (const auto& bug : wanted()) {
    set_planted(bug.name);
    std::uint64_t caught = 0;
    std::string first;
    for (std::uint64_t seed = 1; seed <= bug.where->seeds; ++seed) {
      const auto failed = failure_of(*bug.where, seed);
      if (failed && ++caught == 1) {
        first = fmt::format("(first: seed {}): {}", seed, *failed);
      }
    }
    std::cerr << fmt::format("{}: caught in {} of {} seeds {}\n", bug.name, caught, bug.where->seeds, first);
    if (caught == 0) {
      CAF_ERROR(fmt::format("{} is not caught by {}; its place was reached {} times", bug.name,
                            bug.where->name, planted_hits()));
    }
  }
  set_planted({});
  expect_orphans(actors::core::orphans_of_process() -
                 orphans); // of instances that a bug left without a cause
}
