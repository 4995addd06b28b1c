#define CAF_SUITE link

#include "engine/link.hpp"

#include <caf/test/dsl.hpp>

#include <deque>

using namespace continuo;
using namespace continuo::engine;

namespace {

/// Two sides of a link, and what is under way between them.
struct fixture {
  static link_settings settings(const std::string& here, const std::string& peer, std::uint64_t store) {
    link_settings made;
    made.cluster = "test";
    made.here = here;
    made.peer = peer;
    made.store = store;
    made.lives = {{store * 10, 1}};
    return made;
  }

  engine::link a{settings("a", "b", 1), std::nullopt};
  engine::link b{settings("b", "a", 2), std::nullopt};
  const messages::position at_a{10, 5};
  const messages::position at_b{20, 7};
  std::vector<messages::batch_item> arrived; ///< at b

  static envelope command(std::uint64_t revision) {
    envelope made;
    made.id = {1, revision, 0};
    made.from = {"saga", "s"};
    made.to = {"keyed", "k"};
    return made;
  }

  static messages::receipt receipt(std::uint64_t revision) {
    return {{"saga", "s"}, {"keyed", "k"}, {2, revision, 0}, {}, {}};
  }

  std::vector<messages::frame> flush(engine::link& from, const messages::position& at) {
    return from.flush(
        at, [](const waiting_message& wanted) { return std::optional{command(wanted.id.revision)}; });
  }

  const char* give(engine::link& to, messages::frame frame, const messages::position& at) {
    auto out = to.receive(std::move(frame), at);
    std::move(out.arrived.begin(), out.arrived.end(), std::back_inserter(arrived));
    for (auto& answer : out.frames) {
      answers.push_back(std::move(answer));
    }
    return out.edge;
  }

  std::deque<messages::frame> answers;

  void connect() {
    auto dialed = a.dial(at_a);
    CAF_CHECK_EQUAL(std::string{give(b, std::move(dialed.frames.front()), at_b)}, "accept");
    auto welcome = std::move(answers.front());
    answers.clear();
    CAF_CHECK_EQUAL(std::string{give(a, std::move(welcome), at_a)}, "welcome");
    a.open();
  }

  /// The dialer hears b's welcome, finds that it has lost nothing, and shows life.
  void goes_on(engine::link& dialer) {
    CAF_CHECK_EQUAL(std::string{give(dialer, answers.back(), at_a)}, "welcome");
    dialer.open();
    for (auto& frame : dialer.flush(
             at_a, [](const auto&) { return std::nullopt; }, true)) {
      give(b, std::move(frame), at_b);
    }
  }

