#define CAF_SUITE deterministic

#include "tests/testing/shop.hpp"

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <memory>

using continuo::testing::cluster;
using continuo::testing::fault_plan;

namespace {

std::unique_ptr<cluster> run(std::uint64_t seed) {
  auto here = std::make_unique<cluster>(seed);
  shop::build(*here);
  here->plan_faults({.count = 3});
  for (const auto* order : {"o-1", "o-2", "o-3"}) {
    here->publish(shop::order_placed{order, 4200});
  }
  here->finish();
  return here;
}

} // namespace

CAF_TEST(the same seed is the same run to the byte) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto one = run(seed);
    const auto other = run(seed);
    CAF_CHECK_EQUAL(one->trace_hash(), other->trace_hash());
    CAF_CHECK(one->trace() == other->trace());
    CAF_CHECK(one->mermaid() == other->mermaid());
    CAF_CHECK_EQUAL(one->outcome(), other->outcome());
    CAF_CHECK(one->elapsed() == other->elapsed());
    CAF_CHECK_EQUAL(one->seed(), seed);
  }
}

CAF_TEST(another seed is another run) {
  const auto one = run(1);
  const auto other = run(2);
  CAF_CHECK_NOT_EQUAL(one->trace_hash(), other->trace_hash());
  CAF_CHECK(one->trace() != other->trace());
  CAF_CHECK_EQUAL(one->outcome(), other->outcome()); // what comes of the orders is the same
}

CAF_TEST(draw follows the seed) {
  cluster one{7};
  cluster other{7};
  cluster third{8};
  std::string a, b, c;
  for (int i = 0; i < 20; ++i) {
    a += std::to_string(one.draw(1'000)) + " ";
    b += std::to_string(other.draw(1'000)) + " ";
    c += std::to_string(third.draw(1'000)) + " ";
  }
  CAF_CHECK_EQUAL(a, b);
  CAF_CHECK_NOT_EQUAL(a, c);
}

CAF_TEST(two clusters at a time do not disturb each other) {
  const auto alone = run(3)->trace_hash();
  cluster other{4};
  shop::order(other);
  const auto beside = run(3)->trace_hash();
  CAF_CHECK_EQUAL(alone, beside);
  other.finish();
}

CAF_TEST(the trace can be read) {
  cluster here;
  shop::order(here);
  here.finish();
  const auto text = here.trace();
  for (const auto* words :
       {"starts", "accepts order_placed", "handles make_payment of o-1", "fulfilment/o-1 start",
        "make_payment from o-1", "payment_completed for o-1", "-> completed", "synced"}) {
    CAF_CHECK(text.find(words) != std::string::npos);
  }
  const auto diagram = here.mermaid();
  CAF_CHECK(diagram.starts_with("sequenceDiagram\n"));
  for (const auto* words : {"  participant ordering\n", "  participant payment\n",
                            "  participant warehouse\n", "  ordering->>payment: make_payment from o-1"}) {
    CAF_CHECK(diagram.find(words) != std::string::npos);
  }
}
