#include "order.hpp"

#include <continuo/node.hpp>
#include <continuo/schedule.hpp>
#include <continuo/service.hpp>

#include <atomic>
#include <cstdio>

// A shop on one node, with services that only say what they do:
//
//   shop --config examples/orders_with_items/shop.conf --node shop
//   continuo publish order_placed '{"id": "o-1", "items": [{"sku": "tea", "pieces": 2}], "cents": 4200,
//   "address": "here"}' continuo send change_address '{"order": "o-1", "address": "there"}' continuo show
//   order o-1

using namespace orders_with_items;
using continuo::command_context;
using continuo::outcome;

namespace {

std::atomic<std::int64_t> orders = 0; // since the shop began

outcome<done> say(const char* what, const std::string& of) {
  std::printf("%s %s\n", what, of.c_str());
  std::fflush(stdout);
  return done{};
}

continuo::service warehouse() {
  return continuo::service{"warehouse"}
      .handle(
          [](const reserve& one, command_context&) { return say("reserve", one.order + " " + one.what.sku); })
      .handle([](const release& one, command_context&) { return say("release", one.order + " " + one.sku); })
      .handle([](const pick& one, command_context&) -> outcome<parcel> {
        say("pick", one.order + " " + one.what.sku);
        return parcel{100 * one.what.pieces};
      })
      .handle(
          [](const put_back& one, command_context&) { return say("put back", one.order + " " + one.sku); })
      .handle([](const create_label& one, command_context&) -> outcome<label> {
        say("label", one.order + " to " + one.address);
        return label{"track-" + one.order};
      });
}

continuo::service office() {
  return continuo::service{"office"}
      .handle([](const make_payment& one, command_context&) {
        ++orders;
        return say("pay", one.order);
      })
      .handle([](const refund_payment& one, command_context&) { return say("refund", one.order); })
      .handle([](const count_orders&, command_context&) -> outcome<order_count> {
        return order_count{orders.load()};
      })
      .handle([](const send_mail& one, command_context&) { return say("mail", one.to + ": " + one.text); });
}

} // namespace

int main(int argc, char** argv) {
  return continuo::run_node(argc, argv, [](continuo::node_builder& node) {
    node.host(order_type());
    node.host(packing_type());
    node.host(report_type());
    node.host(warehouse());
    node.host(office());
  });
}
