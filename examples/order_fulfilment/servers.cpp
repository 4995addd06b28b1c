#include "servers.hpp"

#include <nlohmann/json.hpp>

#include <exception>
#include <utility>

namespace order_fulfilment {

namespace {

using nlohmann::json;

std::string one(const char* kind, const std::string& text) {
  return json{{kind, text}}.dump();
}

std::string done(const std::string& text = {}) {
  return one("done", text);
}

std::string key(const std::string& order_id, const char* step) {
  return order_id + '/' + step;
}

/// Reads the call and hands it to `act(name, fields)`; whatever that throws is trouble.
template <class Act>
std::string answer(const std::string& line, Act&& act) {
  try {
    const auto call = json::parse(line);
    return act(call.at("call").get<std::string>(), call);
  } catch (const std::exception& trouble) {
    return one("trouble", trouble.what());
  }
}

} // namespace

std::string answer_payment(const std::string& line, bank& provider, const payment_options& options) {
  return answer(line, [&](const std::string& name, const json& call) {
    const std::string order_id = call.at("order_id");
    if (name == "charge") {
      const make_payment command{order_id, call.at("cents"), call.at("method")};
      if (command.cents > options.limit_cents) {
        return one("declined", "amount over the limit");
      }
      options.delay(command);
      return done(provider.charge(order_id, command.cents, key(order_id, "charge")));
    }
    if (name == "refund") {
      provider.refund(order_id, key(order_id, "refund"));
      return done();
    }
    return one("trouble", "payment has no call " + name);
  });
}

std::string answer_warehouse(const std::string& line, label_printer& printer,
                             const warehouse_options& options) {
  return answer(line, [&](const std::string& name, const json& call) {
    const std::string order_id = call.at("order_id");
    if (name == "create_label") {
      const create_shipping_label command{order_id, call.at("item"), call.at("quantity")};
      options.delay(command);
      const auto tracking = printer.print(command, key(order_id, "label"));
      return tracking ? done(*tracking) : one("declined", "out of stock");
    }
    if (name == "void") {
      printer.take_back(order_id, key(order_id, "void"));
      return done();
    }
    return one("trouble", "the warehouse has no call " + name);
  });
}

} // namespace order_fulfilment
