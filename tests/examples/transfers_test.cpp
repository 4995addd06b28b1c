#define CAF_SUITE transfers

#include "examples/bank/accounts.hpp"
#include "examples/bank/messages.hpp"
#include "examples/bank/teller.hpp"
#include "examples/bank/transfer.hpp"
#include "tests/nodes/shop.hpp"

#include <continuo/node.hpp>

#include <caf/test/dsl.hpp>

using namespace bank_transfers;
using continuo::tests::line_of;
using continuo::tests::wait_for;

namespace {

struct fixture {
  continuo::node node{continuo::node_config::in_memory()};

  fixture() {
    node.host(accounts());
    node.host<transfer>();
    CAF_REQUIRE(node.start().has_value());
    CAF_REQUIRE(open_accounts(node.client(), 3, 100'00).has_value());
  }

  std::string move(const transfer_requested& request) const {
    return line_of(wait_for(node.client().publish(request).result_of<transfer>()));
  }

  std::int64_t money_in(const std::string& name) const {
    const auto found = wait_for(node.client().send(read_balance{name}));
    return found ? found->cents : -1;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(transfer_tests, fixture)

CAF_TEST(a transfer moves money) {
  CAF_CHECK_EQUAL(move({"t-1", "account-1", "account-2", 40'00}), "completed: ");
  CAF_CHECK_EQUAL(money_in("account-1"), 60'00);
  CAF_CHECK_EQUAL(money_in("account-2"), 140'00);
}

CAF_TEST(a transfer to an account that does not exist is undone) {
  const auto end = move({"t-1", "account-1", "nobody", 40'00});
  CAF_CHECK(end.starts_with("compensated: "));
  CAF_CHECK(end.ends_with("no such account"));
  CAF_CHECK_EQUAL(money_in("account-1"), 100'00);
}

CAF_TEST(a transfer of more than there is moves nothing) {
  const auto end = move({"t-1", "account-1", "account-2", 100'01});
  CAF_CHECK(end.starts_with("compensated: "));
  CAF_CHECK(end.ends_with("not enough money"));
  CAF_CHECK_EQUAL(money_in("account-1"), 100'00);
  CAF_CHECK_EQUAL(money_in("account-2"), 100'00);
}

CAF_TEST(a transfer requested twice moves money once) {
  move({"t-1", "account-1", "account-2", 40'00});
  move({"t-1", "account-1", "account-2", 40'00});
  CAF_CHECK_EQUAL(money_in("account-1"), 60'00);
}

CAF_TEST(an account is opened once) {
  CAF_REQUIRE(open_accounts(node.client(), 3, 5'00).has_value());
  CAF_CHECK(total(node.client(), 3) == 300'00);
}

CAF_TEST(many transfers at a time neither make nor lose money) {
  const auto counts = move_money(node.client(), 3, 500, 42, "test");
  CAF_REQUIRE(counts.has_value());
  CAF_CHECK(counts->completed > 0);
  CAF_CHECK(counts->undone > 0);
  CAF_CHECK_EQUAL(counts->completed + counts->undone, 500u);
  CAF_CHECK(total(node.client(), 3) == 300'00);
}

CAF_TEST_FIXTURE_SCOPE_END()
