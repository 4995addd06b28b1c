#define CAF_SUITE guide_embedding

#include <continuo/node.hpp>

#include <caf/test/dsl.hpp>

#include <spdlog/spdlog.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

// The chapter "Embedding" of docs/guide.md.
namespace guide_embedding {

using namespace std::chrono_literals;

struct price {
  std::int64_t cents = 0;
  CONTINUO_FIELDS(price, cents)
};

struct quote {
  using reply = price;
  std::int64_t pieces = 0;
  CONTINUO_FIELDS(quote, pieces)
};

continuo::service prices() {
  return continuo::service{"prices"}.handle(
      [](const quote& command, continuo::command_context&) -> continuo::outcome<price> {
        return price{command.pieces * 250};
      });
}

// doc: embed
class shop {
public:
  explicit shop(const std::filesystem::path& data) : node_(settings(data)) { node_.host(prices()); }

  continuo::result<void> open() { return node_.start(); }

  continuo::client client() const { return node_.client(); }

private:
  static continuo::node_config settings(const std::filesystem::path& data) {
    auto config = continuo::node_config::embedded(data);
    config.name = "shop";
    config.in_flight = 2'000;
    config.instances_in_memory = 50'000;
    config.logger = spdlog::default_logger();
    config.on_failure = [](const continuo::error& reason) {
      std::cerr << "the node must stop: " << reason.message << '\n'; // the host goes on, and decides
    };
    return config;
  }

  continuo::node node_;
};
// doc: end

// doc: node program
int run(int argc, char** argv) {
  return continuo::run_node(argc, argv, [](continuo::node_builder& node) { node.host(prices()); });
}
// doc: end

} // namespace guide_embedding

using namespace guide_embedding;

CAF_TEST(a node lives inside a program and two of them in one) {
  std::filesystem::remove_all("embedded");
  shop first{"embedded/first"};
  shop second{"embedded/second"};
  CAF_REQUIRE(first.open().has_value());
  CAF_REQUIRE(second.open().has_value());
  // doc: future
  auto answer = first.client().send(quote{3});
  if (answer.wait_for(10s) == std::future_status::ready) {
    auto price = answer.get();
    std::cout << (price ? std::to_string(price->cents) : price.error().message) << '\n';
  }
  // doc: end
  CAF_CHECK(!answer.valid());
  const auto price = second.client().send(quote{4}).get();
  CAF_REQUIRE(price.has_value());
  CAF_CHECK_EQUAL(price->cents, 1000);
  // doc: key
  auto sent = first.client().send(quote{4}, {.idempotency_key = "quote-4"}).get();
  auto again = first.client().send(quote{4}, {.idempotency_key = "quote-4"}).get(); // sends nothing
  // doc: end
  CAF_CHECK_EQUAL(sent->cents, 1000);
  CAF_CHECK_EQUAL(again->cents, 1000);
}

CAF_TEST(a second node on the same directory is refused) {
  std::filesystem::remove_all("held");
  shop first{"held"};
  CAF_REQUIRE(first.open().has_value());
  shop second{"held"};
  const auto refused = second.open();
  CAF_REQUIRE(!refused.has_value());
  CAF_CHECK(refused.error().code == continuo::errc::in_use);
}

CAF_TEST(a node program without its arguments says what is missing) {
  std::string name{"shop"};
  char* arguments[] = {name.data(), nullptr};
  CAF_CHECK_EQUAL(run(1, arguments), 2);
}
