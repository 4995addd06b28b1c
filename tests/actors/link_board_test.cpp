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
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(link_board_tests, fixture)

CAF_TEST(a node that reaches nobody works alone) {
  CAF_CHECK(!board.stands_apart());
  board.unreachable("b", "refused", now);
  CAF_CHECK(!board.stands_apart());
}

CAF_TEST(a node that disagrees with all it reaches stands apart) {
  board.disagrees("b", "another placement");
  board.went_down("b", "the connection is gone", now);
  board.unreachable("c", "refused", now);
  CAF_REQUIRE(board.stands_apart().has_value());
  CAF_CHECK_EQUAL(*board.stands_apart(), "another placement");
}

CAF_TEST(it does not while one goes together with it) {
  board.went_up("c", "1", now);
  board.disagrees("b", "another placement");
  CAF_CHECK(!board.stands_apart());
  board.went_down("c", "the connection is gone", now);
  CAF_CHECK(board.stands_apart().has_value());
}

CAF_TEST(it goes on when the other one is mended or gone) {
  board.disagrees("b", "another placement");
  CAF_CHECK(board.stands_apart().has_value());
  board.went_up("b", "1", now);
  CAF_CHECK(!board.stands_apart());
  board.disagrees("c", "another cluster");
  board.went_down("b", "the connection is gone", now);
  CAF_CHECK(board.stands_apart().has_value());
  board.unreachable("c", "refused", now);
  CAF_CHECK(!board.stands_apart());
}

CAF_TEST_FIXTURE_SCOPE_END()
