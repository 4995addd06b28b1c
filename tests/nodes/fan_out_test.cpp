// What a transition writes does not grow with those before it.
#define CAF_SUITE fan_out

#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;

namespace {

struct item_done {
  CONTINUO_FIELDS(item_done)
};

struct do_item {
  using reply = item_done;
  std::int64_t number = 0;
  std::string text;
  CONTINUO_FIELDS(do_item, number, text)
};

struct item_undone {
  CONTINUO_FIELDS(item_undone)
};

struct undo_item {
  using reply = item_undone;
  std::int64_t number = 0;
  CONTINUO_FIELDS(undo_item, number)
};

struct items_wanted {
  std::string id;
  std::int64_t count = 0;
  CONTINUO_FIELDS(items_wanted, id, count)
};

class fan_out : public saga<fan_out> {
public:
  static void define(saga_definition<fan_out>& saga) {
    saga.starts_on<items_wanted>(&items_wanted::id);
    saga.calls<do_item>().undone_by(
        [](const do_item& sent, const item_done*) { return undo_item{sent.number}; });
  }
  void on(const items_wanted& event, saga_context& context) {
    left = event.count;
    for (std::int64_t number = 0; number < left; ++number) {
      context.send(do_item{number, std::string(20, 'x')});
    }
  }
  void on(const item_done&, saga_context& context) {
    if (--left == 0) {
      context.roll_back("not wanted any more");
    }
  }

  std::int64_t left = 0;
  CONTINUO_FIELDS(fan_out, left)
};

} // namespace

CAF_TEST(a fan out of a thousand and its undo write what changes and not all that is open) {
  const temporary_directory directory;
  node here{node_config::embedded(directory.path() / "data")};
  here.host<fan_out>();
  here.host(
      service{"items"}
          .handle([](const do_item&, command_context&) -> outcome<item_done> { return item_done{}; })
          .handle([](const undo_item&, command_context&) -> outcome<item_undone> { return item_undone{}; }));
  CAF_REQUIRE(here.start().has_value());
  const auto end = wait_for(here.client().publish(items_wanted{"all", 1'000}).result_of<fan_out>());
  CAF_REQUIRE(end.has_value());
  CAF_CHECK_EQUAL(to_string(end->status), "compensated");
  const auto done = here.figures();
  CAF_MESSAGE(done.bytes << " bytes in " << done.syncs << " syncs for " << done.transitions
                         << " transitions");
  CAF_CHECK_GREATER(done.transitions, 4'000u);
  CAF_CHECK_LESS(done.bytes, 4'000'000u); // 48 MB where each writes its record whole
}
