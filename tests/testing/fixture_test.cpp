#define CAF_SUITE fixture

#include "tests/testing/shop.hpp"

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <stdexcept>

using namespace shop;

namespace {

/// A cluster for each test. Nodes are added here, and each test ends with `finish()`.
struct shop_fixture : continuo::testing::fixture {
  shop::fakes fakes = build(*this);

  continuo::testing::saga_ref placed(const std::string& order) {
    publish(order_placed{order, 4200});
    run();
    return saga_of<fulfilment>(order);
  }
};

/// Tests that the runner does not know of: to see what becomes of them.
struct claims_wrongly : shop_fixture {
  void run_test_impl() { placed("o-1").should_be_compensated_because("it rains"); }
};

struct throws_something : caf::test::dummy_fixture {
  void run_test_impl() { throw 42; }
};

struct cannot_be_built : caf::test::dummy_fixture {
  cannot_be_built() { throw std::runtime_error{"no fixture"}; }
  void run_test_impl() {}
};

struct holds : shop_fixture {
  void run_test_impl() { placed("o-1").should_be_completed(); }
};

template <class Test>
std::size_t failures_of() {
  caf::test::test_impl<Test> one{"inner", false};
  one.run_test_impl();
  return one.bad();
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(fixture_tests, shop_fixture)

CAF_TEST(each test has a cluster of its own) {
  placed("o-1").should_be_completed();
  finish();
}

CAF_TEST(nothing is left of the test before) {
  saga_of<fulfilment>("o-1").should_be_absent();
  fakes.payment.was_called(0);
  finish();
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(a claim that does not hold fails its test and not the process) {
  CAF_CHECK_EQUAL(failures_of<claims_wrongly>(), 1u);
  CAF_CHECK_EQUAL(failures_of<throws_something>(), 1u);
  CAF_CHECK_EQUAL(failures_of<cannot_be_built>(), 1u);
  CAF_CHECK_EQUAL(failures_of<holds>(), 0u);
}
