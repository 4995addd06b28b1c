#include "tests/support/places.hpp"

namespace continuo::tests::places {

std::string root() {
  return CONTINUO_ROOT_DIR;
}

std::string programs() {
  return CONTINUO_PROGRAMS_DIR;
}

std::string continuo_program() {
  return CONTINUO_PROGRAM;
}

std::string order_node() {
  return CONTINUO_ORDER_NODE;
}

std::string readme_orders() {
  return CONTINUO_README_ORDERS;
}

std::string synchronous_orders() {
  return CONTINUO_SYNCHRONOUS_ORDERS;
}

} // namespace continuo::tests::places
