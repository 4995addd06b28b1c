// What CAF sees of what a peer says.
#define CAF_SUITE caf_filter

#include "nodes/caf_filter.hpp"
#include "tests/nodes/wrong_peer.hpp"

#include <caf/error.hpp>
#include <caf/exit_reason.hpp>
#include <caf/system_messages.hpp>
#include <caf/test/dsl.hpp>

#include <random>

using namespace continuo;
using namespace continuo::tests;

namespace {

constexpr std::uint64_t gate = 7; ///< the only actor that is offered
constexpr std::uint64_t peers = 3;

struct fixture {
  caf_words words;
  std::string here = words.id();
  std::string peer = words.written(caf::make_node_id(1, {9, 9, 9}));

  nodes::caf_filter filter(bool accepts) const {
    nodes::caf_filter::terms made;
    made.accepts = accepts;
    made.here = here;
    made.peer = peer;
    made.application = "continuo-wire-2";
    made.frame_begins = words.payload(messages::wire{});
    made.frame_begins.pop_back();
    made.end_of_actor = words.written(caf::error{caf::exit_reason::remote_link_unreachable});
    made.is_offered = [](std::uint64_t actor) { return actor == gate; };
    return nodes::caf_filter{std::move(made)};
  }

  static std::string message(unsigned operation, const std::string& payload, std::uint64_t data = 0,
                             std::uint64_t from = 0, std::uint64_t to = 0) {
    return caf_header(operation, static_cast<std::uint32_t>(payload.size()), data, from, to) + payload;
  }

  std::string introduction() const { return message(1, words.written(caf::make_node_id(77, {1, 2, 3}))); }

  std::string server_introduction(const std::vector<std::string>& applications,
                                  std::uint64_t version = 3) const {
    return message(0,
                   words.written(caf::make_node_id(77, {1, 2, 3}), applications, caf::actor_id{gate},
                                 std::set<std::string>{"sig"}),
                   version);
  }

  static std::string given(nodes::caf_filter& from) {
    std::string made(from.ready(), 0);
    CAF_CHECK_EQUAL(from.give(made.data(), made.size()), made.size());
    return made;
  }

  /// One that has introduced itself.
  nodes::caf_filter introduced() const {
    auto made = filter(true);
    CAF_CHECK(made.take(introduction()).has_value());
    given(made);
    return made;
  }

  static std::string objection(const result<void>& taken) { return taken ? "" : taken.error().message; }

  static messages::frame frame() { return framed(messages::refusal{{1, 2}, 3, "text"}); }

