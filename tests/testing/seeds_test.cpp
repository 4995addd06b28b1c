#define CAF_SUITE seeds

#include "tests/testing/shop.hpp"

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <sstream>

using namespace std::chrono_literals;
using namespace shop;
using continuo::testing::cluster;
using continuo::testing::fault;

namespace fs = std::filesystem;

namespace {

/// A variable of the environment, for as long as this lives.
class variable {
public:
  variable(const char* name, const std::string& value) : name_(name) {
    if (const auto* before = std::getenv(name)) {
      before_ = before;
    }
    ::setenv(name, value.c_str(), 1);
  }
  ~variable() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  variable(const variable&) = delete;
  variable& operator=(const variable&) = delete;

private:
  const char* name_;
  std::optional<std::string> before_;
};

struct fixture {
  /// Where traces are written to, empty at first; removed afterwards.
  fs::path folder = fs::absolute("traces");
  std::optional<variable> here;

  fixture() {
    ::unsetenv("CONTINUO_SEED"); // else it would repeat one seed of ours
    fs::remove_all(folder);
    fs::create_directory(folder);
    here.emplace("CONTINUO_TRACE_DIR", folder.string());
  }
  ~fixture() { fs::remove_all(folder); }

  std::string text_of(const std::string& file) const {
    std::ifstream in{folder / file};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{folder}, fs::directory_iterator{}));
  }
};

struct failed_run {
  std::string what;    ///< of the exception; empty: none
  std::string printed; ///< on standard error
};

template <class Function>
failed_run fails(Function function) {
  std::ostringstream printed;
  auto* before = std::cerr.rdbuf(printed.rdbuf());
  failed_run result;
  try {
    function();
  } catch (const continuo::testing::failure& thrown) {
    result.what = thrown.what();
  }
  std::cerr.rdbuf(before);
  result.printed = printed.str();
  return result;
}

std::size_t count_of(const std::string& text, const std::string& words) {
  std::size_t count = 0;
  for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
    ++count;
  }
  return count;
}

/// A bank that deduplicates by key, and the mistake: the key is made of the attempt's number.
void charges_by_attempt(cluster& here) {
  auto& charged = here.keep<std::set<std::string>>(); // the bank's books
  here.offer<fulfilment>();
  here.offer(continuo::service{"payment"}
                 .handle([&](const make_payment& command,
                             continuo::command_context& context) -> continuo::outcome<payment_completed> {
                   charged.insert(command.order_id + "/" + std::to_string(context.attempt()));
                   return payment_completed{"p-" + command.order_id};
                 })
                 .handle([](const refund_payment&, continuo::command_context&)
                             -> continuo::outcome<payment_refunded> { return payment_refunded{}; }));
  here.fake<create_label>("warehouse");
  here.add("ordering", {"fulfilment"});
  here.add("payment", {"payment"});
  here.add("warehouse", {"warehouse"});
  here.plan_faults({.count = 8, .within = 200ms});
  for (const auto* order : {"o-1", "o-2", "o-3"}) {
    here.publish(order_placed{order, 4200});
    here.run_for(50ms);
  }
  here.finish();
  here.check(charged.size() == 3, "each order is charged once");
}

/// The order workflow, and the mistake: the timer is not cancelled when the payment has come.
class forgetful : public continuo::saga<forgetful> {
public:
  static void define(continuo::saga_definition<forgetful>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.calls<make_payment>().undone_by(
        [](const make_payment& sent, const payment_completed*) { return refund_payment{sent.order_id}; });
    saga.calls<create_label>().nothing_to_undo();
    saga.timer<payment_overdue>();
  }
  void on(const order_placed& event, continuo::saga_context& context) {
    order_id = event.order_id;
    context.send(make_payment{order_id, event.cents});
    context.set_timer("overdue", 30min, payment_overdue{});
  }
  void on(const payment_completed&, continuo::saga_context& context) { context.send(create_label{order_id}); }
  void on(const label_created& reply, continuo::saga_context& context) { context.complete(reply.tracking); }
  void on(const payment_overdue&, continuo::saga_context& context) { context.roll_back("payment overdue"); }

