#define CAF_SUITE items

#include "examples/orders_with_items/order.hpp"

#include <continuo/node.hpp>
#include <continuo/service.hpp>
#include <continuo/testing.hpp>
#include <continuo/testing_saga.hpp>

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>

using namespace orders_with_items;
using namespace std::chrono_literals;
using continuo::instance_status;
using continuo::testing::cluster;
using continuo::testing::for_each_crash_point;
using continuo::testing::workflow_alone;

namespace {

order_placed an_order(std::int64_t cents = 4'200) {
  return {"o-1", {{"tea", 2}, {"cup", 1}}, cents, "here"};
}

/// Until it waits for its approval, or for its parcel.
void pay(workflow_alone& alone) {
  alone.answered("reserve/tea", done{});
  alone.answered("reserve/cup", done{});
  alone.answered("pay", done{});
}

/// The orders on three nodes, with services that do what they are asked.
struct shop {
  explicit shop(cluster& here)
      : picks(here.fake<pick>("warehouse")), labels(here.fake<create_label>("warehouse")),
        payments(here.fake<make_payment>("office")), refunds(here.fake<refund_payment>("office")),
        mails(here.fake<send_mail>("office")), releases(here.fake<release>("warehouse")),
        put_backs(here.fake<put_back>("warehouse")) {
    here.fake<reserve>("warehouse");
    here.fake<count_orders>("office").answers(order_count{7});
    picks.answers(parcel{100});
    labels.answers(label{"track-1"});
    here.offer(order_type()).offer(packing_type()).offer(report_type());
    here.add("north", {"order", "office"});
    here.add("south", {"packing", "report"});
    here.add("west", {"warehouse"});
  }

  continuo::testing::fake<pick>& picks;
  continuo::testing::fake<create_label>& labels;
  continuo::testing::fake<make_payment>& payments;
  continuo::testing::fake<refund_payment>& refunds;
  continuo::testing::fake<send_mail>& mails;
  continuo::testing::fake<release>& releases;
  continuo::testing::fake<put_back>& put_backs;
};

} // namespace

CAF_TEST(an order is fulfilled and its address may be changed until the label is made) {
  workflow_alone alone{order_type()};
  CAF_CHECK_EQUAL(alone.receives(an_order()).all<reserve>().size(), 2u);
  CAF_CHECK_EQUAL(alone.takes(change_address{"o-1", "there"}).answer<address_changed>().before, "here");
  CAF_CHECK_EQUAL(alone.takes(change_address{"o-1", ""}).refusal(), "an address is missing");
  alone.leave_memory();
  pay(alone);
  CAF_CHECK_EQUAL(alone.answered("pack", parcel{300}).only<create_label>().address, "there");
  const auto end = alone.answered("label", label{"track-1"});
  CAF_CHECK_EQUAL(end.only<send_mail>().text, "Your order is on its way: track-1");
  CAF_CHECK(alone.status() == instance_status::completed);
  CAF_CHECK_EQUAL(alone.takes(change_address{"o-1", "nowhere"}).refusal(), "order/o-1 is completed");
}

