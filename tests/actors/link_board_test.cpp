#define CAF_SUITE link_board

#include "actors/link_board.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using continuo::actors::link_board;

namespace {

const time_point now{};

struct fixture {
  link_board board;

  fixture() {
    board.add("b", now);
    board.add("c", now);
  }

  std::string why() const { return board.stands_apart().value_or(""); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(link_board_tests, fixture)

CAF_TEST(a node that reaches nobody works alone) {
  CAF_CHECK_EQUAL(why(), "");
  board.unreachable("b", "refused", now);
  CAF_CHECK_EQUAL(why(), "");
}

CAF_TEST(a node that disagrees with all it reaches stands apart) {
  board.disagrees("b", "another placement");
  board.went_down("b", "the connection is gone", now);
  board.unreachable("c", "refused", now);
  CAF_CHECK_EQUAL(why(), "another placement");
}

CAF_TEST(it does not while one goes together with it) {
  board.went_up("c", "1", now);
  board.disagrees("b", "another placement");
  CAF_CHECK_EQUAL(why(), "");
  board.went_down("c", "the connection is gone", now);
  CAF_CHECK(!why().empty());
}

CAF_TEST(it goes on when the other one is mended or gone) {
  board.disagrees("b", "another placement");
  CAF_CHECK(!why().empty());
  board.went_up("b", "1", now);
  CAF_CHECK_EQUAL(why(), "");
  board.disagrees("c", "another cluster");
  board.went_down("b", "the connection is gone", now);
  CAF_CHECK(!why().empty());
  board.unreachable("c", "refused", now);
  CAF_CHECK_EQUAL(why(), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