  std::string order_id;
  CONTINUO_FIELDS(forgetful, order_id)
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(seeds_tests, fixture)

CAF_TEST(a scenario that holds over all seeds gives figures) {
  const auto seen = continuo::testing::for_each_seed(
      [](cluster& here) {
        const auto all = order(here);
        here.plan_faults({.count = 3});
        here.sometimes("a crash", here.figures().crashes > 0);
        here.finish();
        here.saga_of<fulfilment>("o-1").should_be_completed();
        all.payment.was_called(1);
        here.sometimes("a crash", here.figures().crashes > 0);
      },
      {1, 100});
  CAF_CHECK_EQUAL(seen.seeds, 100u);
  CAF_CHECK(seen.crashes > 0u);
  CAF_CHECK(seen.faults.at("crash") > 0u);
  CAF_CHECK(seen.sometimes.at("a crash") > 0u);
  CAF_CHECK(seen.time > 0s);
  CAF_MESSAGE(to_string(seen));
  CAF_CHECK_EQUAL(files(), 0u);
}

CAF_TEST(a charge under the number of the attempt is found) {
  const auto run = fails([] { continuo::testing::for_each_seed(charges_by_attempt, {1, 200}); });
  CAF_REQUIRE(run.what.find("each order is charged once") != std::string::npos);
  CAF_REQUIRE(run.what.starts_with("seed "));
  const auto seed = run.what.substr(5, run.what.find(',') - 5);
  CAF_MESSAGE(run.printed);

  // The seed, and how to repeat it.
  CAF_CHECK(run.printed.starts_with("\n*** seed " + seed + ", after "));
  CAF_CHECK(run.printed.find("*** repeat it: CONTINUO_SEED=" + seed + " ") != std::string::npos);
  CAF_CHECK(run.printed.find("test_testing") != std::string::npos);

  // The faults that matter: one that runs a handler again.
  CAF_CHECK(run.printed.find("*** of 8 planned faults ") != std::string::npos);
  CAF_CHECK(count_of(run.printed, "***   #") <= 3u);
  CAF_CHECK(run.printed.find(": a handler ") != std::string::npos);

  // The trace and the diagram, of the smallest run.
  const auto trace = text_of("continuo-seed-" + seed + ".txt");
  CAF_CHECK(trace.find("handles make_payment of o-") != std::string::npos);
  const auto diagram = text_of("continuo-seed-" + seed + ".mmd");
  CAF_CHECK(diagram.starts_with("sequenceDiagram\n"));
  CAF_CHECK(diagram.find("participant payment") != std::string::npos);
  CAF_CHECK_EQUAL(files(), 2u);

  // That seed alone, again and again.
  const variable only{"CONTINUO_SEED", seed};
  for (int i = 0; i < 2; ++i) {
    const auto again = fails([] { continuo::testing::for_each_seed(charges_by_attempt, {1, 200}); });
    CAF_CHECK_EQUAL(again.what, run.what);
    CAF_CHECK_EQUAL(again.printed.substr(0, again.printed.find("repeat")),
                    run.printed.substr(0, run.printed.find("repeat")));
  }
}

CAF_TEST(CONTINUO_SEED is the only seed that is run) {
  const variable only{"CONTINUO_SEED", "42"};
  std::vector<std::uint64_t> seeds;
  const auto seen = continuo::testing::for_each_seed(
      [&](cluster& here) {
        seeds.push_back(here.seed());
        build(here);
      },
      {1, 100});
  CAF_REQUIRE_EQUAL(seeds.size(), 1u);
  CAF_CHECK_EQUAL(seeds.front(), 42u);
  CAF_CHECK_EQUAL(seen.seeds, 1u);
  CAF_CHECK_EQUAL(continuo::testing::fixture{}.seed(), 42u);
}

CAF_TEST(a timer that is not cancelled is found where the label takes long) {
  const auto run = fails([] {
    continuo::testing::for_each_seed(
        [](cluster& here) {
          here.offer<forgetful>();
          here.fake<make_payment>("payment");
          here.fake<refund_payment>("payment");
          here.fake<create_label>("warehouse");
          here.add("ordering", {"forgetful"});
          here.add("payment", {"payment"});
          here.add("warehouse", {"warehouse"});
          here.start();
          if (here.draw(3) == 0) {
            here["warehouse"].crash();
          }
          here.publish(order_placed{"o-1", 4200});
          here.run_for(1h);
          here["warehouse"].restart();
          here.finish();
          here.saga_of<forgetful>("o-1").should_be_completed();
        },
        {1, 100});
  });
  CAF_CHECK(run.what.find("forgetful/o-1 should be completed, and is compensated (payment overdue)") !=
            std::string::npos);
  CAF_CHECK(run.printed.find("planned faults") == std::string::npos); // there were none
}

CAF_TEST(any exception of a scenario is a failure with its seed) {
  const auto run = fails([] {
    continuo::testing::for_each_seed([](cluster&) { throw std::runtime_error{"no money"}; }, {7, 10});
  });
  CAF_CHECK_EQUAL(run.what, "seed 7, after 0.000000 s: no money");
}

CAF_TEST(a scenario need not call finish) {
  std::size_t asked = 0;
  continuo::testing::for_each_seed(
      [&](cluster& here) {
        order(here);
        here.at_end("asked", [&] { return ++asked > 0; });
      },
      {1, 3});
  CAF_CHECK_EQUAL(asked, 3u);
}

CAF_TEST(no seeds are no runs) {
  CAF_CHECK_EQUAL(continuo::testing::for_each_seed([](cluster&) {}, {1, 0}).seeds, 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