  void open_b() {
    b.open();
    for (auto& frame : flush(b, at_b)) {
      give(a, std::move(frame), at_a);
    }
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(link_tests, fixture)

CAF_TEST(a peer that takes nothing yet hears nothing and then all in order) {
  connect();
  a.send(receipt(1));
  a.send(command(2));
  a.send(messages::call_for{{"saga", "s"}, {"keyed", "k"}, {2, 3, 0}});
  for (const auto& frame : flush(a, at_a)) {
    CAF_CHECK(std::get<messages::batch>(frame.body).items.empty()); // only its own credit
    CAF_CHECK_EQUAL(std::string{give(b, frame, at_b)}, "take");
  }
  open_b();
  for (auto& frame : flush(a, at_a)) {
    CAF_CHECK_EQUAL(std::string{give(b, std::move(frame), at_b)}, "take");
  }
  CAF_CHECK_EQUAL(arrived.size(), 3u);
}

CAF_TEST(no more is sent than there is credit for and a withdrawal costs none) {
  connect();
  open_b();
  auto withdrawal = command(1);
  withdrawal.kind = message_kind::withdrawal;
  withdrawal.in_reply_to = withdrawal.id;
  CAF_CHECK_EQUAL(units_of(withdrawal), 0u);
  const auto window = link_settings{}.window;
  for (std::uint64_t i = 0; i < window + 10; ++i) {
    a.send(command(i + 1));
  }
  std::size_t sent = 0;
  for (auto& frame : flush(a, at_a)) {
    sent += std::get<messages::batch>(frame.body).items.size();
    give(b, std::move(frame), at_b);
  }
  CAF_CHECK_EQUAL(sent, window);
  CAF_CHECK_EQUAL(a.waiting(), 10u);
  b.taken(b.token(), window);
  for (auto& frame : flush(b, at_b)) {
    give(a, std::move(frame), at_a);
  }
  sent = 0;
  for (const auto& frame : flush(a, at_a)) {
    sent += std::get<messages::batch>(frame.body).items.size();
  }
  CAF_CHECK_EQUAL(sent, 10u);
}

CAF_TEST(a repeated batch is dropped and one behind a gap ends the epoch) {
  connect();
  open_b();
  std::vector<messages::frame> frames;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    a.send(command(i));
    auto made = flush(a, at_a);
    frames.push_back(std::move(made.front()));
  }
  CAF_CHECK_EQUAL(std::string{give(b, frames[0], at_b)}, "take");
  CAF_CHECK_EQUAL(std::string{give(b, frames[0], at_b)}, "repeated");
  CAF_CHECK_EQUAL(std::string{give(b, frames[2], at_b)}, "gap");
  CAF_CHECK(!b.is_up());
  CAF_CHECK_EQUAL(std::string{give(a, answers.back(), at_a)}, "refused");
  CAF_CHECK(!a.is_up());
}

CAF_TEST(case 7 and 8 - an old epoch delivers nothing and no epoch comes twice) {
  connect();
  open_b();
  a.send(command(1));
  auto old = flush(a, at_a);
  auto first_hello = a.dial(at_a).frames.front();
  CAF_CHECK_EQUAL(std::string{give(b, first_hello, at_b)}, "accept");
  CAF_CHECK_EQUAL(std::string{give(b, std::move(old.front()), at_b)}, "stale");
  CAF_CHECK_EQUAL(std::string{give(b, first_hello, at_b)}, "refuse");
  CAF_CHECK(b.is_up());
}

CAF_TEST(case 29 - an old copy that dials is refused and the newest one is taken after it) {
  connect();
  for (auto& frame : a.flush(at_a, {}, true)) {
    give(b, std::move(frame), at_b);
  }
  CAF_CHECK_EQUAL(b.known()->furthest.incarnation, 10u);
  const auto old_copy = [&](std::uint64_t connections) {
    auto copy = settings("a", "b", 1);
    copy.lives = {{11, 1}};
    engine::link dials{copy, std::nullopt};
    for (; connections > 1; --connections) {
      dials.dial({11, 2});
    }
    CAF_CHECK_EQUAL(std::string{give(b, std::move(dials.dial({11, 2}).frames.front()), at_b)}, "refuse");
    const auto out = dials.receive(std::move(answers.front()), {11, 2});
    answers.clear();
    CAF_REQUIRE(out.fatal.has_value());
    CAF_CHECK(out.fatal->code == errc::identity);
  };
  old_copy(1);
  old_copy(5); // however often it has dialed
  // One that counts its starts right, after `b` was started again: the welcome tells it.
  auto unaware = settings("b", "a", 2);
  b = engine::link{unaware, b.known()};
  auto copy = settings("a", "b", 1);
  copy.starts = 2;
  copy.lives = {{11, 1}};
  engine::link dials{copy, std::nullopt};
  CAF_CHECK_EQUAL(std::string{give(b, std::move(dials.dial({11, 2}).frames.front()), at_b)}, "accept");
  CAF_CHECK(dials.receive(std::move(answers.front()), {11, 2}).fatal.has_value());
  answers.clear();
  // The newest copy.
  auto newest = settings("a", "b", 1);
  newest.starts = 3;
  newest.lives = {{10, 1}, {12, 6}};
  a = engine::link{newest, std::nullopt};
  CAF_CHECK_EQUAL(std::string{give(b, std::move(a.dial({12, 6}).frames.front()), at_b)}, "accept");
  CAF_CHECK(!a.receive(std::move(answers.front()), {12, 6}).fatal);
  CAF_CHECK(a.is_up());
  answers.clear();
  // A copy whose loss was accepted counts its starts anew.
  auto accepted = settings("a", "b", 3);
  accepted.replaces = 1;
  a = engine::link{accepted, std::nullopt};
  CAF_CHECK_EQUAL(std::string{give(b, std::move(a.dial({30, 2}).frames.front()), at_b)}, "accept");
  CAF_CHECK(!a.receive(std::move(answers.front()), {30, 2}).fatal);
}

CAF_TEST(a side that has lost the connection says so to one that has not noticed) {
  connect();
  b.lost(); // the end of an older connection was taken for this one's
  for (auto& frame : a.flush(at_a, {}, true)) {
    CAF_CHECK_EQUAL(std::string{give(b, std::move(frame), at_b)}, "stale");
  }
  CAF_REQUIRE_EQUAL(answers.size(), 1u);
  CAF_CHECK(a.receive(std::move(answers.front()), at_a).broke);
  CAF_CHECK(!a.is_up());
}

CAF_TEST(a copy from between two accepted losses is refused) {
  auto first = settings("a", "b", 100);
  first.replaces = messages::any_store;
  auto second = settings("a", "b", 200);
  second.replaces = messages::any_store;
  engine::link before{settings("a", "b", 50), std::nullopt};
  engine::link newest{second, std::nullopt};
  engine::link old{first, std::nullopt};
  CAF_CHECK_EQUAL(std::string{give(b, std::move(before.dial(at_a).frames.front()), at_b)}, "accept");
  CAF_CHECK_EQUAL(std::string{give(b, std::move(newest.dial(at_a).frames.front()), at_b)}, "accept");
  CAF_CHECK_EQUAL(std::string{give(b, std::move(old.dial(at_a).frames.front()), at_b)}, "refuse");
  CAF_CHECK_EQUAL(std::string{old.receive(std::move(answers.back()), at_a).edge}, "amnesia");
}

CAF_TEST(a node that has not recovered says nothing but that it lives) {
  connect();
  open_b();
  CAF_REQUIRE(a.known());
  for (auto& frame : b.flush(
           at_b, [](const waiting_message&) { return std::optional<envelope>{}; }, true)) {
    give(a, std::move(frame), at_a);
  }
  const auto known = a.known()->furthest;
  CAF_CHECK_EQUAL(known.revision, at_b.revision);
  // b begins anew and has a message for a, which gives it credit.
  engine::link again{settings("b", "a", 2), std::nullopt};
  auto dialed = a.dial(at_a);
  give(again, std::move(dialed.frames.front()), at_b);
  give(a, std::move(answers.back()), at_a);
  for (auto& frame : flush(a, at_a)) {
    give(again, std::move(frame), at_b);
  }
  again.send(command(9));
  CAF_CHECK(!again.has_work());
  const messages::position further{20, 1'000};
  auto frames = again.flush(
      further, [](const waiting_message&) { return std::optional<envelope>{}; }, true);
  CAF_REQUIRE_EQUAL(frames.size(), 1u);
  CAF_CHECK(std::get<messages::batch>(frames.front().body).items.empty());
  CAF_CHECK_EQUAL(std::string{give(a, std::move(frames.front()), at_a)}, "take");
  CAF_CHECK(a.known()->furthest.revision != further.revision);
  again.open();
  arrived.clear();
  for (auto& frame : flush(again, further)) {
    give(a, std::move(frame), at_a);
  }
  CAF_CHECK_EQUAL(arrived.size(), 1u);
  CAF_CHECK_EQUAL(a.known()->furthest.revision, further.revision);
}

CAF_TEST(a sign of life waits for no record and what may not be read yet stays) {
  connect();
  open_b();
  for (const std::uint64_t revision : {1, 2}) {
    a.offer({{"saga", "s"}, {1, revision, 0}});
  }
  const auto items_of = [](const std::vector<messages::frame>& frames) {
    std::size_t items = 0;
    for (const auto& frame : frames) {
      items += std::get<messages::batch>(frame.body).items.size();
    }
    return items;
  };
  const auto life = a.flush(at_a, {}, true, 0);
  CAF_CHECK_EQUAL(life.size(), 1u);
  CAF_CHECK_EQUAL(items_of(life), 0u);
  const auto first = a.flush(
      at_a, [](const waiting_message& wanted) { return std::optional{command(wanted.id.revision)}; }, false,
      1'000, [](const waiting_message& next) { return next.id.revision == 1; });
  CAF_CHECK_EQUAL(items_of(first), 1u);
  CAF_CHECK(a.has_work());
  CAF_CHECK_EQUAL(items_of(flush(a, at_a)), 1u);
  CAF_CHECK(!a.has_work());
}

CAF_TEST(what the queue has no room for is named so that it can be read again) {
  auto small = settings("a", "b", 1);
  small.queue_max = 2;
  small.window = 1;
  engine::link narrow{small, std::nullopt};
  auto dialed = narrow.dial(at_a);
  give(b, std::move(dialed.frames.front()), at_b);
  auto welcome = std::move(answers.front());
  give(narrow, std::move(welcome), at_a);
  for (std::uint64_t i = 1; i <= 5; ++i) {
    narrow.send(command(i));
  }
  CAF_CHECK_EQUAL(narrow.waiting(), 2u);
  const auto dropped = narrow.take_dropped();
  CAF_REQUIRE(dropped.has_value());
  CAF_CHECK(dropped->covers(command(2).id) && !dropped->covers(command(3).id));
  CAF_CHECK(!narrow.take_dropped());

  auto foreign = command(1); // no number of another store says what of this one found room
  foreign.id.store += 1;
  narrow.send(command(6));
  narrow.send(std::move(foreign));
  const auto mixed = narrow.take_dropped();
  CAF_REQUIRE(mixed.has_value());
  CAF_CHECK(!mixed->covers(command(1).id) && !mixed->covers(command(5).id));
}

CAF_TEST(a hello that is meant for another node is refused and no loss is suspected) {
  // An address in a's file belongs to b, and a believes to speak to c, of which it knows another store.
  auto astray = settings("a", "c", 1);
  engine::link dialer{astray, messages::known_peer{3, {30, 100}}};
  auto out = b.receive(std::move(dialer.dial(at_a).frames.front()), at_b);
  CAF_CHECK_EQUAL(std::string{out.edge}, "refuse");
  CAF_CHECK(!out.fatal);
  CAF_REQUIRE(out.refused);
  CAF_CHECK(out.refused->message.find("belongs to another node") != std::string::npos);
  out = dialer.receive(std::move(out.frames.front()), at_a);
  CAF_CHECK_EQUAL(std::string{out.edge}, "refused");
  CAF_CHECK(!out.fatal);
}

CAF_TEST(a node on a copy from before its last starts is told so by a peer that was up all the time) {
  auto later = settings("a", "b", 1);
  later.starts = 3;
  engine::link lost{later, std::nullopt};
  CAF_CHECK_EQUAL(std::string{give(b, std::move(lost.dial(at_a).frames.front()), at_b)}, "accept");
  goes_on(lost);
  answers.clear();
  later.starts = 2;
  engine::link old{later, std::nullopt};
  CAF_CHECK_EQUAL(std::string{give(b, std::move(old.dial(at_a).frames.front()), at_b)}, "refuse");
  CAF_CHECK(b.is_up());
  const auto out = old.receive(std::move(answers.back()), at_a);
  CAF_CHECK_EQUAL(std::string{out.edge}, "amnesia");
  CAF_REQUIRE(out.fatal);
  CAF_CHECK(out.fatal->code == errc::identity);
}

CAF_TEST(an older copy that was tried does not stand in the way of the newest data) {
  auto here = settings("a", "b", 1);
  here.starts = 3;
  engine::link newest{here, std::nullopt};
  CAF_CHECK_EQUAL(std::string{give(b, std::move(newest.dial(at_a).frames.front()), at_b)}, "accept");
  goes_on(newest);
  // Copies from before: each counts its own starts, hears what is known of it, and stops.
  for (std::uint64_t starts = 4; starts < 7; ++starts) {
    here.starts = starts;
    engine::link older{here, std::nullopt};
    const messages::position at{70 + starts, 5};
    CAF_CHECK_EQUAL(std::string{give(b, std::move(older.dial(at).frames.front()), at_b)}, "accept");
  }
  here.starts = 4;
  engine::link again{here, std::nullopt};
  CAF_CHECK_EQUAL(std::string{give(b, std::move(again.dial({99, 200}).frames.front()), at_b)}, "accept");
}

CAF_TEST(a store that stands for a lost one is taken whatever its count of starts) {
  auto before = settings("a", "b", 1);
  before.starts = 3;
  engine::link lost{before, std::nullopt};
  auto late = lost.dial(at_a).frames.front();
  CAF_CHECK_EQUAL(std::string{give(b, late, at_b)}, "accept");
  auto after = settings("a", "b", 9);
  after.replaces = 1;
  after.starts = 1;
  engine::link fresh{after, std::nullopt};
  CAF_CHECK_EQUAL(std::string{give(b, std::move(fresh.dial(at_a).frames.front()), at_b)}, "accept");
  CAF_CHECK_EQUAL(std::string{give(fresh, std::move(answers.back()), at_a)}, "welcome");
  // The old one is not taken any more, and the new one counts from where it began.
  CAF_CHECK_EQUAL(std::string{give(b, std::move(late), at_b)}, "refuse");
  auto first = fresh.dial(at_a).frames.front();
  auto second = fresh.dial(at_a).frames.front();
  CAF_CHECK_EQUAL(std::string{give(b, std::move(second), at_b)}, "accept");
  CAF_CHECK_EQUAL(std::string{give(b, std::move(first), at_b)}, "refuse");
}

CAF_TEST(what waits for credit is not overtaken by what comes later) {
  auto small = settings("b", "a", 2);
  small.window = 1;
  b = engine::link{small, std::nullopt};
  connect();
  open_b();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    a.send(command(i));
  }
  flush(a, at_a);
  b.taken(b.token(), 1);
  for (auto& frame : flush(b, at_b)) {
    give(a, std::move(frame), at_a);
  }
  a.send(command(4));
  const auto frames = flush(a, at_a);
  CAF_REQUIRE_EQUAL(frames.size(), 1u);
  const auto& items = std::get<messages::batch>(frames.front().body).items;
  CAF_REQUIRE_EQUAL(items.size(), 1u);
  CAF_CHECK_EQUAL(std::get<envelope>(items.front()).id.revision, 2u);
}

CAF_TEST(a small window is announced when it changes and not for ever) {
  auto small = settings("b", "a", 2);
  small.window = 1;
  b = engine::link{small, std::nullopt};
  connect();
  open_b();
  CAF_CHECK(!b.has_work());
  b.taken(b.token(), 1);
  CAF_CHECK(b.has_work());
  CAF_CHECK_EQUAL(flush(b, at_b).size(), 1u);
  CAF_CHECK(!b.has_work());
}

CAF_TEST(who sends more than there is credit for loses the connection) {
  auto small = settings("b", "a", 2);
  small.window = 3;
  b = engine::link{small, std::nullopt};
  connect();
  open_b(); // gives credit for 3
  const auto batch = [&](std::uint64_t number, std::uint64_t messages) {
    messages::batch made;
    made.epoch = a.epoch();
    made.number = number;
    for (std::uint64_t i = 0; i < messages; ++i) {
      made.items.emplace_back(command(10 * number + i));
    }
    messages::frame framed;
    framed.body = std::move(made);
    return framed;
  };
  CAF_CHECK_EQUAL(std::string{give(b, batch(1, 2), at_b)}, "take");
  b.taken(b.token(), 2); // not announced yet
  auto out = b.receive(batch(2, 2), at_b);
  CAF_CHECK_EQUAL(std::string{out.edge}, "gap");
  CAF_CHECK(out.offence.has_value());
  CAF_CHECK(out.arrived.empty());
  CAF_CHECK(!b.is_up());
  // The last message may cost more than is left, as the sender cannot cut it.
  engine::link again{small, std::nullopt};
  b = std::move(again);
  answers.clear();
  connect();
  open_b();
  auto large = batch(1, 1);
  std::get<envelope>(std::get<messages::batch>(large.body).items.front()).payload.resize(100'000);
  CAF_CHECK_EQUAL(std::string{give(b, std::move(large), at_b)}, "take");
  CAF_CHECK_EQUAL(std::string{give(b, batch(2, 1), at_b)}, "gap");
}

CAF_TEST(a store from a time to come takes the place of none and there is a way back) {
  constexpr std::uint64_t newest = 1'000; // that is not from the future
  const auto greet = [&](std::uint64_t store, std::uint64_t replaces) {
    auto made = settings("a", "b", store);
    made.replaces = replaces;
    engine::link dials{made, std::nullopt};
    auto out = b.receive(std::move(dials.dial(at_a).frames.front()), at_b, newest);
    return out.refused ? out.refused->message : std::string{out.edge};
  };
  CAF_CHECK_EQUAL(greet(100, 0), "accept");
  for (const auto store : {newest + 1, messages::any_store - 1, messages::any_store}) {
    CAF_CHECK(greet(store, messages::any_store).find("of a time to come") != std::string::npos);
    CAF_CHECK(greet(store, 100).find("of a time to come") != std::string::npos);
  }
  CAF_CHECK(greet(0, messages::any_store).find("of no store") != std::string::npos);
  // Who has stolen its key says the greatest one that is taken.
  CAF_CHECK_EQUAL(greet(newest, messages::any_store), "accept");
  CAF_CHECK(greet(100, 0).find("--accept-loss`") != std::string::npos);
  // What the operator accepts may be smaller: then it is said how to go on.
  const auto said = greet(200, messages::any_store);
  CAF_CHECK(said.find("--accept-loss --beyond 00000000000003e8`") != std::string::npos);
  auto back = settings("a", "b", newest + 1);
  back.replaces = messages::any_store;
  engine::link dials{back, std::nullopt};
  CAF_CHECK_EQUAL(std::string{b.receive(std::move(dials.dial(at_a).frames.front()), at_b, newest + 1).edge},
                  "accept");
}

CAF_TEST(the lost stores of a peer that are remembered are bounded) {
  for (std::uint64_t store = 1; store <= 2'000; ++store) {
    auto made = settings("a", "b", store);
    made.replaces = messages::any_store;
    engine::link dials{made, std::nullopt};
    CAF_CHECK_EQUAL(std::string{b.receive(std::move(dials.dial(at_a).frames.front()), at_b).edge}, "accept");
  }
  CAF_REQUIRE(b.known().has_value());
  CAF_CHECK_EQUAL(b.known()->former.size(), 256u);
  CAF_CHECK_EQUAL(b.known()->former.back(), 1'999u);
}

CAF_TEST(a code and a reason of anything are taken for what can be shown) {
  connect();
  open_b();
  messages::frame says;
  says.body = messages::refusal{b.epoch(), 255, "\x1b[2J\xff\n"};
  const auto out = b.receive(std::move(says), at_b);
  CAF_CHECK_EQUAL(std::string{out.edge}, "refused");
  CAF_CHECK(!out.fatal);
  CAF_REQUIRE(out.refused.has_value());
  CAF_CHECK(out.refused->code == errc::unavailable);
  CAF_CHECK_EQUAL(out.refused->message, "\\x1b[2J\\xff\\n");
}

CAF_TEST_FIXTURE_SCOPE_END()
