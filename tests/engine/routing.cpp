#define CAF_SUITE routing

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;

namespace {

struct fixture : world {
  /// Why the table refuses `added`; empty if it takes it.
  template <class Definition>
  std::string refusal(const Definition& added) {
    const auto taken = routes.add(added);
    return taken ? std::string{} : taken.error().message;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(routing_tests, fixture)

CAF_TEST(a command goes to its one service) {
  const auto where = routes.command("pay", encode(pay{"o-1", 42}));
  CAF_REQUIRE(where);
  CAF_CHECK(where->to == (instance_id{"payment", ""}));
  CAF_CHECK(where->effects);
  CAF_CHECK(!routes.command("note", encode(note{}))->effects); // pure
}

CAF_TEST(a command of a keyed service goes to its key) {
  const auto where = routes.command("reserve", encode(reserve{"bolt", 1}));
  CAF_REQUIRE(where);
  CAF_CHECK(where->to == (instance_id{"stock", "bolt"}));
  CAF_CHECK(!where->effects);
}

CAF_TEST(a command that nobody handles is an unknown type) {
  const auto where = routes.command("paint", "");
  CAF_REQUIRE(!where);
  CAF_CHECK(where.error().code == errc::unknown_type);
  CAF_CHECK(contains(where.error().message, "paint"));
  CAF_CHECK(!routes.knows_command("paint"));
  CAF_CHECK(routes.knows_command("pay"));
}

CAF_TEST(an event goes to every subscriber and to nobody where there is none) {
  service other{"archive"};
  other.on([](const shipped_out&, command_context&) {});
  CAF_REQUIRE_EQUAL(refusal(other.describe()), "");
  const auto where = routes.event("shipped_out", encode(shipped_out{"o-1"}));
  CAF_REQUIRE(where);
  CAF_REQUIRE_EQUAL(where->size(), 2u);
  CAF_CHECK(where->at(0).to == (instance_id{"mail", ""}));
  CAF_CHECK(!where->at(0).effects);
  CAF_CHECK(where->at(1).to == (instance_id{"archive", ""}));
  CAF_CHECK(where->at(1).effects);
  CAF_CHECK(routes.event("nobody_hears", "")->empty());
  CAF_CHECK(routes.event("placed", encode(placed{"o-7", 1}))->at(0).to == (instance_id{"order", "o-7"}));
}

CAF_TEST(two services for one command are refused by name) {
  service second{"bank"};
  second.handle([](const pay&, command_context&) -> outcome<paid> { return paid{}; });
  const auto reason = refusal(second.describe());
  CAF_CHECK(contains(reason, "pay"));
  CAF_CHECK(contains(reason, "\"payment\""));
  CAF_CHECK(contains(reason, "\"bank\""));
  keyed_service<testing::shelf> third{"vault"};
  third.handle(&reserve::item, [](testing::shelf&, const reserve&, keyed_context&) -> outcome<reserved> {
    return reserved{};
  });
  CAF_CHECK(contains(refusal(third.describe()), "\"stock\""));
}

CAF_TEST(a name is used once) {
  CAF_CHECK(contains(refusal(service{"order"}.describe()), "named \"order\"")); // a saga's
  CAF_CHECK(contains(refusal(service{"stock"}.describe()), "named \"stock\""));
  CAF_CHECK(contains(refusal(order_type), "named \"order\""));
}

CAF_TEST(names of our own and empty names are refused) {
  CAF_CHECK(contains(refusal(service{"continuo.publish"}.describe()), "reserved"));
  CAF_CHECK(contains(refusal(service{""}.describe()), "empty"));
  CAF_CHECK_EQUAL(refusal(service{"continuous"}.describe()), "");
}

CAF_TEST(a key that cannot be read is an error that names the message) {
  const auto garbled = routes.command("reserve", std::string{"\0\xff", 2});
  CAF_REQUIRE(!garbled);
  CAF_CHECK(garbled.error().code == errc::malformed);
  const auto empty = routes.command("reserve", encode(reserve{"", 1}));
  CAF_REQUIRE(!empty);
  CAF_CHECK(empty.error().code == errc::malformed);
  CAF_CHECK(contains(empty.error().message, "reserve"));
  CAF_CHECK(!routes.event("placed", std::string{"\0\xff", 2}));
}

CAF_TEST_FIXTURE_SCOPE_END()