  std::string why(const std::string& said) const {
    auto one = introduced();
    const auto taken = one.take(said);
    CAF_CHECK(taken.has_value() || one.ready() == 0);
    return taken ? "" : taken.error().message;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(caf_filter_tests, fixture)

CAF_TEST(a peer is known by the id that was chosen for it and not by the one that it says) {
  auto accepts = filter(true);
  CAF_REQUIRE(accepts.take(introduction()).has_value());
  CAF_CHECK(given(accepts) == message(1, peer));
  // CAF repeats it once, with a flag that would take a connection over.
  auto again = introduction();
  again[3] = 2;
  CAF_CHECK(accepts.take(again).has_value());
  CAF_CHECK_EQUAL(accepts.ready(), 0u);
  CAF_CHECK(!accepts.take(again).has_value());

  auto dials = filter(false);
  CAF_CHECK_EQUAL(objection(dials.take(server_introduction({"other", "continuo-wire-2"}))), "");
  const auto expected = peer + words.written(std::vector<std::string>{"continuo-wire-2"}, caf::actor_id{gate},
                                             std::set<std::string>{});
  CAF_CHECK(given(dials) == message(0, expected, 3));
  CAF_CHECK(!dials.take(server_introduction({"continuo-wire-2"})).has_value());
  // Who is watched, and who has ended, is an actor of that connection.
  CAF_CHECK(accepts.is_introduced());
  auto one = introduced();
  const auto foreign = words.written(caf::make_node_id(5, {5}), caf::make_node_id(6, {6}));
  CAF_REQUIRE(one.take(message(4, foreign, 0, 0, gate)).has_value());
  CAF_CHECK(given(one) == message(4, peer + here, 0, 0, gate));
  CAF_REQUIRE(one.take(message(5, foreign + "anything", 0, peers, 0)).has_value());
  CAF_CHECK(given(one) ==
            message(5, peer + here + words.written(caf::error{caf::exit_reason::remote_link_unreachable}), 0,
                    peers));
}

CAF_TEST(another program and another version of CAF are refused with what they are) {
  const auto refused = [&](const std::string& said) {
    auto dials = filter(false);
    const auto taken = dials.take(said);
    CAF_CHECK(!taken);
    CAF_CHECK_EQUAL(dials.ready(), 0u);
    return taken ? "" : taken.error().message;
  };
  CAF_CHECK_EQUAL(refused(server_introduction({"continuo-wire-3"})),
                  "its program does not speak continuo-wire-2: run the same version on all nodes");
  CAF_CHECK_EQUAL(refused(server_introduction({})),
                  "its program does not speak continuo-wire-2: run the same version on all nodes");
  CAF_CHECK_EQUAL(refused(server_introduction({"continuo-wire-2"}, 4)),
                  "it does not speak version 3 of CAF's protocol");
  CAF_CHECK_EQUAL(refused(introduction()), "it does not introduce itself as a node does");
  CAF_CHECK_EQUAL(refused(message(6, "")), "it does not introduce itself as a node does");
  auto cut = server_introduction({"continuo-wire-2"});
  for (std::size_t less = 1; less < 60; ++less) {
    const auto payload = cut.substr(32, cut.size() - 32 - less);
    auto dials = filter(false);
    const auto taken = dials.take(message(0, payload, 3));
    CAF_CHECK(!taken || less <= 5); // the signatures are passed over
  }
}

CAF_TEST(a frame for an actor that was offered passes as it is) {
  auto one = introduced();
  const auto said = words.frame(frame(), peers, gate);
  for (const char byte : said) { // in any pieces
    CAF_REQUIRE(one.take({&byte, 1}).has_value());
  }
  CAF_CHECK(given(one) == said);
  CAF_REQUIRE(one.take(said + message(6, "") + said).has_value());
  CAF_CHECK(given(one) == said + message(6, "") + said);
  CAF_CHECK_EQUAL(one.ready(), 0u);
}

CAF_TEST(nothing else passes) {
  const auto bytes = words.payload(messages::wire{encode(frame())});
  CAF_CHECK_EQUAL(why(words.frame(frame(), peers, gate)), "");
  CAF_CHECK_EQUAL(why(words.frame(frame(), peers, gate + 1)),
                  "it speaks to an actor that it was never told of");
  CAF_CHECK_EQUAL(why(message(4, peer + here, 0, 0, gate + 1)),
                  "it watches an actor that it was never told of");
  const std::string no_frame = "it sends what is no frame: a request, an answer, or a message of nobody";
  for (const std::uint64_t data : {std::uint64_t{0}, caf_words::plain + 1,
                                   caf_words::plain | std::uint64_t{1} << 63, std::uint64_t{1} << 61}) {
    CAF_CHECK_EQUAL(why(message(2, bytes, data, peers, gate)), no_frame);
  }
  CAF_CHECK_EQUAL(why(message(2, bytes, caf_words::plain, 0, gate)), no_frame);
  for (const auto& payload :
       {words.payload(caf::exit_msg{caf::actor_addr{}, caf::exit_reason::kill}),
        words.payload(caf::down_msg{caf::actor_addr{}, caf::exit_reason::kill}), words.payload(4711),
        words.payload(caf::link_atom_v, caf::strong_actor_ptr{}),
        words.payload(caf::error{caf::sec::runtime_error}),
        words.payload(messages::wire{"x"}, messages::wire{"y"}), words.payload(messages::wire{"x"}) + "y",
        std::string{}, bytes.substr(0, bytes.size() - 1)}) {
    CAF_CHECK_EQUAL(why(message(2, payload, caf_words::plain, peers, gate)),
                    "it sends a message that is no frame");
  }
  // To CAF's own servers, by their names: CAF asks for the first one itself, so it is only not answered.
  auto to_server = message(2, words.payload(caf::get_atom_v, std::string{"info"}), caf_words::plain, peers,
                           static_cast<std::uint64_t>(caf::atom("ConfigServ")));
  to_server[3] = 1;
  auto one = introduced();
  CAF_CHECK(one.take(to_server).has_value());
  CAF_CHECK_EQUAL(one.ready(), 0u);
  CAF_CHECK_EQUAL(why(message(3, peer + here + bytes, caf_words::plain, peers, gate)),
                  "it speaks for a node that is not its own");
  CAF_CHECK_EQUAL(why(caf_header(2, 3'000'000'000u, caf_words::plain, peers, gate)),
                  "it announces a message that is too large");
  CAF_CHECK_EQUAL(why(message(7, "")), "what comes is no message of CAF");
  CAF_CHECK_EQUAL(why(introduction() + introduction()), "it introduces itself again and again");
}

CAF_TEST(actors of a peer are bounded and who is watched is watched once) {
  auto one = introduced();
  for (std::uint64_t from = 1; from <= nodes::caf_filter::actors_max; ++from) {
    CAF_REQUIRE(one.take(words.frame(frame(), from, gate)).has_value());
  }
  CAF_CHECK(one.take(words.frame(frame(), 1, gate)).has_value());
  CAF_CHECK(!one.take(words.frame(frame(), nodes::caf_filter::actors_max + 1, gate)).has_value());
  auto other = introduced();
  for (int i = 0; i < 1'000; ++i) {
    CAF_REQUIRE(other.take(message(4, peer + here, 0, 0, gate)).has_value());
  }
  CAF_CHECK_EQUAL(given(other).size(), 32u + peer.size() + here.size());
}

CAF_TEST(bytes of anything end the connection or wait and never pass) {
  std::mt19937 random{11};
  for (int round = 0; round < 20'000; ++round) {
    auto one = introduced();
    std::string bytes(random() % 200, 0);
    for (auto& byte : bytes) {
      byte = static_cast<char>(random());
    }
    if (round % 2 == 0 && !bytes.empty()) { // a kind that there is
      bytes[0] = static_cast<char>(random() % 8);
    }
    const auto taken = one.take(bytes);
    CAF_REQUIRE(one.ready() == 0 || bytes[0] == 5); // an end of no actor that CAF knows
    static_cast<void>(taken);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
