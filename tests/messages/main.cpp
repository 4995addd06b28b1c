#include <caf/test/dsl.hpp>

#include <caf/test/unit_test_impl.hpp>
