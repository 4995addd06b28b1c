// To which peers a record owes something, as the transitions that write it say: from these differences the
// store's index is made, and a link reads nothing else.
#define CAF_SUITE owed

#include <caf/test/dsl.hpp>

#include "engine/acceptance.hpp"
#include "engine/letter.hpp"
#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;

namespace {

using names = std::vector<std::string>;

constexpr std::uint64_t store_of_beta = 11;

/// A saga on alpha. Its stock is kept on beta; payments are taken on beta, or gamma.
struct fixture : world {
  fixture() {
    routes.place(
        placement{"alpha", {{"order", {"alpha"}}, {"stock", {"beta"}}, {"payment", {"beta", "gamma"}}}}, {},
        [](std::uint64_t of) { return of == store_of_beta ? std::string_view{"beta"} : std::string_view{}; });
    stored.self = {"order", "o-1"};
  }

  message_id sends(const instance_id& to) {
    request sent;
    sent.id = next_id();
    sent.kind = message_kind::command;
    sent.to = to;
    stored.requests.push_back(sent);
    return sent.id;
  }

  message_id publishes(const instance_id& to) {
    stored_message sent;
    sent.id = next_id();
    sent.to = to;
    stored.outbox.push_back(sent);
    return sent.id;
  }

  /// What a write of the record says, as `+` and `-` of each peer.
  names writes(write_kind what = write_kind::put) {
    transition out;
    out.write = what;
    mail.written(out);
    names said;
    for (const auto& peer : out.owed_now) {
      said.push_back("+" + peer);
    }
    for (const auto& peer : out.owed_no_more) {
      said.push_back("-" + peer);
    }
    return said;
  }

  record stored;
  mailbox mail{stored, routes};
};

const instance_id bolts{"stock", "bolt"};
const instance_id payment_on_beta{"payment@beta", ""};
const instance_id payment_on_gamma{"payment@gamma", ""};

} // namespace

CAF_TEST_FIXTURE_SCOPE(owed_tests, fixture)

CAF_TEST(a peer is owed to from the first message on until the last one is gone) {
  CAF_CHECK(writes() == names{});
  sends(bolts);
  CAF_CHECK(writes() == names{"+beta"});
  const auto event = publishes(bolts);
  CAF_CHECK(writes() == names{});
  mail.close(0);
  CAF_CHECK(writes() == names{});
  mail.receive(receipt{bolts, stored.self, event, {}, {}});
  CAF_CHECK(writes() == names{"-beta"});
  CAF_CHECK(writes() == names{});
}

CAF_TEST(a command that moves is owed to its new node alone) {
  sends(payment_on_beta);
  CAF_CHECK(writes() == names{"+beta"});
  stored.requests.front().to = payment_on_gamma;
  CAF_CHECK(writes() == (names{"+gamma", "-beta"}));
}

CAF_TEST(whom the record remembers is asked at each handshake and so counts as owed to) {
  stored.inbox.push_back({bolts, next_id()});
  CAF_CHECK(writes() == names{"+beta"});
  mail.receive(receipt{bolts, stored.self, {}, stored.inbox.front().last, {}});
  CAF_CHECK(writes() == names{"-beta"});
}

CAF_TEST(what a client sent lives where it was accepted) {
  const auto accepted_at = [](std::uint64_t of) {
    return instance_id{std::string{send_type}, to_string(message_id{of, 3, 0})};
  };
  publishes(accepted_at(store)); // here
  CAF_CHECK(writes() == names{});
  publishes(accepted_at(store_of_beta));
  CAF_CHECK(writes() == names{"+beta"});
}

CAF_TEST(what stays here or waits for a person is owed to nobody) {
  sends({"order", "o-2"});
  sends(bolts);
  stored.requests.back().refused = true;
  CAF_CHECK(writes() == names{});
  stored.requests.back().refused = false; // the person said retry
  CAF_CHECK(writes() == names{"+beta"});
}

CAF_TEST(a record that ends owes nothing) {
  sends(bolts);
  sends(payment_on_gamma);
  CAF_CHECK(writes() == (names{"+beta", "+gamma"}));
  CAF_CHECK(writes(write_kind::erase) == (names{"-beta", "-gamma"}));
  CAF_CHECK(writes() == (names{"+beta", "+gamma"})); // its key lives again
}

CAF_TEST(of a record that is loaded only what changes is said) {
  sends(bolts);
  mail.loaded();
  CAF_CHECK(writes() == names{});
  mail.close(0);
  CAF_CHECK(writes() == names{"-beta"});
}

CAF_TEST(a node that stands alone says nothing) {
  routes.place({}, {});
  sends(bolts);
  stored.inbox.push_back({bolts, next_id()});
  CAF_CHECK(writes() == names{});
  CAF_CHECK(writes(write_kind::erase) == names{});
}

CAF_TEST(each machine says it with its writes) {
  letter_environment letters{&routes, store};
  const auto gave_up = dead_letter_of(command(reserve{"bolt", 1}, {"order", "o-1"}, bolts), "why", now.wall);
  letter dead{letters, gave_up.self, gave_up};
  const auto redriven = dead.redrive({}, now, next_revision());
  CAF_REQUIRE(redriven.verdict);
  CAF_REQUIRE(redriven.handed_on);
  CAF_CHECK(redriven.handed_on->owed_now == names{"beta"});
  acceptance_environment acceptances{&routes, store};
  acceptance accepted{acceptances, {std::string{send_type}, "1"}, std::nullopt};
  const auto taken = accepted.accept({true, "reserve", encode(reserve{"bolt", 1}), {}, {{bolts, false}}}, now,
                                     next_revision());
  CAF_CHECK(taken.owed_now == names{"beta"});
}

CAF_TEST_FIXTURE_SCOPE_END()
