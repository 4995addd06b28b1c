// expect: Continuo needs C++20 (-std=c++20)
// standard: c++17
#include <continuo/saga.hpp>

int main() {}
