// Offsets as the system's time zone database has them, held against what the C library reads there.
#define CAF_SUITE time_zones

#include <caf/test/dsl.hpp>

#include "engine/time_zone.hpp"
#include "tests/support/zones.hpp"

#include <filesystem>
#include <fstream>
#include <random>

using namespace continuo;
using namespace continuo::engine;
using namespace std::chrono_literals;
using continuo::tests::library_clock;
using continuo::tests::zone_named;
using std::chrono::sys_days;
using std::chrono::year;

namespace {

/// Every zone of the database, by its name.
std::vector<std::string> all_zones() {
  const std::filesystem::path root{"/usr/share/zoneinfo"};
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{root}) {
    const auto name = entry.path().lexically_relative(root).string();
    std::ifstream file{entry.path(), std::ios::binary};
    char mark[4]{};
    const auto is_zone = entry.is_regular_file() && file.read(mark, 4) && std::string_view{mark, 4} == "TZif";
    if (is_zone && !name.starts_with("right/")) {
      names.push_back(name);
    }
  }
  return names;
}

std::string file_of(std::string_view name) {
  std::ifstream file{"/usr/share/zoneinfo/" + std::string{name}, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

constexpr auto first_day = sys_days{year{1970} / 1 / 1};

} // namespace

CAF_TEST(every zone has the offsets of the C library at any time up to the year 2200) {
  const auto names = all_zones();
  CAF_REQUIRE(names.size() > 300);
  std::mt19937_64 random{7};
  std::uniform_int_distribution<std::int64_t> seconds{0, (sys_days{year{2200} / 1 / 1} - first_day) / 1s};
  for (const auto& name : names) {
    const auto zone = zone_named(name);
    const library_clock clock{name};
    for (int i = 0; i < 400; ++i) {
      const time_zone::instant when{std::chrono::seconds{seconds(random)}};
      const auto here = zone.at(when);
      CAF_REQUIRE(here.begin <= when && when < here.end);
      if (here.offset != clock.offset_at(when)) {
        CAF_FAIL(name << " at " << when.time_since_epoch().count() << ": " << here.offset.count()
                      << " s, not " << clock.offset_at(when).count());
      }
    }
  }
}

CAF_TEST(the changes of a zone are where the C library has them to the second) {
  for (const auto* name : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Nuuk",
                           "Africa/Casablanca", "Antarctica/Troll", "Asia/Kathmandu", "Pacific/Apia"}) {
    const auto zone = zone_named(name);
    const library_clock clock{name};
    for (time_zone::instant when = first_day; when < sys_days{year{2100} / 1 / 1};) {
      const auto here = zone.at(when);
      if (here.end >= sys_days{year{2100} / 1 / 1}) {
        break;
      }
      CAF_REQUIRE_EQUAL(clock.offset_at(here.end - 1s).count(), here.offset.count());
      CAF_REQUIRE_EQUAL(clock.offset_at(here.end).count(), zone.at(here.end).offset.count());
      CAF_REQUIRE(zone.at(here.end).begin == here.end);
      when = here.end;
    }
  }
}

CAF_TEST(summer time goes on after the last change that the file lists) {
  const auto berlin = zone_named("Europe/Berlin");
  CAF_CHECK_EQUAL(berlin.at(sys_days{year{2060} / 7 / 1}).offset.count(), 7'200);
  CAF_CHECK_EQUAL(berlin.at(sys_days{year{2061} / 1 / 1}).offset.count(), 3'600);
}

CAF_TEST(UTC never changes) {
  const time_zone utc;
  CAF_CHECK_EQUAL(utc.at(first_day).offset.count(), 0);
  CAF_CHECK(utc.at(first_day).begin == time_zone::instant::min());
  CAF_CHECK(utc.at(first_day).end == time_zone::instant::max());
}

CAF_TEST(what is no zone is refused and cut or changed bytes do no harm) {
  CAF_CHECK(!time_zone::read(""));
  CAF_CHECK(!time_zone::read("TZif"));
  CAF_CHECK(!time_zone::read(file_of("tzdata.zi")));
  const auto whole = file_of("Europe/Berlin");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAF_REQUIRE(!time_zone::read(std::string_view{whole}.substr(0, length)));
  }
  std::mt19937_64 random{11};
  for (int i = 0; i < 20'000; ++i) {
    auto damaged = whole;
    for (int n = 0; n < 3; ++n) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    if (const auto zone = time_zone::read(damaged)) {
      const time_zone::instant when{
          std::chrono::seconds{static_cast<std::int64_t>(random() % 8'000'000'000)}};
      CAF_REQUIRE(zone->at(when).begin <= when && when < zone->at(when).end);
    }
  }
}
