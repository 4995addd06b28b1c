#define CAF_SUITE testing_cluster

#include "tests/testing/shop.hpp"

// doc: include caf
#include <continuo/testing_caf.hpp>
// doc: end

#include <caf/test/dsl.hpp>

#include <chrono>

// docs/testing.md: a cluster.

using namespace std::chrono_literals;
using namespace shop;

// doc: first
CAF_TEST(an order is paid and shipped) {
  continuo::testing::cluster cluster;
  cluster.offer<fulfilment>();
  cluster.fake<make_payment>("payment").answers(payment_completed{"p-1"});
  cluster.fake<refund_payment>("payment");
  cluster.fake<create_label>("warehouse").answers(label_created{"parcel-1"});
  cluster.add("alone");

  cluster.publish(order_placed{"o-1", 4200});
  cluster.run();

  cluster.saga_of<fulfilment>("o-1").should_be_completed_with("parcel-1");
  cluster.finish();
}
// doc: end

// doc: down
CAF_TEST(an order waits for a payment service that is down) {
  continuo::testing::cluster cluster;
  cluster.offer<fulfilment>();
  auto& payment =
      cluster.fake<make_payment>("payment").then_throws("the bank is away").answers(payment_completed{"p-1"});
  auto& refund = cluster.fake<refund_payment>("payment");
  auto& label = cluster.fake<create_label>("warehouse").declines("out of stock");
  cluster.add("ordering", {"fulfilment"});
  auto& payment_node = cluster.add("payment", {"payment"});
  cluster.add("warehouse", {"warehouse"});

  cluster.start();
  payment_node.crash();
  cluster.publish(order_placed{"o-1", 4200});
  cluster.run_for(10min);
  const auto order = cluster.saga_of<fulfilment>("o-1");
  order.should_wait_for("make_payment");
  label.was_called(0);

  payment_node.start();
  cluster.run();
  order.should_be_compensated_because("out of stock");
  payment.was_called(1); // two attempts, one idempotency key
  refund.was_called(1);
  cluster.finish();
}
// doc: end

namespace {

// doc: fixture
struct shop_fixture : continuo::testing::fixture {
  shop_fixture() {
    offer<fulfilment>();
    fake<make_payment>("payment");
    fake<refund_payment>("payment");
    add("ordering", {"fulfilment"});
    add("payment", {"payment"});
    add("warehouse", {"warehouse"});
  }

  continuo::testing::fake<create_label>& label = fake<create_label>("warehouse");
};
// doc: end

} // namespace

// doc: with fixture
CAF_TEST_FIXTURE_SCOPE(shop_tests, shop_fixture)

CAF_TEST(a printer that is away is asked again) {
  label.then_throws("no paper").answers(label_created{"parcel-1"});
  publish(order_placed{"o-1", 4200});
  run();
  saga_of<fulfilment>("o-1").should_be_completed_with("parcel-1");
  CAF_CHECK_EQUAL(label.calls().size(), 2u);
  finish();
}

CAF_TEST_FIXTURE_SCOPE_END()
// doc: end
