#define CAF_SUITE shown_times

#include <continuo/detail/time_text.hpp>

#include <caf/test/dsl.hpp>

using namespace continuo::detail;
using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::system_clock;

CAF_TEST(people are shown the milliseconds of a time and nothing finer) {
  const system_clock::time_point day = sys_days{2024y / 2 / 29};
  CAF_CHECK_EQUAL(shown_time(day), "2024-02-29T00:00:00.000Z");
  CAF_CHECK_EQUAL(shown_time(day + 1h + 2min + 3s + 40ms), "2024-02-29T01:02:03.040Z");
  CAF_CHECK_EQUAL(shown_time(day + 999'999'999ns), "2024-02-29T00:00:00.999Z");
  CAF_CHECK_EQUAL(shown_time(system_clock::time_point{} - 1ns), "1969-12-31T23:59:59.999Z");
  CAF_CHECK_EQUAL(shown_time(system_clock::time_point::min()), "1677-09-21T00:12:43.145Z");
  CAF_CHECK_EQUAL(shown_time(system_clock::time_point::max()), "2262-04-11T23:47:16.854Z");
}

CAF_TEST(never is known as such though it was cut to be shown) {
  CAF_CHECK(is_never(system_clock::time_point::max()));
  const auto shown = shown_time(system_clock::time_point::max());
  const auto read = read_time(shown, period_of<system_clock::duration>());
  CAF_REQUIRE(read);
  CAF_CHECK(is_never(system_clock::time_point{system_clock::duration{*read}}));
  CAF_CHECK(!is_never(system_clock::time_point::max() - 1s));
  CAF_CHECK(!is_never(system_clock::now()));
}
