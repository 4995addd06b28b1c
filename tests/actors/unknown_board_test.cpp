#define CAF_SUITE unknown_board

#include "actors/unknown_board.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using actors::unknown_board;

CAF_TEST(types that a peer makes up take no more and more memory and are not all told) {
  unknown_board board;
  const error why{errc::unknown_type, "there is no such type"};
  const auto id = [](std::size_t number) { return message_id{1, number + 1, 0}; };
  std::size_t told = 0;
  for (std::size_t i = 0; i < 2 * unknown_board::types_max; ++i) {
    told += board.note("saga", "type" + std::to_string(i), id(i), why) ? 1 : 0;
    board.note("saga", "type" + std::to_string(i), id(i), why);
  }
  CAF_CHECK_EQUAL(told, unknown_board::types_max);
  CAF_CHECK_EQUAL(board.count_of("saga"), 4 * unknown_board::types_max);
  CAF_CHECK(board.reason_of(id(0)).has_value());
  CAF_CHECK(board.reason_of(id(unknown_board::types_max - 1)).has_value());
  CAF_CHECK(!board.reason_of(id(unknown_board::types_max)).has_value());
  CAF_CHECK(!board.note("saga", "type0", id(0), why)); // known as before
}
