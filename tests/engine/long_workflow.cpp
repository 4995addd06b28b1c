#define CAF_SUITE long_workflow

#include "tests/engine/world.hpp"

#include <continuo/workflow.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>
#include <map>
#include <string>
#include <vector>

// W33: a workflow of many steps one after the other. What one transition writes, and what a rollback reads,
// does not grow with the steps before it.

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;

namespace {

constexpr int steps_in_all = 10'000;

workflow<> many(placed order, flow& flow) {
  for (int i = 0; i < steps_in_all; ++i) {
    const auto name = fmt::format("step-{:05}", i);
    auto one = flow.call(name, pay{order.id, i});
    one.undone_by(refund{name, {}});
    co_await one;
  }
  auto last = flow.timer("last", std::chrono::hours{1});
  co_await last;
}

/// An instance with what it has in the store.
struct fixture : world {
  fixture() {
    workflow_type made{"many", many};
    made.starts_on<placed>(&placed::id);
    type = made;
    if (!routes.add(type)) {
      throw std::logic_error{"the names clash"};
    }
    of.type = &type;
    of.routes = &routes;
    of.store = world::store;
    of.read_entries = [this](const std::string& prefix) -> result<std::vector<std::string>> {
      ++reads;
      std::vector<std::string> found;
      for (auto at = entries.lower_bound(prefix); at != entries.end() && at->first.starts_with(prefix);
           ++at) {
        found.push_back(at->second);
      }
      return found;
    };
    machine = std::make_unique<saga_machine>(of, self, std::nullopt);
  }

  transition keep(transition decided) {
    written = machine->encoded().size();
    for (auto& entry : decided.entries) {
      written += entry.key.size() + entry.value.size();
      entries[entry.key] = std::move(entry.value);
    }
    return decided;
  }

  transition take(envelope message) {
    message.to = self;
    return keep(machine->receive(message, now, next_revision()));
  }

  void leave_memory() {
    auto stored = decode<record>(machine->encoded()).value();
    machine = std::make_unique<saga_machine>(of, self, std::move(stored));
  }

  const record& current() const { return machine->current(); }

  detail::saga_type type;
  instance_id self{"many", "o-1"};
  saga_environment of;
  std::map<std::string, std::string> entries;
  std::unique_ptr<saga_machine> machine;
  std::size_t reads = 0;
  std::size_t written = 0; // by the last transition
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(long_workflow_tests, fixture)

CAF_TEST(W33 the ten thousandth step writes what the tenth did and its rollback reads once for each) {
  take(event(placed{"o-1", 42}, {"continuo.publish", "x"}, "o-1"));
  std::size_t at_ten = 0;
  for (int i = 0; i < steps_in_all; ++i) {
    CAF_REQUIRE_EQUAL(current().requests.size(), 1u);
    take(reply(current().requests.front(), paid{"o-1", "p"}));
    at_ten = i == 10 ? written : at_ten;
    if (i == steps_in_all / 2) {
      leave_memory();
    }
  }
  CAF_MESSAGE("bytes written by step 10: " << at_ten << ", by step " << steps_in_all << ": " << written);
  CAF_CHECK_LESS_OR_EQUAL(written, 2 * at_ten);
  CAF_CHECK_LESS(machine->encoded().size(), 4'096u);
  CAF_CHECK_EQUAL(reads, 1u); // when it was run again from its beginning

  leave_memory();
  reads = 0;
  keep(machine->operate(verb::cancel, "ann", {}, now, next_revision()));
  for (int i = steps_in_all; i-- > 0;) {
    CAF_REQUIRE_EQUAL(current().requests.size(), 1u);
    const auto undo = decode<refund>(current().requests.front().payload).value();
    CAF_REQUIRE_EQUAL(undo.id, fmt::format("step-{:05}", i));
    take(reply(current().requests.front(), refunded{"o-1"}));
  }
  CAF_CHECK_EQUAL(std::string{to_string(current().status)}, "compensated");
  CAF_CHECK_EQUAL(reads, static_cast<std::size_t>(steps_in_all));
}

CAF_TEST_FIXTURE_SCOPE_END()