CAF_TEST(a large order that nobody approves is undone and the customer told) {
  workflow_alone alone{order_type()};
  alone.receives(an_order(200'000));
  pay(alone);
  CAF_CHECK_EQUAL(alone.advance_time(72h).only<refund_payment>().order, "o-1");
  CAF_CHECK_EQUAL(alone.reason(), "nobody approved");
  alone.undone<refund_payment>(done{});
  alone.undone<release>(done{});
  CAF_CHECK_EQUAL(alone.undone<release>(done{}).only<send_mail>().text, "Your order could not be fulfilled.");
  CAF_CHECK(alone.status() == instance_status::compensated);
}

CAF_TEST(an approval lets a large order go on) {
  workflow_alone alone{order_type()};
  alone.receives(an_order(200'000));
  pay(alone);
  CAF_CHECK_EQUAL(alone.receives(order_approved{"o-1"}).only<pack>().items.size(), 2u);
}

CAF_TEST(a parcel from which something is missing is unpacked) {
  workflow_alone alone{packing_type()};
  alone.takes(pack{"o-1", {{"tea", 2}, {"cup", 1}}});
  alone.answered("pick/tea", parcel{200});
  CAF_CHECK_EQUAL(alone.declined("pick/cup", "broken").only<put_back>().sku, "tea");
  CAF_CHECK_EQUAL(alone.undone<put_back>(done{}).refusal(), "pick/cup failed: broken");
}

CAF_TEST(an order comes to the same end whatever crashes when) {
  const auto seen = for_each_crash_point([](cluster& here) {
    const shop all{here};
    here.publish(an_order());
    here.run();
    CAF_CHECK_EQUAL(here.instance({"order", "o-1"}).status(), "completed");
    all.payments.was_called(1);
    all.picks.was_called(2);
    all.labels.was_called(1);
    all.mails.was_called(1);
    all.releases.was_called(0);
  });
  CAF_MESSAGE(seen.commits << " syncs, " << seen.sends << " frames, " << seen.effects
                           << " handlers: " << seen.runs << " runs");
  CAF_CHECK(seen.runs > 50u);
}

CAF_TEST(an order whose parcel is not complete is undone whatever crashes when) {
  const auto seen = for_each_crash_point([](cluster& here) {
    const shop all{here};
    all.labels.declines("no paper");
    here.publish(an_order());
    here.run();
    CAF_CHECK_EQUAL(here.instance({"order", "o-1"}).status(), "compensated");
    all.payments.was_called(1);
    all.refunds.was_called(1);
    all.put_backs.was_called(1);
    all.releases.was_called(2);
    all.mails.was_called(1);
  });
  CAF_CHECK(seen.runs > 50u);
}

CAF_TEST(the report of a night) {
  cluster here{1};
  const shop all{here};
  here.publish(report_due{"2026-11-30"});
  here.run();
  CAF_CHECK_EQUAL(here.instance({"report", "2026-11-30"}).status(), "completed");
  all.mails.was_called(1);
}

CAF_TEST(a client changes the address of an order that waits for its approval) {
  continuo::node node{continuo::node_config::in_memory()};
  node.host(order_type());
  node.host(packing_type());
  node.host(continuo::service{"all"}
                .handle([](const reserve&, continuo::command_context&) -> continuo::outcome<done> {
                  return done{};
                })
                .handle([](const make_payment&, continuo::command_context&) -> continuo::outcome<done> {
                  return done{};
                })
                .handle([](const pick&, continuo::command_context&) -> continuo::outcome<parcel> {
                  return parcel{100};
                })
                .handle([](const create_label& wish, continuo::command_context&) -> continuo::outcome<label> {
                  return label{"to " + wish.address};
                })
                .handle([](const send_mail&, continuo::command_context&) -> continuo::outcome<done> {
                  return done{};
                })
                .handle([](const release&, continuo::command_context&) -> continuo::outcome<done> {
                  return done{};
                })
                .handle([](const refund_payment&, continuo::command_context&) -> continuo::outcome<done> {
                  return done{};
                })
                .handle([](const put_back&, continuo::command_context&) -> continuo::outcome<done> {
                  return done{};
                }));
  const auto started = node.start();
  CAF_REQUIRE_EQUAL(started ? "" : started.error().message, "");
  const auto client = node.client();
  const auto nobody = client.send(change_address{"o-1", "there"}).get();
  CAF_REQUIRE(!nobody);
  CAF_CHECK_EQUAL(nobody.error().message, "declined: there is no order/o-1");
  auto end = client.result_of({"order", "o-1"});
  CAF_REQUIRE(client.publish(an_order(200'000)).get());
  while (!client.show({"order", "o-1"}).get()) { // it is accepted, and on its way
  }
  const auto changed = client.send(change_address{"o-1", "there"}).get();
  CAF_REQUIRE_EQUAL(changed ? "" : changed.error().message, "");
  CAF_CHECK_EQUAL(changed->before, "here");
  CAF_REQUIRE(client.publish(order_approved{"o-1"}).get());
  const auto ended = end.get();
  CAF_REQUIRE(ended);
  CAF_CHECK_EQUAL(ended->text(), "to there");
  const auto child = client.show({"packing", "o-1"}).get();
  CAF_REQUIRE(child && child->parent);
  CAF_CHECK_EQUAL(to_string(*child->parent), "order/o-1");
  node.stop();
}
