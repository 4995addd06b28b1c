#define CAF_SUITE frame_bounds

#include "messages/frame_bounds.hpp"

#include <continuo/archive.hpp>

#include <caf/test/dsl.hpp>

#include <cstdint>
#include <functional>
#include <vector>

using namespace continuo;
using namespace continuo::messages;

namespace {

template <class Body>
std::string objection(Body body) {
  frame made;
  made.body = std::move(body);
  const auto kept = check_bounds(made);
  return kept ? "" : kept.error().message;
}

/// The objection to a batch with one message that `change` has changed.
std::string to_message(const std::function<void(envelope&)>& change) {
  envelope message;
  message.from = {"saga", std::string(key_bytes_max, 'k')};
  message.to = {"service@node", ""};
  message.type = "charge";
  message.payload.resize(1'000'000);
  change(message);
  batch made;
  made.items.emplace_back(std::move(message));
  return objection(std::move(made));
}

std::string to_greeting(const std::function<void(greeting&)>& change) {
  greeting me;
  me.cluster = "shop";
  me.from = std::string(name_bytes_max, 'n');
  me.to = "payment";
  change(me);
  const auto first = objection(hello{{}, me});
  CAF_CHECK_EQUAL(first, objection(welcome{{}, me}));
  return first;
}

} // namespace

CAF_TEST(what a node says keeps the bounds) {
  CAF_CHECK_EQUAL(to_message([](envelope&) {}), "");
  CAF_CHECK_EQUAL(to_greeting([](greeting&) {}), "");
  CAF_CHECK_EQUAL(objection(refusal{{}, 1, std::string(60'000, '\n')}), "");
  CAF_CHECK_EQUAL(objection(answer{{}, 1, std::string(20'000'000, '\0')}), "");
}

CAF_TEST(keys and names that are too long or cannot be shown are named) {
  CAF_CHECK_EQUAL(to_message([](envelope& one) { one.from.key += "k"; }),
                  "an instance's key has 513 bytes, 512 are allowed");
  CAF_CHECK_EQUAL(to_message([](envelope& one) { one.to.type = std::string(258, 't'); }),
                  "the name of an instance's type has 258 bytes, 257 are allowed");
  CAF_CHECK_EQUAL(to_message([](envelope& one) { one.to.key = "\x1b[2J"; }),
                  "an instance's key has characters that cannot be shown");
  CAF_CHECK_EQUAL(to_message([](envelope& one) { one.type = "\xff"; }),
                  "the name of a message's type has characters that cannot be shown");
  CAF_CHECK(!to_message([](envelope& one) { one.idempotency_key.resize(70'000); }).empty());
  CAF_CHECK(!to_message([](envelope& one) { one.trace.resize(200); }).empty());
  CAF_CHECK(!to_greeting([](greeting& me) { me.from += "n"; }).empty());
  CAF_CHECK(!to_greeting([](greeting& me) { me.to = "a\nb"; }).empty());
  CAF_CHECK(!to_greeting([](greeting& me) { me.version.resize(2'000); }).empty());
  CAF_CHECK(!to_greeting([](greeting& me) { me.hosts.resize(100'001); }).empty());
  CAF_CHECK(!to_greeting([](greeting& me) {
               me.yours = known_peer{1, {}, std::vector<std::uint64_t>(10'001)};
             }).empty());
  batch asks;
  asks.items.emplace_back(call_for{{"saga", "\n"}, {}, {}});
  CAF_CHECK(!objection(asks).empty());
  batch told;
  told.items.emplace_back(receipt{{}, {"saga", std::string(513, 'k')}, {}, {}, {}});
  CAF_CHECK(!objection(told).empty());
  batch many;
  many.items.resize(100'001);
  CAF_CHECK(!objection(many).empty());
  CAF_CHECK(!objection(refusal{{}, 1, std::string(70'000, 'x')}).empty());
  CAF_CHECK(!objection(question{{}, 1, std::string((16u << 20) + 1, 'x')}).empty());
}

CAF_TEST(entries of lists are counted before they are read) {
  CAF_CHECK(read_frame(encode(frame{answer{{1, 1}, 7, "text"}})).has_value());
  // A batch of calls as small as they can be: each takes a few bytes, and hundreds in memory.
  batch many;
  many.items.resize(elements_max + 1, call_for{});
  const auto bytes = encode(frame{std::move(many)});
  CAF_CHECK_LESS(bytes.size(), 16 * elements_max);
  const auto read = read_frame(bytes);
  CAF_REQUIRE(!read);
  CAF_CHECK(read.error().code == errc::malformed);
  CAF_CHECK(read.error().message.find("more elements of lists and maps than are allowed") !=
            std::string::npos);
  // Those within others count as well.
  using lists = std::vector<std::vector<std::uint8_t>>;
  CAF_CHECK(decode_from_peer<lists>(encode(lists(3, std::vector<std::uint8_t>(2))), 9).has_value());
  CAF_CHECK(!decode_from_peer<lists>(encode(lists(3, std::vector<std::uint8_t>(2))), 8).has_value());
}
