#define CAF_SUITE messages_result

#include <caf/test/dsl.hpp>

#include <continuo/result.hpp>

#include <set>

using namespace continuo;

namespace {

constexpr errc all[] = {
    errc::malformed,     errc::unknown_type, errc::newer_version, errc::invalid_definition,
    errc::not_found,     errc::conflict,     errc::overloaded,    errc::invalid_configuration,
    errc::timed_out,     errc::unavailable,  errc::corrupt,       errc::storage_failed,
    errc::storage_full,  errc::identity,     errc::in_use,        errc::address_in_use,
    errc::handler_failed};

} // namespace

CAF_TEST(every code has a name of its own) {
  std::set<std::string_view> names;
  for (const auto code : all) {
    names.insert(to_string(code));
  }
  CAF_CHECK_EQUAL(names.size(), std::size(all));
  CAF_CHECK(names.count("unknown") == 0);
  CAF_CHECK_EQUAL(to_string(errc::malformed), "malformed");
  CAF_CHECK_EQUAL(to_string(static_cast<errc>(200)), "unknown");
}

CAF_TEST(every code becomes one of the statuses of the interface) {
  for (const auto code : all) {
    CAF_CHECK((std::set<int>{400, 404, 409, 429, 503}.count(http_status(code)) == 1));
  }
  CAF_CHECK_EQUAL(http_status(errc::malformed), 400);
  CAF_CHECK_EQUAL(http_status(errc::unknown_type), 404);
  CAF_CHECK_EQUAL(http_status(errc::conflict), 409);
  CAF_CHECK_EQUAL(http_status(errc::overloaded), 429);
  CAF_CHECK_EQUAL(http_status(errc::unavailable), 503);
}

CAF_TEST(the exit codes are those of the interface) {
  CAF_CHECK_EQUAL(exit_code(errc::invalid_configuration), 2);
  CAF_CHECK_EQUAL(exit_code(errc::invalid_definition), 2);
  CAF_CHECK_EQUAL(exit_code(errc::corrupt), 3);
  CAF_CHECK_EQUAL(exit_code(errc::newer_version), 3);
  CAF_CHECK_EQUAL(exit_code(errc::storage_failed), 4);
  CAF_CHECK_EQUAL(exit_code(errc::storage_full), 4);
  CAF_CHECK_EQUAL(exit_code(errc::identity), 5);
  CAF_CHECK_EQUAL(exit_code(errc::in_use), 6);
  CAF_CHECK_EQUAL(exit_code(errc::address_in_use), 7);
  CAF_CHECK_EQUAL(exit_code(errc::malformed), 0);
}

CAF_TEST(only what passes by itself may be tried again) {
  std::set<std::string_view> retryable;
  for (const auto code : all) {
    if (is_retryable(code)) {
      retryable.insert(to_string(code));
    }
  }
  CAF_CHECK(
      (retryable == std::set<std::string_view>{"overloaded", "timed_out", "unavailable", "handler_failed"}));
}
